//! One server to poll.

use std::sync::Arc;

use senseops_core::settings::Span;
use senseops_core::{Build, BuildError, Files, LabelSet, Periodic, Schedule, Source};
use senseops_net::{HeaderMap, HeaderValue, Headers, HttpClient, TlsSettings, Url, header};
use senseops_qlik::AppNames;
use senseops_qlik::kinds::server;

use crate::ServerConfig;
use crate::poll::Poller;

/// What is known about a server before it is polled.
#[derive(Debug)]
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

    async fn client(&self, timeout: Span, files: &Files) -> Result<HttpClient, BuildError> {
        let mut headers = HeaderMap::from_iter([
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ]);
        headers.extend(self.headers.resolve("headers", files).await?);
        HttpClient::new(&self.tls, "tls", timeout.get(), headers, files).await
    }

    /// A source that polls it.
    pub(crate) async fn polled(
        self,
        schedule: Schedule,
        build: Build,
    ) -> Result<Box<dyn Source>, BuildError> {
        let timeout = schedule.timeout;
        let client = self.client(timeout, &build.files).await.map_err(|error| self.own.locate(error))?;
        let names = build.shared.get::<AppNames>();
        let poller = Poller::new(self, client, names, build, timeout.get());
        // A poll ends in time by itself and then says why; this is for what nobody thought of.
        let millis = u64::try_from(timeout.get().as_millis()).unwrap_or(u64::MAX);
        let timeout = Span::from_millis(millis.saturating_add(1000));
        Ok(Box::new(Periodic::new(poller, Schedule { timeout, ..schedule })))
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
