//! Reading: from memory, or ahead from segments.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use senseops_core::{Outcome, chain};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::books::{Ahead, Committed, Next, ReaderId};
use crate::codec::Wants;
use crate::directory::JournalDirectory;
use crate::disk::settle_all;
use crate::position::Position;
use crate::segment::{self, Progress, Scan, Segment, warn_of_damage};
use crate::shared::SharedJournal;
use crate::slot::{Entry, Slot};
use crate::status::Lag;

/// How long a reader waits before it tries again to read a segment, since the cause may pass: too many open files, a disk
/// that is away.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// Reads a journal from where its name was last, see [`Journal::reader`](crate::Journal::reader).
///
/// Dropping it keeps its place until that is [forgotten](crate::Journal::forget).
pub struct Reader<C> {
    shared: Arc<SharedJournal<C>>,
    id: ReaderId,
    wants: Wants,
    last: Arc<OnceLock<Last>>,
    ahead: VecDeque<Slot<Option<C>>>,
    scan: Option<Scan>,
    // Both are kept here rather than in a future, so that nothing is lost when `next` is dropped.
    reading: Option<JoinHandle<Read<C>>>,
    paused_until: Option<Instant>,
}

/// Looks at a reader from elsewhere. Cheap to clone. When the reader is gone, it shows how the reader was last.
pub struct ReaderWatch<C> {
    shared: Arc<SharedJournal<C>>,
    id: ReaderId,
    last: Arc<OnceLock<Last>>,
}

/// How a reader was when it was dropped.
#[derive(Clone, Copy)]
struct Last {
    lag: Lag,
    discarded: u64,
}

/// What was read ahead.
struct Read<C> {
    place: Ahead,
    slots: VecDeque<Slot<Option<C>>>,
    scan: Option<Scan>,
    /// Where damage begins.
    damage: Vec<u64>,
    /// There is no more where it was read.
    is_end: bool,
    failure: Option<io::Error>,
}

