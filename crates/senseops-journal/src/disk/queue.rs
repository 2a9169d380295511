//! What waits for the writer, and who waits for that.

use std::collections::VecDeque;

use senseops_core::Outcome;
use senseops_core::host::Settle;

use crate::position::{Mark, Position};
use crate::slot::Slot;

/// Chunks that wait for the writer.
pub(crate) struct Queue<C> {
    waiting: VecDeque<Pending<C>>,
    bytes: u64,
    /// What the writer has taken and not finished.
    writing: Option<Taken>,
    /// Those who wait for all that was queued up to here.
    joined: Vec<(Position, Settle)>,
}

struct Taken {
    first: Mark,
    bytes: u64,
    /// Of those whose outcome is not told yet.
    settles: Vec<Settle>,
}

/// A chunk on its way to the disk.
pub(crate) struct Pending<C> {
    pub slot: Slot<C>,
    /// Who waits for it: nobody if it was settled before, and while it is written that is in the queue.
    pub settle: Option<Settle>,
}

impl<C> Queue<C> {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, writing: None, joined: Vec::new() }
    }

    pub(crate) fn push(&mut self, pending: Pending<C>) {
        self.bytes += pending.slot.bytes;
        self.waiting.push_back(pending);
    }

    /// Settles this with everything that is not on disk yet. Gives it back if there is nothing.
    pub(crate) fn join(&mut self, settle: Settle) -> Option<Settle> {
        match (self.waiting.back(), &mut self.writing) {
            (Some(last), _) => self.joined.push((last.slot.at.position, settle)),
            (None, Some(taken)) => taken.settles.push(settle),
            (None, None) => return Some(settle),
        }
        None
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The bytes that wait to be taken.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes that are not on disk yet.
    pub(crate) fn unwritten_bytes(&self) -> u64 {
        self.bytes + self.writing.as_ref().map_or(0, |taken| taken.bytes)
    }

    /// The first chunk that is not on disk yet.
    pub(crate) fn first_unwritten(&self) -> Option<Mark> {
        self.writing.as_ref().map(|taken| taken.first).or_else(|| Some(self.waiting.front()?.slot.at))
    }

    /// Takes the oldest chunks: at least one if there are any, and no more than about `bytes`.
    pub(crate) fn take(&mut self, bytes: u64) -> Vec<Pending<C>> {
        let mut sum = 0;
        let mut count = 0;
        for pending in &self.waiting {
            if count > 0 && sum + pending.slot.bytes > bytes {
                break;
            }
            sum += pending.slot.bytes;
            count += 1;
        }
        let mut taken: Vec<_> = self.waiting.drain(..count).collect();
        self.bytes -= sum;
        let mut settles: Vec<_> = taken.iter_mut().filter_map(|pending| pending.settle.take()).collect();
        let last = taken.last().map(|last| last.slot.at.position);
        settles.extend(self.joined.extract_if(.., |(at, _)| Some(*at) <= last).map(|(_, settle)| settle));
        self.writing = taken.first().map(|first| Taken { first: first.slot.at, bytes: sum, settles });
        taken
    }

    /// What was taken is on disk, or has failed for good. Gives those who wait for it.
    pub(crate) fn finish(&mut self) -> Vec<Settle> {
        self.writing.take().map(|taken| taken.settles).unwrap_or_default()
    }

    /// Takes out what waits and is before this position. Gives those who wait for it.
    pub(crate) fn take_passed(&mut self, position: Option<Position>) -> Vec<Settle> {
        let mut passed = Vec::new();
        while let Some(pending) = self.waiting.front()
            && position.is_none_or(|position| pending.slot.at.position < position)
        {
            self.bytes -= pending.slot.bytes;
            passed.extend(self.waiting.pop_front().and_then(|pending| pending.settle));
        }
        let is_passed = |at: Position| position.is_none_or(|position| at < position);
        let joined = self.joined.extract_if(.., |(at, _)| is_passed(*at)).map(|(_, settle)| settle);
        match &mut self.writing {
            // What was queued before them is still on its way.
            Some(taken) => taken.settles.extend(joined),
            None => passed.extend(joined),
        }
        passed
    }

    /// Takes everything out. Gives those who wait for it.
    pub(crate) fn clear(&mut self) -> Vec<Settle> {
        let mut settles = self.finish();
        settles.extend(self.take_passed(None));
        settles
    }
}

impl<C> From<Slot<C>> for Pending<C> {
    /// What was held and is to be written after all.
    fn from(slot: Slot<C>) -> Self {
        Self { slot, settle: None }
    }
}

/// Tells everybody who waits for it the outcome. To be done where nobody waits for the lock.
pub(crate) fn settle_all(settles: Vec<Settle>, outcome: Outcome) {
    for settle in settles {
        settle.settle(outcome);
    }
}
