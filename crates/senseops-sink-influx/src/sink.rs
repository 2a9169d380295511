//! The sink: one request per batch.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use senseops_core::{
    Accepts, Batch, BoxError, Build, BuildError, Counter, Files, Meter, Rejection, Sink, WriteError,
    async_trait,
};
use senseops_dialect::InfluxDialect;
use senseops_net::HttpClient;

use crate::InfluxConfig;
use crate::answer::Answer;
use crate::lines::Lines;
use crate::series::{SeenSeries, SeriesLimit};
use crate::server::Server;
use crate::verdict::{Sent, unreadable, verdict};

/// Writes end with the operator's `delivery.timeout`, however long that is.
const REQUEST_TIMEOUT: Duration = Duration::MAX;

/// How long somebody who asks whether the server answers should wait.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

struct InfluxSink {
    server: Server,
    dialect: InfluxDialect,
    /// For the probe, which opens a connection of its own.
    config: InfluxConfig,
    /// How many bytes the last batch took, so that the next needs no growing buffer.
    last_bytes: AtomicUsize,
    series: SeriesLimit,
    meter: Meter,
    points: Counter,
    empty_events: Counter,
}

impl InfluxConfig {
    /// Reads what has to be read; connects to nothing.
    pub(crate) async fn sink(&self, build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        let max_series = usize::try_from(self.max_series.get()).unwrap_or(usize::MAX);
        let seen = build.shared.get::<SeenSeries>();
        Ok(Arc::new(InfluxSink {
            server: self.open(REQUEST_TIMEOUT, &build.files).await?,
            dialect: self.dialect(),
            config: self.clone(),
            last_bytes: AtomicUsize::new(0),
            series: SeriesLimit::new(&build.component, max_series, &seen),
            points: build.meter.counter("points", "Points that were written.", &[]),
            empty_events: build.meter.counter(
                "events_without_fields",
                "Events without a field that InfluxDB could hold, of which nothing is written.",
                &[],
            ),
            meter: build.meter,
        }))
    }

    /// Reads secrets and certificates; connects to nothing.
    async fn open(&self, timeout: Duration, files: &Files) -> Result<Server, BuildError> {
        let login = self.login().map_err(|refused| BuildError::at(refused.key, refused.message))?;
        let login = match login {
            Some(login) => Some(login.resolve(files).await?),
            None => None,
        };
        Ok(Server {
            client: HttpClient::new(&self.tls, "tls", timeout, HeaderMap::new(), files).await?,
            url: self.url.url().clone(),
            database: self.database.as_str().to_owned(),
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
        let lines = self.lines_of(batch);
        let outcome = if lines.len() > 0 { self.offer(batch, &lines).await } else { Ok(()) };
        if outcome.is_ok() {
            self.points.add(lines.len() as u64);
            self.empty_events.add(lines.events_without_line as u64);
        }
        if lines.over_limit.is_empty() { outcome } else { self.refuse_over_limit(outcome, &lines) }
    }

    async fn probe(&self) -> Result<Option<String>, BoxError> {
        self.config.open(PROBE_TIMEOUT, &Files::default()).await?.look().await.map(Some)
    }
}

impl InfluxSink {
    fn lines_of(&self, batch: &Batch) -> Lines {
        let lines = Lines::of(batch, self.dialect, self.last_bytes.load(Ordering::Relaxed));
        self.last_bytes.store(lines.text.len(), Ordering::Relaxed);
        lines.within(&self.series, Instant::now())
    }

    async fn offer(&self, batch: &Batch, lines: &Lines) -> Result<(), WriteError> {
        let mut answer = self.server.write(lines.text.clone()).await?;
        if answer.lacks_database() {
            self.server.create_database().await?;
            answer = self.server.write(lines.text.clone()).await?;
            if answer.lacks_database() {
                return Err(self.server.has_lost_its_database());
            }
        }
        self.settle(&answer, Sent { batch, lines, dialect: self.dialect })
    }

    /// Adds the events of which a point was not sent to what became of those that were.
    fn refuse_over_limit(&self, outcome: Result<(), WriteError>, lines: &Lines) -> Result<(), WriteError> {
        let (retry, mut refused) = match outcome {
            Ok(()) => (Vec::new(), Vec::new()),
            Err(WriteError::Partial { retry, refused }) => (retry, refused),
            // All of it comes again.
            Err(error) => return Err(error),
        };
        let mut settled: BTreeSet<usize> = refused.iter().map(|rejection| rejection.index).collect();
        for (index, over) in &lines.over_limit {
            // What comes again is refused then.
            if retry.binary_search(index).is_err() {
                let help = "Points that would have begun a series too many, see `max_series`.";
                self.meter.counter("refused_series", help, &[("measurement", over.measurement())]).add(1);
                if settled.insert(*index) {
                    refused.push(Rejection { index: *index, reason: over.to_string() });
                }
            }
        }
        Err(WriteError::Partial { retry, refused })
    }

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
