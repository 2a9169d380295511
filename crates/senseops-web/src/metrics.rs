//! The figures of a pipeline as Prometheus metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::exposition::{Exposition, name_of, whole};
use crate::status::{
    CertificateStatus, DeadLettersStatus, HistogramStatus, JournalStatus, ListenerStatus, Reading,
    RelayStatus, SinkStatus, SourceStatus, State, Status,
};
use senseops_engine::ProcessStatus;

/// The media type of the text.
pub(crate) const CONTENT_TYPE_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The status in Prometheus text format 0.0.4.
pub fn metrics(status: &Status) -> String {
    let mut out = Exposition::default();
    out.gauge(
        "sos_build_info",
        "The version of the program.",
        &[("program", &status.program), ("version", &status.version)],
        1.0,
    );
    out.gauge("sos_uptime_seconds", "How long the pipeline has been running.", &[], status.uptime_seconds);
    out.gauge("sos_ready", "1 unless a component is failing.", &[], flag(status.ready));
    for (role, component, health) in status.components() {
        for state in State::ALL {
            let labels = [("component", component), ("role", role), ("condition", state.as_str())];
            let help = "1 for the condition that a component is in, 0 for the others.";
            out.gauge("sos_component_condition", help, &labels, flag(health.state == state));
        }
    }
    journal(&mut out, &status.journal);
    dead_letters(&mut out, &status.dead_letters);
    if let Some(figures) = &status.process {
        process(&mut out, figures);
    }
    let help = "Events that the host program emitted itself.";
    out.counter("sos_embedder_emitted_events_total", help, &[], whole(status.embedder.emitted));
    let help = "Events of the host program that the journal did not take.";
    out.counter("sos_embedder_lost_events_total", help, &[], whole(status.embedder.lost));
    for figures in &status.sources {
        source(&mut out, figures);
    }
    for figures in &status.relays {
        relay(&mut out, figures);
    }
    for figures in &status.sinks {
        sink(&mut out, figures);
    }
    for ListenerStatus { component, protocol, address } in &status.listeners {
        let labels = [
            ("component", component.as_str()),
            ("protocol", protocol.as_str()),
            ("address", &address.to_string()),
        ];
        out.gauge("sos_listener", "1 for each socket that a component listens on.", &labels, 1.0);
    }
    let sources = status.sources.iter().map(|source| ("source", &source.name, &source.readings));
    let relays = status.relays.iter().map(|relay| ("relay", &relay.name, &relay.readings));
    let sinks = status.sinks.iter().map(|sink| ("sink", &sink.name, &sink.readings));
    let mut own = Exposition::default();
    for (role, component, readings) in sources.chain(relays).chain(sinks) {
        for figure in readings {
            reading(&mut own, &out, (role, component), figure);
        }
    }
    out.text() + &own.text()
}

fn journal(out: &mut Exposition, journal: &JournalStatus) {
    let mut gauge = |name: &str, help: &str, value: f64| out.gauge(name, help, &[], value);
    gauge("sos_journal_events", "Events that wait for at least one sink.", whole(journal.events));
    gauge("sos_journal_bytes", "The bytes that waiting events take.", whole(journal.bytes));
    gauge("sos_journal_max_bytes", "The bytes that waiting events may take.", whole(journal.max_bytes));
    gauge(
        "sos_journal_disk_bytes",
        "The bytes that the files of the journal take.",
        whole(journal.disk_bytes),
    );
    gauge("sos_journal_age_seconds", "How old the oldest waiting event is.", journal.age_seconds);
    gauge(
        "sos_journal_failing",
        "1 while the disk cannot be used, so that events are kept in memory only.",
        flag(journal.failure.is_some()),
    );
    gauge(
        "sos_journal_unreadable",
        "1 while what is on disk cannot be read, so that it waits.",
        flag(journal.unreadable.is_some()),
    );
    gauge(
        "sos_journal_durable",
        "1 if what waits is there at the next start.",
        flag(journal.outlives_the_program),
    );
    let mut counter = |name: &str, help: &str, value: u64| out.counter(name, help, &[], whole(value));
    counter("sos_journal_appended_events_total", "Events that were ever appended.", journal.appended_events);
    counter(
        "sos_journal_durable_events_total",
        "Appended events that are as safe as the journal can make them: a watermark.",
        journal.durable_events,
    );
    counter("sos_journal_damaged_total", "Damaged places that were found on disk.", journal.damaged);
    counter("sos_journal_quarantined_total", "Damaged files that were set aside.", journal.quarantined);
    for reader in &journal.readers {
        let labels = [("reader", reader.name.as_str())];
        let help =
            "1 while the sink of this place in the journal is there; sos journal forget gives up a place.";
        out.gauge("sos_journal_reader_attached", help, &labels, flag(reader.attached));
        let help = "Events that wait for this place in the journal.";
        out.gauge("sos_journal_reader_lag_events", help, &labels, whole(reader.lag_events));
        let help = "The bytes of the events that wait for this place in the journal.";
        out.gauge("sos_journal_reader_lag_bytes", help, &labels, whole(reader.lag_bytes));
        let help = "How old the oldest event is that waits for this place in the journal.";
        out.gauge("sos_journal_reader_lag_age_seconds", help, &labels, reader.lag_age_seconds);
    }
}

