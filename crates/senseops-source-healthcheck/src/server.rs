//! One server to poll, and the factory of its component.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use senseops_core::{Build, BuildError, LabelSet, Periodic, Schedule, Source, SourceFactory};
use senseops_net::{HeaderMap, HeaderValue, Headers, HttpClient, TlsSettings, Url, header};
use senseops_qlik::AppNames;

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
    /// Where these settings were written, for errors.
    tls_key: String,
    headers_key: String,
}

/// Builds the component of one server.
struct PolledServer {
    server: Arc<Server>,
    schedule: Schedule,
}

impl Server {
    /// The server at `index` of the configuration, with the settings that are the same for all.
    pub(crate) fn new(config: ServerConfig, index: usize, tls: &TlsSettings, headers: &Headers) -> Self {
        let key =
            |own: bool, table: &str| if own { format!("servers.{index}.{table}") } else { table.to_owned() };
        Self {
            labels: Arc::new(labels(&config)),
            url: config.url.healthcheck(),
            tls_key: key(config.tls != TlsSettings::default(), "tls"),
            headers_key: key(config.headers != Headers::default(), "headers"),
            tls: config.tls.over(tls),
            headers: config.headers.over(headers),
            name: config.name,
        }
    }

    /// The factory of its component.
    pub(crate) fn polled(self, schedule: Schedule) -> impl SourceFactory + 'static {
        PolledServer { server: Arc::new(self), schedule }
    }
}

fn labels(config: &ServerConfig) -> LabelSet {
    let url = config.url.healthcheck();
    // Brackets belong to the notation of a URL, not to the address.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let mut labels = LabelSet::default().with("host", host).with("server_name", config.name.as_str());
    if let Some(description) = &config.description {
        labels.set("server_description", description.as_str());
    }
    config.tags.over(&labels)
}

#[async_trait]
impl SourceFactory for PolledServer {
    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError> {
        let server = &self.server;
        let mut headers = HeaderMap::from_iter([
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ]);
        headers.extend(server.headers.resolve(&server.headers_key).await?);
        let client = HttpClient::new(&server.tls, &server.tls_key, self.schedule.timeout, headers).await?;
        let names = build.shared.get::<AppNames>();
        let poller = Poller::new(Arc::clone(server), client, names, build, self.schedule.timeout);
        // A poll ends in time by itself and then says why; this is for what nobody thought of.
        let timeout = self.schedule.timeout.saturating_add(Duration::from_secs(1));
        Ok(Box::new(Periodic::new(poller, Schedule { timeout, ..self.schedule })))
    }
}
