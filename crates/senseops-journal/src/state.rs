//! What a journal knows, under one lock: pure bookkeeping without I/O and without a clock.

use std::collections::{BTreeMap, VecDeque};

use senseops_core::{Outcome, Receipt, Timestamp};

use crate::cursor::{Cursor, Lag, Overflow};
use crate::disk::{Change, Disk, Pending};
use crate::journal::{Entry, Mark, Position, Status};
use crate::recent::{Recent, Slot};
use crate::segment::Segment;

/// How much of a journal on disk stays in memory.
const RECENT_BYTES: u64 = 32 * 1024 * 1024;
/// The writer is woken early when so much waits, and takes about so much at once.
const WRITE_BYTES: u64 = 1024 * 1024;

/// Everything that changes.
pub(crate) struct State<C> {
    max_bytes: u64,
    recent_bytes: u64,
    /// Where the next chunk goes.
    end: Mark,
    recent: Recent<C>,
    readers: BTreeMap<ReaderId, Cursor>,
    next_id: ReaderId,
    pub disk: Option<Disk<C>>,
    closed: bool,
    /// Nothing more is appended.
    pub sealed: bool,
}

/// Which reader; two may have one name while one takes over from the other.
pub(crate) type ReaderId = u64;

/// What appending led to.
pub(crate) struct Appended<C> {
    pub receipt: Receipt,
    pub wake_writer: bool,
    /// What was pushed out of memory.
    pub evicted: Vec<Slot<C>>,
}

/// What committing led to.
pub(crate) struct Committed<C> {
    pub wake_writer: bool,
    /// What nobody needs any more.
    pub released: Vec<Slot<C>>,
}

