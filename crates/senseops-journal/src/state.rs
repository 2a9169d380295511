//! What a journal knows, under one lock: pure bookkeeping without I/O and without a clock.

mod look;
mod readers;
mod writing;

use std::collections::BTreeMap;
use std::time::Duration;

use senseops_core::{Outcome, Receipt, Timestamp};

use crate::cursor::{Cursor, Overflow};
use crate::disk::{Disk, Pending};
use crate::journal::{Mark, Position};
use crate::recent::{Recent, Slot};
use crate::segment::Segment;

pub(crate) use readers::{Next, ReaderId};

/// How much of a journal on disk stays in memory.
const RECENT_BYTES: u64 = 32 * 1024 * 1024;
/// How much of it may be in memory while the disk fails: as much as a journal in memory usually takes.
const HELD_BYTES: u64 = 256 * 1024 * 1024;
/// The writer is woken early when so much waits, and takes about so much at once.
const WRITE_BYTES: u64 = 1024 * 1024;

/// Everything that changes.
pub(crate) struct State<C> {
    max_bytes: u64,
    pub max_age: Option<Duration>,
    /// Where the next chunk goes.
    end: Mark,
    recent: Recent<C>,
    readers: BTreeMap<ReaderId, Cursor>,
    /// The places of readers that are not there, by name.
    absent: BTreeMap<String, Cursor>,
    next_id: ReaderId,
    pub disk: Option<Disk<C>>,
    closed: bool,
    /// Nothing more is appended.
    pub sealed: bool,
}

/// What appending led to.
pub(crate) struct Appended<C> {
    pub receipt: Receipt,
    pub wake_writer: bool,
    /// What was pushed out of memory.
    pub evicted: Vec<Slot<C>>,
}

/// Where a position leads.
enum Place<'a, C> {
    Recent(&'a Slot<C>),
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
            disk: None,
            closed: false,
            sealed: false,
        }
    }

    /// `places` is where readers were; they are absent until they come back.
    pub(crate) fn on_disk(max_bytes: u64, end: Mark, places: &BTreeMap<String, Mark>, disk: Disk<C>) -> Self {
        // Positions are used once, even if the frames that used them are gone.
        let end = places.values().fold(end, |end, mark| end.max(*mark));
        let parked = |(name, mark): (&String, &Mark)| {
            (name.clone(), Cursor::new(name.clone(), Overflow::DropOldest, *mark))
        };
        let absent = places.iter().map(parked).collect();
        Self { end, absent, disk: Some(disk), ..Self::in_memory(max_bytes) }
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
        self.readers.values().chain(self.absent.values())
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
        if let Some(slot) = self.recent.get(position) {
            return Place::Recent(slot);
        }
        let recent = self.recent.oldest().map_or(self.end, |slot| slot.at);
        match self.disk.as_ref().and_then(|disk| disk.segments.next_from(position)) {
            Some(segment) if segment.first.position <= position => Place::Segment(*segment),
            Some(segment) if segment.first.position < recent.position => Place::Gap(segment.first),
            Some(_) | None => Place::Gap(recent),
        }
    }

    fn is_kept(&self, position: Position) -> bool {
        matches!(self.locate(position), Place::Recent(_) | Place::Segment(_))
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
        self.end = at.after(events);
        match &mut self.disk {
            None => {}
            Some(disk) if disk.failure.is_some() => {
                disk.held_from.get_or_insert(at);
                result.receipt = Receipt::known(Outcome::Held);
            }
            Some(disk) => {
                let (settle, receipt) = Receipt::pending();
                let before = disk.queue.waiting_bytes();
                result.wake_writer = disk.queue.is_empty() || (before < early && before + bytes >= early);
                result.receipt = receipt;
                let (appended, settle) = (now, Some(settle));
                disk.queue.push(Pending { at, events, bytes, appended, chunk: chunk.clone(), settle });
            }
        }
        self.recent.push(Slot { at, events, bytes, appended: now, chunk });
        result
    }

    /// Pushes out what may be pushed out, if that makes enough room.
    fn make_room(&mut self, bytes: u64, evicted: &mut Vec<Slot<C>>) -> bool {
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
            && let Some(slot) = self.recent.pop_oldest()
        {
            evicted.push(slot);
        }
        true
    }

    /// Takes out of memory what is too old, unless somebody needs it who may not miss it.
    pub(crate) fn expire_recent(&mut self, now: Timestamp) -> Vec<Slot<C>> {
        let mut expired = Vec::new();
        if let Some(limit) = self.age_limit(now) {
            let pinned = self.pinned_recent_from();
            let is_free = |slot: &Slot<C>| {
                slot.appended < limit && pinned.is_none_or(|pinned| slot.at.position < pinned)
            };
            while self.recent.oldest().is_some_and(is_free) {
                expired.extend(self.recent.pop_oldest());
            }
        }
        expired
    }

    /// What was appended before this is too old.
    fn age_limit(&self, now: Timestamp) -> Option<Timestamp> {
        let age = i64::try_from(self.max_age?.as_nanos()).unwrap_or(i64::MAX);
        Some(Timestamp::from_nanos(now.as_nanos().saturating_sub(age)))
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
