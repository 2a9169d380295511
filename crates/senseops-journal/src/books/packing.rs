//! A backlog in memory is packed: the oldest of it becomes blocks.

use super::{Books, Packing};
use crate::block::Block;
use crate::position::Position;
use crate::slot::Slot;

/// So much may wait for the slowest reader as it was appended. What readers have taken already does not wait, so one that
/// keeps up never has to unpack anything.
const UNPACKED_BYTES: u64 = 8 * 1024 * 1024;
/// As much as becomes one block, generously.
const CANDIDATES_BYTES: u64 = 1024 * 1024;

impl<C> Books<C> {
    /// Whether what is in memory should be packed. What is on disk as well has its own limit.
    pub(crate) fn is_packing_due(&self) -> bool {
        let is_in_memory_only = self.disk.as_ref().is_none_or(|disk| disk.failure.is_some());
        self.packing != Packing::Never
            && is_in_memory_only
            && self.waiting_unpacked() > UNPACKED_BYTES.min(self.max_bytes / 4)
    }

    fn waiting_unpacked(&self) -> u64 {
        let absent = self.absent.values().map(|absent| absent.cursor.committed());
        let places = self.readers.values().map(|cursor| cursor.next).chain(absent);
        let slowest = places.map(|mark| mark.position).min();
        slowest.map_or(0, |position| self.recent.unpacked_bytes_from(position))
    }

    /// Whether the keeper has to be told that there is something to pack. It is told once.
    pub(crate) fn must_tell_keeper(&mut self) -> bool {
        let tells = self.packing == Packing::WhenTold && self.is_packing_due();
        if tells {
            self.packing = Packing::Told;
        }
        tells
    }

    /// The keeper has seen that there is nothing to pack.
    pub(crate) fn keeper_waits(&mut self) {
        if self.packing == Packing::Told {
            self.packing = Packing::WhenTold;
        }
    }

    /// The oldest chunks that are not packed.
    pub(crate) fn candidates(&self) -> Vec<Slot<C>>
    where
        C: Clone,
    {
        let mut bytes = 0;
        let fits = |slot: &&Slot<C>| {
            let is_room = bytes < CANDIDATES_BYTES;
            bytes += slot.bytes;
            is_room
        };
        self.recent.slots_from(Position::default()).take_while(fits).cloned().collect()
    }

    /// What these chunks take is taken by the block from now on. Gives what is not needed any more.
    pub(crate) fn packed(&mut self, block: Block) -> (Vec<Slot<C>>, Option<Block>) {
        self.recent.pack(block)
    }
}
