//! A backlog in memory is packed: the oldest of it becomes blocks.

use super::State;
use crate::block::Block;
use crate::recent::Slot;

/// So much of what is in memory stays as it was appended, which is what readers that keep up read: a quarter of a second
/// at a hundred thousand events a second.
const UNPACKED_BYTES: u64 = 16 * 1024 * 1024;
/// As much as becomes one block, generously.
const CANDIDATES_BYTES: u64 = 1024 * 1024;

impl<C> State<C> {
    fn unpacked_bytes(&self) -> u64 {
        UNPACKED_BYTES.min(self.max_bytes / 4)
    }

    /// Whether what is in memory should be packed. What is on disk as well has its own limit.
    pub(crate) fn is_packing_due(&self) -> bool {
        let is_in_memory_only = self.disk.as_ref().is_none_or(|disk| disk.failure.is_some());
        self.packs && is_in_memory_only && self.recent.unpacked_bytes() > self.unpacked_bytes()
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
        self.recent.slots_from(Default::default()).take_while(fits).cloned().collect()
    }

    /// What these chunks take is taken by the block from now on. Gives what is not needed any more.
    pub(crate) fn packed(&mut self, block: Block) -> (Vec<Slot<C>>, Option<Block>) {
        self.recent.pack(block)
    }
}
