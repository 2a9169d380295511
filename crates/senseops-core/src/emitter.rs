//! Emitting: how events get from a source into the pipeline.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::{Chunk, Event};

/// Takes the events of one source. Cheap to clone.
#[derive(Clone)]
pub struct Emitter(Arc<dyn Intake>);

/// Where an [`Emitter`] leads: the engine, or a collection in a test.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Takes the events now, whatever that costs others.
    fn append(&self, events: Vec<Event>) -> Receipt;

    /// Takes the events once there is room for them without losing others.
    async fn append_when_room(&self, events: Vec<Event>) -> Receipt;

    /// Takes events that are in a chunk already, as they are, once there is room for them.
    async fn forward_when_room(&self, chunk: Chunk) -> Receipt;
}

/// Tells what became of emitted events. Sources that cannot repeat an event drop it unread.
#[must_use = "drop it on purpose with `.ignore()`, or wait for `.outcome()`"]
#[derive(Debug)]
pub struct Receipt(ReceiptState);

#[derive(Debug)]
enum ReceiptState {
    Known(Outcome),
    Pending(oneshot::Receiver<Outcome>, Hurry),
}

/// Asks whoever settles a receipt to do that now.
pub struct Hurry(Arc<dyn Fn() + Send + Sync>);

/// The other end of a pending [`Receipt`]. Dropping it tells the source that its events are lost.
#[derive(Debug)]
pub struct Settle(oneshot::Sender<Outcome>);

/// What became of emitted events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In the journal as promised: appended in memory, or on disk and synced.
    Stored,
    /// In memory only, because the disk failed. They are delivered unless the program ends first, so a source that
    /// can repeat them keeps its cursor.
    Held,
    /// Not in the journal.
    Lost,
}

impl Emitter {
    /// An emitter that leads to `intake`.
    pub fn new(intake: impl Intake + 'static) -> Self {
        Self(Arc::new(intake))
    }

    /// Emits events together. Waits while a sink that must not lose events has no room left; that is the back
    /// pressure which sources that can wait should feel.
    pub async fn emit(&self, events: Vec<Event>) -> Receipt {
        self.0.append_when_room(events).await
    }

    /// Emits events together without ever waiting, for sources that cannot make their origin wait.
    pub fn emit_now(&self, events: Vec<Event>) -> Receipt {
        self.0.append(events)
    }

    /// Passes on what another pipeline emitted: identities, times, labels and the source stay as they are. Waits as
    /// [`emit`](Self::emit) does.
    pub async fn forward(&self, chunk: Chunk) -> Receipt {
        self.0.forward_when_room(chunk).await
    }
}

impl Receipt {
    /// A receipt whose outcome is known already.
    pub fn known(outcome: Outcome) -> Self {
        Self(ReceiptState::Known(outcome))
    }

    /// A receipt and what settles it, as soon as that is due or somebody asks for it through `hurry`.
    pub fn pending(hurry: Hurry) -> (Settle, Self) {
        let (sender, receiver) = oneshot::channel();
        (Settle(sender), Self(ReceiptState::Pending(receiver, hurry)))
    }

    /// What became of the events, if that is known already.
    pub fn known_outcome(&self) -> Option<Outcome> {
        match self.0 {
            ReceiptState::Known(outcome) => Some(outcome),
            ReceiptState::Pending(..) => None,
        }
    }

    /// Waits until it is known what became of the events. The journal takes its time, so that many are synced at once.
    pub async fn outcome(self) -> Outcome {
        match self.0 {
            ReceiptState::Known(outcome) => outcome,
            ReceiptState::Pending(receiver, _) => receiver.await.unwrap_or(Outcome::Lost),
        }
    }

    /// The same for a source whose origin waits for the answer: the journal stores now what it has, this and whatever
    /// else there is by then.
    pub async fn outcome_now(self) -> Outcome {
        if let ReceiptState::Pending(_, Hurry(hurry)) = &self.0 {
            hurry();
        }
        self.outcome().await
    }

    /// For sources that could not repeat the events anyway.
    pub fn ignore(self) {}
}

impl Settle {
    /// Tells the source the outcome. A source that no longer waits is fine.
    pub fn settle(self, outcome: Outcome) {
        if self.0.send(outcome).is_err() {
            // The source has dropped its receipt, as most do.
        }
    }
}

impl Hurry {
    /// Calls this, which must not wait. It may be called any number of times.
    pub fn new(hurry: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(hurry))
    }

    /// There is no way to be faster.
    pub fn none() -> Self {
        Self::new(|| {})
    }
}

impl Clone for Hurry {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl fmt::Debug for Hurry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hurry")
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emitter")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_receipt_that_nobody_settles_is_lost() {
        let (settle, receipt) = Receipt::pending(Hurry::none());
        drop(settle);
        assert_eq!(receipt.outcome().await, Outcome::Lost);
    }

    #[tokio::test]
    async fn a_settled_receipt_tells_its_outcome() {
        let (settle, receipt) = Receipt::pending(Hurry::none());
        settle.settle(Outcome::Held);
        assert_eq!(receipt.outcome().await, Outcome::Held);
    }

    #[tokio::test]
    async fn only_who_cannot_wait_hurries_the_journal() {
        let hurried = Arc::new(AtomicUsize::new(0));
        let hurry = Hurry::new({
            let hurried = Arc::clone(&hurried);
            move || _ = hurried.fetch_add(1, Ordering::Relaxed)
        });
        for (expected, is_urgent) in [(0, false), (1, true)] {
            let (settle, receipt) = Receipt::pending(hurry.clone());
            settle.settle(Outcome::Stored);
            let outcome = if is_urgent { receipt.outcome_now().await } else { receipt.outcome().await };
            assert_eq!((outcome, hurried.load(Ordering::Relaxed)), (Outcome::Stored, expected));
        }
    }
}