fn dead_letters(out: &mut Exposition, letters: &DeadLettersStatus) {
    let mut counter = |name: &str, help: &str, value: u64| out.counter(name, help, &[], whole(value));
    counter("sos_dead_letters_kept_total", "Refused events that were kept.", letters.kept);
    counter("sos_dead_letters_not_kept_total", "Refused events that could not be kept.", letters.not_kept);
    let help = "Dead letters that were given up because newer ones needed the room.";
    counter("sos_dead_letters_given_up_total", help, letters.given_up);
    let mut gauge = |name: &str, help: &str, value: f64| out.gauge(name, help, &[], value);
    gauge("sos_dead_letters_bytes", "The bytes that dead letters take.", whole(letters.bytes));
    gauge("sos_dead_letters_max_bytes", "The bytes that dead letters may take.", whole(letters.max_bytes));
    let help = "1 while refused events cannot be kept.";
    gauge("sos_dead_letters_failing", help, flag(letters.failure.is_some()));
}

/// Names and meaning as in the Prometheus client libraries.
fn process(out: &mut Exposition, process: &ProcessStatus) {
    let help = "Total user and system CPU time spent in seconds.";
    out.counter("process_cpu_seconds_total", help, &[], process.cpu_seconds);
    let mut gauge = |name: &str, help: &str, value: f64| out.gauge(name, help, &[], value);
    gauge(
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
        whole(process.resident_memory_bytes),
    );
    gauge(
        "process_virtual_memory_bytes",
        "Virtual memory size in bytes.",
        whole(process.virtual_memory_bytes),
    );
    gauge("process_open_fds", "Number of open file descriptors.", whole(process.open_fds));
    if let Some(max) = process.max_fds {
        gauge("process_max_fds", "Maximum number of open file descriptors.", whole(max));
    }
    gauge("process_threads", "Number of OS threads in the process.", whole(process.threads));
    gauge(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        process.start_time_unix_seconds,
    );
}

fn source(out: &mut Exposition, source: &SourceStatus) {
    let component = ("component", source.name.as_str());
    let mut counter =
        |name: &str, help: &str, labels: &[_], value: u64| out.counter(name, help, labels, whole(value));
    counter("sos_source_emitted_events_total", "Events that a source emitted.", &[component], source.emitted);
    let help = "Events of a source that went nowhere: the journal did not take them, or there were more than its rate limit allows.";
    counter("sos_source_lost_events_total", help, &[component, ("reason", "journal")], source.lost);
    counter(
        "sos_source_lost_events_total",
        help,
        &[component, ("reason", "rate_limit")],
        source.rate_limited,
    );
    counter("sos_source_restarts_total", "How often a source was built anew.", &[component], source.restarts);
    certificates(out, component, &source.certificates);
}

fn relay(out: &mut Exposition, relay: &RelayStatus) {
    let component = [("component", relay.name.as_str())];
    let mut counter = |name: &str, help: &str, value: u64| out.counter(name, help, &component, whole(value));
    counter("sos_relay_emitted_events_total", "Events that a relay emitted.", relay.emitted);
    counter("sos_relay_lost_events_total", "Events of a relay that the journal did not take.", relay.lost);
    counter(
        "sos_relay_discarded_events_total",
        "Events that were pushed out of the journal before a relay could see them.",
        relay.discarded,
    );
    counter("sos_relay_restarts_total", "How often a relay was built anew.", relay.restarts);
    let mut gauge = |name: &str, help: &str, value: f64| out.gauge(name, help, &component, value);
    gauge("sos_relay_lag_events", "Events that wait for a relay.", whole(relay.lag_events));
    gauge("sos_relay_lag_age_seconds", "How old the oldest event is that waits.", relay.lag_age_seconds);
    certificates(out, ("component", &relay.name), &relay.certificates);
}

