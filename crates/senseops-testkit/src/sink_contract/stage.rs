//! A sink, its target, and the part of the engine that calls it.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Duration;

use senseops_core::{Batch, Event, Sink, WriteError, chain};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::ledger::Ledger;
use super::{SinkHarness, TargetBehaviour};
use crate::contract::{Few, Stop, Verdict, broken, ensure, in_time, supported};

/// The longest that a sink may take for anything, on a machine that is busy with other things.
pub(super) const WITHIN: Duration = Duration::from_mins(1);

/// How often a batch is repeated while the target accepts: a sink that connects in the background may need a few.
const MAX_REPEATS: u32 = 100;

/// The pause before a batch is repeated, and before a background is restarted.
const PAUSE: Duration = Duration::from_millis(20);

/// An event that is in the chunks but never selected for a batch.
const NOT_IN_ANY_BATCH: u64 = 1_000_000;

/// How many numbers are looked at to find those that the sink accepts.
const CANDIDATES: u64 = 1000;

/// How many events the scenarios need.
const NEEDED: usize = 75;

/// One sink with its target, and what is known about the events so far.
pub(super) struct Stage<'h, H: SinkHarness> {
    harness: &'h H,
    pub(super) target: H::Target,
    pub(super) sink: Arc<dyn Sink>,
    background: JoinSet<()>,
    accepted: Vec<u64>,
    ledger: Ledger,
}

impl<'h, H: SinkHarness> Stage<'h, H> {
    /// A sink that has written one event to a target that accepts.
    pub(super) async fn open(harness: &'h H) -> Verdict<Self> {
        let mut stage = Self::build(harness, harness.target().await).await?;
        let first = stage.events(0..1);
        stage.deliver(&first).await?;
        Ok(stage)
    }

    /// A sink for this target that has not written yet.
    pub(super) async fn build(harness: &'h H, target: H::Target) -> Verdict<Self> {
        let sink = in_time("build", WITHIN, harness.sink(&target)).await?;
        let sink = sink.map_err(|error| broken(format!("the sink cannot be built: {}", chain(&*error))))?;
        let accepts = sink.accepts();
        let candidates = (0..CANDIDATES).filter(|number| accepts.event(&harness.event(*number)));
        let accepted: Vec<u64> = candidates.take(NEEDED).collect();
        ensure(accepted.len() == NEEDED, || {
            format!(
                "the sink accepts {} of {CANDIDATES} events; make some that it does in `SinkHarness::event`",
                accepted.len()
            )
        })?;
        let background = run_background(&sink);
        Ok(Self { harness, target, sink, background, accepted, ledger: Ledger::new() })
    }

    /// Ends this sink and builds another one for the same target.
    pub(super) async fn build_anew(self) -> Verdict<Self> {
        let Self { harness, target, sink, background, ledger, accepted: _ } = self;
        drop((background, sink));
        let fresh = Self::build(harness, target).await?;
        Ok(Self { ledger, ..fresh })
    }

    /// Ends everything but what else holds the sink.
    pub(super) async fn into_remains(mut self) -> Weak<dyn Sink> {
        self.background.shutdown().await;
        Arc::downgrade(&self.sink)
    }

    /// Makes the target behave so, or ends the scenario.
    pub(super) async fn behave(&self, behaviour: TargetBehaviour) -> Verdict {
        behave(self.harness, &self.target, behaviour).await
    }

    /// The numbers of the events at these places in the row of events that the sink accepts.
    pub(super) fn events(&self, places: Range<usize>) -> Vec<u64> {
        self.accepted.get(places).unwrap_or(&self.accepted).to_vec()
    }

    /// A batch as the engine makes them: several shared chunks, with events that are not for this sink.
    pub(super) fn batch(&self, numbers: &[u64]) -> Batch {
        let event = |number: &u64| self.harness.event(*number);
        let (first, second) = numbers.split_at(numbers.len() / 2);
        let mut chunk = vec![self.harness.event(NOT_IN_ANY_BATCH)];
        chunk.extend(first.iter().map(event));
        let selected = (1..chunk.len()).collect();
        let rest: Arc<[Event]> = second.iter().map(event).collect();
        Batch::from_chunks([(chunk.into(), Some(selected)), (rest, None)])
    }

    /// One write. If it succeeds, the target must have the batch by then.
    pub(super) async fn write(&self, batch: &Batch, numbers: &[u64]) -> Verdict<Result<(), WriteError>> {
        let result = in_time("write", WITHIN, self.sink.write(batch)).await?;
        if result.is_ok() {
            let stored: BTreeSet<u64> = self.harness.stored(&self.target).await.into_iter().collect();
            let missing: Vec<u64> =
                numbers.iter().filter(|number| !stored.contains(number)).copied().collect();
            ensure(missing.is_empty(), || {
                format!("write returned Ok before the target had the events {}", Few(&missing))
            })?;
        }
        Ok(result)
    }

