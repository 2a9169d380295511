//! The chunks that are still in memory: a contiguous run that ends with the newest.

use std::collections::VecDeque;

use senseops_core::Timestamp;

use crate::journal::{Entry, Mark, Position};

/// A chunk in memory.
#[derive(Clone)]
pub(crate) struct Slot<C> {
    pub at: Mark,
    pub events: u32,
    pub bytes: u64,
    pub appended: Timestamp,
    pub chunk: C,
}

/// The recent chunks, oldest first.
pub(crate) struct Recent<C> {
    slots: VecDeque<Kept<C>>,
    bytes: u64,
    /// Bytes of every slot there ever was.
    bytes_ever: u64,
}

struct Kept<C> {
    slot: Slot<C>,
    /// Bytes of every slot before this one.
    bytes_before: u64,
}

impl<C> Slot<C> {
    /// Where the next chunk is.
    pub(crate) fn end(&self) -> Mark {
        self.at.after(self.events)
    }

    pub(crate) fn into_entry(self) -> Entry<C> {
        Entry {
            chunk: self.chunk,
            events: self.events,
            bytes: self.bytes,
            position: self.at.position,
            appended: self.appended,
        }
    }
}

impl<C> Recent<C> {
    pub(crate) fn new() -> Self {
        Self { slots: VecDeque::new(), bytes: 0, bytes_ever: 0 }
    }

    /// Adds the newest chunk.
    pub(crate) fn push(&mut self, slot: Slot<C>) {
        let bytes_before = self.bytes_ever;
        self.bytes += slot.bytes;
        self.bytes_ever += slot.bytes;
        self.slots.push_back(Kept { slot, bytes_before });
    }

    pub(crate) fn oldest(&self) -> Option<&Slot<C>> {
        self.slots.front().map(|kept| &kept.slot)
    }

    pub(crate) fn get(&self, position: Position) -> Option<&Slot<C>> {
        self.kept(position).map(|kept| &kept.slot)
    }

    pub(crate) fn pop_oldest(&mut self) -> Option<Slot<C>> {
        let slot = self.slots.pop_front()?.slot;
        self.bytes -= slot.bytes;
        Some(slot)
    }

    /// The bytes of all chunks.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes of the chunks from this position on.
    pub(crate) fn bytes_from(&self, position: Position) -> u64 {
        match self.oldest() {
            Some(oldest) if position <= oldest.at.position => self.bytes,
            Some(_) | None => self.kept(position).map_or(0, |kept| self.bytes_ever - kept.bytes_before),
        }
    }

    /// The chunks from this position on.
    pub(crate) fn iter_from(&self, position: Position) -> impl Iterator<Item = &Slot<C>> {
        let passed = self.slots.partition_point(|kept| kept.slot.at.position < position);
        self.slots.range(passed..).map(|kept| &kept.slot)
    }

    fn kept(&self, position: Position) -> Option<&Kept<C>> {
        let oldest = self.oldest()?.at.position;
        let index = usize::try_from(position.0.checked_sub(oldest.0)?).ok()?;
        self.slots.get(index)
    }
}
