//! A collection of emitted events in place of a pipeline.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use senseops_core::host::Intake;
use senseops_core::{Chunk, Emitter, Event, Outcome, Receipt};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::timeout;

/// Keeps what a source emits. Clones share one collection.
#[derive(Clone, Debug)]
pub struct Collector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    events: watch::Sender<Vec<Event>>,
    room: watch::Sender<bool>,
    outcome: watch::Sender<Outcome>,
}

/// The expected events did not come in time.
#[derive(Debug, Error)]
#[error("only {} events within {within:?}", events.len())]
pub struct TooFew {
    /// Those that came.
    pub events: Vec<Event>,
    /// How long was waited.
    pub within: Duration,
}

impl Collector {
    /// An empty collection that has room and stores everything, and the emitter that leads to it.
    pub fn new() -> (Self, Emitter) {
        let collector = Self(Arc::new(Inner {
            events: watch::Sender::default(),
            room: watch::Sender::new(true),
            outcome: watch::Sender::new(Outcome::Stored),
        }));
        (collector.clone(), Emitter::new(collector))
    }

    /// All events so far, in the order of their emission.
    pub fn events(&self) -> Vec<Event> {
        self.0.events.borrow().clone()
    }

    /// Takes all events out.
    pub fn take(&self) -> Vec<Event> {
        self.0.events.send_replace(Vec::new())
    }

    /// Waits until there are at least `count` events, and gives all of them.
    ///
    /// # Errors
    /// When there are fewer after `within`.
    pub async fn wait_for(&self, count: usize, within: Duration) -> Result<Vec<Event>, TooFew> {
        self.wait_until(|events| events.len() >= count, within).await
    }

    /// Waits until the events are as wanted, and gives all of them.
    ///
    /// # Errors
    /// When they are not after `within`.
    pub async fn wait_until(
        &self,
        wanted: impl Fn(&[Event]) -> bool,
        within: Duration,
    ) -> Result<Vec<Event>, TooFew> {
        let mut events = self.0.events.subscribe();
        let waited = timeout(within, events.wait_for(|events| wanted(events))).await;
        // The sender lives in `self`, so the channel cannot be closed.
        if let Ok(Ok(events)) = waited {
            return Ok(events.clone());
        }
        Err(TooFew { events: self.events(), within })
    }

    /// What receipts say from now on. Lost events are not kept.
    pub fn set_outcome(&self, outcome: Outcome) {
        self.0.outcome.send_replace(outcome);
    }

    /// Whether there is room from now on. Without, sources that can wait have to.
    pub fn set_room(&self, room: bool) {
        self.0.room.send_replace(room);
    }
}

#[async_trait]
impl Intake for Collector {
    fn append(&self, new: Vec<Event>) -> Receipt {
        let outcome = *self.0.outcome.borrow();
        if outcome != Outcome::Lost {
            self.0.events.send_modify(|events| events.extend(new));
        }
        Receipt::known(outcome)
    }

    async fn append_when_room(&self, new: Vec<Event>) -> Receipt {
        let mut room = self.0.room.subscribe();
        if room.wait_for(|room| *room).await.is_err() {
            // Closed only when the collector is gone, and then nobody is left to wait for.
        }
        self.append(new)
    }

    async fn forward_when_room(&self, chunk: Chunk) -> Receipt {
        self.append_when_room(chunk.events.to_vec()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn what_is_emitted_is_collected_in_order() {
        let (collector, emitter) = Collector::new();
        assert_eq!(emitter.emit(sample::events(1..3)).await.outcome().await, Outcome::Stored);
        emitter.emit_now(sample::events(3..4)).ignore();
        let events = collector.wait_for(3, LONG).await.unwrap();
        assert_eq!(sample::numbers(&events), [1, 2, 3]);
        assert_eq!((collector.take().len(), collector.events().len()), (3, 0));
    }

    #[tokio::test]
    async fn waiting_for_more_than_come_tells_what_came() {
        let (collector, emitter) = Collector::new();
        emitter.emit_now(sample::events(1..2)).ignore();
        let error = collector.wait_for(2, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(error.to_string(), "only 1 events within 1ms");
    }

    #[tokio::test]
    async fn lost_events_are_not_kept_and_held_ones_are() {
        let (collector, emitter) = Collector::new();
        for (outcome, kept) in [(Outcome::Lost, 0), (Outcome::Held, 1)] {
            collector.set_outcome(outcome);
            assert_eq!(emitter.emit_now(sample::events(1..2)).outcome().await, outcome);
            assert_eq!(collector.events().len(), kept);
        }
    }

    #[tokio::test]
    async fn emitting_waits_for_room_and_emitting_now_does_not() {
        let (collector, emitter) = Collector::new();
        collector.set_room(false);
        let emit = emitter.emit(sample::events(1..2));
        tokio::pin!(emit);
        assert!(timeout(Duration::from_millis(1), &mut emit).await.is_err());
        emitter.emit_now(sample::events(2..3)).ignore();
        collector.set_room(true);
        emit.await.ignore();
        assert_eq!(sample::numbers(&collector.events()), [2, 1]);
    }
}
