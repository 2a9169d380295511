//! One server to poll.

use std::sync::Arc;

use senseops_core::settings::Span;
use senseops_core::{BuildError, Files, LabelSet};
use senseops_net::{HeaderMap, HeaderValue, Headers, HttpClient, TlsSettings, Url, header};
use senseops_qlik::kinds::server;

use crate::ServerConfig;

/// What is known about a server before it is polled.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    /// The address of its health API.
    pub(crate) url: Url,
    /// The labels of its events.
    pub(crate) labels: Arc<LabelSet>,
    tls: TlsSettings,
    headers: Headers,
    /// What of these settings is the server's own.
    own: Own,
}

/// The table that is about one server alone.
#[derive(Debug)]
struct Own {
    index: usize,
    tls: TlsSettings,
    headers: Headers,
}

impl Server {
    /// The server, with the settings that are the same for all.
    pub(crate) fn new(config: ServerConfig, tls: &TlsSettings, headers: &Headers) -> Self {
        Self {
            labels: Arc::new(labels(&config)),
            url: config.url.below("/engine/healthcheck"),
            tls: config.tls.clone().over(tls),
            headers: config.headers.clone().over(headers),
            own: Own { index: config.index, tls: config.tls, headers: config.headers },
            name: config.name,
        }
    }

    /// A client for requests to it.
    pub(crate) async fn client(&self, timeout: Span, files: &Files) -> Result<HttpClient, BuildError> {
        self.open_client(timeout, files).await.map_err(|error| self.own.locate(error))
    }

    async fn open_client(&self, timeout: Span, files: &Files) -> Result<HttpClient, BuildError> {
        let mut headers = HeaderMap::from_iter([
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ]);
        headers.extend(self.headers.resolve("headers", files).await?);
        HttpClient::new(&self.tls, "tls", timeout.get(), headers, files).await
    }
}

impl Own {
    /// The error, with the key as it is written: in the table of this server, or in that for all servers.
    fn locate(&self, mut error: BuildError) -> BuildError {
        let is_own = match error.key.split_once('.') {
            Some(("tls", "ca")) => self.tls.ca.is_some(),
            Some(("tls", "cert" | "key" | "passphrase")) => self.tls.identity.is_some(),
            Some(("headers", name)) => self.headers.contains(name),
            Some(_) | None => false,
        };
        if is_own {
            error.key = format!("servers.{}.{}", self.index, error.key);
        }
        error
    }
}

fn labels(config: &ServerConfig) -> LabelSet {
    let mut labels =
        LabelSet::default().with(server::HOST, config.url.host()).with(server::NAME, config.name.as_str());
    if let Some(description) = &config.description {
        labels.set(server::DESCRIPTION, description.as_str());
    }
    config.tags.over(&labels)
}
