//! The writer: brings chunks to disk, and keeps the directory tidy.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use senseops_core::{Outcome, Timestamp, chain};
use tracing::{debug, info, warn};

use crate::books::{Books, Held};
use crate::codec::Wants;
use crate::directory::{DiskError, JournalDirectory, failed};
use crate::disk::{Change, Pending, settle_all};
use crate::files::NewFile;
use crate::frame;
use crate::lock::DirectoryLock;
use crate::position::Position;
use crate::segment::Segment;
use crate::shared::SharedJournal;
use crate::slot::Slot;

/// How often cursors are stored while they move.
const CURSOR_INTERVAL: Duration = Duration::from_secs(1);
/// After so many intervals of `fsync` a failed disk is tried again; with the usual 50 ms after five seconds.
const RETRY_INTERVALS: u32 = 100;
/// The limits of that.
const MIN_RETRY: Duration = Duration::from_millis(100);
const MAX_RETRY: Duration = Duration::from_secs(10);
/// What the buffer may keep for the next batch.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Writes what is appended to a journal on disk.
///
/// It owns the directory. When it is dropped, another process may open the directory, and this journal goes on in
/// memory.
pub struct Writer<C> {
    shared: Arc<SharedJournal<C>>,
    directory: Arc<JournalDirectory<C>>,
    /// Held as long as the directory is in use.
    _lock: DirectoryLock,
    active: Option<Active>,
    /// Segments that the books do not know and that are still there: one that failed before anything in it was promised,
    /// and those that could not be deleted. They go before the disk is used again, or they would fill it.
    undeleted: Vec<Position>,
    buffer: Vec<u8>,
    cursors_due: Instant,
    /// When a failed disk is tried again.
    retry_due: Option<Instant>,
}

/// The segment that is being written.
struct Active {
    file: NewFile,
    name: Position,
    /// The random number of its frames.
    number: u64,
    /// When its first chunk was appended.
    oldest: Timestamp,
    /// What is written and synced.
    bytes: u64,
}

/// What the writer does in one turn.
struct Work<C> {
    batch: Vec<Pending<C>>,
    closed: bool,
}