impl<C: Clone + Send + Sync + 'static> Reader<C> {
    pub(crate) fn new(shared: Arc<SharedJournal<C>>, id: ReaderId, wants: Wants) -> Self {
        Self {
            shared,
            id,
            wants,
            last: Arc::default(),
            ahead: VecDeque::new(),
            scan: None,
            reading: None,
            paused_until: None,
        }
    }

    /// The next chunk, once there is one. Nothing is lost if the future is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime, if the chunk must come from disk.
    pub async fn next(&mut self) -> Entry<C> {
        let shared = Arc::clone(&self.shared);
        loop {
            if let Some(entry) = self.next_if_any().await {
                return entry;
            }
            let mut appended = std::pin::pin!(shared.appended.notified());
            appended.as_mut().enable();
            // Something may have been appended just before.
            if self.unread() == 0 {
                appended.await;
            }
        }
    }

    /// The next chunk, from memory or disk, or nothing if all was read. Nothing is lost if the future is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime, if the chunk must come from disk.
    pub async fn next_if_any(&mut self) -> Option<Entry<C>> {
        loop {
            match self.step() {
                Next::Recent(entry) | Next::Ahead(entry) => return Some(entry),
                Next::ReadAhead(place, from) => self.read_ahead(place, from).await,
                Next::Wait => return None,
            }
        }
    }

    /// Waits until about so many events are there to be read, or the journal has no [room](crate::Journal::room) left.
    /// To be woken for each chunk would cost more than the chunk.
    pub async fn until_unread(&self, events: u64) {
        let mut plenty = std::pin::pin!(self.shared.plenty.notified());
        plenty.as_mut().enable();
        if self.shared.lock().expect_plenty(self.id, events) {
            plenty.await;
        }
    }

    /// The next chunk, if it is in memory or was read ahead.
    pub fn try_next(&mut self) -> Option<Entry<C>> {
        match self.step() {
            Next::Recent(entry) | Next::Ahead(entry) => Some(entry),
            Next::ReadAhead(..) | Next::Wait => None,
        }
    }

    fn step(&mut self) -> Next<C> {
        let now = self.shared.now();
        let mut books = self.shared.lock();
        let expired = books.expire_recent(now);
        let next = books.next(self.id, &mut self.ahead);
        let passed = books.take_passed();
        drop(books);
        drop(expired);
        if let Some(passed) = passed {
            self.tell_of(passed);
        }
        if matches!(next, Next::Recent(_)) && self.scan.is_some() {
            // The open file of a segment that is deleted still takes its space.
            self.stop_reading_ahead();
        }
        next
    }

    fn stop_reading_ahead(&mut self) {
        (self.ahead, self.scan, self.reading, self.paused_until) = (VecDeque::new(), None, None, None);
    }

    /// Settles everything up to and including `position`: it does not come again. On disk this is stored within about
    /// a second.
    pub fn commit(&mut self, position: Position) {
        let committed = self.shared.lock().commit(self.id, position);
        self.tell_of(committed);
    }

    /// Tells everybody to whom it matters that the cursor has moved.
    fn tell_of(&self, committed: Committed<C>) {
        if committed.wake_writer {
            self.shared.work.notify_one();
        }
        if committed.has_room {
            self.shared.freed.notify_waiters();
        }
        settle_all(committed.passed, Outcome::Stored);
        // Dropped here, where nobody waits for the lock.
        drop(committed.released);
    }

    /// Goes back to the first chunk that is not committed.
    pub fn rewind(&mut self) {
        self.stop_reading_ahead();
        self.shared.lock().rewind(self.id);
    }

    async fn read_ahead(&mut self, place: Ahead, from: Position) {
        if let Some(until) = self.paused_until {
            sleep_until(until).await;
            self.paused_until = None;
        }
        let reading = self.reading.get_or_insert_with(|| {
            let (shared, place, wants) = (Arc::clone(&self.shared), place.clone(), Arc::clone(&self.wants));
            let scan = self.scan.take();
            spawn_blocking(move || Read::ahead(scan, &place, from, &shared, &wants))
        });
        let mut read = match reading.await {
            Ok(read) => read,
            Err(error) if error.is_cancelled() => std::future::pending().await,
            // A panic of the codec. Trying again would panic again.
            Err(error) => {
                warn!(error = %chain(&error), "reading the journal failed, what comes next is skipped");
                Read::nothing(place)
            }
        };
        self.reading = None;
        if let (Some(error), Ahead::Segment(segment)) = (read.failure.take(), &read.place) {
            if self.waits_for(segment, &error) {
                self.paused_until = Some(Instant::now() + READ_PAUSE);
                return;
            }
            read.damage.push(0);
        }
        self.take_over(read);
    }

    /// Whether a segment that could not be read may be read later. One that is gone may not, unless the books know that:
    /// then they tell what is next.
    fn waits_for(&self, segment: &Segment, error: &io::Error) -> bool {
        let mut books = self.shared.lock();
        let is_listed = books.disk.as_ref().is_some_and(|disk| disk.segments.contains(segment.name));
        if !is_listed || error.kind() == io::ErrorKind::NotFound {
            return !is_listed;
        }
        let path =
            self.shared.directory.as_ref().map(|directory| segment::path(&directory.path, segment.name));
        let reason = format!("cannot read {}: {}", path.unwrap_or_default().display(), chain(error));
        if books.note_unreadable(self.id, reason.clone()) {
            warn!(error = reason, "reader of the journal waits for the disk");
        }
        true
    }

    fn take_over(&mut self, read: Read<C>) {
        let Read { place, slots, scan, mut damage, is_end, failure: _ } = read;
        let mut books = self.shared.lock();
        if let (Ahead::Segment(segment), Some(disk)) = (&place, &mut books.disk) {
            damage.retain(|offset| disk.note_damage(segment.name, *offset));
        }
        if is_end && slots.is_empty() {
            books.skip(self.id, place.end());
        }
        drop(books);
        if let (Ahead::Segment(segment), Some(directory)) = (&place, &self.shared.directory) {
            for offset in damage {
                warn_of_damage(&directory.path, segment.name, offset);
            }
        }
        (self.ahead, self.scan) = (slots, scan);
    }
}

impl<C> Reader<C> {
    /// What is not committed yet.
    pub fn lag(&self) -> Lag {
        self.shared.lock().lag(self.id, self.shared.now())
    }

    /// How many events wait to be read, unless damage took them.
    pub fn unread(&self) -> u64 {
        self.shared.lock().unread(self.id)
    }

