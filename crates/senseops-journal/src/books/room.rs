//! What may leave memory, what has to stay, and whether there is room for more.
//!
//! Memory keeps what is *pinned*. When nothing else is left that it could push out, new chunks are refused.
//!
//! ```text
//!                  oldest                                                       newest
//! on disk          segments only │ segments and memory │ being written │ queued
//!                                                      ├─────── pinned ─────────────
//!
//! disk has failed  segments only │ segments and memory │ held: memory only
//!                                                      │  ▲ slowest blocking reader
//!                                                      │  ├──── pinned ─────────────
//!
//! never on disk    packed in blocks                    │ as they were appended
//!                         ▲ slowest blocking reader
//!                         ├───────────────────── pinned ────────────────────────────
//! ```
//!
//! | a chunk is | it is in | who may still need it | what moves it on |
//! |---|---|---|---|
//! | queued | memory and queue | readers, the writer, whoever waits for its receipt | The writer takes it, or every reader has committed it while the queue is long: then it is settled as stored and not written |
//! | being written | memory and the batch of the writer | the same | It is synced: stored. The disk fails, or does not answer in time: held |
//! | stored | a segment, and memory as long as it is recent | readers | Its room in memory is needed, or it is too old. Its segment goes when every stored cursor has passed it; at a limit if no blocking reader needs it |
//! | held | memory, packed if much waits | readers, and the writer once the disk works again | It is written then: stored, or queued if it is among the last. At a limit it is given up if no blocking reader needs it |
//! | never on disk | memory, packed if much waits | readers | At a limit it is given up if no blocking reader needs it |
//!
//! Without a blocking reader nothing is pinned but what is on its way to the disk. Whatever a chunk is, it leaves memory
//! once every reader has committed it; queue and writer have their own hold on what is to be written.

use senseops_core::Timestamp;

use super::Books;
use crate::position::{Mark, Position};
use crate::recent::{Found, Removed};

impl<C> Books<C> {
    /// Pushes out what may be pushed out, if that makes enough room.
    pub(super) fn make_room(&mut self, bytes: u64, evicted: &mut Vec<Removed<C>>) -> bool {
        if !self.disk_takes(bytes, self.max_bytes, self.recent_bytes()) {
            return false;
        }
        if self.recent.bytes() + bytes <= self.recent_bytes() {
            return true;
        }
        if self.pinned_recent_bytes() + bytes > self.recent_bytes() {
            return false;
        }
        self.note_times();
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
    pub(super) fn age_limit(&self, now: Timestamp) -> Option<Timestamp> {
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

    /// Remembers for those who read nothing when what they read next was appended, before memory lets go of it.
    fn note_times(&mut self) {
        let recent = &self.recent;
        let absent = self.absent.values_mut().map(|absent| &mut absent.cursor);
        let unnoted = self.readers.values_mut().chain(absent).filter(|cursor| cursor.next_appended.is_none());
        for cursor in unnoted {
            if let Some(Found::Slot(slot)) = recent.find(cursor.next.position) {
                cursor.next_appended = Some(slot.appended);
            }
        }
    }

    /// Takes out of memory what every reader has committed.
    pub(super) fn release(&mut self) -> Vec<Removed<C>> {
        let slowest = self.slowest();
        let is_passed = |end: Mark, _newest| slowest.is_none_or(|slowest| end.position <= slowest.position);
        let mut released = Vec::new();
        while let Some(oldest) = self.recent.pop_oldest_if(is_passed) {
            released.push(oldest);
        }
        released
    }
}
