//! The one HTTP client.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, IntoUrl, Method, RequestBuilder};
use senseops_core::{BoxError, BuildError};
use thiserror::Error;
use url::Url;

use crate::{Failure, TlsSettings, explain};

/// An HTTP client with a time limit and kept-alive connections, without proxies or redirects. Cheap to clone.
///
/// A redirect is an answer like any other: what gathers or writes has no use for the page it leads to, and must not
/// send its credentials there.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client,
    setup: Arc<Setup>,
}

/// What has to be known to explain a failure.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The configured CA.
    pub(crate) ca: Option<PathBuf>,
    /// The configured client certificate.
    pub(crate) cert: Option<PathBuf>,
    /// The longest that an exchange may take.
    pub(crate) timeout: Duration,
    /// The longest that connecting may take, TLS included.
    pub(crate) connect_timeout: Duration,
}

/// A host name that cannot be resolved.
#[derive(Debug, Error)]
#[error("resolve {host}")]
pub(crate) struct LookupError {
    pub(crate) host: String,
    #[source]
    pub(crate) cause: io::Error,
}

/// Resolves as the system does. It exists to give the failure a type.
struct SystemNames;

impl HttpClient {
    /// Opens the files that `tls` names; `tls_key` is where that table is in the configuration, for errors. An exchange
    /// may take `timeout` from connecting to the end of the body. `headers` go with each request.
    ///
    /// # Errors
    /// When a certificate or key cannot be used.
    pub async fn new(
        tls: &TlsSettings,
        tls_key: &str,
        timeout: Duration,
        headers: HeaderMap,
    ) -> Result<Self, BuildError> {
        // Shorter than the whole, so that a firewall that swallows packets is told apart from a slow answer.
        let connect_timeout = timeout * 4 / 5;
        #[expect(clippy::disallowed_methods, reason = "this is the one client, with a time limit")]
        let builder = Client::builder();
        let client = builder
            .tls_backend_preconfigured(tls.client_config(tls_key).await?)
            .user_agent(concat!("senseops/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(timeout)
            .connect_timeout(connect_timeout)
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(SystemNames))
            .build()
            .map_err(|cause| BuildError::at(tls_key, "make the HTTP client").because(cause))?;
        let setup = Setup {
            ca: tls.ca.clone(),
            cert: tls.identity.as_ref().map(|identity| identity.cert.clone()),
            timeout,
            connect_timeout,
        };
        Ok(Self { client, setup: Arc::new(setup) })
    }

    /// A GET request, to be sent.
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.client.get(url)
    }

    /// A POST request, to be given a body and sent.
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.client.post(url)
    }

    /// A request of any method.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// The client below, for libraries that want one.
    pub fn inner(&self) -> &Client {
        &self.client
    }

    /// Why a request to `url` failed, and what to do about it.
    pub fn explain(&self, url: &Url, error: &reqwest::Error) -> Failure {
        explain::explain(&self.setup, url, error)
    }
}

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            match tokio::net::lookup_host((host, 0)).await {
                Ok(found) => {
                    let addresses: Vec<SocketAddr> = found.collect();
                    Ok(Box::new(addresses.into_iter()) as Addrs)
                }
                Err(cause) => Err(Box::new(LookupError { host: host.to_owned(), cause }) as BoxError),
            }
        })
    }
}
