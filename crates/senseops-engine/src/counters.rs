//! What the engine counts about components.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::view::{AttemptsView, Histogram};

/// The upper bounds of the buckets for the time that a write takes, in seconds.
const WRITE_SECONDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// About one source component.
#[derive(Debug, Default)]
pub(crate) struct SourceCounters {
    pub(crate) emitted: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) rate_limited: AtomicU64,
    pub(crate) restarts: AtomicU64,
    /// Events that a relay does not look at, since it fails at them.
    pub(crate) left_out: AtomicU64,
}

/// About one sink component.
#[derive(Debug, Default)]
pub(crate) struct SinkCounters {
    pub(crate) delivered: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) dead_letters: AtomicU64,
    /// Discarded events that the log tells of.
    pub(crate) discarded_told: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) restarts: AtomicU64,
    pub(crate) attempts: Attempts,
    pub(crate) write_seconds: WriteSeconds,
    last_success: Mutex<Option<Instant>>,
}

/// What attempts to write came to.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    pub(crate) written: AtomicU64,
    pub(crate) partial: AtomicU64,
    pub(crate) unavailable: AtomicU64,
    pub(crate) denied: AtomicU64,
    pub(crate) split: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) panicked: AtomicU64,
}

/// Which attempts to write are under way.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Vec<Instant>>);

/// How long attempts to write took.
#[derive(Debug, Default)]
pub(crate) struct WriteSeconds {
    buckets: [AtomicU64; WRITE_SECONDS.len() + 1],
    nanoseconds: AtomicU64,
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

impl Attempts {
    pub(crate) fn view(&self) -> AttemptsView {
        AttemptsView {
            written: value(&self.written),
            partial: value(&self.partial),
            unavailable: value(&self.unavailable),
            denied: value(&self.denied),
            split: value(&self.split),
            timed_out: value(&self.timed_out),
            panicked: value(&self.panicked),
        }
    }
}

impl Progress {
    /// An attempt begins, and ends by then at the latest unless it blocks its thread.
    pub(crate) fn begin(&self, deadline: Instant) {
        self.deadlines().push(deadline);
    }

    /// The attempt that had to end by then has ended.
    pub(crate) fn end(&self, deadline: Instant) {
        let mut deadlines = self.deadlines();
        if let Some(at) = deadlines.iter().position(|one| *one == deadline) {
            deadlines.swap_remove(at);
        }
    }

    /// Whether an attempt should have ended so long ago.
    pub(crate) fn is_stalled(&self, tolerance: Duration) -> bool {
        let now = Instant::now();
        self.deadlines().iter().any(|deadline| now.saturating_duration_since(*deadline) > tolerance)
    }

    fn deadlines(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriteSeconds {
    pub(crate) fn observe(&self, took: Duration) {
        let at = WRITE_SECONDS.partition_point(|bound| *bound < took.as_secs_f64());
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    pub(crate) fn view(&self) -> Histogram {
        Histogram {
            bounds: &WRITE_SECONDS,
            counts: self.buckets.iter().map(value).collect(),
            sum: Duration::from_nanos(value(&self.nanoseconds)).as_secs_f64(),
        }
    }
}

pub(crate) fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_counted_in_the_first_bucket_that_it_fits_into() {
        let seconds = WriteSeconds::default();
        for millis in [0, 1, 2, 60_000, 60_001] {
            seconds.observe(Duration::from_millis(millis));
        }
        let view = seconds.view();
        assert_eq!(view.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(view.bounds.len() + 1, view.counts.len());
        assert!((view.sum - 120.004).abs() < 1e-9, "{}", view.sum);
    }
}
