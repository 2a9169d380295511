//! What a running pipeline looks like at one moment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use senseops_core::host::{Overflow, Protocol, Reading};
use senseops_core::{Condition, Timestamp};
use senseops_journal::{ReaderStatus, Status};
use serde::{Deserialize, Serialize};

use crate::plan::Program;
use crate::process::ProcessStatus;
use crate::settings::JournalSettings;

/// A pipeline at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Whose it is.
    pub program: Program,
    /// How long it has been running.
    pub uptime: Duration,
    /// Where events wait.
    pub journal: JournalView,
    /// Where they come from, in the order of the plan.
    pub sources: Vec<SourceView>,
    /// What the host program emits itself.
    pub embedder: EmbedderView,
    /// What makes events of them, in the order of the plan.
    pub relays: Vec<RelayView>,
    /// Where they go, in the order of the plan.
    pub sinks: Vec<SinkView>,
    /// Who listens where, by component.
    pub listeners: Vec<ListenerView>,
    /// Events that targets refused for good.
    pub dead_letters: DeadLettersView,
    /// What the program takes of the machine; `None` where the system does not say.
    pub process: Option<ProcessStatus>,
}

/// The journal at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalView {
    /// Its directory, if it is on disk.
    pub path: Option<PathBuf>,
    /// Whether it is on disk.
    pub on_disk: bool,
    /// Whether what is in it is there at the next start.
    pub outlives_the_program: bool,
    /// Events that were appended, ever.
    pub appended_events: u64,
    /// How many of them are durable: synced to disk, or in memory all of them.
    pub durable_events: u64,
    /// The longest time between accepting an event and syncing it to disk, if it is on disk.
    pub fsync: Option<Duration>,
    /// Events that wait for at least one sink.
    pub events: u64,
    /// The bytes that they take.
    pub bytes: u64,
    /// The bytes that they may take.
    pub max_bytes: u64,
    /// How old the oldest of them is.
    pub age: Duration,
    /// The bytes that its files take.
    pub disk_bytes: u64,
    /// Damaged places that were found on disk; what stood there is lost.
    pub damaged: u64,
    /// Damaged files that are set aside in its directory.
    pub quarantined: u64,
    /// Why the disk cannot be used now, if so.
    pub failure: Option<String>,
    /// Why it cannot be read now, if so. Whoever reads it waits until it can.
    pub unreadable: Option<String>,
    /// How far sinks and relays are, by name; also those that are gone.
    pub cursors: Vec<CursorView>,
}

/// How far a sink or relay is in the journal at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorView {
    /// The name of the sink or relay.
    pub name: String,
    /// Whether there is such a component. If not, what waits for it is kept, until it is [forgotten](crate::Handle::forget).
    pub attached: bool,
    /// Events that wait for it.
    pub lag_events: u64,
    /// The bytes that they take, estimated.
    pub lag_bytes: u64,
    /// How old the oldest of them is.
    pub lag_age: Duration,
    /// Events that it missed since the program started.
    pub discarded: u64,
}

/// Dead letters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLettersView {
    /// Their directory; `None` if they are not kept.
    pub path: Option<PathBuf>,
    /// The bytes that they take there.
    pub bytes: u64,
    /// The bytes that they may take.
    pub max_bytes: u64,
    /// Events that were kept since the program started.
    pub kept: u64,
    /// Refused events that could not be kept.
    pub not_kept: u64,
    /// Events that were given up again because newer ones needed the room.
    pub given_up: u64,
    /// Why they cannot be kept now, if so.
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
    /// Events above the rate limit, which were dropped.
    pub rate_limited: u64,
    /// How often it was built anew.
    pub restarts: u64,
    /// The certificates that it was built with.
    pub certificates: Vec<CertificateView>,
    /// What it counts itself.
    pub readings: Vec<Reading>,
}

/// One relay component at one moment.
#[derive(Clone, Debug)]
pub struct RelayView {
    /// Its name, such as `counts.users`.
    pub name: String,
    /// How it is.
    pub condition: Condition,
    /// Events that it emitted.
    pub emitted: u64,
    /// Events that the journal did not take.
    pub lost: u64,
    /// Events that were pushed out of the journal before it could see them, or that it does not look at since it fails.
    pub discarded: u64,
    /// Events that wait for it, whether it wants them or not.
    pub lag_events: u64,
    /// How old the oldest of them is.
    pub lag_age: Duration,
    /// How often it was built anew.
    pub restarts: u64,
    /// The certificates that it was built with.
    pub certificates: Vec<CertificateView>,
    /// What it counts itself.
    pub readings: Vec<Reading>,
}