    /// Writes until each event is written or refused, by the rules of the engine.
    pub(super) async fn deliver(&mut self, numbers: &[u64]) -> Verdict {
        self.ledger.give(numbers);
        let mut waiting = VecDeque::from([(self.batch(numbers), numbers.to_vec())]);
        let mut repeats = 0;
        while let Some((batch, numbers)) = waiting.pop_front() {
            match self.write(&batch, &numbers).await? {
                Ok(()) => {}
                Err(WriteError::Unavailable { source, .. }) => {
                    repeats += 1;
                    ensure(repeats <= MAX_REPEATS, || {
                        format!("still unavailable although the target is there: {}", chain(&*source))
                    })?;
                    waiting.push_front((batch, numbers));
                    sleep(PAUSE).await;
                }
                Err(error @ WriteError::Denied(_)) => {
                    return Err(broken(format!("nothing was denied, but: {}", chain(&error))));
                }
                Err(WriteError::Split(cause)) => {
                    if let [number] = *numbers {
                        self.ledger.refuse(number, chain(&*cause).to_string());
                        continue;
                    }
                    let (first, second) = batch.halves();
                    let (low, high) = numbers.split_at(first.len());
                    waiting.push_front((second, high.to_vec()));
                    waiting.push_front((first, low.to_vec()));
                }
                Err(WriteError::Partial { retry, refused }) => {
                    let again = self.ledger.partly(&numbers, &retry, refused)?;
                    if !again.is_empty() {
                        repeats += 1;
                        ensure(repeats <= MAX_REPEATS, || "part of the batch is to retry, for ever".into())?;
                        self.ledger.forget_order();
                        waiting.push_front((batch.select(&retry), again));
                    }
                }
            }
        }
        Ok(())
    }

    /// One write that must fail for now, with each event sent at most once. Gives the pause that was asked for.
    pub(super) async fn write_fails_for_now(&self, numbers: &[u64], why: &str) -> Verdict<Option<Duration>> {
        let before = self.harness.offered(&self.target).await.map_or(0, |offered| offered.len());
        let result = self.write(&self.batch(numbers), numbers).await?;
        if let Some(offered) = self.harness.offered(&self.target).await {
            let mut seen = BTreeSet::new();
            let again = offered.iter().skip(before).find(|number| !seen.insert(**number));
            ensure(again.is_none(), || {
                "the sink repeated the write on its own; only the engine repeats".into()
            })?;
        }
        match result {
            Err(WriteError::Unavailable { retry_after, .. }) => Ok(retry_after),
            Err(WriteError::Partial { retry, refused })
                if refused.is_empty() && retry.len() == numbers.len() =>
            {
                Ok(None)
            }
            other => Err(unexpected("Unavailable", why, &other)),
        }
    }

    /// Compares what the target has with what was given to the sink and what it refused.
    pub(super) async fn finish(&self, refused: &[u64]) -> Verdict {
        self.ledger.compare(&self.stored().await, refused)
    }

    /// Books events that were written outside of [`deliver`](Self::deliver), at the same time.
    pub(super) fn wrote_at_once(&mut self, numbers: &[u64]) {
        self.ledger.give(numbers);
        self.ledger.forget_order();
    }

    /// What the target has.
    pub(super) async fn stored(&self) -> Vec<u64> {
        self.harness.stored(&self.target).await
    }
}

/// Makes the target behave so, or ends the scenario.
pub(super) async fn behave<H: SinkHarness>(
    harness: &H,
    target: &H::Target,
    behaviour: TargetBehaviour,
) -> Verdict {
    let asked = format!("{behaviour:?}");
    supported(harness.behave(target, behaviour).await, || format!("the harness cannot do `{asked}`"))
}

/// The verdict on a write that should have ended otherwise.
pub(super) fn unexpected(expected: &str, why: &str, result: &Result<(), WriteError>) -> Stop {
    let seen = match result {
        Ok(()) => "Ok".to_owned(),
        Err(WriteError::Unavailable { source, .. }) => format!("Unavailable ({})", chain(&**source)),
        Err(WriteError::Denied(cause)) => format!("Denied ({})", chain(&**cause)),
        Err(WriteError::Split(cause)) => format!("Split ({})", chain(&**cause)),
        Err(WriteError::Partial { retry, refused }) => {
            format!("Partial, retry {retry:?}, refused {refused:?}")
        }
    };
    broken(format!("{why}, so write should return {expected}, but it returned {seen}"))
}

/// Runs the background of a sink as the engine does: again after a pause when it ends in an error.
fn run_background(sink: &Arc<dyn Sink>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let mut background = sink.background();
    let sink = Arc::downgrade(sink);
    tasks.spawn(async move {
        while let Some(work) = background.take() {
            if work.await.is_ok() {
                return;
            }
            sleep(PAUSE).await;
            background = sink.upgrade().and_then(|sink| sink.background());
        }
    });
    tasks
}
