//! In memory everything can be foretold.

use proptest::prelude::*;
use senseops_core::Outcome;

use super::{Op, memory_ops};
use crate::{Entry, Journal, Overflow, Reader};

const MAX_BYTES: u64 = 2000;

/// What became of a chunk, for one reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unread,
    InFlight,
    Committed,
    Missed,
}

/// Every chunk there ever was, by its number, and its fate for each reader.
#[derive(Default)]
struct Model {
    chunks: Vec<(u32, u64)>,
    /// Chunks before this one are no longer kept.
    kept_from: usize,
    fates: [Vec<Fate>; 2],
}

impl Model {
    fn first_open(&self, reader: usize) -> usize {
        let open = |fate: &Fate| matches!(fate, Fate::Unread | Fate::InFlight);
        self.fates[reader].iter().position(open).unwrap_or(self.chunks.len())
    }

    fn bytes_from(&self, number: usize) -> u64 {
        self.chunks[number..].iter().map(|(_, bytes)| bytes).sum()
    }

    fn pinned_bytes(&self) -> u64 {
        self.bytes_from(self.first_open(1))
    }

    fn append(&mut self, events: u32, bytes: u64) -> bool {
        if self.pinned_bytes() + bytes > MAX_BYTES {
            return false;
        }
        while self.bytes_from(self.kept_from) + bytes > MAX_BYTES {
            for fate in self.fates.iter_mut().map(|fates| &mut fates[self.kept_from]) {
                if *fate == Fate::Unread {
                    *fate = Fate::Missed;
                }
            }
            self.kept_from += 1;
        }
        self.chunks.push((events, bytes));
        self.fates.iter_mut().for_each(|fates| fates.push(Fate::Unread));
        true
    }

    fn read(&mut self, reader: usize) -> Option<usize> {
        let number = self.fates[reader].iter().position(|fate| *fate == Fate::Unread)?;
        self.fates[reader][number] = Fate::InFlight;
        Some(number)
    }

    fn commit(&mut self, reader: usize, through: usize) {
        for fate in self.fates[reader].iter_mut().take(through + 1) {
            if *fate == Fate::InFlight {
                *fate = Fate::Committed;
            }
        }
        self.kept_from = self.kept_from.max(self.first_open(0).min(self.first_open(1)));
    }

    fn rewind(&mut self, reader: usize) {
        for (number, fate) in self.fates[reader].iter_mut().enumerate() {
            if *fate == Fate::InFlight {
                *fate = if number < self.kept_from { Fate::Missed } else { Fate::Unread };
            }
        }
    }

    fn events(&self, reader: usize, fates: &[Fate]) -> u64 {
        let of_fate = self.chunks.iter().zip(&self.fates[reader]).filter(|(_, fate)| fates.contains(fate));
        of_fate.map(|((events, _), _)| u64::from(*events)).sum()
    }
}

struct Real {
    journal: Journal<usize>,
    readers: [Reader<usize>; 2],
    in_flight: [Vec<Entry<usize>>; 2],
}

impl Real {
    fn new() -> Self {
        let journal = Journal::in_memory(MAX_BYTES);
        let readers = [("a", Overflow::DropOldest), ("b", Overflow::Block)];
        let readers = readers.map(|(name, overflow)| journal.reader(name, overflow));
        Self { journal, readers, in_flight: [Vec::new(), Vec::new()] }
    }

    fn apply(&mut self, model: &mut Model, op: &Op) -> Result<(), TestCaseError> {
        match *op {
            Op::Append { events, bytes } => {
                let receipt = self.journal.append(model.chunks.len(), events, bytes);
                let expected = if model.append(events, bytes) { Outcome::Stored } else { Outcome::Lost };
                prop_assert_eq!(receipt.known_outcome(), Some(expected));
            }
            Op::Read(reader) => {
                let entry = self.readers[reader].try_next();
                prop_assert_eq!(entry.as_ref().map(|entry| entry.chunk), model.read(reader));
                self.in_flight[reader].extend(entry);
            }
            Op::Commit(reader, count) => {
                let count = count.min(self.in_flight[reader].len());
                if let Some(last) = self.in_flight[reader].drain(..count).next_back() {
                    self.readers[reader].commit(last.position);
                    model.commit(reader, last.chunk);
                }
            }
            Op::Rewind(reader) => {
                self.readers[reader].rewind();
                self.in_flight[reader].clear();
                model.rewind(reader);
            }
            Op::Write | Op::Restart | Op::Crash(_) => {}
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_journal_in_memory_does_what_its_model_does(ops in memory_ops()) {
        let (mut real, mut model) = (Real::new(), Model::default());
        for op in &ops {
            real.apply(&mut model, op)?;
            for (reader, real) in real.readers.iter().enumerate() {
                prop_assert_eq!(real.discarded(), model.events(reader, &[Fate::Missed]));
                prop_assert_eq!(real.unread(), model.events(reader, &[Fate::Unread]));
                prop_assert_eq!(real.lag().events, model.events(reader, &[Fate::Unread, Fate::InFlight]));
            }
            prop_assert!(real.journal.status().bytes <= MAX_BYTES);
            let has_room = real.journal.0.lock().has_room();
            prop_assert_eq!(has_room, model.pinned_bytes() <= MAX_BYTES / 4 * 3);
        }
        prop_assert_eq!(real.readers[1].discarded(), 0);
    }
}
