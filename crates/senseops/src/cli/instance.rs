//! A running instance, asked over HTTP.

use std::env;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use senseops_config::{Loaded, Problems, Registry};
use senseops_core::settings::Secret;
use senseops_core::{BuildError, Files, chain};
use senseops_net::header::AUTHORIZATION;
use senseops_net::{
    BodyError, ClientIdentity, Failure, HeaderMap, HeaderValue, HttpClient, RequestBuilder, Response,
    StatusCode, TlsSettings, Url, Verify, read_limited, resolve,
};
use senseops_web::{DEFAULT_LISTEN, Problem, WebConfig};
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::args::{self, Access};
use super::exit::Exit;
use super::{output, run};

/// The longest that an answer may take: a reload opens everything that is new.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// The largest answer. A status of some thousands of components fits.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// The variable that holds the token.
const TOKEN_VARIABLE: &str = "SOS_TOKEN";

/// A running instance.
pub(super) struct Instance {
    url: Url,
    client: HttpClient,
}

/// The instance did not do what it was asked for.
#[derive(Debug, Error)]
pub(super) enum InstanceError {
    /// The configuration that tells where it is cannot be read.
    #[error("the configuration cannot be used")]
    Config(#[source] Problems),
    /// A token or certificate cannot be used.
    #[error("{}: {}", .0.key, chain(.0))]
    Open(BuildError),
    /// Nobody answers.
    #[error("{0}; is `sos run` running with a `web` table?")]
    Unreachable(Failure),
    /// The answer broke off or is none of ours.
    #[error("{url} does not answer like sos")]
    Strange {
        /// What was asked.
        url: Url,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is one, but it is not the one that is meant.
    #[error("the instance that answers uses another journal")]
    Elsewhere,
    /// It wants a token, and another one than that which it got, if it got one.
    #[error("{error}; give it by --token-file, {TOKEN_VARIABLE} or -c")]
    Token { error: String },
    /// It says why not.
    #[error("{error}")]
    Refused { status: StatusCode, error: String },
}

impl Instance {
    /// Finds out where it is and how it is reached. `timeout` is for each answer.
    pub(super) async fn find(
        registry: &Registry,
        access: &Access,
        timeout: Duration,
    ) -> Result<Self, InstanceError> {
        let web = web_of(registry, access)?;
        let url = match (&access.url, &web) {
            (Some(url), _) => url.clone(),
            (None, Some(web)) => url_of(web),
            (None, None) => url_of(&WebConfig::default()),
        };
        let token = match (&access.token_file, env::var_os(TOKEN_VARIABLE), web.and_then(|web| web.token)) {
            (Some(path), _, _) => Some(("--token-file", Secret::File(path.clone()))),
            (None, Some(_set), _) => Some((TOKEN_VARIABLE, Secret::Env(TOKEN_VARIABLE.to_owned()))),
            (None, None, Some(secret)) => Some(("web.token", secret)),
            (None, None, None) => None,
        };
        let files = Files::default();
        let mut headers = HeaderMap::new();
        if let Some((key, secret)) = token {
            let token = resolve(&secret, key, &files).await.map_err(InstanceError::Open)?;
            headers.insert(AUTHORIZATION, bearer(key, &token).map_err(InstanceError::Open)?);
        }
        let tls = tls_of(access, &url);
        let client =
            HttpClient::new(&tls, "tls", timeout, headers, &files).await.map_err(InstanceError::Open)?;
        Ok(Self { url, client })
    }

    /// What it answers to a GET of this path.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, InstanceError> {
        let url = self.at(path);
        self.parsed(&url, self.client.get(url.clone())).await
    }

    /// What it answers to a POST to this path.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, InstanceError> {
        let url = with_query(self.at(path), query);
        self.parsed(&url, self.client.post(url.clone())).await
    }

