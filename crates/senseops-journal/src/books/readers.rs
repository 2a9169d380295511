//! Readers come, read, commit and go.

use std::collections::VecDeque;
use std::time::Duration;

use senseops_core::Timestamp;
use senseops_core::host::{Overflow, Settle};
use thiserror::Error;

use super::{Absent, Books, Place, ReaderId};
use crate::block::Block;
use crate::cursor::Cursor;
use crate::disk::Change;
use crate::position::{Mark, Position};
use crate::recent::Removed;
use crate::segment::Segment;
use crate::slot::{Entry, Slot};

/// How long a journal in memory keeps the place of a reader that is gone. A configuration that was repaired by then
/// costs nothing; a sink that was removed for good does not take memory for ever.
const ABSENT_IN_MEMORY: Duration = Duration::from_mins(10);

/// What committing led to.
pub(crate) struct Committed<C> {
    pub wake_writer: bool,
    /// Whether nobody needs to wait for room.
    pub has_room: bool,
    /// What nobody needs any more.
    pub released: Vec<Removed<C>>,
    /// Chunks that need not be written any more, since everybody has them.
    pub passed: Vec<Settle>,
}

/// What a reader does next.
pub(crate) enum Next<C> {
    /// Take this from memory. What was read ahead is of no use any more.
    Recent(Entry<C>),
    /// Take this of what was read ahead.
    Ahead(Entry<C>),
    /// Read ahead here from this position on.
    ReadAhead(Ahead, Position),
    Wait,
}

/// Where a reader reads ahead.
#[derive(Clone)]
pub(crate) enum Ahead {
    Segment(Segment),
    Block(Block),
}

/// The place of a reader cannot be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ForgetError {
    /// No reader of this name has a place.
    #[error("the journal has no cursor named {name}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The reader is still there.
    #[error("{name} is reading the journal")]
    Attached {
        /// The name.
        name: String,
    },
}

impl Ahead {
    /// After the last chunk that is there.
    pub(crate) fn end(&self) -> Mark {
        match self {
            Self::Segment(segment) => segment.end,
            Self::Block(block) => block.end,
        }
    }
}

impl<C> Books<C> {
    /// Tells a reader when it has so many events to read, or there is no room left. False if that is so already.
    pub(crate) fn expect_plenty(&mut self, id: ReaderId, events: u64) -> bool {
        // One that was taken over from gets nothing more.
        let Some(cursor) = self.readers.get(&id) else { return true };
        let at = cursor.next.events.saturating_add(events);
        if at <= self.end.events || !self.has_room() {
            return false;
        }
        self.plenty_at = Some(self.plenty_at.map_or(at, |other| other.min(at)));
        true
    }

    /// Whether a reader that waits for much is to be told. Then all of them are, and say again what they wait for.
    pub(super) fn is_plenty(&mut self) -> bool {
        let is_plenty = self.plenty_at.is_some_and(|at| at <= self.end.events || !self.has_room());
        if is_plenty {
            self.plenty_at = None;
        }
        is_plenty
    }

