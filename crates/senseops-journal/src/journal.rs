//! The journal as those see it who append.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use senseops_core::host::Hurry;
use senseops_core::{Outcome, Receipt, Timestamp};
use thiserror::Error;
use tokio::sync::Notify;

use crate::files::Files;
use crate::recent::Removed;
use crate::state::{Packing, State};
use crate::{Codec, DiskSettings, Lag, OpenError, Overflow, Reader, Wants, Writer, keeper, open};

/// A bounded log with one cursor per reader. Cheap to clone; all clones are the same log.
pub struct Journal<C>(pub(crate) Arc<Shared<C>>);

/// A chunk as a reader gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<C> {
    /// What was appended.
    pub chunk: C,
    /// How many events are in it.
    pub events: u32,
    /// An estimate of the memory that it takes.
    pub bytes: u64,
    /// Where it is in the journal.
    pub position: Position,
    /// When it was appended.
    pub appended: Timestamp,
}

/// The place of a chunk: 0 for the first that was ever appended, then one more for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub(crate) u64);

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
    /// Whether there is a [`Reader`] of this name. If not, only its place is kept.
    pub attached: bool,
    /// What happens to it at the limit. An absent reader misses the oldest chunks, whatever it did before, unless it is
    /// [expected back](Journal::expect_back).
    pub overflow: Overflow,
    /// What it has not committed.
    pub lag: Lag,
    /// Events that it missed, as far as this program knows.
    pub discarded: u64,
}

/// The place of a reader cannot be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ForgetError {
    /// No reader of this name has a place.
    #[error("the journal knows no reader named {name}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The reader is still there.
    #[error("{name} is reading the journal")]
    Attached {
        /// The name.
        name: String,
    },
}

/// A place between chunks, as a position and as a number of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The chunk behind this place.
    pub position: Position,
    /// Events of all chunks before.
    pub events: u64,
}

/// What all handles of a journal share.
pub(crate) struct Shared<C> {
    state: Mutex<State<C>>,
    /// Something was appended.
    pub appended: Notify,
    /// As much was appended as a reader waits for.
    pub plenty: Notify,
    /// Something needs less room.
    pub freed: Notify,
    /// There is work for the writer.
    pub work: Condvar,
    /// There is work for the [keeper](Journal::keep).
    pub chores: Condvar,
    pub directory: Option<Arc<Directory<C>>>,
    /// How chunks become bytes; `None` if they never do.
    pub codec: Option<Arc<dyn Codec<C>>>,
    clock: Clock,
}

/// Tells the time as if nobody set the clock of the machine after the journal was opened.
struct Clock {
    opened: Timestamp,
    since: Instant,
}

/// The directory of a journal on disk.
pub(crate) struct Directory<C> {
    pub path: PathBuf,
    pub codec: Arc<dyn Codec<C>>,
    pub fsync: Duration,
    /// A segment of this size is left for a new one.
    pub segment_bytes: u64,
    pub files: Files,
}

impl<C> Journal<C> {
    /// A journal in memory. Chunks are shared, not copied; after the end of the program they are gone.
    pub fn in_memory(max_bytes: u64) -> Self {
        Self(Arc::new(Shared::new(State::in_memory(max_bytes), None, None)))
    }

    /// A journal in memory of which the [keeper](Self::keep) packs what waits for long.
    pub fn packed_in_memory(max_bytes: u64, codec: impl Codec<C>) -> Self {
        let mut state = State::in_memory(max_bytes);
        state.packing = Packing::WhenTold;
        Self(Arc::new(Shared::new(state, None, Some(Arc::new(codec)))))
    }

    /// Readers that may miss chunks miss those that are older than this.
    #[must_use]
    pub fn with_max_age(self, max_age: Option<Duration>) -> Self {
        self.0.lock().max_age = max_age;
        self
    }
}

