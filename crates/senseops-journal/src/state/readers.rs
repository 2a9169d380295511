//! Readers come, read, commit and go.

use std::collections::VecDeque;

use super::{Place, State};
use crate::cursor::{Cursor, Overflow};
use crate::disk::Change;
use crate::journal::{Entry, ForgetError, Mark, Position};
use crate::recent::Slot;
use crate::segment::Segment;

/// Which reader; two may have one name while one takes over from the other.
pub(crate) type ReaderId = u64;

/// What committing led to.
pub(crate) struct Committed<C> {
    pub wake_writer: bool,
    /// Whether nobody needs to wait for room.
    pub has_room: bool,
    /// What nobody needs any more.
    pub released: Vec<Slot<C>>,
}

/// What a reader does next.
pub(crate) enum Next<C> {
    /// Take this from memory. What was read ahead is of no use any more.
    Recent(Entry<C>),
    /// Take this of what was read ahead.
    Ahead(Entry<C>),
    /// Read ahead in this segment from this position on.
    ReadAhead(Segment, Position),
    Wait,
}

impl<C> State<C> {
    pub(crate) fn add_reader(&mut self, name: &str, overflow: Overflow) -> ReaderId {
        let known = self.absent.remove(name).or_else(|| self.taken_over(name));
        let mut cursor = known.unwrap_or_else(|| {
            let mut begin = self.end;
            if let Some(disk) = &mut self.disk {
                disk.cursors.change = Change::Named;
                begin = disk.cursors.unknown_begin.unwrap_or(begin);
            }
            Cursor::new(name.to_owned(), overflow, begin)
        });
        (cursor.overflow, cursor.is_expected_back) = (overflow, false);
        let id = self.next_id;
        self.next_id += 1;
        self.readers.insert(id, cursor);
        id
    }

    /// Where a reader begins when another of its name is still there.
    fn taken_over(&self, name: &str) -> Option<Cursor> {
        let attached = self.readers.values().filter(|other| other.name == name);
        let mut cursor = attached.min_by_key(|other| other.committed().position)?.clone();
        cursor.rewind(|position| self.is_kept(position));
        Some(cursor)
    }

    pub(crate) fn expect_back(&mut self, name: &str) {
        for cursor in self.readers.values_mut().filter(|cursor| cursor.name == name) {
            cursor.is_expected_back = true;
        }
    }

    /// Removes a reader and keeps its place, unless another of its name is there.
    pub(crate) fn remove_reader(&mut self, id: ReaderId) -> Vec<Slot<C>> {
        self.rewind(id);
        let Some(mut cursor) = self.readers.remove(&id) else { return Vec::new() };
        if !self.readers.values().any(|other| other.name == cursor.name) {
            if !cursor.is_expected_back {
                cursor.overflow = Overflow::DropOldest;
            }
            self.absent.insert(cursor.name.clone(), cursor);
        }
        self.release()
    }

    pub(crate) fn forget(&mut self, name: &str) -> Result<Vec<Slot<C>>, ForgetError> {
        if self.readers.values().any(|reader| reader.name == name) {
            return Err(ForgetError::Attached { name: name.to_owned() });
        }
        self.absent.remove(name).ok_or_else(|| ForgetError::Unknown { name: name.to_owned() })?;
        if let Some(disk) = &mut self.disk {
            disk.cursors.change = Change::Named;
        }
        Ok(self.release())
    }

    /// What a reader gets next. `ahead` is what it has read ahead.
    pub(crate) fn next(&mut self, id: ReaderId, ahead: &mut VecDeque<Slot<C>>) -> Next<C>
    where
        C: Clone,
    {
        loop {
            let Some(next) = self.readers.get(&id).map(|cursor| cursor.next) else { return Next::Wait };
            let (slot, is_recent) = match self.locate(next.position) {
                Place::Recent(slot) => (slot.clone(), true),
                Place::Segment(segment) => match ahead.pop_front() {
                    Some(slot) if slot.at.position >= next.position => (slot, false),
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
            let entry = slot.into_entry();
            return if is_recent { Next::Recent(entry) } else { Next::Ahead(entry) };
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
        let released = self.release();
        Committed { wake_writer, has_room: self.has_room(), released }
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
