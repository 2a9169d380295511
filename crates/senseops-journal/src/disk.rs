//! What is known of the disk: pure bookkeeping, the writer does the work.

use std::collections::{BTreeSet, VecDeque};

use senseops_core::host::{Hurry, Settle};
use senseops_core::{Outcome, Timestamp};

use crate::position::{Mark, Position};
use crate::recent::Recent;
use crate::segment::Segment;
use crate::slot::Slot;

/// How many damaged places are remembered, so that two readers that meet one count it once.
const MAX_DAMAGE: usize = 1000;

/// The disk half of the state.
pub(crate) struct Disk<C> {
    pub queue: Queue<C>,
    pub segments: Segments,
    pub cursors: StoredCursors,
    /// Why the disk cannot be used now. Nothing is queued as long as there is a reason.
    pub failure: Option<String>,
    /// The first chunk that is in memory only because the disk failed; so are all behind it.
    pub held_from: Option<Mark>,
    /// When the writer began its present turn.
    pub busy_since: Option<Timestamp>,
    /// Somebody waits for what is queued.
    pub is_urgent: bool,
    /// How somebody says so.
    pub hurry: Hurry,
    /// How much is written at once.
    pub write_bytes: u64,
    /// Damaged segments that are set aside.
    pub quarantined: u64,
    damage: BTreeSet<(Position, u64)>,
}

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

/// The segments, oldest first.
#[derive(Default)]
pub(crate) struct Segments {
    list: VecDeque<Listed>,
    bytes: u64,
    /// Bytes of every segment there ever was.
    bytes_ever: u64,
}

struct Listed {
    segment: Segment,
    /// Bytes of every segment before this one.
    bytes_before: u64,
}

/// What is known of the file of the cursors.
#[derive(Default)]
pub(crate) struct StoredCursors {
    pub change: Change,
    /// Where readers begin that are not known. The end, unless the file was damaged: then it may have known them, until
    /// those are stored that there are.
    pub unknown_begin: Option<Mark>,
}

/// How what is stored differs from what is true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    #[default]
    None,
    /// Readers moved on. If that is lost, they see something again.
    Moved,
    /// There are other readers. If that is lost, a new one misses something, or one that was forgotten is back.
    Named,
}

impl<C> Disk<C> {
    pub(crate) fn new(segments: Segments, cursors: StoredCursors, write_bytes: u64) -> Self {
        Self {
            is_urgent: false,
            hurry: Hurry::none(),
            write_bytes,
            queue: Queue::new(),
            segments,
            cursors,
            failure: None,
            held_from: None,
            busy_since: None,
            quarantined: 0,
            damage: BTreeSet::new(),
        }
    }

    /// Notes where damage begins. Whether it was not known yet.
    pub(crate) fn note_damage(&mut self, segment: Position, offset: u64) -> bool {
        self.damage.len() < MAX_DAMAGE && self.damage.insert((segment, offset))
    }

    pub(crate) fn is_damaged(&self, segment: Position) -> bool {
        self.damage.range((segment, 0)..=(segment, u64::MAX)).next().is_some()
    }

    pub(crate) fn damaged(&self) -> u64 {
        u64::try_from(self.damage.len()).unwrap_or(u64::MAX)
    }

    /// The first chunk that is not on disk.
    pub(crate) fn first_unstored(&self) -> Option<Mark> {
        self.held_from.or_else(|| self.queue.first_unwritten())
    }

