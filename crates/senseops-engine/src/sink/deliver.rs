//! Delivering one batch: what each kind of failure leads to. This is the only place where writes are repeated.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use senseops_core::host::Retry;
use senseops_core::{Batch, BoxError, Chunk, Rejection, Shutdown, WriteError};
use senseops_journal::Journal;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Instance, SinkSlot};
use crate::backoff::Backoff;
use crate::contained::told;
use crate::counters::Attempts;
use crate::dead_letters::{DeadLetters, Refused};
use crate::supervise::{FIRST_RESTART, LONGEST_RESTART};

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
    /// Where what is refused is kept.
    pub(crate) dead_letters: DeadLetters,
}

/// A batch was not delivered; it stays in the journal for the next start.
pub(crate) struct Abandoned;

/// One batch on its way.
struct BatchDelivery<'a> {
    deliver: &'a Deliver,
    drain: &'a Shutdown,
    /// What is still to be written, the first part on top.
    parts: Vec<Portion>,
    between_writes: Backoff,
    between_restarts: Backoff,
    /// Whether something was written since the sink last panicked.
    is_sink_proven: bool,
    refused: Vec<Refused>,
}

/// Events that are written together.
struct Portion {
    batch: Batch,
    panics: u32,
}

/// What one attempt came to.
enum Attempt {
    Written,
    /// Nothing is known to be written; the same again after a pause.
    Again {
        sink: Instance,
        pause: Duration,
        cause: String,
    },
    /// The same again once what is wrong with us may be repaired.
    Denied {
        sink: Instance,
        cause: String,
    },
    /// Only halves can tell which event is at fault.
    Halve {
        cause: String,
    },
    /// Part of it is done.
    Partly {
        retry: Vec<usize>,
        refused: Vec<Rejection>,
    },
    /// The sink is broken and must be replaced.
    Panicked {
        sink: Instance,
        text: String,
    },
}

impl Deliver {
    /// Returns once every event of the batch is either at the target or refused for good. While draining, a target that
    /// fails is not waited for if the events are kept on disk.
    pub(crate) async fn batch(&self, batch: Batch, drain: &Shutdown) -> Result<(), Abandoned> {
        let delivery = BatchDelivery {
            deliver: self,
            drain,
            parts: vec![Portion { batch, panics: 0 }],
            between_writes: Backoff::new(self.retry.initial.get(), self.retry.max.get()),
            between_restarts: Backoff::new(FIRST_RESTART, LONGEST_RESTART),
            is_sink_proven: false,
            refused: Vec::new(),
        };
        delivery.run().await
    }
}

