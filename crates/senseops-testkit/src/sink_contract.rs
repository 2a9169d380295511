//! The contract of [`Sink`], as a suite that any sink can be run through.
//!
//! The suite does to the sink what the engine would: it repeats batches that are unavailable, halves batches that
//! are refused as a whole, honours partial results, drops writes at any point and builds sinks anew. Then it asks the
//! target what it has.

mod http;
mod ledger;
mod scenarios;
mod stage;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use senseops_core::{BoxError, Event, Sink};

use crate::contract::{Broken, Kept, Run};
use crate::sample;

pub use http::{HttpSinkHarness, Ruling, http_sink_contract};

/// How the suite gets at a sink and its target. Three methods are enough; the others let it try more.
#[async_trait]
pub trait SinkHarness: Send + Sync {
    /// A target: a fake with scripted faults, a real server, or a vector behind a lock.
    type Target: Send + Sync;

    /// A fresh target with nothing in it, which accepts.
    async fn target(&self) -> Self::Target;

    /// Builds a sink for the target, as its factory would. Called again for the same target when the sink is built
    /// anew. Keep no other reference to the sink: the suite checks that it is freed.
    ///
    /// # Errors
    /// When it cannot be built. A target that is down is no reason.
    async fn sink(&self, target: &Self::Target) -> Result<Arc<dyn Sink>, BoxError>;

    /// The numbers of all events that the target has now, in the order in which it got them, repetitions included.
    async fn stored(&self, target: &Self::Target) -> Vec<u64>;

    /// From now on the target behaves so. Gives `false` when it cannot; what needs it is skipped then.
    async fn behave(&self, _target: &Self::Target, behaviour: TargetBehaviour) -> bool {
        matches!(behaviour, TargetBehaviour::Accept)
    }

    /// The numbers of all events that were ever sent to the target, whatever became of them; `None` when it cannot
    /// tell. With it, the suite sees a sink that repeats writes on its own.
    async fn offered(&self, _target: &Self::Target) -> Option<Vec<u64>> {
        None
    }

    /// Why nothing can be wrong with the target, if that is so. Otherwise the suite insists on trying something of what
    /// targets answer, and something of what comes between a write and its answer.
    fn cannot_fail(&self) -> Option<&'static str> {
        None
    }

    /// The event of this number. Only events that the sink accepts are used.
    fn event(&self, number: u64) -> Event {
        sample::event(number)
    }
}

/// How a target behaves until it is told otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetBehaviour {
    /// Takes everything.
    Accept,
    /// Takes nothing for now, and says so.
    Busy {
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Refuses the events of these numbers for good.
    RefuseSome(Vec<u64>),
    /// Refuses every event for good.
    RefuseAll,
    /// Refuses writes of more events than this, as a whole.
    AtMost(usize),
    /// Takes nothing because of who we are.
    Deny,
    /// Takes writes and never answers.
    Hang,
    /// Takes writes, then crashes before it has stored them.
    LoseWrites,
    /// Takes and stores writes, then crashes before it has answered.
    LoseAnswers,
    /// Nobody is there.
    Down,
}

/// Runs a sink through the contract.
///
/// # Errors
/// The scenarios that failed. `.unwrap()` in a test shows them one per line.
pub async fn sink_contract<H: SinkHarness>(harness: &H) -> Result<Kept, Broken> {
    let mut run = Run::new();
    // Where this fails, all others would fail for the same reason.
    if run.scenario("ok", scenarios::ok(harness)).await {
        run.begin_group();
        answers(&mut run, harness).await;
        run.end_group("what a target answers", harness.cannot_fail());
        interruptions(&mut run, harness).await;
        run.end_group("what comes between a write and its answer", harness.cannot_fail());
        life(&mut run, harness).await;
    }
    run.result()
}

/// What a target may answer besides yes.
async fn answers<H: SinkHarness>(run: &mut Run, harness: &H) {
    run.scenario("flaky", scenarios::flaky(harness)).await;
    run.scenario("retry after", scenarios::retry_after(harness)).await;
    run.scenario("refuse some", scenarios::refuse_some(harness)).await;
    run.scenario("refuse all", scenarios::refuse_all(harness)).await;
    run.scenario("too large", scenarios::too_large(harness)).await;
    run.scenario("denied", scenarios::denied(harness)).await;
}

/// What may come between a write and its answer.
async fn interruptions<H: SinkHarness>(run: &mut Run, harness: &H) {
    run.scenario("crash before store", scenarios::crash_before_store(harness)).await;
    run.scenario("lost answer", scenarios::lost_answer(harness)).await;
    run.scenario("dropped while waiting", scenarios::dropped_while_waiting(harness)).await;
    run.scenario("dropped mid-write", scenarios::dropped_mid_write(harness)).await;
    run.scenario("down", scenarios::down(harness)).await;
    run.scenario("down at start", scenarios::down_at_start(harness)).await;
}

/// How the engine handles a sink.
async fn life<H: SinkHarness>(run: &mut Run, harness: &H) {
    run.scenario("accepts is stable", scenarios::accepts_is_stable(harness)).await;
    run.scenario("written twice", scenarios::written_twice(harness)).await;
    run.scenario("several at once", scenarios::several_at_once(harness)).await;
    run.scenario("built anew", scenarios::built_anew(harness)).await;
    run.scenario("probe", scenarios::probe(harness)).await;
    run.scenario("close", scenarios::close(harness)).await;
    run.scenario("close while down", scenarios::close_while_down(harness)).await;
    run.scenario("freed", scenarios::freed(harness)).await;
}