    /// The bytes that are not on disk, of which `recent` has those that are held.
    pub(crate) fn unstored_bytes(&self, recent: &Recent<C>) -> u64 {
        self.queue.unwritten_bytes() + self.held_from.map_or(0, |held| recent.bytes_from(held.position))
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

impl<C> Queue<C> {
    fn new() -> Self {
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

impl Segments {
    /// Adds a segment behind the others.
    pub(crate) fn push(&mut self, segment: Segment) {
        self.list.push_back(Listed { segment, bytes_before: self.bytes_ever });
        self.bytes += segment.bytes;
        self.bytes_ever += segment.bytes;
    }

    /// Adds what was written: to the newest segment if it has the same name, or as a new one.
    pub(crate) fn extend(&mut self, written: Segment) {
        match self.list.back_mut() {
            Some(Listed { segment: newest, .. }) if newest.name == written.name => {
                newest.end = written.end;
                newest.newest = written.newest;
                newest.bytes += written.bytes;
                self.bytes += written.bytes;
                self.bytes_ever += written.bytes;
            }
            Some(_) | None => self.push(written),
        }
    }

    pub(crate) fn oldest(&self) -> Option<&Segment> {
        self.list.front().map(|listed| &listed.segment)
    }

    pub(crate) fn newest(&self) -> Option<&Segment> {
        self.list.back().map(|listed| &listed.segment)
    }

    pub(crate) fn contains(&self, name: Position) -> bool {
        self.list.binary_search_by_key(&name, |listed| listed.segment.name).is_ok()
    }

    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.list.len()).unwrap_or(u64::MAX)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes of the segments that a reader at this position needs.
    pub(crate) fn bytes_needed_from(&self, position: Position) -> u64 {
        self.next_listed(position).map_or(0, |listed| self.bytes_ever - listed.bytes_before)
    }

    /// About how many bytes there are from this position on.
    pub(crate) fn bytes_from(&self, position: Position) -> u64 {
        let needed = self.bytes_needed_from(position);
        let passed = self.next_from(position).map_or(0, |segment| {
            let (all, passed) = (
                u128::from(segment.end.position.0 - segment.first.position.0),
                u128::from(position.0.saturating_sub(segment.first.position.0)),
            );
            u64::try_from(u128::from(segment.bytes) * passed / all.max(1)).unwrap_or(0)
        });
        needed.saturating_sub(passed)
    }

    /// The first segment with a chunk at this position or behind it.
    pub(crate) fn next_from(&self, position: Position) -> Option<&Segment> {
        self.next_listed(position).map(|listed| &listed.segment)
    }

    fn next_listed(&self, position: Position) -> Option<&Listed> {
        self.list.get(self.list.partition_point(|listed| listed.segment.end.position <= position))
    }

    /// Takes the segments out that are wholly before this position, or all of them; not the `active` one.
    pub(crate) fn take_passed(
        &mut self,
        position: Option<Position>,
        active: Option<Position>,
    ) -> Vec<Position> {
        self.take_oldest_while(|_, segment| {
            position.is_none_or(|position| segment.end.position <= position) && active != Some(segment.name)
        })
    }

    /// Takes the oldest segments out until `bytes` more fit into `max_bytes`, but none that is needed from `kept` on,
    /// and not the `active` one.
    pub(crate) fn take_excess(
        &mut self,
        bytes: u64,
        max_bytes: u64,
        kept: Option<Position>,
        active: Position,
    ) -> Vec<Position> {
        self.take_oldest_while(|left, segment| {
            let is_free = kept.is_none_or(|kept| segment.end.position <= kept) && segment.name != active;
            left + bytes > max_bytes && is_free
        })
    }

    /// Takes the segments out of which everything was appended before `limit`, but none that is needed from `kept` on.
    pub(crate) fn take_expired(&mut self, limit: Timestamp, kept: Option<Position>) -> Vec<Position> {
        self.take_oldest_while(|_, segment| {
            segment.newest < limit && kept.is_none_or(|kept| segment.end.position <= kept)
        })
    }

    /// Takes the oldest segment out as long as `is_free` says so, which gets the bytes that are left and the segment.
    fn take_oldest_while(&mut self, is_free: impl Fn(u64, &Segment) -> bool) -> Vec<Position> {
        let mut taken = Vec::new();
        while let Some(oldest) = self.list.front().filter(|oldest| is_free(self.bytes, &oldest.segment)) {
            self.bytes -= oldest.segment.bytes;
            taken.push(oldest.segment.name);
            self.list.pop_front();
        }
        taken
    }
}