impl BatchDelivery<'_> {
    async fn run(mut self) -> Result<(), Abandoned> {
        while let Some(part) = self.parts.pop() {
            if part.batch.is_empty() {
                continue;
            }
            match self.attempt(&part.batch).await {
                Attempt::Written => self.written(part.batch.len()),
                Attempt::Again { sink, pause, cause } => {
                    self.pause(&sink, pause, &cause).await?;
                    self.parts.push(part);
                }
                Attempt::Denied { sink, cause } => {
                    self.denied(&sink, &cause).await?;
                    self.parts.push(part);
                }
                Attempt::Halve { cause } => self.halve(&part.batch, &cause),
                Attempt::Partly { retry, refused } => self.partly(&part.batch, &retry, refused).await?,
                Attempt::Panicked { sink, text } => self.panicked(part, &sink, text).await,
            }
        }
        self.keep_refused().await;
        Ok(())
    }

    async fn attempt(&mut self, batch: &Batch) -> Attempt {
        let Deliver { slot, timeout: longest, .. } = self.deliver;
        let sink = slot.current();
        let begin = Instant::now();
        let deadline = begin + *longest;
        slot.progress.begin(deadline);
        let outcome = timeout_at(deadline, sink.write(batch)).await;
        slot.progress.end(deadline);
        slot.counters.write_seconds.observe(begin.elapsed());
        let Attempts { written, partial, unavailable, denied, split, timed_out, panicked } =
            &slot.counters.attempts;
        let (counter, attempt) = match outcome {
            Ok(Ok(Ok(()))) => (written, Attempt::Written),
            Ok(Ok(Err(WriteError::Unavailable { source, retry_after }))) => {
                let pause = self.between_writes.pause_at_least(retry_after);
                (unavailable, Attempt::Again { sink, pause, cause: cause_of(&source) })
            }
            Ok(Ok(Err(WriteError::Denied(cause)))) => {
                (denied, Attempt::Denied { sink, cause: cause_of(&cause) })
            }
            Ok(Ok(Err(WriteError::Split(cause)))) => (split, Attempt::Halve { cause: cause_of(&cause) }),
            Ok(Ok(Err(WriteError::Partial { retry, refused }))) => (partial, sorted(batch, retry, refused)),
            Ok(Err(text)) => (panicked, Attempt::Panicked { text, sink }),
            Err(_elapsed) => {
                let cause = format!("the write took longer than {longest:?}");
                (timed_out, Attempt::Again { sink, pause: self.between_writes.pause(), cause })
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        attempt
    }

    fn written(&mut self, events: usize) {
        self.between_writes.reset();
        self.is_sink_proven = true;
        self.deliver.slot.counters.succeeded(events);
        self.deliver.slot.succeeded();
    }

    /// Waits before the next attempt. Another sink in place of the one that failed ends the pause, and so does a drain
    /// that begins meanwhile, once: the shutdown time is too short to be spent waiting.
    async fn pause(&self, sink: &Instance, pause: Duration, cause: &str) -> Result<(), Abandoned> {
        self.deliver.slot.build.health.failing(cause);
        self.wait(sink, pause).await
    }

    async fn wait(&self, sink: &Instance, pause: Duration) -> Result<(), Abandoned> {
        self.deliver.slot.counters.retries.fetch_add(1, Ordering::Relaxed);
        let was_draining = self.drain.is_requested();
        if was_draining && self.deliver.journal.status().outlives_the_program() {
            return Err(Abandoned);
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = self.deliver.slot.changed_from(sink) => {}
            () = self.drain.requested(), if !was_draining => {}
        }
        Ok(())
    }

    /// Waits, and builds the sink anew with what its secrets are then: what is wrong can be repaired without a restart.
    async fn denied(&self, sink: &Instance, cause: &str) -> Result<(), Abandoned> {
        self.pause(sink, self.deliver.retry.denied.get(), cause).await?;
        self.deliver.slot.refresh(sink).await;
        Ok(())
    }

    fn halve(&mut self, batch: &Batch, cause: &str) {
        if batch.len() > 1 {
            let (first, second) = batch.halves();
            self.parts.extend([second, first].map(|batch| Portion { batch, panics: 0 }));
        } else {
            self.refuse(batch, vec![Rejection { index: 0, reason: cause.to_owned() }]);
            // It answers, so it works.
            self.deliver.slot.succeeded();
        }
    }

    async fn partly(
        &mut self,
        batch: &Batch,
        retry: &[usize],
        refused: Vec<Rejection>,
    ) -> Result<(), Abandoned> {
        let written = batch.len() - retry.len() - refused.len();
        if written > 0 {
            self.written(written);
        }
        let is_picky = !refused.is_empty();
        self.refuse(batch, refused);
        if is_picky || retry.is_empty() {
            // It answers, so it works.
            self.deliver.slot.succeeded();
        }
        if retry.is_empty() {
            return Ok(());
        }
        self.parts.push(Portion { batch: batch.select(retry), panics: 0 });
        if is_picky {
            // What is left is less than before, and need not wait for what was wrong with the others.
            self.deliver.slot.counters.retries.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        // A target that takes part of each write is busy, not down.
        let (sink, pause) = (self.deliver.slot.current(), self.between_writes.pause());
        if written > 0 {
            self.wait(&sink, pause).await
        } else {
            self.pause(&sink, pause, "the target took nothing of the batch").await
        }
    }

    async fn panicked(&mut self, mut part: Portion, sink: &Instance, text: String) {
        part.panics += 1;
        let is_single = part.batch.len() == 1;
        if is_single && (self.is_sink_proven || part.panics >= PANICS_PER_EVENT) {
            self.refuse(&part.batch, vec![Rejection { index: 0, reason: text.clone() }]);
        } else if !is_single && part.panics >= PANICS_PER_BATCH {
            self.halve(&part.batch, &text);
        } else if is_single {
            // Last, so that others can show whether the sink works at all.
            self.parts.insert(0, part);
        } else {
            self.parts.push(part);
        }
        self.is_sink_proven = false;
        self.deliver.slot.replace(sink, &text, &mut self.between_restarts, self.drain).await;
    }

    fn refuse(&mut self, batch: &Batch, rejections: Vec<Rejection>) {
        if !rejections.is_empty() {
            self.refused.push(Refused { batch: batch.clone(), rejections });
        }
    }

    /// What was refused becomes dead letters before the journal forgets it: all of the batch at once, since each time the
    /// disk is waited for.
    async fn keep_refused(self) {
        let Some(first) = self.refused.first().and_then(|refused| refused.rejections.first()) else { return };
        let Deliver { slot, dead_letters, .. } = self.deliver;
        let reason = first.reason.clone();
        let events = self.refused.iter().map(|refused| refused.rejections.len() as u64).sum();
        let kept = dead_letters.keep(slot.name(), self.refused).await;
        slot.counters.dead_letters.fetch_add(kept, Ordering::Relaxed);
        slot.counters.refused.fetch_add(events, Ordering::Relaxed);
        slot.refusals.note(slot.name(), events, &reason, &dead_letters.whereabouts(kept, events));
    }
}

fn cause_of(error: &BoxError) -> String {
    told(&**error)
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
