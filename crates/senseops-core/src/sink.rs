//! Sinks: what writes events to a target.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::{Accepts, Batch, BoxError};

/// Writes events to one target.
///
/// The engine calls `write` with what `accepts` asked for, in order, one call at a time unless the operator allows
/// more (`delivery.max_in_flight`). It batches, retries and counts; a sink never does.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Which events the sink wants. Asked once, after it was built.
    fn accepts(&self) -> Accepts;

    /// Writes the batch. Returns once the target has it, not once it is sent.
    ///
    /// The same events may come again after an error, a crash or a restart, so writing twice must do no harm. The
    /// future may be dropped at any await point.
    ///
    /// # Errors
    /// The variant of [`WriteError`] decides what the engine does with the batch.
    async fn write(&self, batch: &Batch) -> Result<(), WriteError>;

    /// Work that goes on beside the writes: a listener, or the event loop of a client. The engine runs it once per
    /// built sink. If it ends, in an error or not, the sink is rebuilt, with a delay that grows while that goes on.
    fn background(&self) -> Option<Background> {
        None
    }

    /// Tries the target without writing an event, and says in a few words what answered. `None`: nothing to try.
    ///
    /// # Errors
    /// What an operator needs to know to repair the connection.
    async fn probe(&self) -> Result<Option<String>, BoxError> {
        Ok(None)
    }

    /// Called after the last write, while the background work still runs, if everything was delivered in time. A sink
    /// that was replaced after a failure, or aborted at the end of the shutdown time, is just dropped.
    ///
    /// # Errors
    /// Reported to the operator; nothing else happens.
    async fn close(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Work beside the writes of a sink, see [`Sink::background`].
pub type Background = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// Why a batch, or part of it, was not written; decides what the engine does next.
#[derive(Debug, Error)]
pub enum WriteError {
    /// Nothing was written and the fault may pass: the target is down, slow or busy. The same batch comes again, not
    /// before `retry_after`, up to ten minutes.
    #[error("target unavailable")]
    Unavailable {
        /// What happened.
        source: BoxError,
        /// How long the target asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// Nothing was written because of how we are set up: wrong password, no such database. The batch is kept, the
    /// operator is told, and it comes again at a slow pace.
    #[error("target denied the write")]
    Denied(#[source] BoxError),
    /// The batch is too large, or some event in it is refused and the answer does not say which. Writing events again
    /// must do no harm. Each half comes on its own; a single event is refused for good, with this cause.
    #[error("batch refused as a whole")]
    Split(#[source] BoxError),
    /// Some events were refused for good and some may come again; events in neither list are written.
    #[error("{} events refused, {} to retry", refused.len(), retry.len())]
    Partial {
        /// Ascending positions in the batch of events that may come again.
        retry: Vec<usize>,
        /// Events that the target will never take.
        refused: Vec<Rejection>,
    },
}

/// An event that a target refuses for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The position in the batch.
    pub index: usize,
    /// Why, in the words of the target. It is logged, so it must not quote the event.
    pub reason: String,
}

impl WriteError {
    /// The target cannot be reached or cannot answer now.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::Unavailable { source: source.into(), retry_after: None }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}: {}", self.index, self.reason)
    }
}
