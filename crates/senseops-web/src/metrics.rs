//! The figures of a pipeline as Prometheus metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use senseops_core::Condition;
use senseops_core::host::Reading;
use senseops_engine::figures::{self, Figure, Number};
use senseops_engine::{CertificateView, Histogram, ListenerView, SinkView, View};

use crate::exposition::{Exposition, name_of, whole};
use crate::status::{CertificateStatus, Health, Readiness, State};

/// The media type of the text.
pub(crate) const CONTENT_TYPE_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A pipeline in Prometheus text format 0.0.4, with the [conditions](senseops_engine::Handle::conditions) of its parts.
pub fn metrics(view: &View, conditions: &[(String, Condition)]) -> String {
    let mut out = Exposition::default();
    let program = [("program", view.program.name), ("version", view.program.version)];
    out.gauge("sos_build_info", "The version of the program.", &program, 1.0);
    let uptime = view.uptime.as_secs_f64();
    out.gauge("sos_uptime_seconds", "How long the pipeline has been running.", &[], uptime);
    let ready = flag(Readiness::of(conditions).ready);
    out.gauge("sos_ready", "1 unless a component is failing.", &[], ready);
    add(&mut out, figures::JOURNAL, &view.journal, &[]);
    for cursor in &view.journal.cursors {
        add(&mut out, figures::CURSOR, cursor, &[("cursor", &cursor.name)]);
    }
    add(&mut out, figures::DEAD_LETTERS, &view.dead_letters, &[]);
    add(&mut out, figures::EMBEDDER, &view.embedder, &[]);
    if let Some(process) = &view.process {
        add(&mut out, figures::PROCESS, process, &[]);
    }
    for source in &view.sources {
        component(&mut out, "source", &source.name, &source.condition, &source.certificates);
        add(&mut out, figures::SOURCE, source, &[("component", &source.name)]);
    }
    for relay in &view.relays {
        component(&mut out, "relay", &relay.name, &relay.condition, &relay.certificates);
        add(&mut out, figures::RELAY, relay, &[("component", &relay.name)]);
    }
    for sink in &view.sinks {
        component(&mut out, "sink", &sink.name, &sink.condition, &sink.certificates);
        add(&mut out, figures::SINK, sink, &[("component", &sink.name)]);
        writes(&mut out, sink);
    }
    for ListenerView { component, protocol, address } in &view.listeners {
        let (protocol, address) = (protocol.as_str(), address.to_string());
        let labels = [("component", component.as_str()), ("protocol", protocol), ("address", &address)];
        out.gauge("sos_listener", "1 for each socket that a component listens on.", &labels, 1.0);
    }
    let sources = view.sources.iter().map(|source| ("source", &source.name, &source.readings));
    let relays = view.relays.iter().map(|relay| ("relay", &relay.name, &relay.readings));
    let sinks = view.sinks.iter().map(|sink| ("sink", &sink.name, &sink.readings));
    let mut own = Exposition::default();
    for (role, component, readings) in sources.chain(relays).chain(sinks) {
        for figure in readings {
            reading(&mut own, &out, (role, component), figure);
        }
    }
    out.text() + &own.text()
}

/// Adds the figures of something, which these labels tell from others of its kind.
fn add<T>(out: &mut Exposition, figures: &[Figure<T>], of: &T, labels: &[(&str, &str)]) {
    for figure in figures {
        let value = match (figure.read)(of) {
            Some(Number::Integer(value)) => whole(value),
            Some(Number::Real(value)) => value,
            Some(Number::Flag(value)) => flag(value),
            None => continue,
        };
        let labels: Vec<_> = labels.iter().copied().chain(figure.label).collect();
        if figure.is_counter() {
            out.counter(figure.metric, figure.help, &labels, value);
        } else {
            out.gauge(figure.metric, figure.help, &labels, value);
        }
    }
}

/// What every component has.
fn component(
    out: &mut Exposition,
    role: &str,
    name: &str,
    condition: &Condition,
    certificates: &[CertificateView],
) {
    let health = Health::from(condition);
    for state in State::ALL {
        let labels = [("component", name), ("role", role), ("condition", state.as_str())];
        let help = "1 for the condition that a component is in, 0 for the others.";
        out.gauge("sos_component_condition", help, &labels, flag(health.state == state));
    }
    for certificate in certificates {
        let CertificateStatus { path, expires_unix_seconds } = certificate.clone().into();
        let labels = [("component", name), ("path", path.as_str())];
        let help = "When the first certificate in a file ends.";
        out.gauge("sos_certificate_expiry_timestamp_seconds", help, &labels, expires_unix_seconds);
    }
}

/// What sinks have besides plain figures.
fn writes(out: &mut Exposition, sink: &SinkView) {
    let component = ("component", sink.name.as_str());
    if let Some(ago) = sink.last_success {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // To a tenth, since it is put together of two clocks that are not read at once.
        let at = (now.saturating_sub(ago).as_secs_f64() * 10.0).round() / 10.0;
        let help = "When the last write succeeded.";
        out.gauge("sos_sink_last_success_timestamp_seconds", help, &[component], at);
    }
    let Histogram { bounds, counts, sum } = &sink.write_seconds;
    if !counts.is_empty() {
        let family = ("sos_sink_write_seconds", "How long writes took.");
        out.histogram(family, &[component], (bounds, counts), *sum);
    }
    for (outcome, attempts) in sink.attempts.named() {
        let labels = [component, ("outcome", outcome)];
        let help = "Attempts to write, by what they came to.";
        out.counter("sos_sink_write_attempts_total", help, &labels, whole(attempts));
    }
}

/// A figure of a component's own: `sos_<role>_<name>`, or `sos_<role>_own_<name>` where ours has that name.
fn reading(own: &mut Exposition, ours: &Exposition, (role, component): (&str, &str), reading: &Reading) {
    let suffix = if reading.is_counter { "_total" } else { "" };
    let name = name_of(reading.name);
    let labels: Vec<(String, &str)> =
        reading.labels.iter().map(|(name, text)| (label_name(name), text)).collect();
    let labels: Vec<(&str, &str)> = [("component", component)]
        .into_iter()
        .chain(labels.iter().map(|(name, text)| (name.as_str(), *text)))
        .collect();
    let mut family = format!("sos_{role}_{name}{suffix}");
    if ours.contains(&family) {
        family = format!("sos_{role}_own_{name}{suffix}");
    }
    if reading.is_counter {
        own.counter(&family, reading.help, &labels, whole(reading.value));
    } else {
        own.gauge(&family, reading.help, &labels, whole(reading.value));
    }
}

/// A label of the component's own must not look like ours.
fn label_name(name: &str) -> String {
    let name = name_of(name);
    if name == "component" { "own_component".to_owned() } else { name }
}

fn flag(is_so: bool) -> f64 {
    if is_so { 1.0 } else { 0.0 }
}
