//! What is known of the disk: pure bookkeeping, the writer does the work.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use senseops_core::{Settle, Timestamp};

use crate::journal::{Mark, Position};
use crate::segment::Segment;

/// How many damaged places are remembered, so that two readers that meet one count it once.
const MAX_DAMAGE: usize = 1000;

/// The disk half of the state.
pub(crate) struct Disk<C> {
    pub queue: Queue<C>,
    pub segments: Segments,
    pub cursors: StoredCursors,
    /// Why the disk cannot be used now. Nothing is queued as long as there is a reason.
    pub failure: Option<String>,
    damage: BTreeSet<(Position, u64)>,
}

/// Chunks that wait for the writer.
pub(crate) struct Queue<C> {
    waiting: VecDeque<Pending<C>>,
    bytes: u64,
    /// What the writer has taken and not finished.
    writing: Option<Taken>,
}

struct Taken {
    first: Position,
    bytes: u64,
}

/// A chunk on its way to the disk.
pub(crate) struct Pending<C> {
    pub at: Mark,
    pub events: u32,
    pub bytes: u64,
    pub appended: Timestamp,
    pub chunk: C,
    pub settle: Settle,
}

/// The segments, oldest first.
#[derive(Default)]
pub(crate) struct Segments {
    list: VecDeque<Segment>,
    bytes: u64,
}

/// What is in the file of the cursors.
#[derive(Default)]
pub(crate) struct StoredCursors {
    /// Readers that have not come back, or have gone.
    pub absent: BTreeMap<String, Mark>,
    pub change: Change,
    /// Where readers begin that are not known. The end, unless the file was damaged: then it may have known them.
    pub unknown_begin: Option<Mark>,
}

/// How what is stored differs from what is true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    #[default]
    None,
    /// Readers moved on. If that is lost, they see something again.
    Moved,
    /// A reader is not stored at all. If that is lost, it misses something.
    Named,
}

impl<C> Disk<C> {
    pub(crate) fn new(segments: Segments, cursors: StoredCursors) -> Self {
        Self { queue: Queue::new(), segments, cursors, failure: None, damage: BTreeSet::new() }
    }

    pub(crate) fn note_damage(&mut self, segment: Position, offset: u64) {
        if self.damage.len() < MAX_DAMAGE {
            self.damage.insert((segment, offset));
        }
    }

    pub(crate) fn damaged(&self) -> u64 {
        u64::try_from(self.damage.len()).unwrap_or(u64::MAX)
    }
}

impl<C> Queue<C> {
    fn new() -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, writing: None }
    }

    pub(crate) fn push(&mut self, pending: Pending<C>) {
        self.bytes += pending.bytes;
        self.waiting.push_back(pending);
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
    pub(crate) fn first_unwritten(&self) -> Option<Position> {
        self.writing.as_ref().map(|taken| taken.first).or_else(|| Some(self.waiting.front()?.at.position))
    }

    /// Takes the oldest chunks: at least one if there are any, and no more than about `bytes`.
    pub(crate) fn take(&mut self, bytes: u64) -> Vec<Pending<C>> {
        let mut sum = 0;
        let mut count = 0;
        for pending in &self.waiting {
            if count > 0 && sum + pending.bytes > bytes {
                break;
            }
            sum += pending.bytes;
            count += 1;
        }
        let taken: Vec<_> = self.waiting.drain(..count).collect();
        self.bytes -= sum;
        self.writing = taken.first().map(|first| Taken { first: first.at.position, bytes: sum });
        taken
    }

    /// What was taken is on disk, or has failed for good.
    pub(crate) fn finish(&mut self) {
        self.writing = None;
    }

    pub(crate) fn take_all(&mut self) -> Vec<Pending<C>> {
        self.take(u64::MAX)
    }
}

impl Segments {
    /// Adds a segment behind the others.
    pub(crate) fn push(&mut self, segment: Segment) {
        self.bytes += segment.bytes;
        self.list.push_back(segment);
    }

    /// Adds what was written: to the newest segment if it has the same name, or as a new one.
    pub(crate) fn extend(&mut self, written: Segment) {
        match self.list.back_mut() {
            Some(newest) if newest.name == written.name => {
                newest.end = written.end;
                newest.bytes += written.bytes;
                self.bytes += written.bytes;
            }
            Some(_) | None => self.push(written),
        }
    }

    pub(crate) fn oldest(&self) -> Option<&Segment> {
        self.list.front()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes of the segments that a reader at this position needs.
    pub(crate) fn bytes_needed_from(&self, position: Position) -> u64 {
        self.list
            .iter()
            .rev()
            .take_while(|segment| segment.end.position > position)
            .map(|segment| segment.bytes)
            .sum()
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
        self.list.get(self.list.partition_point(|segment| segment.end.position <= position))
    }

    /// Takes the segments out that are wholly before this position, or all of them; not the `active` one.
    pub(crate) fn take_passed(
        &mut self,
        position: Option<Position>,
        active: Option<Position>,
    ) -> Vec<Position> {
        let passed = |segment: &Segment| {
            position.is_none_or(|position| segment.end.position <= position) && active != Some(segment.name)
        };
        let mut taken = Vec::new();
        while self.list.front().is_some_and(passed) {
            taken.extend(self.take_oldest());
        }
        taken
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
        let is_free = |segment: &Segment| {
            kept.is_none_or(|kept| segment.end.position <= kept) && segment.name != active
        };
        let mut taken = Vec::new();
        while self.bytes + bytes > max_bytes && self.list.front().is_some_and(is_free) {
            taken.extend(self.take_oldest());
        }
        taken
    }

    fn take_oldest(&mut self) -> Option<Position> {
        let segment = self.list.pop_front()?;
        self.bytes -= segment.bytes;
        Some(segment.name)
    }
}
