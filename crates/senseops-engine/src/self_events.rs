//! The pipeline measured by itself: its figures as events, for every sink.
//!
//! | kind | fields |
//! |---|---|
//! | `sos.self.pipeline` | `uptime_seconds`, `version`, and the figures of the journal, the dead letters and, where the system says them, the process, with `journal_`, `dead_letters_` and `process_` before their names |
//! | `sos.self.source` | the figures of a source |
//! | `sos.self.relay` | the figures of a relay |
//! | `sos.self.sink` | the figures of a sink; `attempts_…` by what they came to, `write_seconds` (sum), `last_success_seconds` (ago) |
//!
//! The figures are those of [`figures`](crate::figures). A component is told by the label `component`, and has `condition`
//! too (0 for starting, 1 for ok, 2 for a warning, 3 for failing), `certificate_expires` (when the first of its
//! certificates ends, in seconds since 1970) and what it counts itself. Totals count from the start of the program. The
//! events come at a fixed pace, whatever fails.

use std::sync::Arc;

use senseops_core::host::Reading;
use senseops_core::settings::Span;
use senseops_core::{Body, Condition, Event, Fields, Kind, LabelSet};
use tokio::time::{MissedTickBehavior, interval};

use crate::figures::{self, Figure, Number};
use crate::handle::Handle;
use crate::view::{CertificateView, RelayView, SinkView, SourceView, View};

const PIPELINE: Kind = Kind::new("sos.self.pipeline");
const SOURCE: Kind = Kind::new("sos.self.source");
const RELAY: Kind = Kind::new("sos.self.relay");
const SINK: Kind = Kind::new("sos.self.sink");

/// The kinds of events that a pipeline emits about itself, if it is asked to.
pub const SELF_KINDS: [Kind; 4] = [PIPELINE, SOURCE, RELAY, SINK];

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
    let fields = Fields::default()
        .with("uptime_seconds", view.uptime.as_secs_f64())
        .with("version", view.program.version);
    let fields = with_figures(fields, "journal_", figures::JOURNAL, &view.journal);
    let fields = with_figures(fields, "dead_letters_", figures::DEAD_LETTERS, &view.dead_letters);
    let processes = view.process.iter();
    let fields =
        processes.fold(fields, |fields, process| with_figures(fields, "process_", figures::PROCESS, process));
    Event::new(PIPELINE, &Arc::default(), Body::Measurement(fields))
}

fn source(source: &SourceView) -> Event {
    let fields = with_figures(about(&source.condition, &source.certificates), "", figures::SOURCE, source);
    component(SOURCE, &source.name, fields, &source.readings)
}

fn relay(relay: &RelayView) -> Event {
    let fields = with_figures(about(&relay.condition, &relay.certificates), "", figures::RELAY, relay);
    component(RELAY, &relay.name, fields, &relay.readings)
}

fn sink(sink: &SinkView) -> Event {
    let fields = with_figures(about(&sink.condition, &sink.certificates), "", figures::SINK, sink)
        .with("write_seconds", sink.write_seconds.sum);
    let attempts = sink.attempts.named().into_iter();
    let fields =
        attempts.fold(fields, |fields, (name, count)| fields.with(format!("attempts_{name}"), count));
    let ago = sink.last_success.map(|ago| ago.as_secs_f64());
    let fields = ago.into_iter().fold(fields, |fields, ago| fields.with("last_success_seconds", ago));
    component(SINK, &sink.name, fields, &sink.readings)
}

fn with_figures<T>(fields: Fields, prefix: &str, figures: &[Figure<T>], of: &T) -> Fields {
    let figures = figures.iter().filter_map(|figure| Some((figure.name, (figure.read)(of)?)));
    figures.fold(fields, |fields, (name, number)| {
        let name = format!("{prefix}{name}");
        match number {
            Number::Integer(value) => fields.with(name, value),
            Number::Real(value) => fields.with(name, value),
            Number::Flag(value) => fields.with(name, value),
        }
    })
}

/// What every component has.
fn about(condition: &Condition, certificates: &[CertificateView]) -> Fields {
    let fields = Fields::default().with("condition", number(condition));
    let first = certificates.iter().map(|certificate| certificate.expires.as_nanos() / 1_000_000_000).min();
    first.into_iter().fold(fields, |fields, seconds| fields.with("certificate_expires", seconds))
}

fn component(kind: Kind, name: &str, fields: Fields, readings: &[Reading]) -> Event {
    let labels = Arc::new(LabelSet::from_iter([("component", name)]));
    let fields =
        readings.iter().fold(fields, |fields, reading| fields.with(field_name(reading), reading.value));
    Event::new(kind, &labels, Body::Measurement(fields))
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
