//! On disk it depends on segments what exactly is dropped, so the model is what must hold whatever is dropped.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use senseops_core::{Outcome, Receipt};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Numbers, Op, disk_ops};
use crate::{DiskSettings, Entry, Journal, Overflow, Reader, Writer};

/// A chunk that was accepted.
struct Accepted {
    number: u64,
    events: u32,
    /// Not known before the writer has it.
    receipt: Option<Receipt>,
}

/// What is known of one reader.
#[derive(Default)]
struct Seen {
    in_flight: Vec<Entry<u64>>,
    committed: Option<u64>,
    /// The last that was read, in the order of reading.
    last: Option<u64>,
    /// What was read, missed and is still to be read, in events, since the journal was opened.
    due: u64,
    committed_events: u64,
}

struct World {
    runtime: Runtime,
    directory: TempDir,
    max_bytes: u64,
    open: Option<Open>,
    accepted: Vec<Accepted>,
    next_number: u64,
    seen: [Seen; 2],
}

struct Open {
    journal: Journal<u64>,
    writer: Writer<u64>,
    readers: [Reader<u64>; 2],
}

impl Open {
    fn new(path: &Path, max_bytes: u64) -> Self {
        let settings = DiskSettings { path: path.into(), max_bytes, fsync: Duration::ZERO, max_age: None };
        let (journal, writer) = Journal::open(settings, Numbers).unwrap();
        let readers = [("a", Overflow::DropOldest), ("b", Overflow::Block)];
        let readers = readers.map(|(name, overflow)| journal.reader(name, overflow));
        Self { journal, writer, readers }
    }
}

impl World {
    fn new(max_bytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let open = Some(Open::new(directory.path(), max_bytes));
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            directory,
            max_bytes,
            open,
            accepted: Vec::new(),
            next_number: 0,
            seen: [Seen::default(), Seen::default()],
        }
    }

    fn apply(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Append { events, bytes } => self.append(*events, *bytes),
            Op::Read(reader) => {
                self.read(*reader)?;
            }
            Op::Commit(reader, count) => self.commit(*reader, *count),
            Op::Rewind(reader) => self.rewind(*reader),
            Op::Write => self.write()?,
            Op::Restart => self.restart()?,
            Op::Crash(garbage) => self.crash(*garbage),
        }
        self.check()
    }

    fn open(&mut self) -> &mut Open {
        self.open.as_mut().unwrap()
    }

    fn append(&mut self, events: u32, bytes: u64) {
        let number = self.next_number;
        self.next_number += 1;
        let receipt = self.open().journal.append(number, events, bytes);
        if receipt.known_outcome() != Some(Outcome::Lost) {
            self.accepted.push(Accepted { number, events, receipt: Some(receipt) });
            self.seen.iter_mut().for_each(|seen| seen.due += u64::from(events));
        }
    }

    fn read(&mut self, reader: usize) -> Result<bool, TestCaseError> {
        let open = self.open.as_mut().unwrap();
        let Some(entry) = self.runtime.block_on(open.readers[reader].next_if_any()) else { return Ok(false) };
        let seen = &mut self.seen[reader];
        let accepted = self.accepted.iter().find(|accepted| accepted.number == entry.chunk);
        prop_assert_eq!(
            accepted.map(|accepted| accepted.events),
            Some(entry.events),
            "never accepted: {:?}",
            entry
        );
        let is_new = seen.last.is_none_or(|last| entry.chunk > last);
        prop_assert!(is_new || seen.in_flight.is_empty(), "out of order: {:?}", entry);
        if reader == 1 {
            let skipped = |accepted: &&Accepted| {
                seen.last.is_none_or(|last| accepted.number > last) && accepted.number < entry.chunk
            };
            prop_assert!(self.accepted.iter().find(skipped).is_none(), "missed something before {:?}", entry);
        }
        seen.last = Some(entry.chunk);
        seen.in_flight.push(entry);
        Ok(true)
    }

    fn commit(&mut self, reader: usize, count: usize) {
        let seen = &mut self.seen[reader];
        let count = count.min(seen.in_flight.len());
        let committed: Vec<_> = seen.in_flight.drain(..count).collect();
        if let Some(last) = committed.last() {
            seen.committed = Some(last.chunk);
            seen.committed_events += committed.iter().map(|entry| u64::from(entry.events)).sum::<u64>();
            self.open.as_mut().unwrap().readers[reader].commit(last.position);
        }
    }

    fn rewind(&mut self, reader: usize) {
        self.open().readers[reader].rewind();
        let seen = &mut self.seen[reader];
        seen.in_flight.clear();
        seen.last = seen.committed;
    }

    fn write(&mut self) -> Result<(), TestCaseError> {
        let open = self.open.as_mut().unwrap();
        while open.writer.write_now() {}
        for accepted in &mut self.accepted {
            if let Some(receipt) = accepted.receipt.take() {
                prop_assert_eq!(self.runtime.block_on(receipt.outcome()), Outcome::Stored);
            }
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), TestCaseError> {
        self.write()?;
        let Open { journal, writer, readers } = self.open.take().unwrap();
        drop(readers);
        journal.close();
        writer.run();
        self.reopen();
        Ok(())
    }

    fn crash(&mut self, garbage: usize) {
        drop(self.open.take());
        // What is not stored by now is gone; what was not promised may be gone.
        self.accepted.retain(|accepted| accepted.receipt.is_none());
        if let Some(newest) = segments(self.directory.path()).pop() {
            let mut file = OpenOptions::new().append(true).open(newest).unwrap();
            file.write_all(&b"SOSJ\x01\0\0\0garbage".repeat(garbage)[..garbage]).unwrap();
        }
        self.reopen();
    }

    fn reopen(&mut self) {
        let open = Open::new(self.directory.path(), self.max_bytes);
        for (reader, seen) in open.readers.iter().zip(&mut self.seen) {
            // A cursor that was not stored in time may bring something again, and it may have been pushed out.
            let (committed, due) = (seen.committed, reader.lag().events + reader.discarded());
            *seen = Seen { committed, last: committed, due, ..Seen::default() };
        }
        self.open = Some(open);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let open = self.open.as_ref().unwrap();
        for (reader, seen) in open.readers.iter().zip(&self.seen) {
            prop_assert_eq!(seen.committed_events + reader.lag().events + reader.discarded(), seen.due);
        }
        prop_assert_eq!(open.readers[1].discarded(), 0);
        prop_assert_eq!(&open.journal.status().failure, &None);
        prop_assert_eq!(open.journal.status().damaged, 0);
        let on_disk: u64 =
            segments(self.directory.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        prop_assert!(on_disk <= self.max_bytes * 3 / 2, "{} bytes on disk", on_disk);
        Ok(())
    }

    /// Reads everything that is left.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        for reader in 0..2 {
            while self.read(reader)? {}
            self.commit(reader, usize::MAX);
            self.check()?;
            prop_assert_eq!(self.open().readers[reader].lag().events, 0);
        }
        let missed =
            self.accepted.iter().find(|accepted| self.seen[1].last.is_none_or(|last| accepted.number > last));
        prop_assert!(missed.is_none(), "reader b never saw {}", missed.map_or(0, |missed| missed.number));
        Ok(())
    }
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| crate::segment::name(path).is_some()).collect();
    paths.sort();
    paths
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_journal_on_disk_keeps_its_promises(
        max_bytes in prop_oneof![Just(8 * 1024_u64), Just(1024 * 1024)],
        ops in disk_ops(),
    ) {
        let mut world = World::new(max_bytes);
        for op in &ops {
            world.apply(op)?;
        }
        world.finish()?;
    }
}
