//! What a journal tells about itself and its readers.

use std::time::Duration;

use senseops_core::host::Overflow;

/// The journal at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether it is on disk.
    pub on_disk: bool,
    /// Events that were appended, ever.
    pub appended_events: u64,
    /// How many of them are durable: every event before this one is synced to disk, or no reader needs it any more. In
    /// memory, all that were appended.
    pub durable_events: u64,
    /// Events that the slowest reader has not committed. Absent readers count too.
    pub events: u64,
    /// An estimate of the bytes that they take.
    pub bytes: u64,
    /// The bytes that may be taken.
    pub max_bytes: u64,
    /// The age of the oldest event that a reader has not committed, see [`Lag::age`].
    pub oldest_age: Duration,
    /// Every reader, by name; those that are absent too.
    pub readers: Vec<ReaderStatus>,
    /// How many segments there are on disk.
    pub segments: u64,
    /// The bytes that they take.
    pub disk_bytes: u64,
    /// How long the writer has been in its present turn of work on the disk, if it is in one.
    pub writer_busy: Option<Duration>,
    /// Why the disk cannot be used now, if so.
    pub failure: Option<String>,
    /// Why a reader cannot read from the disk now, if so. It waits until it can.
    pub unreadable: Option<String>,
    /// Places on disk that were found damaged since the journal was opened; at most a thousand are counted.
    pub damaged: u64,
    /// Damaged segments that are set aside in the directory.
    pub quarantined: u64,
}

/// A reader at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderStatus {
    /// Its name.
    pub name: String,
    /// Whether there is a [`Reader`](crate::Reader) of this name. If not, only its place is kept.
    pub attached: bool,
    /// What happens to it at the limit. An absent reader misses the oldest chunks, whatever it did before, unless it is
    /// [expected back](crate::Journal::expect_back).
    pub overflow: Overflow,
    /// What it has not committed.
    pub lag: Lag,
    /// Events that it missed, as far as this program knows.
    pub discarded: u64,
}

/// What a reader has not committed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// How many events.
    pub events: u64,
    /// An estimate of the bytes that they take in the journal.
    pub bytes: u64,
    /// How long ago the oldest of them was appended. For chunks that are on disk only and have not been read yet: the
    /// most that this can be.
    pub age: Duration,
}

impl Status {
    /// Whether what is in the journal is there at the next start.
    pub fn outlives_the_program(&self) -> bool {
        self.on_disk && self.failure.is_none()
    }
}
