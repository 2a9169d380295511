//! The pipeline measured by itself: its figures as events, for every sink.
//!
//! | kind | fields |
//! |---|---|
//! | `sos.self.pipeline` | `uptime_seconds`, `journal_events`, `journal_bytes`, `journal_max_bytes`, `journal_age_seconds`, `journal_damaged`, `journal_quarantined`, `journal_failing`, `journal_appended_events`, `journal_durable_events`, `dead_letters_bytes`, `dead_letters_kept`, `dead_letters_not_kept`, `version`, and where the system says it `process_cpu_seconds`, `process_resident_memory_bytes`, `process_open_fds`, `process_threads` |
//! | `sos.self.source` | `condition`, `emitted`, `lost`, `rate_limited`, `restarts`, `certificate_expires`, and what the source counts itself |
//! | `sos.self.relay` | `condition`, `emitted`, `lost`, `discarded`, `restarts`, `lag_events`, `lag_age_seconds`, `certificate_expires`, and what the relay counts itself |
//! | `sos.self.sink` | `condition`, `delivered`, `refused`, `discarded`, `retries`, `writes`, `restarts`, `lag_events`, `lag_bytes`, `lag_age_seconds`, `dead_letters`, `attempts_…` by what they came to, `write_seconds` (sum), `last_success_seconds` (ago), `certificate_expires`, and what the sink counts itself |
//!
//! Components are told apart by the label `component`. `condition` is 0 for starting, 1 for ok, 2 for a warning and 3 for
//! failing. `certificate_expires` is when the first of its certificates ends, in seconds since 1970. Totals count from the start of the program. The events come at a fixed pace, whatever fails.

use std::sync::Arc;

use senseops_core::host::Reading;
use senseops_core::settings::Span;
use senseops_core::{Body, Condition, Event, Fields, Kind, LabelSet};
use tokio::time::{MissedTickBehavior, interval};

use crate::handle::Handle;
use crate::view::{CertificateView, RelayView, SinkView, SourceView, View};

const PIPELINE: Kind = Kind::new("sos.self.pipeline");
const SOURCE: Kind = Kind::new("sos.self.source");
const RELAY: Kind = Kind::new("sos.self.relay");
const SINK: Kind = Kind::new("sos.self.sink");

/// Emits the figures from time to time. Never returns.
#[expect(clippy::infinite_loop, reason = "the pipeline drops it when it ends")]
pub(crate) async fn emit(handle: Handle, every: Span) {
    let mut ticks = interval(every.get());
    // After a hang one fresh reading is worth more than a burst of stale ones.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Nothing has happened yet at the first tick.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        handle.0.emitters().own.emit_now(events(&handle.view())).ignore();
    }
}

fn events(view: &View) -> Vec<Event> {
    let sources = view.sources.iter().map(source);
    let relays = view.relays.iter().map(relay);
    let sinks = view.sinks.iter().map(sink);
    std::iter::once(pipeline(view)).chain(sources).chain(relays).chain(sinks).collect()
}

fn pipeline(view: &View) -> Event {
    let journal = &view.journal;
    let fields = Fields::default()
        .with("uptime_seconds", view.uptime.as_secs_f64())
        .with("journal_events", journal.events)
        .with("journal_bytes", journal.bytes)
        .with("journal_max_bytes", journal.max_bytes)
        .with("journal_age_seconds", journal.age.as_secs_f64())
        .with("journal_damaged", journal.damaged)
        .with("journal_quarantined", journal.quarantined)
        .with("journal_failing", journal.failure.is_some())
        .with("journal_appended_events", journal.appended_events)
        .with("journal_durable_events", journal.durable_events)
        .with("dead_letters_bytes", view.dead_letters.bytes)
        .with("dead_letters_kept", view.dead_letters.kept)
        .with("dead_letters_not_kept", view.dead_letters.not_kept)
        .with("version", view.program.version);
    let fields = match &view.process {
        None => fields,
        Some(process) => fields
            .with("process_cpu_seconds", process.cpu_seconds)
            .with("process_resident_memory_bytes", process.resident_memory_bytes)
            .with("process_open_fds", process.open_fds)
            .with("process_threads", process.threads),
    };
    Event::new(PIPELINE, &Arc::default(), Body::Measurement(fields))
}

fn source(source: &SourceView) -> Event {
    let fields = Fields::default()
        .with("condition", number(&source.condition))
        .with("emitted", source.emitted)
        .with("lost", source.lost)
        .with("rate_limited", source.rate_limited)
        .with("restarts", source.restarts);
    let fields = with_certificates(fields, &source.certificates);
    component(SOURCE, &source.name, fields, &source.readings)
}

fn relay(relay: &RelayView) -> Event {
    let fields = Fields::default()
        .with("condition", number(&relay.condition))
        .with("emitted", relay.emitted)
        .with("lost", relay.lost)
        .with("discarded", relay.discarded)
        .with("restarts", relay.restarts)
        .with("lag_events", relay.lag_events)
        .with("lag_age_seconds", relay.lag_age.as_secs_f64());
    let fields = with_certificates(fields, &relay.certificates);
    component(RELAY, &relay.name, fields, &relay.readings)
}

fn sink(sink: &SinkView) -> Event {
    let fields = Fields::default()
        .with("condition", number(&sink.condition))
        .with("delivered", sink.delivered)
        .with("refused", sink.refused)
        .with("discarded", sink.discarded)
        .with("retries", sink.retries)
        .with("writes", sink.writes)
        .with("restarts", sink.restarts)
        .with("lag_events", sink.lag_events)
        .with("lag_bytes", sink.lag_bytes)
        .with("lag_age_seconds", sink.lag_age.as_secs_f64())
        .with("dead_letters", sink.dead_letters)
        .with("write_seconds", sink.write_seconds.sum);
    let attempts = sink.attempts.named().into_iter();
    let fields =
        attempts.fold(fields, |fields, (name, count)| fields.with(format!("attempts_{name}"), count));
    let ago = sink.last_success.map(|ago| ago.as_secs_f64());
    let fields = ago.into_iter().fold(fields, |fields, ago| fields.with("last_success_seconds", ago));
    let fields = with_certificates(fields, &sink.certificates);
    component(SINK, &sink.name, fields, &sink.readings)
}

fn component(kind: Kind, name: &str, fields: Fields, readings: &[Reading]) -> Event {
    let labels = Arc::new(LabelSet::from_iter([("component", name)]));
    let fields =
        readings.iter().fold(fields, |fields, reading| fields.with(field_name(reading), reading.value));
    Event::new(kind, &labels, Body::Measurement(fields))
}

fn with_certificates(fields: Fields, certificates: &[CertificateView]) -> Fields {
    let first = certificates.iter().map(|certificate| certificate.expires.as_nanos() / 1_000_000_000).min();
    first.into_iter().fold(fields, |fields, seconds| fields.with("certificate_expires", seconds))
}

/// `refused_malformed` for `refused{reason=malformed}`.
fn field_name(reading: &Reading) -> String {
    let texts = reading.labels.iter().map(|(_, text)| format!("_{text}"));
    std::iter::once(reading.name.to_owned()).chain(texts).collect()
}

fn number(condition: &Condition) -> i64 {
    match condition {
        Condition::Starting => 0,
        Condition::Ok => 1,
        Condition::Warning(_) => 2,
        Condition::Failing(_) => 3,
    }
}
