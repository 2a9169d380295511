//! The one HTTP client.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, IntoUrl, RequestBuilder};
use senseops_core::{BuildError, Files};
use url::Url;

use crate::explain::{Setup, explain_request};
use crate::names::SystemNames;
use crate::{Failure, TlsSettings};

/// The longest that connecting may take, looking up the name and TLS included. Whoever waits longer for an answer,
/// such as a sink, still wants to know soon that nobody is there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that looking up the name may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// An HTTP client with a time limit and kept-alive connections, without proxies or redirects. Cheap to clone.
///
/// A redirect is an answer like any other: what gathers or writes has no use for the page it leads to, and must not
/// send its credentials there.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client,
    setup: Arc<Setup>,
}

/// Limits for the parts of an exchange.
#[derive(Debug, PartialEq, Eq)]
struct Limits {
    connect: Duration,
    look_up: Duration,
}

impl Limits {
    /// Each part has less time than the whole, so that a name server or a firewall that swallows packets is told apart
    /// from a slow answer.
    fn within(timeout: Duration) -> Self {
        let connect = CONNECT_TIMEOUT.min(timeout / 5 * 4);
        Self { connect, look_up: LOOKUP_TIMEOUT.min(connect / 5 * 4) }
    }
}

impl HttpClient {
    /// Opens the files that `tls` names, and notes them in `files`; `tls_key` is where that table is in the
    /// configuration, for errors. An exchange
    /// may take `timeout` from connecting to the end of the body; [`Duration::MAX`] leaves the end to the caller.
    /// `headers` go with each request.
    ///
    /// # Errors
    /// When a certificate or key cannot be used.
    pub async fn new(
        tls: &TlsSettings,
        tls_key: &str,
        timeout: Duration,
        headers: HeaderMap,
        files: &Files,
    ) -> Result<Self, BuildError> {
        let Limits { connect: connect_timeout, look_up } = Limits::within(timeout);
        #[expect(clippy::disallowed_methods, reason = "this is the one client, with a time limit")]
        let builder = Client::builder();
        let client = builder
            .tls_backend_preconfigured(tls.client_config(tls_key, files).await?)
            .user_agent(concat!("senseops/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(timeout)
            .connect_timeout(connect_timeout)
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(SystemNames::within(look_up)))
            .build()
            .map_err(|cause| BuildError::at(tls_key, "make the HTTP client").because(cause))?;
        let setup = Setup { tls: tls.clone(), timeout, connect_timeout };
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

    /// A DELETE request, to be sent.
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.client.delete(url)
    }

    /// Why a request to `url` failed, and what to do about it.
    pub fn explain(&self, url: &Url, error: &reqwest::Error) -> Failure {
        explain_request(&self.setup, url, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_first_is_told_first() {
        let limits = |timeout| {
            let Limits { connect, look_up } = Limits::within(timeout);
            (connect.as_millis(), look_up.as_millis())
        };
        assert_eq!(limits(Duration::from_millis(500)), (400, 320));
        assert_eq!(limits(Duration::from_secs(5)), (4000, 3200));
        assert_eq!(limits(Duration::from_mins(5)), (10_000, 5000));
        assert_eq!(limits(Duration::MAX), (10_000, 5000));
    }
}
