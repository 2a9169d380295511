//! What a journal knows, under one lock: pure bookkeeping without I/O and without a clock.

mod look;
mod packing;
mod readers;
mod writing;

use std::collections::BTreeMap;
use std::time::Duration;

use senseops_core::host::Overflow;
use senseops_core::{Outcome, Receipt, Timestamp};

use crate::block::Block;
use crate::cursor::Cursor;
use crate::disk::{Disk, Pending};
use crate::position::{Mark, Position};
use crate::recent::{Found, Recent, Removed};
use crate::segment::Segment;
use crate::slot::Slot;

pub(crate) use packing::Packing;
pub use readers::ForgetError;
pub(crate) use readers::{Ahead, Committed, Next, ReaderId};
pub(crate) use writing::Held;

/// How much of a journal on disk stays in memory.
const RECENT_BYTES: u64 = 32 * 1024 * 1024;
/// How much of it may be in memory while the disk fails: as much as a journal in memory usually takes.
const HELD_BYTES: u64 = 256 * 1024 * 1024;
/// How long a journal in memory keeps the place of a reader that is gone. A configuration that was repaired by then
/// costs nothing; a sink that was removed for good does not take memory for ever.
const ABSENT_IN_MEMORY: Duration = Duration::from_mins(10);

/// Everything that changes.
pub(crate) struct State<C> {
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

/// What appending led to.
pub(crate) struct Appended<C> {
    pub receipt: Receipt,
    pub wake_writer: bool,
    pub wake_keeper: bool,
    /// Those that wait for much.
    pub wake_readers: bool,
    /// What was pushed out of memory.
    pub evicted: Vec<Removed<C>>,
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

impl<C> State<C> {
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

