//! What there is to see of a journal.

use senseops_core::Timestamp;

use super::{Books, Place, ReaderId};
use crate::cursor::Cursor;
use crate::disk::Disk;
use crate::position::{Mark, Position};
use crate::status::{Lag, ReaderStatus, Status};

impl<C> Books<C> {
    pub(crate) fn unread(&self, id: ReaderId) -> u64 {
        self.readers.get(&id).map_or(0, |cursor| self.unread_by(cursor))
    }

    pub(crate) fn lag(&self, id: ReaderId, now: Timestamp) -> Lag {
        self.readers.get(&id).map(|cursor| self.lag_of(cursor, now)).unwrap_or_default()
    }

    pub(crate) fn discarded(&self, id: ReaderId) -> u64 {
        self.readers.get(&id).map_or(0, |cursor| self.discarded_by(cursor))
    }

    pub(crate) fn status(&self, now: Timestamp) -> Status {
        let slowest = self.slowest().map_or(self.end, |slowest| self.next_kept(slowest));
        let readers = self.reader_statuses(now);
        let durable = self.disk.as_ref().and_then(Disk::first_unstored).unwrap_or(self.end);
        let disk = self.disk.as_ref();
        Status {
            on_disk: disk.is_some(),
            appended_events: self.end.events,
            durable_events: durable.events,
            events: self.end.events.saturating_sub(slowest.events),
            bytes: self.bytes_from(slowest.position),
            max_bytes: self.max_bytes,
            oldest_age: readers.iter().map(|reader| reader.lag.age).max().unwrap_or_default(),
            readers,
            segments: disk.map_or(0, |disk| disk.segments.count()),
            disk_bytes: disk.map_or(0, |disk| disk.segments.bytes()),
            writer_busy: disk.and_then(|disk| disk.busy_since).map(|since| now.since(since)),
            failure: disk.and_then(|disk| disk.failure.clone()),
            unreadable: self.readers.values().find_map(|cursor| cursor.unreadable.clone()),
            damaged: disk.map_or(0, Disk::damaged),
            quarantined: disk.map_or(0, |disk| disk.quarantined),
        }
    }

    fn reader_statuses(&self, now: Timestamp) -> Vec<ReaderStatus> {
        let attached = self.readers.values().map(|cursor| (cursor, true));
        let absent = self.absent.values().map(|absent| (&absent.cursor, absent.cursor.is_expected_back));
        let mut readers: Vec<_> = attached
            .chain(absent)
            .map(|(cursor, attached)| ReaderStatus {
                name: cursor.name.clone(),
                attached,
                overflow: cursor.overflow,
                lag: self.lag_of(cursor, now),
                discarded: self.discarded_by(cursor),
            })
            .collect();
        readers.sort_by(|one, other| one.name.cmp(&other.name));
        readers
    }

    fn unread_by(&self, cursor: &Cursor) -> u64 {
        self.end.events.saturating_sub(self.next_kept(cursor.next).events)
    }

    fn lag_of(&self, cursor: &Cursor, now: Timestamp) -> Lag {
        let next = self.next_kept(cursor.next);
        let events = cursor.events_in_flight() + self.unread_by(cursor);
        let oldest = match cursor.oldest_in_flight() {
            Some(read) => Some(read.appended),
            None if next != cursor.next => self.appended_by(next.position),
            None => cursor.next_appended.or_else(|| self.appended_by(next.position)),
        };
        let bytes = self.bytes_from(self.next_kept(cursor.committed()).position);
        Lag { events, bytes, age: oldest.map(|oldest| now.since(oldest)).unwrap_or_default() }
    }

    fn discarded_by(&self, cursor: &Cursor) -> u64 {
        cursor.discarded + self.next_kept(cursor.next).events.saturating_sub(cursor.next.events)
    }

    /// The same place, or behind the gap that begins here.
    fn next_kept(&self, mark: Mark) -> Mark {
        match self.locate(mark.position) {
            Place::Gap(to) => to,
            Place::Recent(_) | Place::Block(_) | Place::Segment(_) | Place::End => mark,
        }
    }

    /// The latest time that is known to be no later than when this chunk was appended.
    fn appended_by(&self, position: Position) -> Option<Timestamp> {
        match self.locate(position) {
            Place::Recent(slot) => Some(slot.appended),
            Place::Block(block) => Some(block.oldest),
            Place::Segment(segment) => Some(segment.oldest),
            Place::Gap(_) | Place::End => None,
        }
    }

    fn bytes_from(&self, position: Position) -> u64 {
        match self.locate(position) {
            Place::Segment(_) => self
                .disk
                .as_ref()
                .map_or(0, |disk| disk.segments.bytes_from(position) + disk.unstored_bytes(&self.recent)),
            Place::Recent(_) | Place::Block(_) | Place::Gap(_) | Place::End => {
                self.recent.bytes_from(position)
            }
        }
    }
}