    /// Asks for a DELETE of `name` below this path.
    pub(super) async fn delete(&self, path: &str, name: &str) -> Result<(), InstanceError> {
        let mut url = self.at(path);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(name);
        }
        self.send(&url, self.client.delete(url.clone())).await.map(|_empty| ())
    }

    /// An answer that has no end.
    pub(super) async fn stream(&self, path: &str, query: &[(&str, &str)]) -> Result<Response, InstanceError> {
        let url = with_query(self.at(path), query);
        self.send(&url, self.client.get(url.clone())).await
    }

    /// The next piece of a stream; `None` at its end.
    pub(super) async fn next(
        &self,
        stream: &mut Response,
    ) -> Result<Option<impl AsRef<[u8]> + use<>>, InstanceError> {
        let next = stream.chunk().await;
        next.map_err(|error| InstanceError::Unreachable(self.client.explain(&self.url, &error)))
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }

    async fn parsed<T: DeserializeOwned>(
        &self,
        url: &Url,
        request: RequestBuilder,
    ) -> Result<T, InstanceError> {
        let response = self.send(url, request).await?;
        let body = body(url, response).await?;
        serde_json::from_slice(body.as_ref())
            .map_err(|source| InstanceError::Strange { url: url.clone(), source: source.into() })
    }

    /// Sends, and turns every answer that is not a success into an error.
    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Response, InstanceError> {
        let response = request
            .send()
            .await
            .map_err(|error| InstanceError::Unreachable(self.client.explain(url, &error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = body(url, response).await?;
        let error = match serde_json::from_slice(body.as_ref()) {
            Ok(Problem { detail, .. }) if !detail.is_empty() => detail,
            Ok(_) | Err(_) => format!("{url} answers {status}"),
        };
        Err(match status {
            StatusCode::UNAUTHORIZED => InstanceError::Token { error },
            _ => InstanceError::Refused { status, error },
        })
    }
}

fn with_query(mut url: Url, query: &[(&str, &str)]) -> Url {
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

async fn body(url: &Url, response: Response) -> Result<impl AsRef<[u8]> + use<>, InstanceError> {
    read_limited(response, MAX_ANSWER_BYTES)
        .await
        .map_err(|source: BodyError| InstanceError::Strange { url: url.clone(), source: source.into() })
}

impl InstanceError {
    /// Says it, and gives the exit code that it stands for.
    pub(super) fn tell(&self) -> io::Result<Exit> {
        let exit = match self {
            Self::Config(problems) => return run::refuse(problems),
            Self::Open(_) => Exit::Open,
            Self::Unreachable(_) | Self::Strange { .. } => Exit::Unreachable,
            Self::Refused { status: StatusCode::UNPROCESSABLE_ENTITY, .. } => Exit::Config,
            Self::Elsewhere | Self::Token { .. } | Self::Refused { .. } => Exit::Failed,
        };
        output::complain(chain(self))?;
        Ok(exit)
    }
}

/// The `web` table of the configuration, if there is one.
fn web_of(registry: &Registry, access: &Access) -> Result<Option<WebConfig>, InstanceError> {
    if access.config.is_empty() {
        return Ok(None);
    }
    let loaded = load(registry, access).map_err(InstanceError::Config)?;
    Ok(loaded.section::<WebConfig>().cloned())
}

/// The configuration of the instance.
pub(super) fn load(registry: &Registry, access: &Access) -> Result<Loaded, Problems> {
    run::load(registry, &args::Files { config: access.config.clone() })
}

/// Where a listener is reached from this machine.
fn url_of(web: &WebConfig) -> Url {
    let mut address = web.listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let scheme = if web.tls.is_some() { "https" } else { "http" };
    let fallback = || Url::parse(&format!("http://{DEFAULT_LISTEN}/"));
    #[expect(clippy::expect_used, reason = "an address always is the host of a URL")]
    Url::parse(&format!("{scheme}://{address}/")).or_else(|_| fallback()).expect("an address is a host")
}

fn tls_of(access: &Access, url: &Url) -> TlsSettings {
    let identity = access.cert.clone().zip(access.key.clone());
    let identity = identity.map(|(cert, key)| ClientIdentity { cert, key, passphrase: None });
    // Certificates are for names, and nobody is on the way to this machine itself.
    let is_here = access.url.is_none() && access.ca.is_none() && is_loopback(url);
    let verify = is_here.then_some(Verify::None);
    TlsSettings { ca: access.ca.clone(), identity, server_name: None, verify }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

fn bearer(key: &str, token: &str) -> Result<HeaderValue, BuildError> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_shows_it| {
        BuildError::at(key, "the token cannot be sent: it has characters that an HTTP header cannot hold")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
