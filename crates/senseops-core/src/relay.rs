//! Relays: what makes events of events.

use thiserror::Error;

use crate::settings::Span;
use crate::{Accepts, Batch, BoxError, Event, Timestamp};

/// Makes events of events: counts per minute, alarms, users that are active now.
///
/// The engine reads the journal for it with a cursor of its own, and emits what it adds to `out` under its name. It never
/// sees its own events. A relay only computes; what has to wait for something else is a source or a sink.
///
/// What it remembers belongs into [`snapshot`](Self::snapshot): the engine stores it together with the place in the
/// journal, so that each event counts once through restarts. What it emitted since the last snapshot may be emitted again
/// after a crash; with [`Event::keyed`] that is the same event.
pub trait Relay: Send {
    /// Which events it wants to see. Asked once, after it was built.
    fn accepts(&self) -> Accepts;

    /// Looks at events, in the order in which they were emitted, and adds what follows from them.
    ///
    /// # Errors
    /// The engine rebuilds the relay and lets it go on at its last snapshot, with a delay that grows while it keeps
    /// failing. So do panics.
    fn observe(&mut self, batch: &Batch, out: &mut Vec<Event>) -> Result<(), RelayError>;

    /// How often [`tick`](Self::tick) is called. Asked once, after it was built.
    fn interval(&self) -> Option<Span> {
        None
    }

    /// Adds what follows from the time that has passed. What was emitted before `now` may still be to be observed.
    ///
    /// # Errors
    /// As for [`observe`](Self::observe).
    fn tick(&mut self, _now: Timestamp, _out: &mut Vec<Event>) -> Result<(), RelayError> {
        Ok(())
    }

    /// What it must know to go on after a restart. Asked about once a second, so it should be small.
    ///
    /// # Errors
    /// As for [`observe`](Self::observe).
    fn snapshot(&self) -> Result<Option<serde_json::Value>, RelayError> {
        Ok(None)
    }

    /// Goes on from a snapshot. Called before anything else.
    ///
    /// # Errors
    /// When the snapshot is of no use, for instance because another version made it. The operator is told, and the
    /// relay starts over.
    fn restore(&mut self, _snapshot: serde_json::Value) -> Result<(), RelayError> {
        Ok(())
    }
}

/// A relay cannot go on.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct RelayError(#[from] pub BoxError);
