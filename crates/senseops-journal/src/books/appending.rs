//! A chunk comes in.

use senseops_core::{Outcome, Receipt, Timestamp};

use super::Books;
use crate::disk::Pending;
use crate::recent::Removed;
use crate::slot::Slot;

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

impl<C> Books<C> {
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
}
