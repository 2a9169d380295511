//! One poll: ask, read, tell.

use std::sync::Arc;
use std::time::Duration;

use senseops_core::settings::Span;
use senseops_core::{
    Body, BoxError, Build, BuildError, Event, Fields, Gather, GatherError, Kind, Level, Periodic, Schedule,
    Source, State, async_trait,
};
use senseops_net::{
    BodyError, Failure, HttpClient, Reason, Response, StatusCode, excerpt, header, origin_of, read_limited,
};
use senseops_qlik::AppNames;
use senseops_qlik::kinds::{Field, engine_health, target_up};
use tokio::time::Instant;
use tracing::debug;

use crate::parse::{self, Health, Unreadable};
use crate::server::Server;

/// An engine with thousands of apps in memory answers a few hundred kilobytes.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

const ADVICE_FOR_LOGIN: &str =
    "use the engine's own port (4747) with the client certificate instead of the proxy";

/// Polls one server.
pub(crate) struct Poller {
    server: Server,
    client: HttpClient,
    names: Arc<AppNames>,
    build: Build,
    timeout: Duration,
}

/// What a poll found.
struct Polled {
    took: Duration,
    /// If an answer came, even one of no use.
    status: Option<StatusCode>,
    health: Result<Health, Failure>,
}

impl Poller {
    /// A source that polls this server.
    pub(crate) async fn source(
        server: Server,
        schedule: Schedule,
        build: Build,
    ) -> Result<Box<dyn Source>, BuildError> {
        let timeout = schedule.timeout;
        let client = server.client(timeout, &build.files).await?;
        let names = build.shared.get::<AppNames>();
        let poller = Self { server, client, names, build, timeout: timeout.get() };
        // A poll ends in time by itself and then says why; this is for what nobody thought of.
        let millis = u64::try_from(timeout.get().as_millis()).unwrap_or(u64::MAX);
        let timeout = Span::from_millis(millis.saturating_add(1000));
        Ok(Box::new(Periodic::new(poller, Schedule { timeout, ..schedule })))
    }

    async fn poll(&self) -> Polled {
        let begun = Instant::now();
        let (status, health) = match self.ask(begun + self.timeout).await {
            Ok(response) => (Some(response.status()), self.read(response).await),
            Err(failure) => (None, Err(failure)),
        };
        Polled { took: begun.elapsed(), status, health: health.map_err(for_sense) }
    }

    async fn ask(&self, deadline: Instant) -> Result<Response, Failure> {
        let first = match self.ask_once(deadline).await {
            Err(failure) if failure.reason == Reason::Reset => failure,
            told => return told,
        };
        // The server may have closed the kept-alive connection at the moment of the request.
        match self.ask_once(deadline).await {
            // There was not much time left for the second, so the first tells more.
            Err(failure) if failure.reason == Reason::Timeout => Err(first),
            told => told,
        }
    }

