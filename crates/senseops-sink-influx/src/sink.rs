//! The sink: one request per batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use senseops_core::{Accepts, Batch, BoxError, Build, BuildError, Counter, Sink, SinkFactory, WriteError};
use senseops_dialect::InfluxDialect;
use senseops_net::{HttpClient, resolve};

use crate::InfluxConfig;
use crate::answer::Answer;
use crate::lines::Lines;
use crate::server::Server;
use crate::verdict::{Sent, unreadable, verdict};

/// Writes end with the operator's `delivery.timeout`, however long that is.
const REQUEST_TIMEOUT: Duration = Duration::MAX;

/// How long somebody who asks whether the server answers should wait.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Builds the sink.
pub(crate) struct InfluxFactory(pub(crate) InfluxConfig);

struct InfluxSink {
    server: Server,
    dialect: InfluxDialect,
    /// For the probe, which opens a connection of its own.
    config: InfluxConfig,
    /// How many bytes the last batch took, so that the next needs no growing buffer.
    last_bytes: AtomicUsize,
    points: Counter,
    empty_events: Counter,
}

#[async_trait]
impl SinkFactory for InfluxFactory {
    async fn build(&self, build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::new(InfluxSink {
            server: self.0.open(REQUEST_TIMEOUT).await?,
            dialect: self.0.dialect(),
            config: self.0.clone(),
            last_bytes: AtomicUsize::new(0),
            points: build.meter.counter("points", &[]),
            empty_events: build.meter.counter("events_without_fields", &[]),
        }))
    }
}

impl InfluxConfig {
    /// Reads secrets and certificates; connects to nothing.
    async fn open(&self, timeout: Duration) -> Result<Server, BuildError> {
        let login = match &self.login {
            Some(login) => Some((login.username.clone(), resolve(&login.password, "password").await?)),
            None => None,
        };
        Ok(Server {
            client: HttpClient::new(&self.tls, "tls", timeout, HeaderMap::new()).await?,
            url: self.url.clone(),
            database: self.database.clone(),
            retention_policy: self.retention_policy.clone(),
            login,
            gzip: self.compresses(),
        })
    }
}

#[async_trait]
impl Sink for InfluxSink {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        let lines = Lines::of(batch, self.dialect, self.last_bytes.load(Ordering::Relaxed));
        self.last_bytes.store(lines.text.len(), Ordering::Relaxed);
        if lines.len() > 0 {
            let mut answer = self.server.write(lines.text.clone()).await?;
            if answer.lacks_database() {
                self.server.create_database().await?;
                answer = self.server.write(lines.text.clone()).await?;
                if answer.lacks_database() {
                    return Err(self.server.has_lost_its_database());
                }
            }
            self.settle(&answer, Sent { batch, lines: &lines, dialect: self.dialect })?;
        }
        self.points.add(lines.len() as u64);
        self.empty_events.add(lines.events_without_line as u64);
        Ok(())
    }

    async fn probe(&self) -> Result<Option<String>, BoxError> {
        self.config.open(PROBE_TIMEOUT).await?.look().await.map(Some)
    }
}

impl InfluxSink {
    fn settle(&self, answer: &Answer, sent: Sent<'_>) -> Result<(), WriteError> {
        match answer.status {
            StatusCode::NO_CONTENT => Ok(()),
            // A gateway that dislikes the request answers 400 as well, and refuses no point by that.
            StatusCode::BAD_REQUEST if answer.is_of_influxdb() => {
                Err(answer.error().map_or_else(unreadable, |error| verdict(&error, sent)))
            }
            // Also a success that InfluxDB never gives: whoever answered so has stored nothing.
            _ => Err(answer.to_error(&self.server.origin())),
        }
    }
}
