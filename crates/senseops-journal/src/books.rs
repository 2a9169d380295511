//! The books of a journal, under one lock: all that it knows, without I/O and without a clock.

mod appending;
mod look;
mod packing;
mod readers;
mod room;
mod writing;

use std::collections::BTreeMap;
use std::time::Duration;

use senseops_core::Timestamp;
use senseops_core::host::Overflow;

use crate::block::Block;
use crate::cursor::Cursor;
use crate::disk::Disk;
use crate::position::{Mark, Position};
use crate::recent::{Found, Recent};
use crate::segment::Segment;
use crate::slot::Slot;

pub use readers::ForgetError;
pub(crate) use readers::{Ahead, Committed, Next};
pub(crate) use writing::Held;

/// How much of a journal on disk stays in memory.
const RECENT_BYTES: u64 = 32 * 1024 * 1024;
/// How much of it may be in memory while the disk fails: as much as a journal in memory usually takes.
const HELD_BYTES: u64 = 256 * 1024 * 1024;

/// Everything that changes.
pub(crate) struct Books<C> {
    max_bytes: u64,
    pub max_age: Option<Duration>,
    /// Where the next chunk goes.
    end: Mark,
    recent: Recent<C>,
    readers: BTreeMap<ReaderId, Cursor>,
    /// The places of readers that are not there, by name.
    absent: BTreeMap<String, Absent>,
    next_id: ReaderId,
    pub packing: Packing,
    /// A reader wants to know when so many events were appended.
    plenty_at: Option<u64>,
    pub disk: Option<Disk<C>>,
    closed: bool,
    /// A reader has passed something that it did not want.
    has_passed: bool,
    /// Nothing more is appended.
    pub sealed: bool,
}

/// The place of a reader that is not there.
struct Absent {
    cursor: Cursor,
    /// When it is forgotten, if ever.
    until: Option<Timestamp>,
}

/// Which reader; two may have one name while one takes over from the other.
pub(crate) type ReaderId = u64;

/// Whether a backlog in memory is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Chunks stay as they are.
    Never,
    /// The keeper waits until there is something to pack.
    WhenTold,
    /// The keeper knows that there is something.
    Told,
}

/// Where a position leads.
enum Place<'a, C> {
    Recent(&'a Slot<C>),
    Block(&'a Block),
    Segment(Segment),
    /// Nowhere; the next thing that is kept is here.
    Gap(Mark),
    End,
}

impl<C> Books<C> {
    pub(crate) fn in_memory(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            max_age: None,
            end: Mark::default(),
            recent: Recent::new(),
            readers: BTreeMap::new(),
            absent: BTreeMap::new(),
            next_id: 0,
            packing: Packing::Never,
            plenty_at: None,
            disk: None,
            closed: false,
            has_passed: false,
            sealed: false,
        }
    }

    /// `places` is where readers were; they are absent until they come back. `times` is when what
    /// they read next was appended, as far as it is known.
    pub(crate) fn on_disk(
        max_bytes: u64,
        end: Mark,
        places: &BTreeMap<String, Mark>,
        times: &BTreeMap<Position, Timestamp>,
        disk: Disk<C>,
    ) -> Self {
        // Positions are used once, even if the frames that used them are gone.
        let end = places.values().fold(end, |end, mark| end.max(*mark));
        let parked = |(name, mark): (&String, &Mark)| {
            let mut cursor = Cursor::new(name.clone(), Overflow::DropOldest, *mark);
            cursor.next_appended = times.get(&mark.position).copied();
            (name.clone(), Absent { cursor, until: None })
        };
        let absent = places.iter().map(parked).collect();
        Self { end, absent, packing: Packing::WhenTold, disk: Some(disk), ..Self::in_memory(max_bytes) }
    }

    /// How much may be in memory.
    fn recent_bytes(&self) -> u64 {
        match &self.disk {
            None => self.max_bytes,
            Some(disk) if disk.failure.is_some() => self.max_bytes.min(HELD_BYTES),
            Some(_) => self.max_bytes.min(RECENT_BYTES),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    fn cursors(&self) -> impl Iterator<Item = &Cursor> {
        self.readers.values().chain(self.absent.values().map(|absent| &absent.cursor))
    }

    /// Where the slowest reader is, or those that are absent.
    fn slowest(&self) -> Option<Mark> {
        self.cursors().map(Cursor::committed).min_by_key(|mark| mark.position)
    }

    /// Where the slowest of those readers is that must miss nothing.
    fn slowest_blocking(&self) -> Option<Position> {
        let blocking = self.cursors().filter(|cursor| cursor.overflow == Overflow::Block);
        blocking.map(|cursor| cursor.committed().position).min()
    }

    fn locate(&self, position: Position) -> Place<'_, C> {
        if position >= self.end.position {
            return Place::End;
        }
        match self.recent.find(position) {
            Some(Found::Slot(slot)) => return Place::Recent(slot),
            Some(Found::Block(block)) => return Place::Block(block),
            None => {}
        }
        let recent = self.recent.begin().unwrap_or(self.end);
        match self.disk.as_ref().and_then(|disk| disk.segments.next_from(position)) {
            Some(segment) if segment.first.position <= position => Place::Segment(*segment),
            Some(segment) if segment.first.position < recent.position => Place::Gap(segment.first),
            Some(_) | None => Place::Gap(recent),
        }
    }

    fn is_kept(&self, position: Position) -> bool {
        matches!(self.locate(position), Place::Recent(_) | Place::Block(_) | Place::Segment(_))
    }
}

impl Absent {
    fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}
