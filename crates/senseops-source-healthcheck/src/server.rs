//! One server to poll, and the factory of its component.

use std::sync::Arc;

use async_trait::async_trait;
use senseops_core::settings::Span;
use senseops_core::{Build, BuildError, Files, LabelSet, Periodic, Schedule, Source, SourceFactory};
use senseops_net::{HeaderMap, HeaderValue, Headers, HttpClient, TlsSettings, Url, header};
use senseops_qlik::AppNames;
use senseops_qlik::kinds::server;

use crate::ServerConfig;
use crate::poll::Poller;

/// What is known about a server before it is polled.
#[derive(Debug, PartialEq)]
pub(crate) struct Server {
    pub(crate) name: String,
    /// Where its engine tells how it is.
    pub(crate) url: Url,
    /// The labels of its events.
    pub(crate) labels: Arc<LabelSet>,
    tls: TlsSettings,
    headers: Headers,
    /// What of these settings is the server's own.
    own: Own,
}

/// The table that is about one server alone.
#[derive(Debug, PartialEq)]
struct Own {
    index: usize,
    tls: TlsSettings,
    headers: Headers,
}

/// Builds the component of one server.
#[derive(PartialEq)]
struct PolledServer {
    server: Arc<Server>,
    schedule: Schedule,
}

impl Server {
    /// The server at `index` of the configuration, with the settings that are the same for all.
    pub(crate) fn new(config: ServerConfig, index: usize, tls: &TlsSettings, headers: &Headers) -> Self {
        Self {
            labels: Arc::new(labels(&config)),
            url: config.url.below("/engine/healthcheck"),
            tls: config.tls.clone().over(tls),
            headers: config.headers.clone().over(headers),
            own: Own { index, tls: config.tls, headers: config.headers },
            name: config.name,
        }
    }

    async fn client(&self, timeout: Span, files: &Files) -> Result<HttpClient, BuildError> {
        let mut headers = HeaderMap::from_iter([
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ]);
        headers.extend(self.headers.resolve("headers", files).await?);
        HttpClient::new(&self.tls, "tls", timeout.get(), headers, files).await
    }

    /// The factory of its component.
    pub(crate) fn polled(self, schedule: Schedule) -> impl SourceFactory + PartialEq + 'static {
        PolledServer { server: Arc::new(self), schedule }
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

#[async_trait]
impl SourceFactory for PolledServer {
    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError> {
        let server = &self.server;
        let timeout = self.schedule.timeout;
        let client = server.client(timeout, &build.files).await.map_err(|error| server.own.locate(error))?;
        let names = build.shared.get::<AppNames>();
        let poller = Poller::new(Arc::clone(server), client, names, build, timeout.get());
        // A poll ends in time by itself and then says why; this is for what nobody thought of.
        let millis = u64::try_from(timeout.get().as_millis()).unwrap_or(u64::MAX);
        let timeout = Span::from_millis(millis.saturating_add(1000));
        Ok(Box::new(Periodic::new(poller, Schedule { timeout, ..self.schedule })))
    }
}
