//! The journal as those see it who append.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use senseops_core::host::Overflow;
use senseops_core::{Outcome, Receipt};

use crate::books::{Books, ForgetError, Packing};
use crate::codec::{Codec, Wants};
use crate::keeper;
use crate::reader::Reader;
use crate::recent::Removed;
use crate::shared::SharedJournal;
use crate::status::Status;

/// A bounded log with one cursor per reader. Cheap to clone; all clones are the same log.
pub struct Journal<C>(pub(crate) Arc<SharedJournal<C>>);

impl<C> Journal<C> {
    /// A journal in memory. Chunks are shared, not copied; after the end of the program they are gone.
    pub fn in_memory(max_bytes: u64) -> Self {
        Self(Arc::new(SharedJournal::new(Books::in_memory(max_bytes), None, None)))
    }

    /// A journal in memory of which the [keeper](Self::keep) packs what waits for long.
    pub fn packed_in_memory(max_bytes: u64, codec: impl Codec<C>) -> Self {
        let mut books = Books::in_memory(max_bytes);
        books.packing = Packing::WhenTold;
        Self(Arc::new(SharedJournal::new(books, None, Some(Arc::new(codec)))))
    }

    /// Readers that may miss chunks miss those that are older than this.
    #[must_use]
    pub fn with_max_age(self, max_age: Option<Duration>) -> Self {
        self.0.lock().max_age = max_age;
        self
    }
}

impl<C: Clone + Send + Sync + 'static> Journal<C> {
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
        let mut books = self.0.lock();
        let expired = books.expire_recent(now);
        let status = books.status(now);
        drop(books);
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
