//! Delivering one batch: what each kind of failure leads to. This is the only place where writes are repeated.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use senseops_core::{Batch, BoxError, Rejection, Shutdown, Sink, WriteError, chain};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::SinkSlot;
use crate::backoff::Backoff;
use crate::settings::Retry;
use crate::supervise::panic_text;

/// How often a batch may make the sink panic before it is taken apart to find the event that does it.
const PANICS_PER_BATCH: u32 = 3;

/// Delivers batches to the sink in a slot.
pub(crate) struct Deliver {
    pub(crate) slot: Arc<SinkSlot>,
    pub(crate) retry: Retry,
    pub(crate) timeout: Duration,
}

/// What one attempt came to.
enum Attempt {
    Written,
    /// Nothing is known to be written; the same again after a pause.
    Again {
        pause: Duration,
        cause: BoxError,
    },
    /// Only halves can tell which event is at fault.
    Halve {
        cause: BoxError,
    },
    /// Part of it is done.
    Partly {
        retry: Vec<usize>,
        refused: Vec<Rejection>,
    },
    /// The sink is broken and must be replaced.
    Panicked {
        sink: Arc<dyn Sink>,
        text: String,
    },
}

impl Deliver {
    /// Returns once every event of the batch is either at the target or refused for good.
    pub(crate) async fn batch(&self, batch: Batch, drain: &Shutdown) {
        let mut backoff = Backoff::new(self.retry.initial.get(), self.retry.max.get());
        let mut panics = 0;
        // The parts still to be written, the first one on top.
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.attempt(&part, &mut backoff).await {
                Attempt::Written => {
                    backoff.reset();
                    panics = 0;
                    self.slot.counters.succeeded(part.len());
                    self.slot.succeeded();
                }
                Attempt::Again { pause, cause } => {
                    self.pause(pause, &cause, drain).await;
                    parts.push(part);
                }
                Attempt::Halve { cause } => self.halve(&part, &cause, &mut parts),
                Attempt::Partly { retry, refused } => {
                    let written = part.len().saturating_sub(retry.len() + refused.len());
                    self.slot.counters.succeeded(written);
                    self.refuse(&part, &refused);
                    if !retry.is_empty() {
                        self.pause(backoff.pause(), &"the target took only part of the batch".into(), drain)
                            .await;
                        parts.push(part.select(&retry));
                    }
                }
                Attempt::Panicked { sink, text } => {
                    self.slot.replace(&sink, &text).await;
                    panics += 1;
                    if panics < PANICS_PER_BATCH {
                        parts.push(part);
                    } else {
                        self.halve(&part, &text.into(), &mut parts);
                    }
                }
            }
        }
    }

    async fn attempt(&self, part: &Batch, backoff: &mut Backoff) -> Attempt {
        let sink = self.slot.current();
        let write = AssertUnwindSafe(sink.write(part)).catch_unwind();
        match timeout(self.timeout, write).await {
            Ok(Ok(Ok(()))) => Attempt::Written,
            Ok(Ok(Err(WriteError::Unavailable { source, retry_after }))) => {
                Attempt::Again { pause: backoff.pause_at_least(retry_after), cause: source }
            }
            Ok(Ok(Err(WriteError::Denied(cause)))) => {
                Attempt::Again { pause: self.retry.denied.get(), cause }
            }
            Ok(Ok(Err(WriteError::Split(cause)))) => Attempt::Halve { cause },
            Ok(Ok(Err(WriteError::Partial { retry, refused }))) => sorted(part, retry, refused),
            Ok(Err(panic)) => Attempt::Panicked { text: panic_text(&*panic), sink },
            Err(_elapsed) => {
                let cause = format!("the write took longer than {:?}", self.timeout).into();
                Attempt::Again { pause: backoff.pause(), cause }
            }
        }
    }

    /// Waits before the next attempt. A drain that begins meanwhile cuts the pause short, once: the shutdown time is
    /// too short to be spent waiting.
    async fn pause(&self, pause: Duration, cause: &BoxError, drain: &Shutdown) {
        self.slot.counters.retries.fetch_add(1, Ordering::Relaxed);
        self.slot.build.health.failing(chain(&**cause).to_string());
        if drain.is_requested() {
            sleep(pause).await;
        } else {
            tokio::select! {
                () = sleep(pause) => {}
                () = drain.requested() => {}
            }
        }
    }

    fn halve(&self, part: &Batch, cause: &BoxError, parts: &mut Vec<Batch>) {
        if part.len() > 1 {
            let (first, second) = part.halves();
            parts.extend([second, first]);
        } else {
            self.refuse(part, &[Rejection { index: 0, reason: chain(&**cause).to_string() }]);
        }
    }

    fn refuse(&self, part: &Batch, refused: &[Rejection]) {
        let Some(first) = refused.first() else { return };
        self.slot.counters.refused.fetch_add(refused.len() as u64, Ordering::Relaxed);
        // One line a batch: a target that refuses everything must not flood the log.
        warn!(
            sink = self.slot.name(),
            events = refused.len(),
            reason = first.reason,
            "target refused events"
        );
        for rejection in refused {
            if let Some(event) = part.get(rejection.index) {
                debug!(sink = self.slot.name(), %event, reason = rejection.reason, "event refused");
            }
        }
    }
}

/// A plugin may name an event twice or one that does not exist; neither may lose or repeat another.
fn sorted(part: &Batch, mut retry: Vec<usize>, mut refused: Vec<Rejection>) -> Attempt {
    refused.retain(|rejection| rejection.index < part.len());
    refused.sort_by_key(|rejection| rejection.index);
    refused.dedup_by_key(|rejection| rejection.index);
    retry
        .retain(|index| *index < part.len() && refused.binary_search_by_key(index, |one| one.index).is_err());
    retry.sort_unstable();
    retry.dedup();
    Attempt::Partly { retry, refused }
}
