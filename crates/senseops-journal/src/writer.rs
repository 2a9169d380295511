//! The writer: brings chunks to disk, and keeps the directory tidy.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use senseops_core::{Outcome, chain};
use thiserror::Error;
use tracing::{debug, info, warn};

use crate::Position;
use crate::cursor_file::{self, sync_directory};
use crate::disk::{Change, Pending};
use crate::frame::{self, Header};
use crate::journal::{Directory, Shared};
use crate::segment::{self, Segment};
use crate::state::State;

/// How often cursors are stored while they move.
const CURSOR_INTERVAL: Duration = Duration::from_secs(1);
/// After so many intervals of `fsync` a failed disk is tried again; with the usual 50 ms after five seconds.
const RETRY_INTERVALS: u32 = 100;
/// What is written to see whether a failed disk works again: about as much as the next chunks would need.
const PROBE_BYTES: usize = 1024 * 1024;

/// Writes what is appended to a journal on disk.
///
/// It owns the directory. When it is dropped, another process may open the directory, and this journal goes on in
/// memory.
pub struct Writer<C> {
    shared: Arc<Shared<C>>,
    directory: Arc<Directory<C>>,
    /// Locked as long as the directory is in use.
    lock: File,
    active: Option<Active>,
    buffer: Vec<u8>,
    cursors_due: Instant,
    /// When a failed disk is tried again.
    retry_due: Option<Instant>,
}

/// The segment that is being written.
struct Active {
    file: File,
    name: Position,
    /// The random number of its frames.
    number: u64,
    /// What is written and synced.
    bytes: u64,
}

/// What the writer does in one turn.
pub(crate) struct Work<C> {
    batch: Vec<Pending<C>>,
    closed: bool,
}

