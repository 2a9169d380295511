//! What the writer does to the books.

use std::collections::BTreeMap;
use std::time::Duration;

use senseops_core::Timestamp;
use senseops_core::host::Settle;

use super::{Books, RECENT_BYTES};
use crate::block::Block;
use crate::cursor::Cursor;
use crate::disk::{Change, Pending};
use crate::position::{Mark, Position};
use crate::segment::Segment;

/// How many packed blocks are written with one sync, about four mebibytes.
const BLOCKS_AT_ONCE: usize = 32;

/// What was held while the disk failed, and is to be written next.
pub(crate) enum Held<C> {
    Chunks(Vec<Pending<C>>),
    /// The chunks in these blocks from this position on.
    Packed(Vec<Block>, Position),
    /// Nothing more: the rest is queued.
    Nothing,
}

impl<C> Books<C> {
    /// Whether the writer should not wait for more.
    pub(crate) fn is_write_due(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| {
            (disk.is_urgent && !disk.queue.is_empty()) || disk.queue.waiting_bytes() >= self.write_bytes()
        })
    }

    /// Somebody waits for what is queued.
    pub(crate) fn hurry(&mut self) {
        if let Some(disk) = &mut self.disk {
            disk.is_urgent = true;
        }
    }

    /// How much is written at once.
    pub(crate) fn write_bytes(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.write_bytes).min(self.recent_bytes() / 2)
    }

    /// The writer begins a turn: what it writes first.
    pub(crate) fn begin_turn(&mut self, now: Timestamp) -> Vec<Pending<C>> {
        let bytes = self.write_bytes();
        let Some(disk) = &mut self.disk else { return Vec::new() };
        (disk.busy_since, disk.is_urgent) = (Some(now), false);
        disk.queue.take(bytes)
    }

    /// The writer ends a turn. Whether the disk counts as failed.
    pub(crate) fn end_turn(&mut self) -> bool {
        let Some(disk) = &mut self.disk else { return false };
        disk.busy_since = None;
        disk.failure.is_some()
    }

    /// What is in `written` is written and synced. Gives those who wait for that.
    pub(crate) fn wrote(&mut self, written: Segment) -> Vec<Settle> {
        let Some(disk) = &mut self.disk else { return Vec::new() };
        if let Some(held) = &mut disk.held_from {
            *held = held.max(written.end);
        }
        disk.segments.extend(written);
        disk.queue.finish()
    }

    /// The disk failed: what waited for it stays in memory only. Gives those who wait for it.
    pub(crate) fn hold(&mut self, reason: String) -> Vec<Settle> {
        let Some(disk) = &mut self.disk else { return Vec::new() };
        disk.held_from = disk.first_unstored();
        disk.failure = Some(reason);
        disk.queue.clear()
    }

    /// How long the writer has been busy with a disk that is not known to have failed.
    pub(crate) fn writer_busy(&self, now: Timestamp) -> Option<Duration> {
        let disk = self.disk.as_ref().filter(|disk| disk.failure.is_none())?;
        disk.busy_since.map(|since| now.since(since))
    }

    /// The disk works again: the next chunks that were held in the meantime. Once little is left it is queued, and from
    /// then on everything goes to the disk.
    pub(crate) fn take_held(&mut self, now: Timestamp) -> Held<C>
    where
        C: Clone,
    {
        let (write_bytes, little) = (self.write_bytes(), self.max_bytes.min(RECENT_BYTES) / 4);
        let Some(disk) = &mut self.disk else { return Held::Nothing };
        let from = disk.held_from.map_or(self.end.position, |held| held.position);
        let blocks: Vec<_> = self.recent.blocks_from(from).take(BLOCKS_AT_ONCE).cloned().collect();
        if !blocks.is_empty() {
            return Held::Packed(blocks, from);
        }
        let held = self.recent.slots_from(from).cloned().map(Pending::from);
        if self.recent.bytes_from(from) <= little {
            held.for_each(|pending| disk.queue.push(pending));
            (disk.failure, disk.held_from) = (None, None);
            // The turn goes on, and from here on it is one of a disk that works.
            disk.busy_since = Some(now);
            return Held::Nothing;
        }
        let mut sum = 0;
        let fits = |(index, pending): &(usize, Pending<C>)| {
            sum += pending.slot.bytes;
            *index == 0 || sum <= write_bytes
        };
        Held::Chunks(held.enumerate().take_while(fits).map(|(_, pending)| pending).collect())
    }

    /// What was held up to here cannot be written.
    pub(crate) fn give_up_held(&mut self, through: Mark) {
        if let Some(held) = self.disk.as_mut().and_then(|disk| disk.held_from.as_mut()) {
            *held = held.max(through);
        }
    }

    /// Names and places of all readers, for the file. Until they change again they count as stored.
    pub(crate) fn take_cursors(&mut self) -> BTreeMap<String, Mark> {
        if let Some(disk) = &mut self.disk {
            disk.cursors.change = Change::None;
        }
        let all: BTreeMap<_, _> =
            self.cursors().map(|cursor| (cursor.name.clone(), Cursor::committed(cursor))).collect();
        if let Some(disk) = self.disk.as_mut().filter(|_| !all.is_empty()) {
            disk.cursors.unknown_begin = None;
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

    /// Takes the segments out of the books in which everything is too old.
    pub(crate) fn take_expired_segments(&mut self, now: Timestamp) -> Vec<Position> {
        let (blocking, limit) = (self.slowest_blocking(), self.age_limit(now));
        let expired =
            limit.zip(self.disk.as_mut()).map(|(limit, disk)| disk.segments.take_expired(limit, blocking));
        expired.unwrap_or_default()
    }

    /// When the next segment is too old, unless a reader needs it.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        let max_age = self.max_age?;
        let oldest = self.disk.as_ref()?.segments.oldest()?;
        let is_free = self.slowest_blocking().is_none_or(|needed| oldest.end.position <= needed);
        is_free.then(|| oldest.newest.saturating_add(max_age).saturating_add(Duration::from_nanos(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Overflow;
    use crate::disk::{Disk, Segments, StoredCursors};

    const SECOND: i64 = 1_000_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * SECOND)
    }

    /// Three segments of ten chunks, one appended per second.
    fn three_segments() -> Books<()> {
        let mark = |position| Mark { position: Position(position), events: position };
        let mut segments = Segments::default();
        for (first, oldest) in [(0, 0), (10, 10), (20, 20)] {
            let (name, first, end) = (Position(first), mark(first), mark(first + 10));
            segments.push(Segment {
                name,
                first,
                end,
                oldest: at(oldest),
                newest: at(oldest + 9),
                bytes: 100,
            });
        }
        let places = BTreeMap::from([("r".to_owned(), mark(0))]);
        let disk = Disk::new(segments, StoredCursors::default(), 100);
        let mut books = Books::on_disk(1000, mark(30), &places, &BTreeMap::new(), disk);
        books.max_age = Some(Duration::from_secs(10));
        books
    }

    #[test]
    fn a_segment_is_given_up_when_everything_in_it_is_too_old() {
        let mut books = three_segments();
        assert_eq!(books.take_expired_segments(at(19)), []);
        assert_eq!(books.next_expiry().map(|expiry| expiry.since(at(19))), Some(Duration::from_nanos(1)));
        assert_eq!(books.take_expired_segments(at(20)), [Position(0)]);
        let id = books.add_reader("r", Overflow::DropOldest);
        assert_eq!((books.discarded(id), books.unread(id)), (10, 20));
        assert_eq!(books.take_expired_segments(at(40)), [Position(10), Position(20)]);
        assert_eq!((books.discarded(id), books.unread(id), books.next_expiry()), (30, 0, None));
    }

    #[test]
    fn what_a_blocking_reader_needs_does_not_expire_and_nobody_waits_for_it() {
        let mut books = three_segments();
        books.add_reader("r", Overflow::Block);
        assert_eq!((books.take_expired_segments(at(40)), books.next_expiry()), (Vec::new(), None));
    }
}