    /// Whether there is room in the journal. If not, others may be waiting for this reader.
    pub fn journal_has_room(&self) -> bool {
        self.shared.lock().has_room()
    }

    /// Events that this reader missed: they were pushed out, or damaged, before it read them.
    pub fn discarded(&self) -> u64 {
        self.shared.lock().discarded(self.id)
    }

    /// Lag and losses of this reader, for others.
    pub fn watch(&self) -> ReaderWatch<C> {
        ReaderWatch { shared: Arc::clone(&self.shared), id: self.id, last: Arc::clone(&self.last) }
    }
}

impl<C> ReaderWatch<C> {
    /// See [`Reader::lag`].
    pub fn lag(&self) -> Lag {
        // Whoever drops the reader fills `last` under this lock.
        let books = self.shared.lock();
        self.last.get().map_or_else(|| books.lag(self.id, self.shared.now()), |last| last.lag)
    }

    /// See [`Reader::discarded`].
    pub fn discarded(&self) -> u64 {
        let books = self.shared.lock();
        self.last.get().map_or_else(|| books.discarded(self.id), |last| last.discarded)
    }
}

impl<C: 'static> Read<C> {
    fn nothing(place: Ahead) -> Self {
        Self { place, slots: VecDeque::new(), scan: None, damage: Vec::new(), is_end: true, failure: None }
    }

    /// Reads about a mebibyte of chunks from `from` on.
    fn ahead(
        scan: Option<Scan>,
        place: &Ahead,
        from: Position,
        shared: &SharedJournal<C>,
        wants: &Wants,
    ) -> Self {
        let mut read = Self::nothing(place.clone());
        match (place, &shared.directory, &shared.codec) {
            (Ahead::Block(block), _, Some(codec)) => read.slots = block.unpack(from, &**codec, wants),
            (Ahead::Segment(segment), Some(directory), _) => {
                let scan = scan.filter(|scan| scan.name == segment.name);
                let scan = scan.map_or_else(|| Scan::open(&directory.path, segment.name), Ok);
                read.failure = scan.and_then(|scan| read.fill(scan, segment, from, (directory, wants))).err();
            }
            (Ahead::Block(_) | Ahead::Segment(_), _, _) => {}
        }
        read
    }

    fn fill(
        &mut self,
        mut scan: Scan,
        segment: &Segment,
        from: Position,
        (directory, wants): (&JournalDirectory<C>, &Wants),
    ) -> io::Result<()> {
        let mut next = from;
        let mut progress = Progress::More;
        while progress == Progress::More && self.slots.is_empty() {
            progress = scan.advance(segment.bytes, |offset, frame| {
                let at = frame.header.at;
                if at.position >= segment.end.position {
                    return false;
                }
                if at.position >= next {
                    next = at.after(frame.header.events).position;
                    match frame.slot(&*directory.codec, wants) {
                        Ok(slot) => self.slots.push_back(slot),
                        Err(error) => {
                            frame.warn(&*error);
                            self.damage.push(offset);
                        }
                    }
                }
                true
            })?;
        }
        self.is_end = progress == Progress::End;
        let sound_end = scan.sound_end;
        self.damage.extend(scan.damage.extract_if(.., |offset| *offset < sound_end));
        // What is behind the last chunk was never promised: a write failed there.
        if self.is_end && next < segment.end.position {
            self.damage.append(&mut scan.damage);
        }
        self.scan = Some(scan);
        Ok(())
    }
}

impl<C> Drop for Reader<C> {
    fn drop(&mut self) {
        let mut books = self.shared.lock();
        self.last.get_or_init(|| Last {
            lag: books.lag(self.id, self.shared.now()),
            discarded: books.discarded(self.id),
        });
        let released = books.remove_reader(self.id, self.shared.now());
        drop(books);
        self.shared.work.notify_one();
        self.shared.tell_of_room();
        drop(released);
    }
}

impl<C> Clone for ReaderWatch<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), id: self.id, last: Arc::clone(&self.last) }
    }
}

impl<C> fmt::Debug for Reader<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<C> fmt::Debug for ReaderWatch<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReaderWatch").field("id", &self.id).finish_non_exhaustive()
    }
}