    /// `places` is where readers were; they are absent until they come back.
    pub(crate) fn on_disk(max_bytes: u64, end: Mark, places: &BTreeMap<String, Mark>, disk: Disk<C>) -> Self {
        // Positions are used once, even if the frames that used them are gone.
        let end = places.values().fold(end, |end, mark| end.max(*mark));
        let parked = |(name, mark): (&String, &Mark)| {
            let cursor = Cursor::new(name.clone(), Overflow::DropOldest, *mark);
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

/// Appending.
impl<C> State<C> {
    pub(crate) fn append(&mut self, chunk: C, events: u32, bytes: u64, now: Timestamp) -> Appended<C>
    where
        C: Clone,
    {
        let mut result = Appended {
            receipt: Receipt::known(Outcome::Stored),
            wake_writer: false,
            wake_keeper: false,
            wake_readers: false,
            evicted: self.expire_recent(now),
        };
        let (at, early) = (self.end, self.write_bytes());
        if self.closed || self.sealed {
            result.receipt = Receipt::known(Outcome::Lost);
            return result;
        }
        if self.readers.is_empty() && self.absent.is_empty() {
            self.end = at.after(events);
            return result;
        }
        if !self.make_room(bytes, &mut result.evicted) {
            result.receipt = Receipt::known(Outcome::Lost);
            return result;
        }
        let slot = Slot { at, events, bytes, appended: now, chunk };
        self.end = slot.end();
        match &mut self.disk {
            None => {}
            Some(disk) if disk.failure.is_some() => {
                disk.held_from.get_or_insert(at);
                result.receipt = Receipt::known(Outcome::Held);
            }
            Some(disk) => {
                let (settle, receipt) = Receipt::pending(disk.hurry.clone());
                let before = disk.queue.waiting_bytes();
                result.wake_writer = disk.queue.is_empty() || (before < early && before + bytes >= early);
                result.receipt = receipt;
                disk.queue.push(Pending { slot: slot.clone(), settle: Some(settle) });
            }
        }
        self.recent.push(slot);
        result.wake_keeper = self.must_tell_keeper();
        result.wake_readers = self.is_plenty();
        result
    }

    /// A receipt for everything that was appended before.
    pub(crate) fn receipt(&mut self) -> Receipt {
        let Some(disk) = &mut self.disk else { return Receipt::known(Outcome::Stored) };
        if disk.failure.is_some() {
            return Receipt::known(Outcome::Held);
        }
        let (settle, receipt) = Receipt::pending(disk.hurry.clone());
        disk.queue.join(settle).map_or(receipt, |_nothing_waits| Receipt::known(Outcome::Stored))
    }

    /// Pushes out what may be pushed out, if that makes enough room.
    fn make_room(&mut self, bytes: u64, evicted: &mut Vec<Removed<C>>) -> bool {
        if !self.disk_takes(bytes, self.max_bytes, self.recent_bytes()) {
            return false;
        }
        if self.recent.bytes() + bytes <= self.recent_bytes() {
            return true;
        }
        if self.pinned_recent_bytes() + bytes > self.recent_bytes() {
            return false;
        }
        let recent_bytes = self.recent_bytes();
        while self.recent.bytes() + bytes > recent_bytes
            && let Some(oldest) = self.recent.pop_oldest_if(|_, _| true)
        {
            evicted.push(oldest);
        }
        true
    }

    /// Takes out of memory what is too old, unless somebody needs it who may not miss it, and forgets places that are
    /// not kept any longer.
    pub(crate) fn expire_recent(&mut self, now: Timestamp) -> Vec<Removed<C>> {
        let mut expired = Vec::new();
        if self.absent.values().any(|absent| absent.is_over(now)) {
            self.absent.retain(|_, absent| !absent.is_over(now));
            expired = self.release();
        }
        if let Some(limit) = self.age_limit(now) {
            let pinned = self.pinned_recent_from();
            let is_free = |end: Mark, newest: Timestamp| {
                newest < limit && pinned.is_none_or(|pinned| end.position <= pinned)
            };
            while let Some(oldest) = self.recent.pop_oldest_if(is_free) {
                expired.push(oldest);
            }
        }
        expired
    }

    /// What was appended before this is too old.
    fn age_limit(&self, now: Timestamp) -> Option<Timestamp> {
        Some(now.saturating_sub(self.max_age?))
    }

    /// Whether a chunk of this size fits once readers have caught up.
    pub(crate) fn may_take(&self, bytes: u64) -> bool {
        !self.closed && !self.sealed && bytes <= self.recent_bytes().min(self.max_bytes)
    }

    pub(crate) fn has_room(&self) -> bool {
        let (max, recent) = (self.max_bytes / 4 * 3, self.recent_bytes() / 4 * 3);
        let recent_is_free = || self.recent.bytes() <= recent || self.pinned_recent_bytes() <= recent;
        self.closed || self.sealed || (self.disk_takes(0, max, recent) && recent_is_free())
    }

    fn pinned_recent_bytes(&self) -> u64 {
        self.pinned_recent_from().map_or(0, |first| self.recent.bytes_from(first))
    }

    /// From where on memory keeps what it has: it is on its way to the disk, or nowhere else and needed by a reader that
    /// may not miss it.
    fn pinned_recent_from(&self) -> Option<Position> {
        let blocking = self.slowest_blocking();
        let Some(disk) = &self.disk else { return blocking };
        let unwritten = disk.queue.first_unwritten().map(|mark| mark.position);
        let held = blocking.zip(disk.held_from).map(|(needed, held)| needed.max(held.position));
        unwritten.into_iter().chain(held).min()
    }

    /// Whether the disk can take so many bytes more, with these limits for disk and queue.
    fn disk_takes(&self, bytes: u64, max_bytes: u64, max_queued: u64) -> bool {
        let Some(disk) = self.disk.as_ref().filter(|disk| disk.failure.is_none()) else { return true };
        let unwritten = disk.queue.unwritten_bytes() + bytes;
        // What no reader pins is deleted when the bytes are written.
        let pinned =
            || self.slowest_blocking().map_or(0, |position| disk.segments.bytes_needed_from(position));
        unwritten <= max_queued
            && (disk.segments.bytes() + unwritten <= max_bytes || pinned() + unwritten <= max_bytes)
    }
}

impl Absent {
    fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}
