//! Delivering one batch: what each kind of failure leads to. This is the only place where writes are repeated.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use senseops_core::{Batch, BoxError, Rejection, Shutdown, Sink, WriteError, chain};
use senseops_journal::Journal;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::SinkSlot;
use crate::backoff::Backoff;
use crate::codec::Chunk;
use crate::settings::Retry;
use crate::supervise::{FIRST_RESTART, LONGEST_RESTART, panic_text};

/// How often several events may make the sink panic before they are taken apart to find the one that does it.
const PANICS_PER_BATCH: u32 = 3;
/// How often a single event may make the sink panic while nothing else is known to pass: then either the event or the
/// sink itself is broken, and one must not block the other for ever.
const PANICS_PER_EVENT: u32 = 10;

/// Delivers batches to the sink in a slot.
pub(crate) struct Deliver {
    pub(crate) slot: Arc<SinkSlot>,
    pub(crate) retry: Retry,
    pub(crate) timeout: Duration,
    /// Where what is not delivered stays, if it is on disk.
    pub(crate) journal: Journal<Chunk>,
}

/// A batch was not delivered; it stays in the journal for the next start.
pub(crate) struct Abandoned;

/// One batch on its way.
struct Delivery<'a> {
    deliver: &'a Deliver,
    drain: &'a Shutdown,
    /// What is still to be written, the first part on top.
    parts: Vec<Part>,
    between_writes: Backoff,
    between_restarts: Backoff,
    /// Whether something was written since the sink last panicked.
    is_sink_proven: bool,
    refused: u64,
    /// Why the first of them was refused.
    first_refusal: Option<String>,
}

/// Events that are written together.
struct Part {
    batch: Batch,
    panics: u32,
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
    /// Returns once every event of the batch is either at the target or refused for good. While draining, a target that
    /// fails is not waited for if the events are kept on disk.
    pub(crate) async fn batch(&self, batch: Batch, drain: &Shutdown) -> Result<(), Abandoned> {
        let delivery = Delivery {
            deliver: self,
            drain,
            parts: vec![Part { batch, panics: 0 }],
            between_writes: Backoff::new(self.retry.initial.get(), self.retry.max.get()),
            between_restarts: Backoff::new(FIRST_RESTART, LONGEST_RESTART),
            is_sink_proven: false,
            refused: 0,
            first_refusal: None,
        };
        delivery.run().await
    }
}