/// A socket that a component listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerView {
    /// The component.
    pub component: String,
    /// What the socket speaks.
    pub protocol: Protocol,
    /// What it is bound to; never port 0.
    pub address: SocketAddr,
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
    /// How many of them are kept as dead letters.
    pub dead_letters: u64,
    /// Events that were pushed out of the journal before they could be delivered.
    pub discarded: u64,
    /// Writes that failed and were repeated.
    pub retries: u64,
    /// Writes that succeeded.
    pub writes: u64,
    /// What attempts to write came to.
    pub attempts: AttemptsView,
    /// How long attempts to write took, whatever they came to.
    pub write_seconds: Histogram,
    /// What happens when the journal is full and this sink is behind.
    pub overflow: Overflow,
    /// Events that wait for this sink, whether it wants them or not.
    pub lag_events: u64,
    /// The bytes that they take, estimated.
    pub lag_bytes: u64,
    /// How old the oldest of them is.
    pub lag_age: Duration,
    /// How often it was built anew.
    pub restarts: u64,
    /// How long ago the last write succeeded.
    pub last_success: Option<Duration>,
    /// The certificates that it was built with.
    pub certificates: Vec<CertificateView>,
    /// What it counts itself.
    pub readings: Vec<Reading>,
}

/// A file with certificates that a component was built with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateView {
    /// The file.
    pub path: PathBuf,
    /// When the first certificate in it ends.
    pub expires: Timestamp,
}

/// What attempts to write came to; each is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptsView {
    /// The target took everything.
    pub written: u64,
    /// The target took some, and refused some or wants some again.
    pub partial: u64,
    /// The target could not be reached or was not able to write.
    pub unavailable: u64,
    /// The target denied us.
    pub denied: u64,
    /// The batch had to be halved.
    pub split: u64,
    /// There was no answer in time.
    pub timed_out: u64,
    /// The sink panicked.
    pub panicked: u64,
}

/// How often something took how long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// The upper bounds of the buckets, in seconds, ascending; each belongs to its bucket.
    pub bounds: &'static [f64],
    /// How many there were in each bucket alone. There is one more than bounds, for all that took longer.
    pub counts: Vec<u64>,
    /// All of them together, in seconds.
    pub sum: f64,
}

impl JournalView {
    pub(crate) fn new(status: Status, settings: &JournalSettings) -> Self {
        let cursor = |reader: ReaderStatus| CursorView {
            name: reader.name,
            attached: reader.attached,
            lag_events: reader.lag.events,
            lag_bytes: reader.lag.bytes,
            lag_age: reader.lag.age,
            discarded: reader.discarded,
        };
        Self {
            path: settings.path.clone(),
            on_disk: status.on_disk,
            outlives_the_program: status.outlives_the_program(),
            appended_events: status.appended_events,
            durable_events: status.durable_events,
            fsync: status.on_disk.then(|| settings.fsync().get()),
            events: status.events,
            bytes: status.bytes,
            max_bytes: status.max_bytes,
            age: status.oldest_age,
            disk_bytes: status.disk_bytes,
            damaged: status.damaged,
            quarantined: status.quarantined,
            failure: status.failure,
            unreadable: status.unreadable,
            cursors: status.readers.into_iter().map(cursor).collect(),
        }
    }
}

impl AttemptsView {
    /// Each count with its name.
    pub fn named(&self) -> [(&'static str, u64); 7] {
        let Self { written, partial, unavailable, denied, split, timed_out, panicked } = *self;
        [
            ("written", written),
            ("partial", partial),
            ("unavailable", unavailable),
            ("denied", denied),
            ("split", split),
            ("timed_out", timed_out),
            ("panicked", panicked),
        ]
    }
}

impl View {
    /// Events that are gone: the journal did not take them, they were pushed out of it before a sink or relay could have
    /// them, or they wait for a sink in a journal that ends with the program. What two sinks miss counts twice.
    pub fn lost(&self) -> u64 {
        let sources = self.sources.iter().map(|source| source.lost);
        let relays = self.relays.iter().map(|relay| relay.lost + relay.discarded);
        let is_kept = self.journal.outlives_the_program;
        let sinks = self.sinks.iter().map(|sink| sink.discarded + if is_kept { 0 } else { sink.lag_events });
        self.embedder.lost + sources.chain(relays).chain(sinks).sum::<u64>()
    }

    /// Events that wait for the sink that is furthest behind.
    pub fn undelivered(&self) -> u64 {
        self.sinks.iter().map(|sink| sink.lag_events).max().unwrap_or(0)
    }
}