    pub(crate) fn add_reader(&mut self, name: &str, overflow: Overflow) -> ReaderId {
        let known = self.absent.remove(name).map(|absent| absent.cursor).or_else(|| self.take_over(name));
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

    /// The cursor of a reader that another of its name takes over from. The one before gets nothing more, and holds
    /// nobody up if it never ends.
    fn take_over(&mut self, name: &str) -> Option<Cursor> {
        let of_name = self.readers.iter().find(|(_, other)| other.name == name);
        let mut cursor = of_name.map(|(id, _)| *id).and_then(|id| self.readers.remove(&id))?;
        cursor.rewind(|position| self.is_kept(position));
        Some(cursor)
    }

    pub(crate) fn expect_back(&mut self, name: &str) {
        for cursor in self.readers.values_mut().filter(|cursor| cursor.name == name) {
            cursor.is_expected_back = true;
        }
    }

    /// Removes a reader and keeps its place, in memory for a while only.
    pub(crate) fn remove_reader(&mut self, id: ReaderId, now: Timestamp) -> Vec<Removed<C>> {
        self.rewind(id);
        let Some(mut cursor) = self.readers.remove(&id) else { return Vec::new() };
        let mut until = None;
        if !cursor.is_expected_back {
            cursor.overflow = Overflow::DropOldest;
            until = self.disk.is_none().then(|| now.saturating_add(ABSENT_IN_MEMORY));
        }
        self.absent.insert(cursor.name.clone(), Absent { cursor, until });
        self.release()
    }

    pub(crate) fn forget(&mut self, name: &str) -> Result<Vec<Removed<C>>, ForgetError> {
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
    pub(crate) fn next(&mut self, id: ReaderId, ahead: &mut VecDeque<Slot<Option<C>>>) -> Next<C>
    where
        C: Clone,
    {
        loop {
            let Some(next) = self.readers.get(&id).map(|cursor| cursor.next) else { return Next::Wait };
            let here = match self.locate(next.position) {
                Place::Recent(slot) => {
                    let slot = slot.clone();
                    self.read(id, &slot);
                    return Next::Recent(slot.into_entry());
                }
                Place::Block(block) => Ahead::Block(block.clone()),
                Place::Segment(segment) => Ahead::Segment(segment),
                Place::Gap(to) => {
                    self.skip(id, to);
                    continue;
                }
                Place::End => return Next::Wait,
            };
            match ahead.pop_front() {
                Some(slot) if slot.at.position < next.position => {}
                Some(slot) => match slot.take() {
                    Ok(slot) => {
                        self.read(id, &slot);
                        return Next::Ahead(slot.into_entry());
                    }
                    Err(unwanted) => self.pass(id, &unwanted),
                },
                None => return Next::ReadAhead(here, next.position),
            }
        }
    }

    fn read(&mut self, id: ReaderId, slot: &Slot<C>) {
        if let Some(cursor) = self.readers.get_mut(&id) {
            cursor.read(slot);
            cursor.unreadable = None;
        }
    }

    fn pass(&mut self, id: ReaderId, slot: &Slot<()>) {
        if let Some(cursor) = self.readers.get_mut(&id) {
            cursor.pass(slot);
            cursor.unreadable = None;
        }
        self.has_passed = true;
    }

    /// What follows from what readers have passed since this was asked, if they have passed anything.
    pub(crate) fn take_passed(&mut self) -> Option<Committed<C>> {
        std::mem::take(&mut self.has_passed).then(|| self.moved())
    }

    /// What stands in the way of a reader. Whether that is news.
    pub(crate) fn note_unreadable(&mut self, id: ReaderId, reason: String) -> bool {
        let before = self.readers.get_mut(&id).and_then(|cursor| cursor.unreadable.replace(reason));
        before.is_none()
    }

    /// Goes on behind something that cannot be read.
    pub(crate) fn skip(&mut self, id: ReaderId, to: Mark) {
        if let Some(cursor) = self.readers.get_mut(&id).filter(|cursor| cursor.next.position < to.position) {
            cursor.skip_to(to);
            cursor.unreadable = None;
        }
    }

    pub(crate) fn commit(&mut self, id: ReaderId, position: Position) -> Committed<C> {
        if let Some(cursor) = self.readers.get_mut(&id) {
            cursor.commit(position);
        }
        self.moved()
    }

    /// What follows when a cursor has moved.
    fn moved(&mut self) -> Committed<C> {
        let wake_writer = self.note_change(Change::Moved);
        let (released, passed) = (self.release(), self.take_passed_from_queue());
        Committed { wake_writer, has_room: self.has_room(), released, passed }
    }

    /// Notes that what is stored of the cursors is not what is true. Whether it was until now.
    fn note_change(&mut self, change: Change) -> bool {
        let Some(disk) = &mut self.disk else { return false };
        let was_stored = disk.cursors.change == Change::None;
        disk.cursors.change = disk.cursors.change.max(change);
        was_stored
    }

    /// When the disk cannot keep up, what every reader has committed need not be written.
    fn take_passed_from_queue(&mut self) -> Vec<Settle> {
        let (slowest, much) = (self.slowest(), self.recent_bytes() / 2);
        let Some(disk) = self.disk.as_mut().filter(|disk| disk.queue.waiting_bytes() > much) else {
            return Vec::new();
        };
        let passed = disk.queue.take_passed(slowest.map(|slowest| slowest.position));
        if !passed.is_empty() {
            // Before anything behind them is written; otherwise they would count as missed after a crash.
            disk.cursors.change = Change::Named;
        }
        passed
    }

    pub(crate) fn rewind(&mut self, id: ReaderId) {
        // The cursor is out of the map while the books answer its question.
        if let Some(mut cursor) = self.readers.remove(&id) {
            cursor.rewind(|position| self.is_kept(position));
            self.readers.insert(id, cursor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_memory_the_place_of_a_reader_that_is_gone_is_kept_for_a_while() {
        let mut books = Books::in_memory(1000);
        let begin = Timestamp::from_nanos(0);
        let id = books.add_reader("r", Overflow::Block);
        books.append((), 1, 100, begin).receipt.ignore();
        books.remove_reader(id, begin);
        let later = begin.saturating_add(ABSENT_IN_MEMORY);
        assert_eq!(books.expire_recent(later.saturating_sub(Duration::from_nanos(1))).len(), 0);
        assert_eq!(books.status(begin).events, 1);
        assert_eq!(books.expire_recent(later).len(), 1, "what only it needed takes no memory any more");
        assert_eq!(books.status(later).readers, []);

        let id = books.add_reader("r", Overflow::Block);
        books.append((), 1, 100, later).receipt.ignore();
        books.expect_back("r");
        books.remove_reader(id, later);
        assert_eq!(books.expire_recent(later.saturating_add(2 * ABSENT_IN_MEMORY)).len(), 0);
    }
}
