//! What the engine counts about components.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// About one source component.
#[derive(Debug, Default)]
pub(crate) struct SourceCounters {
    pub(crate) emitted: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) restarts: AtomicU64,
}

/// About one sink component.
#[derive(Debug, Default)]
pub(crate) struct SinkCounters {
    pub(crate) delivered: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) restarts: AtomicU64,
    last_success: Mutex<Option<Instant>>,
}

impl SinkCounters {
    pub(crate) fn succeeded(&self, events: usize) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.delivered.fetch_add(events as u64, Ordering::Relaxed);
        *self.last_success.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub(crate) fn last_success(&self) -> Option<Instant> {
        *self.last_success.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
