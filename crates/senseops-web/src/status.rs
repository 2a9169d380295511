//! The state of a pipeline in plain figures, as `/status` and `/readyz` answer it.

mod from_view;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use senseops_core::host::Protocol;
use senseops_engine::{AttemptsView, ProcessStatus};

/// A running program at one moment. Counters begin at zero with the start of the program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// What the program is called.
    pub program: String,
    /// Its version.
    pub version: String,
    /// How long the pipeline has been running.
    pub uptime_seconds: f64,
    /// What `/readyz` says.
    pub ready: bool,
    /// Where events wait.
    pub journal: JournalStatus,
    /// Where they come from.
    pub sources: Vec<SourceStatus>,
    /// What the host program emits itself.
    pub embedder: EmbedderStatus,
    /// What makes events of events.
    pub relays: Vec<RelayStatus>,
    /// Where they go.
    pub sinks: Vec<SinkStatus>,
    /// Who listens where.
    pub listeners: Vec<ListenerStatus>,
    /// Events that targets refused for good.
    pub dead_letters: DeadLettersStatus,
    /// What the program takes of the machine. `None` where the system does not say.
    pub process: Option<ProcessStatus>,
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether no component is failing.
    pub ready: bool,
    /// How each component is, by name; `pipeline.journal` is among them.
    pub components: BTreeMap<String, Health>,
}

/// How a component is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// In one word.
    pub state: State,
    /// Why it is in that state; empty when it is well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// How a component is, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has not said anything yet.
    #[default]
    Starting,
    /// It works.
    Ok,
    /// It works, but someone should know the reason.
    Warning,
    /// It does not work.
    Failing,
}

/// The journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JournalStatus {
    /// Its directory; `None` in memory.
    pub path: Option<String>,
    /// Whether what is in it is there at the next start.
    pub outlives_the_program: bool,
    /// Events that wait for at least one sink.
    pub events: u64,
    /// The bytes that they take.
    pub bytes: u64,
    /// The bytes that they may take.
    pub max_bytes: u64,
    /// How old the oldest of them is.
    pub age_seconds: f64,
    /// The bytes that its files take.
    pub disk_bytes: u64,
    /// Events that were ever appended, also before this start.
    pub appended_events: u64,
    /// How many of them are safe: all before this one are synced to disk, or appended where there is none.
    pub durable_events: u64,
    /// The longest time between accepting an event and syncing it; `None` in memory.
    pub fsync_seconds: Option<f64>,
    /// Damaged places that were found on disk; what stood there is lost.
    pub damaged: u64,
    /// Files that were set aside because they are damaged.
    pub quarantined: u64,
    /// Why the disk cannot be used now, if so.
    pub failure: Option<String>,
    /// Why what is on it cannot be read now, if so. Whoever reads it waits until it can.
    pub unreadable: Option<String>,
    /// How far sinks and relays are, by name; also those that are gone and were not forgotten.
    pub cursors: Vec<CursorStatus>,
}

/// How far a sink or relay is in the journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CursorStatus {
    /// The sink or relay.
    pub name: String,
    /// Whether that is there now.
    pub attached: bool,
    /// Events that wait for it.
    pub lag_events: u64,
    /// The bytes that they take.
    pub lag_bytes: u64,
    /// How old the oldest of them is.
    pub lag_age_seconds: f64,
    /// Events that were pushed out before it could read them.
    pub discarded: u64,
}

/// A source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Its name, such as `udp.users`.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// Events that it emitted.
    pub emitted: u64,
    /// Events that the journal did not take.
    pub lost: u64,
    /// Events that were dropped because there were more than `rate_limit` allows.
    pub rate_limited: u64,
    /// How often it was rebuilt.
    pub restarts: u64,
    /// What it counts itself.
    pub readings: Vec<Reading>,
    /// The certificates that it was built with.
    pub certificates: Vec<CertificateStatus>,
}

