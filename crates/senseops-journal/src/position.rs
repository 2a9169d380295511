//! Places in the journal.

use std::fmt;

/// The place of a chunk: 0 for the first that was ever appended, then one more for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub(crate) u64);

/// A place between chunks, as a position and as a number of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The chunk behind this place.
    pub position: Position,
    /// Events of all chunks before.
    pub events: u64,
}

impl Position {
    /// The position as a number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Mark {
    /// The place after a chunk that is here.
    pub(crate) fn after(self, events: u32) -> Self {
        Self {
            position: Position(self.position.0.saturating_add(1)),
            events: self.events.saturating_add(events.into()),
        }
    }

    /// The later of two places.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { position: self.position.max(other.position), events: self.events.max(other.events) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