impl<C: Clone + 'static> Writer<C> {
    pub(crate) fn new(
        shared: Arc<SharedJournal<C>>,
        directory: Arc<JournalDirectory<C>>,
        lock: DirectoryLock,
    ) -> Self {
        let cursors_due = Instant::now();
        Self {
            shared,
            directory,
            _lock: lock,
            active: None,
            undeleted: Vec::new(),
            buffer: Vec::new(),
            cursors_due,
            retry_due: None,
        }
    }

    /// Writes until the journal is closed and everything is stored. Blocks, so it needs a thread of its own.
    pub fn run(mut self) {
        loop {
            let work = self.wait();
            let is_last = work.closed && work.batch.is_empty();
            self.turn(work);
            // A disk that works again may have brought something.
            if is_last && !self.has_more() {
                return;
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&self) -> Work<C> {
        let mut books = self.shared.lock();
        let mut write_due = None;
        loop {
            let now = Instant::now();
            let due = self.due(&books, &mut write_due, now);
            if books.is_closed() || books.is_write_due() || due.is_some_and(|due| due <= now) {
                return self.take(books);
            }
            books = match due {
                None => self.shared.work.wait(books).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    self.shared.work.wait_timeout(books, due - now).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// When there will be something to do, as far as is known. `write_due` is kept while something is queued.
    fn due(&self, books: &Books<C>, write_due: &mut Option<Instant>, now: Instant) -> Option<Instant> {
        if self.retry_due.is_some() {
            return self.retry_due;
        }
        let disk = books.disk.as_ref()?;
        *write_due = (!disk.queue.is_empty()).then(|| write_due.unwrap_or(now + self.directory.fsync));
        let cursors_due = (disk.cursors.change != Change::None).then_some(self.cursors_due);
        let expiry_due = books.next_expiry().map(|expiry| now + expiry.since(self.shared.now()));
        write_due.iter().copied().chain(cursors_due).chain(expiry_due).min()
    }

    fn take(&self, mut books: MutexGuard<'_, Books<C>>) -> Work<C> {
        Work { closed: books.is_closed(), batch: books.begin_turn(self.shared.now()) }
    }

    fn has_more(&self) -> bool {
        self.shared.lock().disk.as_ref().is_some_and(|disk| !disk.queue.is_empty())
    }

    fn turn(&mut self, work: Work<C>) {
        let Work { batch, closed } = work;
        let is_last = closed && batch.is_empty();
        let stored = match self.retry_due {
            Some(due) if closed || due <= Instant::now() => self.try_again(),
            Some(_later) => Ok(()),
            // A reader that is not stored would miss after a crash what a receipt promises.
            None => self.tidy(Change::Named).and_then(|()| self.store(&batch)),
        };
        drop(batch);
        if let Err(error) = stored.and_then(|()| self.tidy_up(is_last)) {
            self.fail(&error);
        }
        let has_failed = self.shared.lock().end_turn();
        if has_failed && self.retry_due.is_none() {
            // It only took longer than the keeper was willing to wait.
            self.retry_due = Some(Instant::now());
        }
        self.shared.tell_of_room();
    }

    /// Writes and syncs the batch.
    fn store(&mut self, batch: &[Pending<C>]) -> Result<(), DiskError> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(()) };
        let (first, last) = (&first.slot, &last.slot);
        let mut active = match self.active.take() {
            Some(active) if !self.is_left(&active, first.appended) => active,
            Some(_) | None => self.begin_segment(first)?,
        };
        match self.write(&mut active, batch) {
            Ok(bytes) => {
                let written = Segment {
                    name: active.name,
                    first: first.at,
                    end: last.end(),
                    oldest: first.appended,
                    newest: last.appended,
                    bytes,
                };
                self.active = Some(active);
                let waiting = self.shared.lock().wrote(written);
                settle_all(waiting, Outcome::Stored);
                Ok(())
            }
            Err(error) => {
                self.undeleted.extend((active.bytes == 0).then_some(active.name));
                Err(error)
            }
        }
    }

    /// Whether a segment is left for a new one: it is large enough, or old enough for the sake of the age limit.
    fn is_left(&self, active: &Active, now: Timestamp) -> bool {
        let max_age = self.shared.lock().max_age;
        active.bytes >= self.directory.segment_bytes
            || max_age.is_some_and(|max_age| now.since(active.oldest) >= max_age / 8)
    }

    fn begin_segment(&self, first: &Slot<C>) -> Result<Active, DiskError> {
        let name = first.at.position;
        let file = self.directory.create_segment(name)?;
        Ok(Active { file, name, number: fastrand::u64(..), oldest: first.appended, bytes: 0 })
    }

    fn write(&mut self, active: &mut Active, batch: &[Pending<C>]) -> Result<u64, DiskError> {
        let bytes =
            self.encode(batch, active.number).map_err(failed("encode chunks for", &self.directory.path))?;
        let excess = self.shared.lock().take_excess_segments(bytes, active.name);
        self.give_up(&excess)?;
        active.file.write_all(&self.buffer).map_err(failed("write", &active.file.path))?;
        active.file.sync().map_err(failed("sync", &active.file.path))?;
        active.bytes += bytes;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES);
        Ok(bytes)
    }

    fn encode(&mut self, batch: &[Pending<C>], number: u64) -> io::Result<u64> {
        self.buffer.clear();
        for pending in batch {
            frame::encode_chunk(&mut self.buffer, number, &pending.slot, &*self.directory.codec)?;
        }
        u64::try_from(self.buffer.len()).map_err(io::Error::other)
    }

    /// Deletes what is too old and what everybody has passed, unless the disk has failed.
    fn tidy_up(&mut self, is_last: bool) -> Result<(), DiskError> {
        if self.retry_due.is_some() {
            return Ok(());
        }
        if is_last {
            self.active = None;
        }
        let expired = self.shared.lock().take_expired_segments(self.shared.now());
        if self.active.as_ref().is_some_and(|active| expired.contains(&active.name)) {
            self.active = None;
        }
        self.give_up(&expired)?;
        let is_due = is_last || self.cursors_due <= Instant::now();
        self.tidy(if is_due { Change::Moved } else { Change::Named })
    }

    /// Stores the cursors if they changed so much, and deletes what they have passed.
    fn tidy(&mut self, least: Change) -> Result<(), DiskError> {
        let change = self.shared.lock().disk.as_ref().map(|disk| disk.cursors.change).unwrap_or_default();
        if change < least { Ok(()) } else { self.store_cursors() }
    }

    fn store_cursors(&mut self) -> Result<(), DiskError> {
        let cursors = self.shared.lock().take_cursors();
        self.directory.store_cursors(&cursors)?;
        self.cursors_due = Instant::now() + CURSOR_INTERVAL;
        let active = self.active.as_ref().map(|active| active.name);
        let passed = self.shared.lock().take_passed_segments(&cursors, active);
        self.delete(&passed);
        Ok(())
    }

    /// Deletes segments that readers may not have passed.
    fn give_up(&mut self, segments: &[Position]) -> Result<(), DiskError> {
        if segments.is_empty() {
            return Ok(());
        }
        // First, because otherwise a reader that has passed them would count them as missed after a crash.
        let stored = self.store_cursors();
        self.delete(segments);
        stored
    }

    fn delete(&mut self, segments: &[Position]) {
        for name in segments {
            let is_damaged = self.shared.lock().disk.as_ref().is_some_and(|disk| disk.is_damaged(*name));
            if !is_damaged {
                if let Err(error) = self.directory.delete_segment(*name) {
                    warn!(error = %chain(&error), "journal segment cannot be deleted");
                    self.undeleted.push(*name);
                }
            } else if let Some(kept) = self.directory.set_segment_aside(*name)
                && let Some(disk) = &mut self.shared.lock().disk
            {
                disk.quarantined = kept;
            }
        }
    }

    /// Goes on in memory.
    fn fail(&mut self, error: &DiskError) {
        self.active = None;
        let reason = chain(error).to_string();
        if self.retry_due.is_none() {
            warn!(error = reason, "journal goes on in memory");
        } else {
            debug!(error = reason, "journal stays in memory");
        }
        let pause = (self.directory.fsync * RETRY_INTERVALS).clamp(MIN_RETRY, MAX_RETRY);
        self.retry_due = Some(Instant::now() + pause);
        // Whoever learns that a chunk is held finds the reason in the status.
        let waiting = self.shared.lock().hold(reason);
        settle_all(waiting, Outcome::Held);
    }

    /// Goes back to disk if that works again.
    fn try_again(&mut self) -> Result<(), DiskError> {
        self.directory.create()?;
        while let Some(name) = self.undeleted.last() {
            // The books do not know it. Later it would be taken for a damaged segment.
            self.directory.delete_segment(*name)?;
            self.undeleted.pop();
        }
        if self.store_cursors().is_err() {
            // There may be no room for the cursors before what they have passed is deleted. After a crash in between,
            // readers count as missed what they have read.
            let cursors = self.shared.lock().take_cursors();
            let passed = self.shared.lock().take_passed_segments(&cursors, None);
            self.delete(&passed);
            self.store_cursors()?;
        }
        self.directory.probe()?;
        while let Some(held) = self.next_held() {
            self.store(&held)?;
        }
        self.retry_due = None;
        info!("journal is on disk again");
        Ok(())
    }

    /// What is to be written next of what was held; `None` if there is no more.
    fn next_held(&self) -> Option<Vec<Pending<C>>> {
        let everything: Wants = Arc::new(|_kind| true);
        loop {
            let held = self.shared.lock().take_held(self.shared.now());
            let (blocks, from) = match held {
                Held::Chunks(chunks) => return Some(chunks),
                Held::Packed(blocks, from) => (blocks, from),
                Held::Nothing => return None,
            };
            let slots =
                blocks.iter().flat_map(|block| block.unpack(from, &*self.directory.codec, &everything));
            let chunks: Vec<_> = slots.filter_map(|slot| slot.take().ok()).map(Pending::from).collect();
            if !chunks.is_empty() {
                return Some(chunks);
            }
            if let Some(last) = blocks.last() {
                self.shared.lock().give_up_held(last.end);
            }
        }
    }

    /// Does one turn without waiting. False if nothing was queued.
    #[cfg(test)]
    pub(crate) fn write_now(&mut self) -> bool {
        let work = self.take(self.shared.lock());
        let was_queued = !work.batch.is_empty();
        self.turn(work);
        was_queued
    }

    /// As if it were time to try a failed disk again and to store the cursors.
    #[cfg(test)]
    pub(crate) fn make_due(&mut self) {
        self.cursors_due = Instant::now();
        self.retry_due = self.retry_due.map(|_later| Instant::now());
    }
}

impl<C> Drop for Writer<C> {
    fn drop(&mut self) {
        let is_done = {
            let books = self.shared.lock();
            books.is_closed() && books.disk.as_ref().is_none_or(|disk| disk.queue.first_unwritten().is_none())
        };
        if !is_done {
            let waiting = self.shared.lock().hold("the writer of the journal has ended".to_owned());
            settle_all(waiting, Outcome::Held);
            self.shared.freed.notify_waiters();
        }
    }
}

impl<C> fmt::Debug for Writer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("directory", &self.directory.path).finish_non_exhaustive()
    }
}