impl Delivery<'_> {
    async fn run(mut self) -> Result<(), Abandoned> {
        while let Some(part) = self.parts.pop() {
            if part.batch.is_empty() {
                continue;
            }
            match self.attempt(&part.batch).await {
                Attempt::Written => self.written(part.batch.len()),
                Attempt::Again { pause, cause } => {
                    self.pause(pause, &cause).await?;
                    self.parts.push(part);
                }
                Attempt::Halve { cause } => self.halve(&part.batch, &cause),
                Attempt::Partly { retry, refused } => self.partly(&part.batch, &retry, &refused).await?,
                Attempt::Panicked { sink, text } => self.panicked(part, &sink, text).await,
            }
        }
        self.report();
        Ok(())
    }

    async fn attempt(&mut self, batch: &Batch) -> Attempt {
        let sink = self.deliver.slot.current();
        let write = AssertUnwindSafe(sink.write(batch)).catch_unwind();
        match timeout(self.deliver.timeout, write).await {
            Ok(Ok(Ok(()))) => Attempt::Written,
            Ok(Ok(Err(WriteError::Unavailable { source, retry_after }))) => {
                Attempt::Again { pause: self.between_writes.pause_at_least(retry_after), cause: source }
            }
            Ok(Ok(Err(WriteError::Denied(cause)))) => {
                Attempt::Again { pause: self.deliver.retry.denied.get(), cause }
            }
            Ok(Ok(Err(WriteError::Split(cause)))) => Attempt::Halve { cause },
            Ok(Ok(Err(WriteError::Partial { retry, refused }))) => sorted(batch, retry, refused),
            Ok(Err(panic)) => Attempt::Panicked { text: panic_text(&*panic), sink },
            Err(_elapsed) => {
                let cause = format!("the write took longer than {:?}", self.deliver.timeout).into();
                Attempt::Again { pause: self.between_writes.pause(), cause }
            }
        }
    }

    fn written(&mut self, events: usize) {
        self.between_writes.reset();
        self.is_sink_proven = true;
        self.deliver.slot.counters.succeeded(events);
        self.deliver.slot.succeeded();
    }

    /// Waits before the next attempt. A drain that begins meanwhile cuts the pause short, once: the shutdown time is
    /// too short to be spent waiting.
    async fn pause(&self, pause: Duration, cause: &BoxError) -> Result<(), Abandoned> {
        self.deliver.slot.counters.retries.fetch_add(1, Ordering::Relaxed);
        self.deliver.slot.build.health.failing(chain(&**cause).to_string());
        let was_draining = self.drain.is_requested();
        if was_draining && self.deliver.journal.status().outlives_the_program() {
            return Err(Abandoned);
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = self.drain.requested(), if !was_draining => {}
        }
        Ok(())
    }

    fn halve(&mut self, batch: &Batch, cause: &BoxError) {
        if batch.len() > 1 {
            let (first, second) = batch.halves();
            self.parts.extend([second, first].map(|batch| Part { batch, panics: 0 }));
        } else {
            self.refuse(batch, &[Rejection { index: 0, reason: chain(&**cause).to_string() }]);
        }
    }

    async fn partly(
        &mut self,
        batch: &Batch,
        retry: &[usize],
        refused: &[Rejection],
    ) -> Result<(), Abandoned> {
        let written = batch.len() - retry.len() - refused.len();
        if written > 0 {
            self.written(written);
        }
        self.refuse(batch, refused);
        if !retry.is_empty() {
            // A target that takes part of each write is busy, not down.
            let pause = self.between_writes.pause();
            self.pause(pause, &"the target took only part of the batch".into()).await?;
            self.parts.push(Part { batch: batch.select(retry), panics: 0 });
        }
        Ok(())
    }

    async fn panicked(&mut self, mut part: Part, sink: &Arc<dyn Sink>, text: String) {
        part.panics += 1;
        let is_single = part.batch.len() == 1;
        if is_single && (self.is_sink_proven || part.panics >= PANICS_PER_EVENT) {
            self.refuse(&part.batch, &[Rejection { index: 0, reason: text.clone() }]);
        } else if !is_single && part.panics >= PANICS_PER_BATCH {
            self.halve(&part.batch, &text.clone().into());
        } else if is_single {
            // Last, so that others can show whether the sink works at all.
            self.parts.insert(0, part);
        } else {
            self.parts.push(part);
        }
        self.is_sink_proven = false;
        self.deliver.slot.replace(sink, &text, &mut self.between_restarts, self.drain).await;
    }

    fn refuse(&mut self, batch: &Batch, refused: &[Rejection]) {
        let Some(first) = refused.first() else { return };
        self.deliver.slot.counters.refused.fetch_add(refused.len() as u64, Ordering::Relaxed);
        self.refused += refused.len() as u64;
        self.first_refusal.get_or_insert_with(|| first.reason.clone());
        for rejection in refused {
            if let Some(event) = batch.get(rejection.index) {
                debug!(sink = self.deliver.slot.name(), %event, reason = rejection.reason, "event refused");
            }
        }
    }

    /// One line a batch: a target that refuses everything must not flood the log.
    fn report(self) {
        let Some(reason) = self.first_refusal else { return };
        let slot = &self.deliver.slot;
        warn!(sink = slot.name(), events = self.refused, reason, "target refused events");
        slot.build.health.warning(format!("the target refuses events: {reason}"));
    }
}

/// A plugin may name an event twice or one that does not exist; neither may lose or repeat another.
fn sorted(batch: &Batch, mut retry: Vec<usize>, mut refused: Vec<Rejection>) -> Attempt {
    refused.retain(|rejection| rejection.index < batch.len());
    refused.sort_by_key(|rejection| rejection.index);
    refused.dedup_by_key(|rejection| rejection.index);
    retry.retain(|index| {
        *index < batch.len() && refused.binary_search_by_key(index, |one| one.index).is_err()
    });
    retry.sort_unstable();
    retry.dedup();
    Attempt::Partly { retry, refused }
}
