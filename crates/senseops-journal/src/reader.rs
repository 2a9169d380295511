//! Reading: from memory, or ahead from segments.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use senseops_core::chain;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;
use tracing::warn;

use crate::journal::{Directory, Shared};
use crate::recent::Slot;
use crate::segment::{Progress, Scan, Segment, warn_of_damage};
use crate::state::{Next, ReaderId};
use crate::{Entry, Lag, Position};

/// A segment that cannot be read is tried so often again, because the cause may pass: too many open files, a disk that
/// is away. Then it counts as damaged.
const READ_ATTEMPTS: u32 = 5;
const READ_PAUSE: Duration = Duration::from_secs(1);

/// Reads a journal from where its name was last, see [`Journal::reader`](crate::Journal::reader).
///
/// Dropping it keeps its place until that is [forgotten](crate::Journal::forget).
pub struct Reader<C> {
    shared: Arc<Shared<C>>,
    id: ReaderId,
    last: Arc<OnceLock<Last>>,
    ahead: VecDeque<Slot<C>>,
    scan: Option<Scan>,
    /// Kept here rather than in a future, so that nothing is lost when `next` is dropped.
    reading: Option<JoinHandle<Ahead<C>>>,
    failed_reads: u32,
}

/// Looks at a reader from elsewhere. Cheap to clone. When the reader is gone, it shows how the reader was last.
pub struct ReaderWatch<C> {
    shared: Arc<Shared<C>>,
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
struct Ahead<C> {
    slots: VecDeque<Slot<C>>,
    scan: Option<Scan>,
    segment: Segment,
    /// Where damage begins.
    damage: Vec<u64>,
    /// There is no more in the segment.
    is_end: bool,
    failure: Option<io::Error>,
}

impl<C: Clone + Send + Sync + 'static> Reader<C> {
    pub(crate) fn new(shared: Arc<Shared<C>>, id: ReaderId) -> Self {
        Self {
            shared,
            id,
            last: Arc::default(),
            ahead: VecDeque::new(),
            scan: None,
            reading: None,
            failed_reads: 0,
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
                Next::ReadAhead(segment, from) => self.read_ahead(segment, from).await,
                Next::Wait => return None,
            }
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
        let mut state = self.shared.lock();
        let expired = state.expire_recent(now);
        let next = state.next(self.id, &mut self.ahead);
        drop(state);
        drop(expired);
        if matches!(next, Next::Recent(_)) && self.scan.is_some() {
            // The open file of a segment that is deleted still takes its space.
            self.stop_reading_ahead();
        }
        next
    }

    fn stop_reading_ahead(&mut self) {
        (self.ahead, self.scan, self.reading) = (VecDeque::new(), None, None);
    }

    /// Settles everything up to and including `position`: it does not come again. On disk this is stored within about
    /// a second.
    pub fn commit(&mut self, position: Position) {
        let committed = self.shared.lock().commit(self.id, position);
        if committed.wake_writer {
            self.shared.work.notify_one();
        }
        if committed.has_room {
            self.shared.freed.notify_waiters();
        }
        // Dropped here, where nobody waits for the lock.
        drop(committed.released);
    }

    /// Goes back to the first chunk that is not committed.
    pub fn rewind(&mut self) {
        self.stop_reading_ahead();
        self.shared.lock().rewind(self.id);
    }

    async fn read_ahead(&mut self, segment: Segment, from: Position) {
        let reading = self.reading.get_or_insert_with(|| {
            let shared = Arc::clone(&self.shared);
            let scan = self.scan.take().filter(|scan| scan.name == segment.name);
            spawn_blocking(move || match &shared.directory {
                Some(directory) => Ahead::read(scan, segment, from, directory),
                None => Ahead::nothing(segment),
            })
        });
        let mut ahead = match reading.await {
            Ok(ahead) => ahead,
            Err(error) if error.is_cancelled() => std::future::pending().await,
            // A panic of the codec. Trying again would panic again.
            Err(error) => {
                warn!(error = %chain(&error), "reading the journal failed, the segment is skipped");
                Ahead::nothing(segment)
            }
        };
        self.reading = None;
        if let Some(error) = ahead.failure.take() {
            if self.tries_again(&ahead.segment, &error) {
                return sleep(READ_PAUSE).await;
            }
            ahead = Ahead::nothing(segment);
            ahead.damage.push(0);
        }
        self.failed_reads = 0;
        self.take_over(ahead);
    }

