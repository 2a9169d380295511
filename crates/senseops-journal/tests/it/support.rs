//! Journals to test, and chunks that notice when they come back changed.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use senseops_core::{BoxError, Outcome, Receipt};
use senseops_journal::{Codec, DiskSettings, Entry, Journal, Reader};
use tempfile::TempDir;

/// More than any test appends, unless it wants to reach the limit.
pub(crate) const PLENTY: u64 = 64 * 1024 * 1024;

/// A number, and how many bytes it shall take on disk beyond the eight of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub number: u64,
    pub padding: usize,
}

pub(crate) struct ChunkCodec;

/// A journal with whatever runs beside it; ends in order when it is dropped.
pub(crate) struct Bench {
    pub journal: Journal<Chunk>,
    threads: Vec<JoinHandle<()>>,
    directory: Option<TempDir>,
}

/// Tests that are the same for several journals, each in a module of the name of one.
macro_rules! with_journals {
    ([$($journal:ident),*], $tests:tt) => { $($crate::support::with_journals!(@ $journal, $tests);)* };
    (@ $journal:ident, [$($test:ident),* $(,)?]) => {
        mod $journal {
            $(#[tokio::test] async fn $test() { super::$test(crate::support::Bench::$journal).await; })*
        }
    };
}
pub(crate) use with_journals;

impl Bench {
    pub(crate) fn in_memory(max_bytes: u64) -> Self {
        Self { journal: Journal::in_memory(max_bytes), threads: Vec::new(), directory: None }
    }

    /// What waits in memory is packed.
    pub(crate) fn packed(max_bytes: u64) -> Self {
        Self::kept(Journal::packed_in_memory(max_bytes, ChunkCodec))
    }

    fn kept(journal: Journal<Chunk>) -> Self {
        let keeper = journal.clone();
        Self { journal, threads: vec![std::thread::spawn(move || keeper.keep())], directory: None }
    }

    pub(crate) fn on_disk(max_bytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::open(directory, max_bytes)
    }

    pub(crate) fn open(directory: TempDir, max_bytes: u64) -> Self {
        let (journal, writer) = Journal::open(settings(directory.path(), max_bytes), ChunkCodec).unwrap();
        let mut bench = Self::kept(journal);
        bench.threads.push(std::thread::spawn(move || writer.run()));
        bench.directory = Some(directory);
        bench
    }

    pub(crate) fn append(&self, number: u64) -> Receipt {
        self.append_sized(number, 100)
    }

    /// Appends one event that takes so many bytes, in memory and on disk.
    pub(crate) fn append_sized(&self, number: u64, bytes: u64) -> Receipt {
        let padding = usize::try_from(bytes).unwrap().saturating_sub(8);
        self.journal.append(Chunk { number, padding }, 1, bytes)
    }

    pub(crate) async fn append_all(&self, numbers: impl IntoIterator<Item = u64>) {
        let receipts: Vec<_> = numbers.into_iter().map(|number| self.append(number)).collect();
        for receipt in receipts {
            assert_eq!(receipt.outcome().await, Outcome::Stored);
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.as_ref().unwrap().path()
    }

    /// Ends in order.
    pub(crate) fn close(mut self) -> TempDir {
        self.end();
        self.directory.take().unwrap()
    }

    /// What would be found on disk if the program ended now.
    pub(crate) fn crash_image(&self) -> TempDir {
        let image = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.path()).unwrap() {
            let from = entry.unwrap().path();
            std::fs::copy(&from, image.path().join(from.file_name().unwrap())).unwrap();
        }
        image
    }

    fn end(&mut self) {
        self.journal.close();
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.end();
    }
}

impl Codec<Chunk> for ChunkCodec {
    fn encode(&self, chunk: &Chunk, out: &mut Vec<u8>) {
        out.extend_from_slice(&chunk.number.to_le_bytes());
        out.resize(out.len() + chunk.padding, pattern(chunk.number));
    }

    fn kinds<'a>(&self, chunk: &'a Chunk) -> Vec<&'a str> {
        if chunk.number.is_multiple_of(2) { vec!["even"] } else { vec!["odd", "not.even"] }
    }

    fn decode(&self, bytes: &[u8]) -> Result<Chunk, BoxError> {
        let (number, padding) = bytes.split_first_chunk().ok_or("too short")?;
        let number = u64::from_le_bytes(*number);
        if padding != vec![pattern(number); padding.len()] {
            return Err("changed".into());
        }
        Ok(Chunk { number, padding: padding.len() })
    }
}

fn pattern(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

pub(crate) fn settings(directory: &Path, max_bytes: u64) -> DiskSettings {
    DiskSettings { path: directory.into(), max_bytes, fsync: Duration::from_millis(1), max_age: None }
}

/// The sizes of the segments, oldest first.
pub(crate) fn segments(directory: &Path) -> Vec<(String, u64)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let named =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()));
    let mut segments: Vec<_> =
        named.filter(|(name, _)| Path::new(name).extension() == Some("seg".as_ref())).collect();
    segments.sort();
    segments
}

/// Reads so many chunks.
pub(crate) async fn read(reader: &mut Reader<Chunk>, count: usize) -> Vec<Entry<Chunk>> {
    let mut entries = Vec::new();
    while entries.len() < count {
        entries.push(reader.next().await);
    }
    entries
}

/// Reads so many chunks and gives their numbers.
pub(crate) async fn numbers(reader: &mut Reader<Chunk>, count: usize) -> Vec<u64> {
    read(reader, count).await.into_iter().map(|entry| entry.chunk.number).collect()
}

/// Reads, and commits one by one, until everything is committed.
pub(crate) async fn drain(reader: &mut Reader<Chunk>) -> Vec<u64> {
    let mut numbers = Vec::new();
    while reader.lag().events > 0 {
        let entry = reader.next().await;
        numbers.push(entry.chunk.number);
        reader.commit(entry.position);
    }
    numbers
}

/// Polls once and drops the future, as a `select!` does that goes another way.
pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

pub(crate) fn is_pending(future: impl Future) -> bool {
    poll_once(future).is_none()
}