fn sink(out: &mut Exposition, sink: &SinkStatus) {
    let component = [("component", sink.name.as_str())];
    let mut counter = |name: &str, help: &str, value: u64| out.counter(name, help, &component, whole(value));
    counter("sos_sink_delivered_events_total", "Events that the target of a sink has.", sink.delivered);
    counter("sos_sink_refused_events_total", "Events that the target refuses for good.", sink.refused);
    counter(
        "sos_sink_dead_letters_total",
        "Refused events that are kept as dead letters.",
        sink.dead_letters,
    );
    counter(
        "sos_sink_discarded_events_total",
        "Events that were pushed out of the journal before they could be delivered.",
        sink.discarded,
    );
    counter("sos_sink_retries_total", "Writes that failed and were repeated.", sink.retries);
    counter("sos_sink_writes_total", "Writes that succeeded.", sink.writes);
    counter("sos_sink_restarts_total", "How often a sink was built anew.", sink.restarts);
    let mut gauge = |name: &str, help: &str, value: f64| out.gauge(name, help, &component, value);
    gauge("sos_sink_lag_events", "Events that wait for a sink.", whole(sink.lag_events));
    gauge("sos_sink_lag_bytes", "The bytes of the events that wait for a sink.", whole(sink.lag_bytes));
    gauge("sos_sink_lag_age_seconds", "How old the oldest event is that waits.", sink.lag_age_seconds);
    if let Some(ago) = sink.last_success_seconds {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        // To a tenth, since it is put together of two clocks that are not read at once.
        let at = ((now - ago) * 10.0).round() / 10.0;
        gauge("sos_sink_last_success_timestamp_seconds", "When the last write succeeded.", at);
    }
    let HistogramStatus { bounds, counts, sum } = &sink.write_seconds;
    if !counts.is_empty() {
        let family = ("sos_sink_write_seconds", "How long writes took.");
        out.histogram(family, &component, (bounds, counts), *sum);
    }
    for (outcome, attempts) in sink.attempts.named() {
        let labels = [("component", sink.name.as_str()), ("outcome", outcome)];
        let help = "Attempts to write, by what they came to.";
        out.counter("sos_sink_write_attempts_total", help, &labels, whole(attempts));
    }
    certificates(out, ("component", &sink.name), &sink.certificates);
}

fn certificates(out: &mut Exposition, component: (&str, &str), certificates: &[CertificateStatus]) {
    for certificate in certificates {
        let labels = [component, ("path", certificate.path.as_str())];
        let help = "When the first certificate in a file ends.";
        let at = certificate.expires_unix_seconds;
        out.gauge("sos_certificate_expiry_timestamp_seconds", help, &labels, at);
    }
}

/// A figure of a component's own: `sos_<role>_<name>`, or `sos_<role>_own_<name>` where ours has that name.
fn reading(own: &mut Exposition, ours: &Exposition, (role, component): (&str, &str), reading: &Reading) {
    let suffix = if reading.is_counter { "_total" } else { "" };
    let name = name_of(&reading.name);
    let labels: Vec<(String, &str)> =
        reading.labels.iter().map(|(name, text)| (label_name(name), text.as_str())).collect();
    let labels: Vec<(&str, &str)> = [("component", component)]
        .into_iter()
        .chain(labels.iter().map(|(name, text)| (name.as_str(), *text)))
        .collect();
    let mut family = format!("sos_{role}_{name}{suffix}");
    if ours.contains(&family) {
        family = format!("sos_{role}_own_{name}{suffix}");
    }
    let help = format!("Counted by the {role} itself, see the documentation of its type: {}.", reading.name);
    if reading.is_counter {
        own.counter(&family, &help, &labels, whole(reading.value));
    } else {
        own.gauge(&family, &help, &labels, whole(reading.value));
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