    async fn ask_once(&self, deadline: Instant) -> Result<Response, Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        let request = self.client.get(self.server.url.clone()).timeout(left);
        request.send().await.map_err(|error| self.client.explain(&self.server.url, &error))
    }

    async fn read(&self, response: Response) -> Result<Health, Failure> {
        if !response.status().is_success() {
            return Err(self.refusal(&response));
        }
        let body = read_limited(response, MAX_BODY_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge { limit } => Failure::new(
                Reason::TooLarge,
                format!("{} answered more than {} MiB", self.origin(), limit / (1024 * 1024)),
                "check that the address is that of an engine",
            ),
            BodyError::Failed(error) => self.client.explain(&self.server.url, &error),
        })?;
        parse::health(&body, &self.names).map_err(|unreadable| self.unreadable(&unreadable))
    }

    /// Why an answer of this status is of no use.
    fn refusal(&self, response: &Response) -> Failure {
        let (status, url) = (response.status(), &self.server.url);
        if status.is_redirection() {
            let location =
                response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
            // What follows the path of a login page can be a ticket.
            let target = location.and_then(|location| url.join(location).ok()).map_or_else(
                || "another page".to_owned(),
                |target| excerpt(format!("{}{}", origin_of(&target), target.path()).as_bytes()),
            );
            return Failure::new(Reason::Redirect, format!("{url} redirects to {target}"), ADVICE_FOR_LOGIN);
        }
        let advice = match status.as_u16() {
            401 | 403 => "check the client certificate and the headers: they give no access",
            404 => "check the path in the address: there is no health API below it",
            429 => "raise the interval",
            500..=599 => "look at the engine, and at proxies on the way",
            _ => "check that the address is that of an engine",
        };
        Failure::new(Reason::Status, format!("{url} answered {status}"), advice)
    }

    fn unreadable(&self, unreadable: &Unreadable) -> Failure {
        let (reason, advice) = match unreadable {
            Unreadable::Html => (Reason::LoginPage, ADVICE_FOR_LOGIN),
            Unreadable::Empty | Unreadable::Cut(_) | Unreadable::Malformed(_) | Unreadable::Foreign => {
                (Reason::BadBody, "check that the address is that of an engine, and for proxies on the way")
            }
        };
        debug!(component = self.build.component, ?unreadable, "answer cannot be read");
        Failure::new(reason, format!("{} answered {unreadable}", self.origin()), advice)
    }

    fn origin(&self) -> String {
        origin_of(&self.server.url)
    }

    /// What an operator reads.
    fn sentence(&self, failure: &Failure) -> String {
        format!("{}: {failure}", self.server.name)
    }

    fn count(&self, health: &Health) {
        for skipped in &health.skipped {
            let labels = [("field", skipped.field), ("reason", skipped.why.as_str())];
            let help = "Fields of answers that were left out, because they are not what they should be.";
            self.build.meter.counter("skipped_fields", help, &labels).add(skipped.count);
        }
    }

    fn event(&self, kind: Kind, body: Body) -> Event {
        Event::new(kind, &self.server.labels, body)
    }
}

#[async_trait]
impl Gather for Poller {
    async fn gather(&mut self, found: &mut Vec<Event>) -> Result<(), GatherError> {
        let Polled { took, status, health } = self.poll().await;
        let mut fields = Fields::with_capacity(3);
        let told = health.map_err(|failure| {
            fields.push(target_up::REASON.name(), failure.reason.as_str());
            self.sentence(&failure)
        });
        // Whole microseconds: more digits would be noise, and points carry each of them.
        fields.push(target_up::DURATION_MS.name(), (took.as_secs_f64() * 1e6).round() / 1000.0);
        if let Some(status) = status {
            fields.push(target_up::STATUS.name(), i64::from(status.as_u16()));
        }
        match told {
            Ok(health) => {
                self.count(&health);
                found.push(self.event(engine_health::KIND, Body::Measurement(health.fields)));
                found.push(self.event(
                    target_up::KIND,
                    Body::State(State { level: Level::Ok, message: "".into(), fields }),
                ));
                self.build.health.ok();
                Ok(())
            }
            Err(sentence) => {
                let message = sentence.as_str().into();
                found.push(
                    self.event(
                        target_up::KIND,
                        Body::State(State { level: Level::Critical, message, fields }),
                    ),
                );
                Err(GatherError(sentence.into()))
            }
        }
    }

    async fn probe(&mut self) -> Result<Option<String>, BoxError> {
        let polled = self.poll().await;
        let health = polled.health.map_err(|failure| self.sentence(&failure))?;
        let text = |field: Field| excerpt(field.text_of(&health.fields).unwrap_or("unknown").as_bytes());
        Ok(Some(format!(
            "Qlik Sense engine {}, started {}, {} ms",
            text(engine_health::VERSION),
            text(engine_health::STARTED),
            polled.took.as_millis()
        )))
    }
}

/// Says what to do in terms of Sense, where that is more helpful than in terms of TLS and HTTP.
fn for_sense(failure: Failure) -> Failure {
    let advice = match failure.reason {
        Reason::Refused => "check that the engine service runs, and the port (4747 unless changed)",
        Reason::TlsUntrusted => "set tls.ca to the root.pem exported from this site's QMC",
        Reason::TlsClientCertificate => {
            "set tls.cert and tls.key to the client.pem and client_key.pem exported from this site's QMC"
        }
        Reason::Timeout
        | Reason::Dns
        | Reason::Unreachable
        | Reason::Reset
        | Reason::TlsName
        | Reason::TlsExpired
        | Reason::Tls
        | Reason::LoginPage
        | Reason::Status
        | Reason::Redirect
        | Reason::BadBody
        | Reason::TooLarge => return failure,
    };
    failure.advise(advice)
}
