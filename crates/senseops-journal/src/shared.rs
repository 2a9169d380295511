//! What all handles of a journal share, and how those who work on it wake each other.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use senseops_core::Timestamp;
use senseops_core::host::Hurry;
use tokio::sync::Notify;

use crate::books::Books;
use crate::codec::Codec;
use crate::directory::JournalDirectory;

/// What all handles of a journal share.
pub(crate) struct SharedJournal<C> {
    books: Mutex<Books<C>>,
    /// Something was appended.
    pub appended: Notify,
    /// As much was appended as a reader waits for.
    pub plenty: Notify,
    /// Something needs less room.
    pub freed: Notify,
    /// There is work for the writer.
    pub work: Condvar,
    /// There is work for the [keeper](crate::Journal::keep).
    pub chores: Condvar,
    pub directory: Option<Arc<JournalDirectory<C>>>,
    /// How chunks become bytes; `None` if they never do.
    pub codec: Option<Arc<dyn Codec<C>>>,
    clock: Clock,
}

/// Tells the time as if nobody set the clock of the machine after the journal was opened.
struct Clock {
    opened: Timestamp,
    since: Instant,
}

impl<C> SharedJournal<C> {
    pub(crate) fn new(
        books: Books<C>,
        directory: Option<Arc<JournalDirectory<C>>>,
        codec: Option<Arc<dyn Codec<C>>>,
    ) -> Self {
        Self {
            books: Mutex::new(books),
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

    pub(crate) fn lock(&self) -> MutexGuard<'_, Books<C>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
