//! A chunk with what is known of it: as the journal handles it, and as a reader gets it.

use senseops_core::Timestamp;

use crate::position::{Mark, Position};

/// A chunk in memory.
#[derive(Clone)]
pub(crate) struct Slot<C> {
    pub at: Mark,
    pub events: u32,
    pub bytes: u64,
    pub appended: Timestamp,
    pub chunk: C,
}

/// A chunk as a reader gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<C> {
    /// What was appended.
    pub chunk: C,
    /// How many events are in it.
    pub events: u32,
    /// An estimate of the memory that it takes.
    pub bytes: u64,
    /// Where it is in the journal.
    pub position: Position,
    /// When it was appended.
    pub appended: Timestamp,
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

    /// The same place with another chunk.
    fn with<D>(&self, chunk: D) -> Slot<D> {
        let Self { at, events, bytes, appended, chunk: _ } = *self;
        Slot { at, events, bytes, appended, chunk }
    }
}

impl<C> Slot<Option<C>> {
    /// The place with its chunk, or alone if there is none.
    pub(crate) fn take(mut self) -> Result<Slot<C>, Slot<()>> {
        match self.chunk.take() {
            Some(chunk) => Ok(self.with(chunk)),
            None => Err(self.with(())),
        }
    }
}