/// A relay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RelayStatus {
    /// Its name, such as `counts.users`.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// Events that it emitted.
    pub emitted: u64,
    /// Events that the journal did not take.
    pub lost: u64,
    /// Events that were pushed out of the journal before it could see them.
    pub discarded: u64,
    /// Events that wait for it.
    pub lag_events: u64,
    /// How old the oldest of them is.
    pub lag_age_seconds: f64,
    /// How often it was rebuilt.
    pub restarts: u64,
    /// What it counts itself.
    pub readings: Vec<Reading>,
    /// The certificates that it was built with.
    pub certificates: Vec<CertificateStatus>,
}

/// A socket that a component listens on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    /// The component.
    pub component: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// What it is bound to; never port 0.
    pub address: SocketAddr,
}

/// Events that targets refused for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLettersStatus {
    /// Their directory; `None` if they are only counted.
    pub path: Option<String>,
    /// The bytes that they take there.
    pub bytes: u64,
    /// The bytes that they may take.
    pub max_bytes: u64,
    /// Events that were kept.
    pub kept: u64,
    /// Refused events that could not be kept.
    pub not_kept: u64,
    /// Events that were given up again because newer ones needed the room.
    pub given_up: u64,
    /// Why they cannot be kept now, if so.
    pub failure: Option<String>,
}

/// What the host program emits itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedderStatus {
    /// Events that it emitted.
    pub emitted: u64,
    /// Events that the journal did not take.
    pub lost: u64,
}

/// A sink.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SinkStatus {
    /// Its name, such as `influx.main`.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// What happens when the journal is full and it is behind: `drop_oldest` or `block`.
    pub overflow: String,
    /// Events that the target has.
    pub delivered: u64,
    /// Events that the target refuses for good.
    pub refused: u64,
    /// How many of them are kept as dead letters.
    pub dead_letters: u64,
    /// Events that were pushed out of the journal before they could be delivered.
    pub discarded: u64,
    /// Writes that failed and were repeated.
    pub retries: u64,
    /// Writes that succeeded.
    pub writes: u64,
    /// What attempts to write came to; each is counted once.
    pub attempts: AttemptsView,
    /// How long writes took, those that failed included.
    pub write_seconds: HistogramStatus,
    /// Events that wait for it.
    pub lag_events: u64,
    /// The bytes that they take.
    pub lag_bytes: u64,
    /// How old the oldest of them is.
    pub lag_age_seconds: f64,
    /// How often it was rebuilt.
    pub restarts: u64,
    /// How long ago the last write succeeded; `None` before the first.
    pub last_success_seconds: Option<f64>,
    /// What it counts itself.
    pub readings: Vec<Reading>,
    /// The certificates that it was built with.
    pub certificates: Vec<CertificateStatus>,
}

/// How often a value was in which range.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistogramStatus {
    /// The upper bounds of the ranges, growing; each belongs to its range.
    pub bounds: Vec<f64>,
    /// How many values were in each range, and at last how many were beyond the last bound.
    pub counts: Vec<u64>,
    /// All values together.
    pub sum: f64,
}

/// A figure of a component's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// What is counted.
    pub name: String,
    /// Which of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How many.
    pub value: u64,
    /// Whether the number only grows.
    pub is_counter: bool,
}

/// A file with certificates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// The file.
    pub path: String,
    /// When the first certificate in it ends, in seconds since 1970-01-01T00:00:00Z.
    pub expires_unix_seconds: f64,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Starting, Self::Ok, Self::Warning, Self::Failing];

    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failing => "failing",
        }
    }
}

impl Status {
    /// Every component with its role and health.
    pub fn components(&self) -> impl Iterator<Item = (&'static str, &str, &Health)> {
        let sources = self.sources.iter().map(|source| ("source", source.name.as_str(), &source.health));
        let relays = self.relays.iter().map(|relay| ("relay", relay.name.as_str(), &relay.health));
        let sinks = self.sinks.iter().map(|sink| ("sink", sink.name.as_str(), &sink.health));
        sources.chain(relays).chain(sinks)
    }
}
