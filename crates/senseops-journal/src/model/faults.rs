//! On a disk that fails now and then, and power that fails with it.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use senseops_core::{Outcome, Receipt};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::Numbers;
use crate::files::FileSystem;
use crate::files::script::{Operation, Script};
use crate::{DiskSettings, Entry, Journal, Overflow, Reader, Writer, open};

#[derive(Clone, Debug)]
enum Op {
    Append,
    /// Reads one chunk and commits it.
    Read,
    /// The writer does what is due.
    Write,
    /// From now on this fails; a write fails after so many bytes.
    Fail(Operation, ErrorKind, usize),
    Heal,
    /// Of what was not synced, so many bytes of each file survive, and new names do or do not.
    PowerFailure(usize, bool),
}

struct World {
    runtime: Runtime,
    directory: TempDir,
    open: Option<Open>,
    script: Arc<Script>,
    next_number: u64,
    /// What was accepted and not committed, oldest first.
    accepted: Vec<Accepted>,
}

struct Open {
    journal: Journal<u64>,
    writer: Writer<u64>,
    reader: Reader<u64>,
}

struct Accepted {
    number: u64,
    receipt: Option<Receipt>,
    was_stored: bool,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let operation = prop_oneof![
        Just(Operation::Create),
        Just(Operation::Write),
        Just(Operation::Sync),
        Just(Operation::SyncDirectory),
        Just(Operation::Rename),
        Just(Operation::Remove),
    ];
    let kind = prop_oneof![Just(ErrorKind::StorageFull), Just(ErrorKind::Other)];
    let op = prop_oneof![
        8 => Just(Op::Append),
        4 => Just(Op::Read),
        8 => Just(Op::Write),
        2 => (operation, kind, 0..1000_usize).prop_map(|(operation, kind, after)| Op::Fail(operation, kind, after)),
        2 => Just(Op::Heal),
        1 => (0..1000_usize, any::<bool>()).prop_map(|(bytes, names)| Op::PowerFailure(bytes, names)),
    ];
    proptest::collection::vec(op, 0..120)
}

impl Open {
    fn new(path: &Path, script: &Arc<Script>) -> Self {
        let settings =
            DiskSettings { path: path.into(), max_bytes: 64 * 1024, fsync: Duration::ZERO, max_age: None };
        let files = FileSystem::Scripted(Arc::clone(script));
        let (journal, writer) = open::open(settings, Arc::new(Numbers), files).unwrap();
        let reader = journal.reader("r", Overflow::Block);
        Self { journal, writer, reader }
    }
}

impl World {
    fn new() -> Self {
        let (directory, script) = (tempfile::tempdir().unwrap(), Arc::default());
        let mut world = Self {
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            open: Some(Open::new(directory.path(), &script)),
            directory,
            script,
            next_number: 0,
            accepted: Vec::new(),
        };
        // What is promised begins when the reader is known.
        world.open().writer.write_now();
        world
    }

    fn open(&mut self) -> &mut Open {
        self.open.as_mut().unwrap()
    }

    fn apply(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match *op {
            Op::Append => self.append(),
            Op::Read => {
                if let Some(entry) = self.read() {
                    prop_assert_eq!(Some(entry.chunk), self.accepted.first().map(|accepted| accepted.number));
                    self.open().reader.commit(entry.position);
                    self.accepted.remove(0);
                }
            }
            Op::Write => self.write()?,
            Op::Fail(operation, kind, after_bytes) => self.script.fail(operation, kind, after_bytes),
            Op::Heal => self.script.heal(),
            Op::PowerFailure(unsynced, present_names) => self.power_failure(unsynced, present_names)?,
        }
        prop_assert_eq!(self.script.abused(), Vec::<String>::new());
        let status = self.open().journal.status();
        prop_assert!(status.durable_events <= status.appended_events);
        Ok(())
    }

    fn append(&mut self) {
        let number = self.next_number;
        self.next_number += 1;
        let receipt = self.open().journal.append(number, 1, 200);
        if receipt.known_outcome() != Some(Outcome::Lost) {
            self.accepted.push(Accepted { number, receipt: Some(receipt), was_stored: false });
        }
    }

    fn read(&mut self) -> Option<Entry<u64>> {
        let reader = &mut self.open.as_mut().unwrap().reader;
        self.runtime.block_on(reader.next_if_any())
    }

    fn write(&mut self) -> Result<(), TestCaseError> {
        self.open().writer.make_due();
        while self.open().writer.write_now() {}
        for accepted in &mut self.accepted {
            if let Some(receipt) = accepted.receipt.take() {
                let outcome = self.runtime.block_on(receipt.outcome());
                prop_assert!(outcome != Outcome::Lost);
                accepted.was_stored = outcome == Outcome::Stored;
            }
        }
        Ok(())
    }

    /// What was promised is there, in order; what was not may be.
    fn power_failure(&mut self, unsynced: usize, present_names: bool) -> Result<(), TestCaseError> {
        drop(self.open.take());
        let after = tempfile::tempdir().unwrap();
        self.script.power_failure(after.path(), unsynced, present_names);
        (self.directory, self.script) = (after, Arc::default());
        self.script.adopt(self.directory.path());
        self.open = Some(Open::new(self.directory.path(), &self.script));
        let mut found = Vec::new();
        while let Some(entry) = self.read() {
            found.push(entry.chunk);
        }
        self.open().reader.rewind();
        prop_assert!(found.is_sorted_by(|one, next| one < next), "{:?}", found);
        for accepted in self.accepted.iter().filter(|accepted| accepted.was_stored) {
            prop_assert!(
                found.contains(&accepted.number),
                "{} was stored, found {:?}",
                accepted.number,
                found
            );
        }
        prop_assert_eq!(self.open().journal.status().damaged, 0);
        let known = |number| Accepted { number, receipt: None, was_stored: true };
        self.accepted = found.into_iter().map(known).collect();
        Ok(())
    }

    /// The disk works again, and everything that was accepted gets there.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        self.script.heal();
        self.write()?;
        self.write()?;
        prop_assert_eq!(self.open().journal.status().failure, None);
        self.accepted.iter_mut().for_each(|accepted| accepted.was_stored = true);
        let before: Vec<_> = self.accepted.iter().map(|accepted| accepted.number).collect();
        self.power_failure(0, false)?;
        let after: Vec<_> = self.accepted.iter().map(|accepted| accepted.number).collect();
        prop_assert!(after.ends_with(&before), "{:?} of {:?}", after, before);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_was_stored_survives_whatever_fails(ops in ops()) {
        let mut world = World::new();
        for op in &ops {
            world.apply(op)?;
        }
        world.finish()?;
    }
}
