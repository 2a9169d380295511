//! What a running pipeline looks like at one moment.

use std::time::Duration;

use senseops_core::{Condition, Reading};

/// A pipeline at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// How long it has been running.
    pub uptime: Duration,
    /// Where events wait.
    pub journal: JournalView,
    /// Where they come from, in the order of the plan.
    pub sources: Vec<SourceView>,
    /// What the host program emits itself.
    pub embedder: EmbedderView,
    /// Where they go, in the order of the plan.
    pub sinks: Vec<SinkView>,
}

/// The journal at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalView {
    /// Whether it is on disk.
    pub on_disk: bool,
    /// Whether what is in it is there at the next start.
    pub outlives_the_program: bool,
    /// Events that wait for at least one sink.
    pub events: u64,
    /// The bytes that they take.
    pub bytes: u64,
    /// The bytes that they may take.
    pub max_bytes: u64,
    /// Damaged places that were found on disk; what stood there is lost.
    pub damaged: u64,
    /// Why the disk cannot be used now, if so.
    pub failure: Option<String>,
}

/// The emissions of the host program, see [`Handle::emit`](crate::Handle::emit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmbedderView {
    /// Events that it emitted.
    pub emitted: u64,
    /// Events that the journal did not take.
    pub lost: u64,
}

/// One source component at one moment.
#[derive(Clone, Debug)]
pub struct SourceView {
    /// Its name, such as `healthcheck.qlik.server1`.
    pub name: String,
    /// How it is.
    pub condition: Condition,
    /// Events that it emitted.
    pub emitted: u64,
    /// Events that the journal did not take.
    pub lost: u64,
    /// How often it was built anew.
    pub restarts: u64,
    /// What it counts itself.
    pub readings: Vec<Reading>,
}

/// One sink component at one moment.
#[derive(Clone, Debug)]
pub struct SinkView {
    /// Its name, such as `influx.main`.
    pub name: String,
    /// How it is.
    pub condition: Condition,
    /// Events that the target has.
    pub delivered: u64,
    /// Events that the target refuses for good.
    pub refused: u64,
    /// Events that were pushed out of the journal before they could be delivered.
    pub discarded: u64,
    /// Writes that failed and were repeated.
    pub retries: u64,
    /// Writes that succeeded.
    pub writes: u64,
    /// Events that wait for this sink, whether it wants them or not.
    pub lag_events: u64,
    /// How old the oldest of them is.
    pub lag_age: Duration,
    /// How often it was built anew.
    pub restarts: u64,
    /// How long ago the last write succeeded.
    pub last_success: Option<Duration>,
    /// What it counts itself.
    pub readings: Vec<Reading>,
}

impl View {
    /// Events that wait for the sink that is furthest behind.
    pub fn undelivered(&self) -> u64 {
        self.sinks.iter().map(|sink| sink.lag_events).max().unwrap_or(0)
    }
}