    /// Whether a segment is read again after an error.
    fn tries_again(&mut self, segment: &Segment, error: &io::Error) -> bool {
        let is_listed =
            self.shared.lock().disk.as_ref().is_some_and(|disk| disk.segments.contains(segment.name));
        self.failed_reads += 1;
        let gives_up = error.kind() == io::ErrorKind::NotFound || self.failed_reads > READ_ATTEMPTS;
        if is_listed && (gives_up || self.failed_reads == 1) {
            warn!(error = %chain(error), segment = %segment.name, gives_up, "journal segment cannot be read");
        }
        // Otherwise it was deleted in the meantime, because it was too much or too old, and the books tell what is next.
        !is_listed || !gives_up
    }

    fn take_over(&mut self, mut ahead: Ahead<C>) {
        self.scan = ahead.scan;
        let name = ahead.segment.name;
        let mut state = self.shared.lock();
        if let Some(disk) = &mut state.disk {
            ahead.damage.retain(|offset| disk.note_damage(name, *offset));
        }
        if ahead.is_end && ahead.slots.is_empty() {
            state.skip(self.id, ahead.segment.end);
        }
        drop(state);
        if let Some(directory) = &self.shared.directory {
            ahead.damage.iter().for_each(|offset| warn_of_damage(&directory.path, name, *offset));
        }
        self.ahead = ahead.slots;
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
        let state = self.shared.lock();
        self.last.get().map_or_else(|| state.lag(self.id, self.shared.now()), |last| last.lag)
    }

    /// See [`Reader::discarded`].
    pub fn discarded(&self) -> u64 {
        let state = self.shared.lock();
        self.last.get().map_or_else(|| state.discarded(self.id), |last| last.discarded)
    }
}

impl<C: 'static> Ahead<C> {
    fn nothing(segment: Segment) -> Self {
        Self { slots: VecDeque::new(), scan: None, segment, damage: Vec::new(), is_end: true, failure: None }
    }

    /// Reads about a mebibyte of chunks from `from` on.
    fn read(scan: Option<Scan>, segment: Segment, from: Position, directory: &Directory<C>) -> Self {
        let opened = scan.map_or_else(|| Scan::open(&directory.path, segment.name), Ok);
        let mut ahead = Self::nothing(segment);
        ahead.failure = opened.and_then(|scan| ahead.fill(scan, from, directory)).err();
        ahead
    }

    fn fill(&mut self, mut scan: Scan, from: Position, directory: &Directory<C>) -> io::Result<()> {
        let mut next = from;
        let mut progress = Progress::More;
        while progress == Progress::More && self.slots.is_empty() {
            let segment = self.segment;
            progress = scan.advance(segment.bytes, |offset, frame| {
                let header = frame.header;
                if header.at.position >= segment.end.position {
                    return false;
                }
                if header.at.position >= next {
                    next = header.at.after(header.events).position;
                    match directory.codec.decode(frame.payload) {
                        Ok(chunk) => self.slots.push_back(Slot {
                            at: header.at,
                            events: header.events,
                            bytes: header.bytes,
                            appended: header.appended,
                            chunk,
                        }),
                        Err(error) => {
                            warn!(error = %chain(&*error), position = %header.at.position, "chunk in the journal cannot be decoded");
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
        if self.is_end && next < self.segment.end.position {
            self.damage.append(&mut scan.damage);
        }
        self.scan = Some(scan);
        Ok(())
    }
}

impl<C> Drop for Reader<C> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        self.last.get_or_init(|| Last {
            lag: state.lag(self.id, self.shared.now()),
            discarded: state.discarded(self.id),
        });
        let released = state.remove_reader(self.id);
        drop(state);
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