impl<C: Clone + Send + Sync + 'static> Journal<C> {
    /// Opens or creates the journal in a directory. Does blocking I/O.
    ///
    /// Until the [`Writer`] runs, nothing is stored. Readers that are to see what is stored already ask for their
    /// [`reader`](Journal::reader) before it runs.
    ///
    /// # Errors
    /// When the directory cannot be used, another process uses it, or a newer program wrote it. Damage is no error.
    pub fn open(settings: DiskSettings, codec: impl Codec<C>) -> Result<(Self, Writer<C>), OpenError> {
        open::open(settings, Arc::new(codec), Files::Machine)
    }

    /// Appends a chunk of `events` events, which take about `bytes` bytes of memory. Never waits.
    ///
    /// The receipt is known at once in memory. On disk it becomes known once the chunk is synced, or has failed to be.
    /// It is [`Lost`](senseops_core::Outcome::Lost) if there is no room, or if the journal is closed.
    pub fn append(&self, chunk: C, events: u32, bytes: u64) -> Receipt {
        let now = self.0.now();
        let appended = self.0.lock().append(chunk, events, bytes, now);
        if appended.wake_writer {
            self.0.work.notify_one();
        }
        if appended.wake_keeper {
            self.0.chores.notify_one();
        }
        self.0.appended.notify_waiters();
        if appended.wake_readers {
            self.0.plenty.notify_waiters();
        }
        // What was pushed out is dropped here, where nobody waits for the lock.
        drop(appended.evicted);
        appended.receipt
    }

    /// A receipt for everything that was appended before, whoever did that.
    pub fn receipt(&self) -> Receipt {
        self.0.lock().receipt()
    }

    /// Whether [`room`](Journal::room) would return at once.
    pub fn has_room(&self) -> bool {
        self.0.lock().has_room()
    }

    /// Appends a chunk once there is [room](Journal::room), and room for all of it. Only a chunk that is larger than the
    /// journal is refused at once.
    pub async fn append_when_room(&self, chunk: C, events: u32, bytes: u64) -> Receipt {
        self.room().await;
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            freed.as_mut().enable();
            let receipt = self.append(chunk.clone(), events, bytes);
            let is_refused = receipt.known_outcome() == Some(Outcome::Lost);
            if !is_refused || !self.0.lock().may_take(bytes) {
                return receipt;
            }
            freed.await;
        }
    }

    /// Waits until there is room: no [`Overflow::Block`] reader is near the limit, and the writer keeps up. A quarter of
    /// the limit stays free for those that cannot wait. Returns at once after [`close`](Journal::close).
    pub async fn room(&self) {
        if self.0.lock().has_room() {
            return;
        }
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            freed.as_mut().enable();
            if self.0.lock().has_room() {
                return;
            }
            freed.await;
        }
    }

    /// A reader of this name, one line of text. A known name goes on where it was; otherwise the reader begins with what
    /// is appended from now on.
    pub fn reader(&self, name: &str, overflow: Overflow) -> Reader<C> {
        self.reader_of(name, overflow, Arc::new(|_kind| true))
    }

    /// A reader that need not get chunks of which it wants no event. Those that are bytes are passed unread, as if they
    /// had been read and committed.
    pub fn reader_of(&self, name: &str, overflow: Overflow, wants: Wants) -> Reader<C> {
        let id = self.0.lock().add_reader(name, overflow);
        self.0.work.notify_one();
        Reader::new(Arc::clone(&self.0), id, wants)
    }

    /// Does what takes time and is not the writer's: packs what waits for long in memory, and notices when the disk does
    /// not answer. Returns when the journal is closed. Blocks, so it needs a thread of its own.
    pub fn keep(&self) {
        keeper::keep(&self.0);
    }

    /// The reader of this name goes and comes back at once, as when another takes its place: what it may not miss is
    /// kept for it meanwhile.
    pub fn expect_back(&self, name: &str) {
        self.0.lock().expect_back(name);
    }

    /// Forgets the place of a reader that is absent. A reader of this name begins anew. On disk this is stored within
    /// about a second.
    ///
    /// # Errors
    /// When no reader of this name is known, or it is attached.
    pub fn forget(&self, name: &str) -> Result<(), ForgetError> {
        let released: Vec<Removed<C>> = self.0.lock().forget(name)?;
        self.0.work.notify_one();
        self.0.tell_of_room();
        drop(released);
        Ok(())
    }

    /// How the journal is now. Costs little: some arithmetic for each reader, and nothing of the disk.
    pub fn status(&self) -> Status {
        let now = self.0.now();
        let mut state = self.0.lock();
        let expired = state.expire_recent(now);
        let status = state.status(now);
        drop(state);
        drop(expired);
        status
    }

    /// Takes no more chunks, and lets nobody wait for room. Readers read on, and what they commit is stored.
    pub fn seal(&self) {
        self.0.lock().sealed = true;
        self.0.freed.notify_waiters();
    }

    /// Takes no more chunks. The writer stores what it has and ends. Readers can read on.
    pub fn close(&self) {
        self.0.lock().close();
        self.0.work.notify_one();
        self.0.chores.notify_all();
        self.0.freed.notify_waiters();
    }
}

impl Status {
    /// Whether what is in the journal is there at the next start.
    pub fn outlives_the_program(&self) -> bool {
        self.on_disk && self.failure.is_none()
    }
}

impl<C> Shared<C> {
    pub(crate) fn new(
        state: State<C>,
        directory: Option<Arc<Directory<C>>>,
        codec: Option<Arc<dyn Codec<C>>>,
    ) -> Self {
        Self {
            state: Mutex::new(state),
            appended: Notify::new(),
            plenty: Notify::new(),
            freed: Notify::new(),
            work: Condvar::new(),
            chores: Condvar::new(),
            directory,
            codec,
            clock: Clock { opened: Timestamp::now(), since: Instant::now() },
        }
    }

    /// Lets those who wait for a receipt wake the writer.
    pub(crate) fn listen_to_the_hurried(self: &Arc<Self>)
    where
        C: Send + Sync + 'static,
    {
        let shared = Arc::downgrade(self);
        let hurry = Hurry::new(move || {
            if let Some(shared) = shared.upgrade() {
                shared.lock().hurry();
                shared.work.notify_one();
            }
        });
        if let Some(disk) = &mut self.lock().disk {
            disk.hurry = hurry;
        }
    }

    /// The time by which chunks age.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.opened.saturating_add(self.clock.since.elapsed())
    }

    /// Wakes those who wait for room, if there is some.
    pub(crate) fn tell_of_room(&self) {
        let has_room = self.lock().has_room();
        if has_room {
            self.freed.notify_waiters();
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Position {
    /// The position as a number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Mark {
    /// The place after a chunk that is here.
    pub(crate) fn after(self, events: u32) -> Self {
        Self {
            position: Position(self.position.0.saturating_add(1)),
            events: self.events.saturating_add(events.into()),
        }
    }

    /// The later of two places.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { position: self.position.max(other.position), events: self.events.max(other.events) }
    }
}

impl<C> Clone for Journal<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Journal<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("directory", &self.0.directory.as_ref().map(|dir| &dir.path))
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
