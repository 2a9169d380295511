//! What is known of the disk: pure bookkeeping, the writer does the work.

mod queue;
mod segments;

use std::collections::BTreeSet;

use senseops_core::Timestamp;
use senseops_core::host::Hurry;

use crate::position::{Mark, Position};
use crate::recent::Recent;

pub(crate) use queue::{Pending, Queue, settle_all};
pub(crate) use segments::Segments;

/// How many damaged places are remembered, so that two readers that meet one count it once.
const MAX_DAMAGE: usize = 1000;

/// The disk half of the books.
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