/// What a reader does next.
pub(crate) enum Next<C> {
    Entry(Entry<C>),
    /// Read ahead in this segment from this position on.
    ReadAhead(Segment, Position),
    Wait,
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
            recent_bytes: max_bytes,
            end: Mark::default(),
            recent: Recent::new(),
            readers: BTreeMap::new(),
            next_id: 0,
            disk: None,
            closed: false,
            sealed: false,
        }
    }

    pub(crate) fn on_disk(max_bytes: u64, end: Mark, disk: Disk<C>) -> Self {
        let recent_bytes = max_bytes.min(RECENT_BYTES);
        Self { recent_bytes, end, disk: Some(disk), ..Self::in_memory(max_bytes) }
    }

    /// Whether so much waits that the writer should not.
    pub(crate) fn is_write_due(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.queue.waiting_bytes() >= self.write_bytes())
    }

    /// How much is written at once.
    pub(crate) fn write_bytes(&self) -> u64 {
        WRITE_BYTES.min(self.recent_bytes / 2)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    fn is_read_by_nobody(&self) -> bool {
        self.readers.is_empty() && self.disk.as_ref().is_none_or(|disk| disk.cursors.absent.is_empty())
    }

    /// Where the slowest reader is, or those that are absent.
    fn slowest(&self) -> Option<Mark> {
        let readers = self.readers.values().map(Cursor::committed);
        let absent = self.disk.iter().flat_map(|disk| disk.cursors.absent.values().copied());
        readers.chain(absent).min_by_key(|mark| mark.position)
    }

    /// Where the slowest of those readers is that must miss nothing.
    fn slowest_blocking(&self) -> Option<Position> {
        let blocking = self.readers.values().filter(|cursor| cursor.overflow == Overflow::Block);
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
    pub(crate) fn append(&mut self, chunk: C, events: u32, bytes: u64, appended: Timestamp) -> Appended<C>
    where
        C: Clone,
    {
        let mut result =
            Appended { receipt: Receipt::known(Outcome::Stored), wake_writer: false, evicted: Vec::new() };
        let (at, early) = (self.end, self.write_bytes());
        if self.closed || self.sealed {
            result.receipt = Receipt::known(Outcome::Lost);
            return result;
        }
        if self.is_read_by_nobody() {
            self.end = at.after(events);
            return result;
        }
        if !self.make_room(bytes, &mut result.evicted) {
            result.receipt = Receipt::known(Outcome::Lost);
            return result;
        }
        self.end = at.after(events);
        match &mut self.disk {
            None => self.recent.mark_volatile(at.position),
            Some(disk) if disk.failure.is_some() => {
                self.recent.mark_volatile(at.position);
                result.receipt = Receipt::known(Outcome::Held);
            }
            Some(disk) => {
                let (settle, receipt) = Receipt::pending();
                let before = disk.queue.waiting_bytes();
                result.wake_writer = disk.queue.is_empty() || (before < early && before + bytes >= early);
                result.receipt = receipt;
                disk.queue.push(Pending { at, events, bytes, appended, chunk: chunk.clone(), settle });
            }
        }
        self.recent.push(Slot { at, events, bytes, appended, chunk });
        result
    }

    /// Pushes out what may be pushed out, if that makes enough room.
    fn make_room(&mut self, bytes: u64, evicted: &mut Vec<Slot<C>>) -> bool {
        if !self.disk_takes(bytes, self.max_bytes, self.recent_bytes) {
            return false;
        }
        if self.recent.bytes() + bytes <= self.recent_bytes {
            return true;
        }
        if self.pinned_recent_bytes() + bytes > self.recent_bytes {
            return false;
        }
        while self.recent.bytes() + bytes > self.recent_bytes
            && let Some(slot) = self.recent.pop_oldest()
        {
            evicted.push(slot);
        }
        true
    }

    /// Whether a chunk of this size fits once readers have caught up.
    pub(crate) fn may_take(&self, bytes: u64) -> bool {
        !self.closed && !self.sealed && bytes <= self.recent_bytes.min(self.max_bytes)
    }

    pub(crate) fn has_room(&self) -> bool {
        let (max, recent) = (self.max_bytes / 4 * 3, self.recent_bytes / 4 * 3);
        let recent_is_free = || self.recent.bytes() <= recent || self.pinned_recent_bytes() <= recent;
        self.closed || self.sealed || (self.disk_takes(0, max, recent) && recent_is_free())
    }

    /// The bytes in memory that cannot be pushed out: not on disk yet, or needed by a reader and nowhere else.
    fn pinned_recent_bytes(&self) -> u64 {
        let unwritten = self.disk.as_ref().and_then(|disk| disk.queue.first_unwritten());
        let needed = self.slowest_blocking().filter(|position| self.recent.has_volatile_from(*position));
        unwritten.into_iter().chain(needed).min().map_or(0, |first| self.recent.bytes_from(first))
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

/// Reading.
impl<C> State<C> {
    pub(crate) fn add_reader(&mut self, name: &str, overflow: Overflow) -> ReaderId {
        let mut begin = self.end;
        if let Some(disk) = &mut self.disk {
            let known = disk.cursors.absent.remove(name);
            if known.is_none() {
                disk.cursors.change = Change::Named;
            }
            begin = known.or(disk.cursors.unknown_begin).unwrap_or(begin);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.readers.insert(id, Cursor::new(name.to_owned(), overflow, begin));
        id
    }

    /// Removes a reader. On disk its cursor stays.
    pub(crate) fn remove_reader(&mut self, id: ReaderId) -> Vec<Slot<C>> {
        let Some(cursor) = self.readers.remove(&id) else { return Vec::new() };
        if let Some(disk) = &mut self.disk
            && !self.readers.values().any(|other| other.name == cursor.name)
        {
            let committed = cursor.committed();
            disk.cursors.absent.insert(cursor.name, committed);
        }
        self.release()
    }

    /// What a reader gets next. `ahead` is what it has read ahead.
    pub(crate) fn next(&mut self, id: ReaderId, ahead: &mut VecDeque<Slot<C>>) -> Next<C>
    where
        C: Clone,
    {
        loop {
            let Some(next) = self.readers.get(&id).map(|cursor| cursor.next) else { return Next::Wait };
            let slot = match self.locate(next.position) {
                Place::Recent(slot) => {
                    let slot = slot.clone();
                    ahead.clear();
                    slot
                }
                Place::Segment(segment) => match ahead.pop_front() {
                    Some(slot) if slot.at.position >= next.position => slot,
                    Some(_stale) => continue,
                    None => return Next::ReadAhead(segment, next.position),
                },
                Place::Gap(to) => {
                    self.skip(id, to);
                    continue;
                }
                Place::End => return Next::Wait,
            };
            if let Some(cursor) = self.readers.get_mut(&id) {
                cursor.read(&slot);
            }
            return Next::Entry(slot.into_entry());
        }
    }

    /// Goes on behind something that cannot be read.
    pub(crate) fn skip(&mut self, id: ReaderId, to: Mark) {
        if let Some(cursor) = self.readers.get_mut(&id).filter(|cursor| cursor.next.position < to.position) {
            cursor.skip_to(to);
        }
    }

    pub(crate) fn commit(&mut self, id: ReaderId, position: Position) -> Committed<C> {
        if let Some(cursor) = self.readers.get_mut(&id) {
            cursor.commit(position);
        }
        let mut wake_writer = false;
        if let Some(disk) = &mut self.disk {
            wake_writer = disk.cursors.change == Change::None;
            disk.cursors.change = disk.cursors.change.max(Change::Moved);
        }
        Committed { wake_writer, released: self.release() }
    }

    pub(crate) fn rewind(&mut self, id: ReaderId) {
        // The cursor is out of the map while the rest of the state answers its question.
        if let Some(mut cursor) = self.readers.remove(&id) {
            cursor.rewind(|position| self.is_kept(position));
            self.readers.insert(id, cursor);
        }
    }

    /// Takes out of memory what every reader has committed.
    fn release(&mut self) -> Vec<Slot<C>> {
        let slowest = self.slowest();
        let is_passed = |slot: &Slot<C>| slowest.is_none_or(|slowest| slot.at.position < slowest.position);
        let mut released = Vec::new();
        while self.recent.oldest().is_some_and(is_passed) {
            released.extend(self.recent.pop_oldest());
        }
        released
    }
}

/// Looking.
impl<C> State<C> {
    pub(crate) fn unread(&self, id: ReaderId) -> u64 {
        let next = self.readers.get(&id).map(|cursor| self.next_kept(cursor.next));
        next.map_or(0, |next| self.end.events.saturating_sub(next.events))
    }

    pub(crate) fn lag(&self, id: ReaderId, now: Timestamp) -> Lag {
        let Some(cursor) = self.readers.get(&id) else { return Lag::default() };
        let next = self.next_kept(cursor.next);
        let events = cursor.events_in_flight() + self.unread(id);
        let oldest =
            cursor.oldest_in_flight().map(|read| read.appended).or_else(|| self.appended_by(next.position));
        let bytes = self.bytes_from(self.next_kept(cursor.committed()).position);
        Lag { events, bytes, age: oldest.map(|oldest| now.since(oldest)).unwrap_or_default() }
    }

    pub(crate) fn discarded(&self, id: ReaderId) -> u64 {
        self.readers.get(&id).map_or(0, |cursor| {
            cursor.discarded + self.next_kept(cursor.next).events.saturating_sub(cursor.next.events)
        })
    }

    pub(crate) fn status(&self) -> Status {
        let slowest = self.slowest().map_or(self.end, |slowest| self.next_kept(slowest));
        Status {
            on_disk: self.disk.is_some(),
            events: self.end.events.saturating_sub(slowest.events),
            bytes: self.bytes_from(slowest.position),
            max_bytes: self.max_bytes,
            failure: self.disk.as_ref().and_then(|disk| disk.failure.clone()),
            damaged: self.disk.as_ref().map_or(0, Disk::damaged),
        }
    }

    /// The same place, or behind the gap that begins here.
    fn next_kept(&self, mark: Mark) -> Mark {
        match self.locate(mark.position) {
            Place::Gap(to) => to,
            Place::Recent(_) | Place::Segment(_) | Place::End => mark,
        }
    }

    /// The latest time that is known to be no later than when this chunk was appended.
    fn appended_by(&self, position: Position) -> Option<Timestamp> {
        match self.locate(position) {
            Place::Recent(slot) => Some(slot.appended),
            Place::Segment(segment) => Some(segment.appended),
            Place::Gap(_) | Place::End => None,
        }
    }

    fn bytes_from(&self, position: Position) -> u64 {
        match self.locate(position) {
            Place::Segment(_) => self
                .disk
                .as_ref()
                .map_or(0, |disk| disk.segments.bytes_from(position) + disk.queue.unwritten_bytes()),
            Place::Recent(_) | Place::Gap(_) | Place::End => self.recent.bytes_from(position),
        }
    }
}

/// What the writer does to the state.
impl<C> State<C> {
    /// Names and places of all readers, for the file. Until they change again they count as stored.
    pub(crate) fn take_cursors(&mut self) -> BTreeMap<String, Mark> {
        let Some(disk) = &mut self.disk else { return BTreeMap::new() };
        disk.cursors.change = Change::None;
        let mut all = disk.cursors.absent.clone();
        for cursor in self.readers.values() {
            let committed = cursor.committed();
            let earliest = all.entry(cursor.name.clone()).or_insert(committed);
            if committed.position < earliest.position {
                *earliest = committed;
            }
        }
        all
    }

    /// Takes the segments out of the books that nobody needs whose cursor is in `stored`, but not the `active` one.
    pub(crate) fn take_passed_segments(
        &mut self,
        stored: &BTreeMap<String, Mark>,
        active: Option<Position>,
    ) -> Vec<Position> {
        let slowest = stored.values().map(|mark| mark.position).min();
        match &mut self.disk {
            // Before the first reader comes back it is not known what they need.
            Some(disk) if slowest.is_none() && disk.cursors.unknown_begin.is_some() => Vec::new(),
            Some(disk) => disk.segments.take_passed(slowest, active),
            None => Vec::new(),
        }
    }

    /// Takes the oldest segments out of the books so that `bytes` more can be written.
    pub(crate) fn take_excess_segments(&mut self, bytes: u64, active: Position) -> Vec<Position> {
        let (blocking, max_bytes) = (self.slowest_blocking(), self.max_bytes);
        self.disk
            .as_mut()
            .map_or_else(Vec::new, |disk| disk.segments.take_excess(bytes, max_bytes, blocking, active))
    }

    /// The disk failed: what waited for it stays in memory only.
    pub(crate) fn hold(&mut self, reason: String) -> Vec<Pending<C>> {
        let Some(disk) = &mut self.disk else { return Vec::new() };
        if disk.queue.first_unwritten().is_some()
            && let Some(newest) = self.end.position.0.checked_sub(1)
        {
            self.recent.mark_volatile(Position(newest));
        }
        disk.failure = Some(reason);
        let held = disk.queue.take_all();
        disk.queue.finish();
        held
    }
}
