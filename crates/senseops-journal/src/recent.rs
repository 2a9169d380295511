//! The chunks that are still in memory: a contiguous run that ends with the newest. The oldest may be packed.

use std::collections::VecDeque;

use senseops_core::Timestamp;

use crate::block::Block;
use crate::position::{Mark, Position};
use crate::slot::Slot;

/// The recent chunks, oldest first: blocks, and behind them those that are as they were appended.
pub(crate) struct Recent<C> {
    blocks: Run<Block>,
    slots: Run<Slot<C>>,
}

/// What was taken out of memory, to be dropped where nobody waits for it.
#[expect(dead_code, reason = "nobody looks at it, but somebody drops it")]
pub(crate) enum Removed<C> {
    Slot(Slot<C>),
    Block(Block),
}

/// Where a position leads in memory.
pub(crate) enum Found<'a, C> {
    Slot(&'a Slot<C>),
    /// It is in this block, if anywhere.
    Block(&'a Block),
}

/// Things that follow each other, with the bytes of any that are left.
struct Run<T> {
    list: VecDeque<Kept<T>>,
    /// Bytes of everything there ever was.
    bytes_ever: u64,
}

struct Kept<T> {
    thing: T,
    /// Bytes of everything before it.
    bytes_before: u64,
}

impl<C> Recent<C> {
    pub(crate) fn new() -> Self {
        Self { blocks: Run::new(), slots: Run::new() }
    }

    /// Adds the newest chunk.
    pub(crate) fn push(&mut self, slot: Slot<C>) {
        let bytes = slot.bytes;
        self.slots.push(slot, bytes);
    }

    /// Puts a block in the place of the oldest slots, which must be what it was made of. If some of them are gone it
    /// comes back.
    pub(crate) fn pack(&mut self, block: Block) -> (Vec<Slot<C>>, Option<Block>) {
        let is_current = self.slots.front().is_some_and(|slot| slot.at == block.first);
        if !is_current {
            return (Vec::new(), Some(block));
        }
        let mut packed = Vec::new();
        while self.slots.front().is_some_and(|slot| slot.at.position < block.end.position) {
            packed.extend(self.slots.pop_front());
        }
        let bytes = block.bytes();
        self.blocks.push(block, bytes);
        (packed, None)
    }

    /// Where the oldest chunk is.
    pub(crate) fn begin(&self) -> Option<Mark> {
        let block = self.blocks.front().map(|block| block.first);
        block.or_else(|| Some(self.slots.front()?.at))
    }

    pub(crate) fn find(&self, position: Position) -> Option<Found<'_, C>> {
        let slot = self.slot(position).map(|kept| Found::Slot(&kept.thing));
        slot.or_else(|| self.block(position).map(|kept| Found::Block(&kept.thing)))
    }

    /// Takes the oldest out if this says so, which gets the end of it and when the newest of it was appended.
    pub(crate) fn pop_oldest_if(&mut self, is_free: impl Fn(Mark, Timestamp) -> bool) -> Option<Removed<C>> {
        if let Some(block) = self.blocks.front() {
            return is_free(block.end, block.newest).then(|| self.blocks.pop_front())?.map(Removed::Block);
        }
        let oldest = self.slots.front()?;
        is_free(oldest.end(), oldest.appended).then(|| self.slots.pop_front())?.map(Removed::Slot)
    }

    /// The bytes of all that is here.
    pub(crate) fn bytes(&self) -> u64 {
        self.blocks.bytes() + self.slots.bytes()
    }

    /// The bytes of the chunks from this position on that are not packed.
    pub(crate) fn unpacked_bytes_from(&self, position: Position) -> u64 {
        let is_before = self.slots.front().is_some_and(|oldest| position <= oldest.at.position);
        if is_before {
            self.slots.bytes()
        } else {
            self.slot(position).map_or(0, |slot| self.slots.bytes_ever - slot.bytes_before)
        }
    }

    /// The bytes of the chunks from this position on.
    pub(crate) fn bytes_from(&self, position: Position) -> u64 {
        if self.begin().is_some_and(|begin| position <= begin.position) {
            return self.bytes();
        }
        match (self.slot(position), self.block(position)) {
            (Some(slot), _) => self.slots.bytes_ever - slot.bytes_before,
            (None, Some(block)) => self.blocks.bytes_ever - block.bytes_before + self.slots.bytes(),
            (None, None) => 0,
        }
    }

    /// The blocks that have something from this position on.
    pub(crate) fn blocks_from(&self, position: Position) -> impl Iterator<Item = &Block> {
        self.blocks.list.range(self.passed_blocks(position)..).map(|kept| &kept.thing)
    }

    /// The unpacked chunks from this position on.
    pub(crate) fn slots_from(&self, position: Position) -> impl Iterator<Item = &Slot<C>> {
        let passed = self.slots.list.partition_point(|kept| kept.thing.at.position < position);
        self.slots.list.range(passed..).map(|kept| &kept.thing)
    }

    fn slot(&self, position: Position) -> Option<&Kept<Slot<C>>> {
        let oldest = self.slots.front()?.at.position;
        let index = usize::try_from(position.0.checked_sub(oldest.0)?).ok()?;
        self.slots.list.get(index)
    }

    fn block(&self, position: Position) -> Option<&Kept<Block>> {
        let next = self.blocks.list.get(self.passed_blocks(position))?;
        (next.thing.first.position <= position).then_some(next)
    }

    /// How many blocks have nothing from this position on.
    fn passed_blocks(&self, position: Position) -> usize {
        self.blocks.list.partition_point(|kept| kept.thing.end.position <= position)
    }
}

impl<T> Run<T> {
    fn new() -> Self {
        Self { list: VecDeque::new(), bytes_ever: 0 }
    }

    fn push(&mut self, thing: T, bytes: u64) {
        self.list.push_back(Kept { thing, bytes_before: self.bytes_ever });
        self.bytes_ever += bytes;
    }

    fn front(&self) -> Option<&T> {
        self.list.front().map(|kept| &kept.thing)
    }

    fn pop_front(&mut self) -> Option<T> {
        self.list.pop_front().map(|kept| kept.thing)
    }

    fn bytes(&self) -> u64 {
        self.list.front().map_or(0, |kept| self.bytes_ever - kept.bytes_before)
    }
}