/// The disk cannot be used.
#[derive(Debug, Error)]
#[error("{doing} {}", path.display())]
struct DiskError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl<C: 'static> Writer<C> {
    pub(crate) fn new(shared: Arc<Shared<C>>, directory: Arc<Directory<C>>, lock: File) -> Self {
        let cursors_due = Instant::now();
        Self { shared, directory, lock, active: None, buffer: Vec::new(), cursors_due, retry_due: None }
    }

    /// Writes until the journal is closed and everything is stored. Blocks, so it needs a thread of its own.
    pub fn run(mut self) {
        loop {
            let work = self.wait();
            let is_last = work.closed && work.batch.is_empty();
            self.turn(work);
            if is_last {
                return;
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&self) -> Work<C> {
        let mut state = self.shared.lock();
        let mut write_due = None;
        loop {
            let now = Instant::now();
            let due = self.due(&state, &mut write_due, now);
            if state.is_closed() || state.is_write_due() || due.is_some_and(|due| due <= now) {
                return Self::take(state);
            }
            state = match due {
                None => self.shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    self.shared.work.wait_timeout(state, due - now).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// When there will be something to do, as far as is known. `write_due` is kept while something is queued.
    fn due(&self, state: &State<C>, write_due: &mut Option<Instant>, now: Instant) -> Option<Instant> {
        if self.retry_due.is_some() {
            return self.retry_due;
        }
        let disk = state.disk.as_ref()?;
        *write_due = (!disk.queue.is_empty()).then(|| write_due.unwrap_or(now + self.directory.fsync));
        let cursors_due = (disk.cursors.change != Change::None).then_some(self.cursors_due);
        write_due.iter().copied().chain(cursors_due).min()
    }

    /// Does one turn without waiting. False if nothing was queued.
    #[cfg(test)]
    pub(crate) fn write_now(&mut self) -> bool {
        let work = Self::take(self.shared.lock());
        let was_queued = !work.batch.is_empty();
        self.turn(work);
        was_queued
    }

    fn take(mut state: MutexGuard<'_, State<C>>) -> Work<C> {
        let (closed, bytes) = (state.is_closed(), state.write_bytes());
        let batch = state.disk.as_mut().map(|disk| disk.queue.take(bytes)).unwrap_or_default();
        Work { batch, closed }
    }

    fn turn(&mut self, work: Work<C>) {
        let Work { batch, closed } = work;
        let result = match self.retry_due {
            Some(due) if due <= Instant::now() => self.try_again(),
            Some(_later) => Ok(()),
            None => self.store(&batch).and_then(|()| self.tidy(closed && batch.is_empty())),
        };
        let outcome = match result {
            Ok(()) => Outcome::Stored,
            Err(error) => {
                self.fail(&error);
                Outcome::Held
            }
        };
        for pending in batch {
            pending.settle.settle(outcome);
        }
        self.shared.freed.notify_waiters();
    }

    /// Writes and syncs the batch.
    fn store(&mut self, batch: &[Pending<C>]) -> Result<(), DiskError> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(()) };
        let mut active = match self.active.take() {
            Some(active) if active.bytes < self.directory.segment_bytes => active,
            Some(_) | None => self.begin_segment(first.at.position)?,
        };
        let result =
            self.encode(batch, active.number).map_err(failed("encode chunks for", &self.directory.path));
        let result = result.and_then(|bytes| {
            self.delete_excess(bytes, active.name)?;
            let path = segment::path(&self.directory.path, active.name);
            active.file.write_all(&self.buffer).map_err(failed("write", &path))?;
            active.file.sync_data().map_err(failed("sync", &path))?;
            active.bytes += bytes;
            Ok(bytes)
        });
        let (name, is_empty) = (active.name, active.bytes == 0);
        match result {
            Ok(bytes) => {
                self.active = Some(active);
                let end = last.at.after(last.events);
                let mut state = self.shared.lock();
                if let Some(disk) = &mut state.disk {
                    disk.segments.extend(Segment {
                        name,
                        first: first.at,
                        end,
                        appended: first.appended,
                        bytes,
                    });
                    disk.queue.finish();
                }
                Ok(())
            }
            Err(error) => {
                // Nothing in it was promised to anybody, and the books do not know it.
                if is_empty {
                    self.delete(&[name]);
                }
                Err(error)
            }
        }
    }

    fn encode(&mut self, batch: &[Pending<C>], number: u64) -> io::Result<u64> {
        self.buffer.clear();
        let codec = &self.directory.codec;
        for Pending { at, events, bytes, appended, chunk, settle: _ } in batch {
            let header =
                Header { segment: number, at: *at, appended: *appended, bytes: *bytes, events: *events };
            frame::encode(&mut self.buffer, &header, &codec.kinds(chunk), |out| codec.encode(chunk, out))?;
        }
        u64::try_from(self.buffer.len()).map_err(io::Error::other)
    }

    fn begin_segment(&self, name: Position) -> Result<Active, DiskError> {
        let path = segment::path(&self.directory.path, name);
        let file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed("create", &path))?;
        sync_directory(&self.directory.path).map_err(failed("sync", &self.directory.path))?;
        Ok(Active { file, name, number: fastrand::u64(..), bytes: 0 })
    }

    /// Stores the cursors if it is time, and deletes what they have passed.
    fn tidy(&mut self, is_last: bool) -> Result<(), DiskError> {
        let change = self.shared.lock().disk.as_ref().map(|disk| disk.cursors.change).unwrap_or_default();
        let is_due = match change {
            Change::None => false,
            Change::Moved => is_last || self.cursors_due <= Instant::now(),
            Change::Named => true,
        };
        if is_last {
            self.active = None;
        }
        if is_due { self.store_cursors() } else { Ok(()) }
    }

    fn store_cursors(&mut self) -> Result<(), DiskError> {
        let cursors = self.shared.lock().take_cursors();
        cursor_file::store(&self.directory.path, &cursors)
            .map_err(failed("store the cursors in", &self.directory.path))?;
        self.cursors_due = Instant::now() + CURSOR_INTERVAL;
        let active = self.active.as_ref().map(|active| active.name);
        let passed = self.shared.lock().take_passed_segments(&cursors, active);
        self.delete(&passed);
        Ok(())
    }

    /// Deletes the oldest segments so that `bytes` more fit.
    fn delete_excess(&mut self, bytes: u64, active: Position) -> Result<(), DiskError> {
        let excess = self.shared.lock().take_excess_segments(bytes, active);
        if !excess.is_empty() {
            // Otherwise a reader that has passed them would count them as missed after a crash.
            self.store_cursors()?;
        }
        self.delete(&excess);
        Ok(())
    }

    fn delete(&self, segments: &[Position]) {
        for name in segments {
            let path = segment::path(&self.directory.path, *name);
            if let Err(error) = fs::remove_file(&path) {
                warn!(error = %chain(&error), segment = %path.display(), "journal segment cannot be deleted");
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
        self.retry_due = Some(Instant::now() + self.directory.fsync * RETRY_INTERVALS);
        self.hold(reason);
    }

    /// Goes back to disk if that works again.
    fn try_again(&mut self) -> Result<(), DiskError> {
        let directory = self.directory.path.as_path();
        fs::create_dir_all(directory).map_err(failed("create", directory))?;
        let probe = directory.join("probe");
        let written = File::create(&probe).and_then(|mut file| {
            file.write_all(&vec![0; PROBE_BYTES])?;
            file.sync_data()
        });
        let removed = fs::remove_file(&probe);
        written.and(removed).map_err(failed("write", &probe))?;
        self.store_cursors()?;
        self.retry_due = None;
        if let Some(disk) = &mut self.shared.lock().disk {
            disk.failure = None;
        }
        info!("journal is on disk again");
        Ok(())
    }
}

impl<C> Writer<C> {
    fn hold(&self, reason: String) {
        let held = self.shared.lock().hold(reason);
        for pending in held {
            pending.settle.settle(Outcome::Held);
        }
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    move |source| DiskError { doing, path: path.to_owned(), source }
}

impl<C> Drop for Writer<C> {
    fn drop(&mut self) {
        let is_done = {
            let state = self.shared.lock();
            state.is_closed() && state.disk.as_ref().is_none_or(|disk| disk.queue.first_unwritten().is_none())
        };
        if !is_done {
            self.hold("the writer of the journal has ended".to_owned());
            self.shared.freed.notify_waiters();
        }
        // Closing the file is not enough: a child process that is being started may still have it open.
        if let Err(error) = self.lock.unlock() {
            warn!(error = %chain(&error), "directory of the journal stays locked");
        }
    }
}

impl<C> fmt::Debug for Writer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("directory", &self.directory.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use senseops_core::BoxError;

    use super::*;
    use crate::{Codec, DiskSettings, Journal, Overflow};

    struct Bytes;

    impl Codec<Vec<u8>> for Bytes {
        fn encode(&self, chunk: &Vec<u8>, out: &mut Vec<u8>) {
            out.extend_from_slice(chunk);
        }

        fn kinds<'a>(&self, _chunk: &'a Vec<u8>) -> Vec<&'a str> {
            Vec::new()
        }

        fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
            Ok(bytes.to_vec())
        }
    }

    #[tokio::test]
    async fn segments_are_deleted_once_the_stored_cursors_have_passed_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let settings = DiskSettings { path: path.into(), max_bytes: 8000, fsync: Duration::ZERO };
        let (journal, mut writer) = Journal::open(settings, Bytes).unwrap();
        let mut reader = journal.reader("r", Overflow::Block);
        for _ in 0..3 {
            journal.append(vec![0; 1000], 1, 1000).ignore();
            writer.write_now();
        }
        let exist = || [0, 1, 2].map(|name| segment::path(path, Position(name)).exists());
        for _ in 0..2 {
            let entry = reader.next().await;
            reader.commit(entry.position);
        }
        writer.cursors_due = Instant::now() + CURSOR_INTERVAL;
        writer.write_now();
        assert_eq!(exist(), [true, true, true], "the cursors are not stored yet");
        writer.cursors_due = Instant::now();
        writer.write_now();
        assert_eq!(exist(), [false, false, true]);
    }

    #[test]
    fn a_file_that_failed_is_not_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let settings =
            DiskSettings { path: directory.path().into(), max_bytes: 80_000, fsync: Duration::ZERO };
        let (journal, mut writer) = Journal::open(settings, Bytes).unwrap();
        let _reader = journal.reader("r", Overflow::Block);
        journal.append(vec![1; 10], 1, 10).ignore();
        writer.write_now();
        // A file that is open for reading only fails to be written.
        let path = segment::path(directory.path(), Position(0));
        writer.active.as_mut().unwrap().file = File::open(&path).unwrap();
        let length = fs::metadata(&path).unwrap().len();

        let held = journal.append(vec![2; 10], 1, 10);
        writer.write_now();
        assert_eq!(block_on(held.outcome()), Outcome::Held);
        assert!(journal.status().failure.unwrap().starts_with("write "));

        writer.retry_due = Some(Instant::now());
        writer.write_now();
        assert_eq!(journal.status().failure, None);
        let stored = journal.append(vec![3; 10], 1, 10);
        writer.write_now();
        assert_eq!(block_on(stored.outcome()), Outcome::Stored);
        assert_eq!(fs::metadata(&path).unwrap().len(), length);
        assert!(segment::path(directory.path(), Position(2)).exists());
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }
}
