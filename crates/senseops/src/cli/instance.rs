//! A running instance, asked over HTTP.

use std::env;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use senseops_config::{Loaded, Problems, Registry};
use senseops_core::settings::Secret;
use senseops_core::{BuildError, Files, chain};
use senseops_net::header::AUTHORIZATION;
use senseops_net::{
    BodyError, ClientIdentity, Failure, HeaderMap, HeaderValue, HttpClient, Reason, RequestBuilder, Response,
    StatusCode, TlsSettings, Url, Verify, origin_of, read_limited, resolve,
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
    /// Where the token is from that it gets.
    token: Option<&'static str>,
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
    /// The configuration has no `web` table, so that nobody can ask.
    #[error("{} has no `web` table, so a running instance cannot be asked; add one, such as `web: {{ listen: {DEFAULT_LISTEN} }}`, or give --url", files_of(.0))]
    NoWeb(Vec<PathBuf>),
    /// Nobody answers.
    #[error("{0}")]
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
    /// It wants a token, and got none.
    #[error("{error}; give it by --token-file, {TOKEN_VARIABLE} or -c")]
    NoToken { error: String },
    /// It wants another token than that which it got.
    #[error("{url} says: {error}; the one it got is that of {of}")]
    WrongToken { url: String, error: String, of: &'static str },
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
            (None, None) if access.config.is_empty() => url_of(&WebConfig::default()),
            (None, None) => return Err(InstanceError::NoWeb(access.config.clone())),
        };
        let token = match (&access.token_file, env::var_os(TOKEN_VARIABLE), web.and_then(|web| web.token)) {
            (Some(path), _, _) => Some(("--token-file", Secret::File(path.clone()))),
            (None, Some(_set), _) => Some((TOKEN_VARIABLE, Secret::Env(TOKEN_VARIABLE.to_owned()))),
            (None, None, Some(secret)) => Some(("web.token", secret)),
            (None, None, None) => None,
        };
        let files = Files::default();
        let mut headers = HeaderMap::new();
        if let Some((key, secret)) = &token {
            let token = resolve(secret, key, &files).await.map_err(InstanceError::Open)?;
            headers.insert(AUTHORIZATION, bearer(key, &token).map_err(InstanceError::Open)?);
        }
        let tls = tls_of(access, &url);
        let client =
            HttpClient::new(&tls, "tls", timeout, headers, &files).await.map_err(InstanceError::Open)?;
        Ok(Self { url, client, token: token.map(|(key, _)| key) })
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

    /// What it answers to a DELETE of `name` below this path.
    pub(super) async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        name: &str,
    ) -> Result<T, InstanceError> {
        let mut url = self.at(path);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(name);
        }
        self.parsed(&url, self.client.delete(url.clone())).await
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
        next.map_err(|error| unreachable(self.client.explain(&self.url, &error)))
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
        let response = request.send().await;
        let response = response.map_err(|error| unreachable(self.client.explain(url, &error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = body(url, response).await?;
        let error = match serde_json::from_slice(body.as_ref()) {
            Ok(Problem { detail, .. }) if !detail.is_empty() => detail,
            Ok(_) | Err(_) => format!("{url} answers {status}"),
        };
        Err(match (status, self.token) {
            (StatusCode::UNAUTHORIZED, Some(of)) => {
                InstanceError::WrongToken { url: origin_of(&self.url), error, of }
            }
            (StatusCode::UNAUTHORIZED, None) => InstanceError::NoToken { error },
            _ => InstanceError::Refused { status, error },
        })
    }
}

/// Nobody answers, with advice that can be followed on a command line.
fn unreachable(failure: Failure) -> InstanceError {
    let advice = match failure.reason {
        Reason::TlsUntrusted => "give its certificate, or that of the CA which signed it, by --ca",
        Reason::TlsName => "give a --url with a name that its certificate is for",
        Reason::TlsExpired => "have it renewed, and check the clocks of both machines",
        Reason::TlsClientCertificate => "give one that it accepts by --cert and --key",
        Reason::Tls => "check that --url begins with https:// only if its `web` table has `tls`",
        Reason::Refused | Reason::Reset | Reason::Unreachable | Reason::BadBody => {
            "is `sos run` running with a `web` table?"
        }
        Reason::Timeout
        | Reason::Dns
        | Reason::LoginPage
        | Reason::Status
        | Reason::Redirect
        | Reason::TooLarge => return InstanceError::Unreachable(failure),
    };
    InstanceError::Unreachable(failure.advise(advice))
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
            Self::NoWeb(_) | Self::Refused { status: StatusCode::UNPROCESSABLE_ENTITY, .. } => Exit::Config,
            // What is named does not exist, or is in use.
            Self::Refused { status: StatusCode::NOT_FOUND | StatusCode::CONFLICT, .. } => Exit::Usage,
            Self::Unreachable(_)
            | Self::Strange { .. }
            | Self::Elsewhere
            | Self::NoToken { .. }
            | Self::WrongToken { .. }
            | Self::Refused { .. } => Exit::Unreachable,
        };
        output::complain(chain(self))?;
        Ok(exit)
    }
}

impl InstanceError {
    /// Nobody is there who could have been asked.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::NoWeb(_) | Self::Elsewhere)
    }
}

fn files_of(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
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
