//! Where a reader is.

use std::collections::VecDeque;

use senseops_core::Timestamp;
use senseops_core::host::Overflow;

use crate::position::{Mark, Position};
use crate::slot::Slot;

/// How far a reader is.
#[derive(Clone)]
pub(crate) struct Cursor {
    pub name: String,
    pub overflow: Overflow,
    /// What is read next.
    pub next: Mark,
    /// When that was appended, if it is known although only the disk has it.
    pub next_appended: Option<Timestamp>,
    /// Events that were missed for good.
    pub discarded: u64,
    /// When it goes it comes back at once, so nothing changes for it meanwhile.
    pub is_expected_back: bool,
    /// Why what comes next cannot be read now, if so.
    pub unreadable: Option<String>,
    in_flight: VecDeque<InFlight>,
    events_in_flight: u64,
}

/// A chunk that was read and not yet committed.
#[derive(Clone, Copy)]
pub(crate) struct InFlight {
    pub at: Mark,
    pub events: u32,
    pub appended: Timestamp,
    /// Nobody gets it, so it is settled once those before it are.
    is_passed: bool,
}

impl Cursor {
    pub(crate) fn new(name: String, overflow: Overflow, next: Mark) -> Self {
        Self {
            name,
            overflow,
            next,
            next_appended: None,
            discarded: 0,
            is_expected_back: false,
            unreadable: None,
            in_flight: VecDeque::new(),
            events_in_flight: 0,
        }
    }

    /// Everything before is committed or missed.
    pub(crate) fn committed(&self) -> Mark {
        self.oldest_in_flight().map_or(self.next, |read| read.at)
    }

    pub(crate) fn oldest_in_flight(&self) -> Option<InFlight> {
        self.in_flight.front().copied()
    }

    pub(crate) fn events_in_flight(&self) -> u64 {
        self.events_in_flight
    }

    /// Goes on at `to`; the events between are missed.
    pub(crate) fn skip_to(&mut self, to: Mark) {
        self.discarded += to.events.saturating_sub(self.next.events);
        self.go_to(to, None);
    }

    fn go_to(&mut self, next: Mark, appended: Option<Timestamp>) {
        (self.next, self.next_appended) = (next, appended);
    }

    /// Takes this chunk, and misses those before it.
    pub(crate) fn read<C>(&mut self, slot: &Slot<C>) {
        self.take(slot, false);
    }

    /// Goes on behind this chunk, which is not wanted, and misses those before it.
    pub(crate) fn pass<C>(&mut self, slot: &Slot<C>) {
        self.take(slot, true);
        self.settle_passed();
    }

    fn take<C>(&mut self, slot: &Slot<C>, is_passed: bool) {
        self.skip_to(slot.at);
        self.go_to(slot.end(), None);
        let Slot { at, events, appended, .. } = *slot;
        self.in_flight.push_back(InFlight { at, events, appended, is_passed });
        self.events_in_flight += u64::from(events);
    }

    /// Settles everything up to and including `position`.
    pub(crate) fn commit(&mut self, position: Position) {
        while self.oldest_in_flight().is_some_and(|read| read.at.position <= position) {
            self.forget_oldest_in_flight();
        }
        self.settle_passed();
    }

    fn settle_passed(&mut self) {
        while self.oldest_in_flight().is_some_and(|read| read.is_passed) {
            self.forget_oldest_in_flight();
        }
    }

    /// Goes back to the first uncommitted chunk that `is_kept`; those before it are missed.
    pub(crate) fn rewind(&mut self, is_kept: impl Fn(Position) -> bool) {
        while let Some(read) = self.oldest_in_flight() {
            if is_kept(read.at.position) {
                // What was missed behind this chunk will be missed, and counted, again.
                let missed = self.next.events.saturating_sub(read.at.events + self.events_in_flight);
                self.discarded = self.discarded.saturating_sub(missed);
                self.go_to(read.at, Some(read.appended));
                self.in_flight.clear();
                self.events_in_flight = 0;
                return;
            }
            self.discarded += if read.is_passed { 0 } else { u64::from(read.events) };
            self.forget_oldest_in_flight();
        }
    }

    fn forget_oldest_in_flight(&mut self) {
        if let Some(read) = self.in_flight.pop_front() {
            self.events_in_flight -= u64::from(read.events);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(position: u64, events_before: u64) -> Slot<()> {
        Slot {
            at: Mark { position: Position(position), events: events_before },
            events: 10,
            bytes: 1,
            appended: Timestamp::from_nanos(0),
            chunk: (),
        }
    }

    fn at_start() -> Cursor {
        Cursor::new("r".into(), Overflow::DropOldest, Mark::default())
    }

    #[test]
    fn a_gap_is_counted_once_however_often_it_is_met() {
        let mut cursor = at_start();
        for _ in 0..3 {
            cursor.read(&slot(0, 0));
            cursor.read(&slot(5, 50));
            assert_eq!((cursor.discarded, cursor.events_in_flight()), (40, 20));
            cursor.rewind(|_| true);
        }
        assert_eq!(
            (cursor.discarded, cursor.committed(), cursor.events_in_flight()),
            (0, Mark::default(), 0)
        );
    }

    #[test]
    fn a_chunk_that_nobody_wants_is_settled_with_those_before_it() {
        let mut cursor = at_start();
        cursor.pass(&slot(0, 0));
        assert_eq!((cursor.committed().position, cursor.events_in_flight()), (Position(1), 0));
        cursor.read(&slot(1, 10));
        cursor.pass(&slot(2, 20));
        assert_eq!((cursor.committed().position, cursor.events_in_flight()), (Position(1), 20));
        cursor.commit(Position(1));
        assert_eq!((cursor.committed().position, cursor.events_in_flight()), (Position(3), 0));
        assert_eq!(cursor.discarded, 0);
    }

    #[test]
    fn chunks_that_were_pushed_out_while_in_flight_are_missed_only_after_a_rewind() {
        let mut cursor = at_start();
        for position in 0..3 {
            cursor.read(&slot(position, position * 10));
        }
        cursor.commit(Position(0));
        assert_eq!(cursor.discarded, 0);
        cursor.rewind(|position| position >= Position(2));
        assert_eq!((cursor.discarded, cursor.next.position), (10, Position(2)));
    }
}
