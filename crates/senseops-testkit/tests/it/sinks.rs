//! The suite for sinks, run against a correct sink and against sinks with one flaw each. Time is paused, so waits
//! cost nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod shelf;

use senseops_core::{BoxError, Sink, async_trait};
use senseops_testkit::{Broken, Kept, SinkHarness, TargetBehaviour, sink_contract};
use std::sync::Arc;

use shelf::{Flaw, Shelf, ShelfSink};

/// The harness that a third party would write.
struct Harness(Option<Flaw>);

#[async_trait]
impl SinkHarness for Harness {
    type Target = Shelf;

    async fn target(&self) -> Shelf {
        Shelf::default()
    }

    async fn sink(&self, shelf: &Shelf) -> Result<Arc<dyn Sink>, BoxError> {
        ShelfSink::build(shelf.clone(), self.0)
    }

    async fn stored(&self, shelf: &Shelf) -> Vec<u64> {
        shelf.stored()
    }

    async fn behave(&self, shelf: &Shelf, behaviour: TargetBehaviour) -> bool {
        shelf.behave(behaviour);
        true
    }

    async fn offered(&self, shelf: &Shelf) -> Option<Vec<u64>> {
        Some(shelf.offered())
    }
}

async fn of(flaw: Flaw) -> Broken {
    sink_contract(&Harness(Some(flaw))).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_correct_sink_keeps_the_contract_in_every_scenario() {
    let Kept { passed, skipped } = sink_contract(&Harness(None)).await.unwrap();
    insta::assert_snapshot!(passed.join(", "), @"ok, flaky, retry after, refuse some, refuse all, too large, denied, crash before store, lost answer, dropped while waiting, dropped mid-write, down, down at start, accepts is stable, written twice, several at once, built anew, probe, close, close while down, freed");
    assert_eq!(skipped, []);
}

#[tokio::test(start_paused = true)]
async fn naming_the_refused_events_is_as_good_as_splitting() {
    let kept = sink_contract(&Harness(Some(Flaw::NoneButNamesTheRefused))).await.unwrap();
    assert_eq!(kept.untried(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_acks_once_it_has_sent_is_caught() {
    insta::assert_snapshot!(of(Flaw::AcksOnceSent).await, @"
    the contract is broken
      crash before store: write returned Ok before the target had the events 1, 2, 3, 4
      lost answer: the target crashed before it answered, so write should return Unavailable, but it returned Ok
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_acks_once_it_has_queued_is_caught() {
    insta::assert_snapshot!(of(Flaw::AcksOnceQueued).await, @"
    the contract is broken
      ok: write returned Ok before the target had the events 0
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_loses_the_last_event_of_large_batches_is_caught() {
    insta::assert_snapshot!(of(Flaw::LosesTheLastOfMany).await, @"
    the contract is broken
      ok: write returned Ok before the target had the events 74
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_writes_an_event_of_its_own_is_caught() {
    insta::assert_snapshot!(of(Flaw::Invents).await, @"
    the contract is broken
      ok: the target has event 4711, which is in no batch
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_changes_the_order_is_caught() {
    insta::assert_snapshot!(of(Flaw::Reorders).await, @"
    the contract is broken
      ok: the target got event 3 before event 2, which was written first
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_writes_what_was_not_selected_is_caught() {
    insta::assert_snapshot!(of(Flaw::WritesWholeChunks).await, @"
    the contract is broken
      ok: the target has event 1000000, which is in no batch
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_repeats_writes_on_its_own_is_caught() {
    insta::assert_snapshot!(of(Flaw::RepeatsOnItsOwn).await, @"
    the contract is broken
      flaky: the sink repeated the write on its own; only the engine repeats
      retry after: the sink repeated the write on its own; only the engine repeats
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_keeps_the_asked_pause_to_itself_is_caught() {
    insta::assert_snapshot!(of(Flaw::ForgetsRetryAfter).await, @"
    the contract is broken
      retry after: the target asked for a pause of 30s, but the sink passed on None
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_waits_on_its_own_is_caught() {
    insta::assert_snapshot!(of(Flaw::WaitsOnItsOwn).await, @"
    the contract is broken
      retry after: the sink waited on its own; only the engine waits
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_swallows_refusals_is_caught() {
    insta::assert_snapshot!(of(Flaw::SwallowsRefusals).await, @"
    the contract is broken
      refuse some: write returned Ok before the target had the events 3, 7, 11
      refuse all: write returned Ok before the target had the events 1, 2, 3, 4, 5
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_refuses_the_neighbours_of_refused_events_is_caught() {
    insta::assert_snapshot!(of(Flaw::RefusesNeighbours).await, @"
    the contract is broken
      refuse some: the target refuses the events 3, 7, 11, but reported were 1, 2, 3, 4, 5, 6, 7, 8 and 3 more
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_refuses_without_a_reason_is_caught() {
    insta::assert_snapshot!(of(Flaw::RefusesWithoutReason).await, @"
    the contract is broken
      refuse some: event 3 was refused without a reason
      refuse all: event 1 was refused without a reason
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_names_positions_that_do_not_exist_is_caught() {
    insta::assert_snapshot!(of(Flaw::NamesWrongPositions).await, @"
    the contract is broken
      refuse some: a partial result has position 11 in `refused` of a batch of 11
      refuse all: a partial result has position 5 in `refused` of a batch of 5
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_names_positions_backwards_is_caught() {
    insta::assert_snapshot!(of(Flaw::NamesPositionsBackwards).await, @"
    the contract is broken
      refuse some: positions in `refused` of a partial result must ascend, but are [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
      refuse all: positions in `refused` of a partial result must ascend, but are [4, 3, 2, 1, 0]
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_refuses_and_retries_an_event_is_caught() {
    insta::assert_snapshot!(of(Flaw::RefusesAndRetries).await, @"
    the contract is broken
      refuse some: a partial result has position 0 both in `retry` and in `refused`
      refuse all: a partial result has position 0 both in `retry` and in `refused`
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_takes_too_large_for_busy_is_caught() {
    insta::assert_snapshot!(of(Flaw::TooLargeIsBusy).await, @"
    the contract is broken
      too large: still unavailable although the target is there: the shelf says no
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_takes_denied_for_busy_is_caught() {
    insta::assert_snapshot!(of(Flaw::DeniedIsBusy).await, @"
    the contract is broken
      denied: the target denies us, so write should return Denied, but it returned Unavailable (the shelf says no)
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_takes_busy_for_refused_is_caught() {
    insta::assert_snapshot!(of(Flaw::BusyIsRefused).await, @"
    the contract is broken
      flaky: the target is busy, so write should return Unavailable, but it returned Split (busy)
      retry after: the target is busy, so write should return Unavailable, but it returned Split (busy)
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_wedged_by_a_dropped_write_is_caught() {
    insta::assert_snapshot!(of(Flaw::WedgedByDrop).await, @"
    the contract is broken
      dropped while waiting: still unavailable although the target is there: another write is going on
      dropped mid-write: still unavailable although the target is there: another write is going on
      several at once: one of three writes at the same time failed: target unavailable: another write is going on
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_when_its_target_is_down_is_caught() {
    insta::assert_snapshot!(of(Flaw::PanicsWhenDown).await, @"
    the contract is broken
      down: write panicked: no shelf
      down at start: write panicked: no shelf
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_when_its_target_is_down_is_caught() {
    insta::assert_snapshot!(of(Flaw::HangsWhenDown).await, @"
    the contract is broken
      down: write did not return within 60s
      down at start: write did not return within 60s
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_cannot_be_built_while_its_target_is_down_is_caught() {
    insta::assert_snapshot!(of(Flaw::NeedsTargetToBuild).await, @"
    the contract is broken
      down at start: the sink cannot be built: connect to the shelf
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_changes_what_it_accepts_is_caught() {
    insta::assert_snapshot!(of(Flaw::AcceptsLess).await, @"
    the contract is broken
      accepts is stable: `accepts` changed, but the engine asks only once
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_accepts_nothing_is_caught() {
    insta::assert_snapshot!(of(Flaw::AcceptsNothing).await, @"
    the contract is broken
      ok: the sink accepts 0 of 1000 events; make some that it does in `SinkHarness::event`
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_refuses_what_it_has_written_before_is_caught() {
    insta::assert_snapshot!(of(Flaw::RefusesRepetitions).await, @"
    the contract is broken
      refuse some: nothing was denied, but: target denied the write: the shelf is locked
      lost answer: nothing was denied, but: target denied the write: the shelf is locked
      dropped mid-write: nothing was denied, but: target denied the write: the shelf is locked
      written twice: nothing was denied, but: target denied the write: the shelf is locked
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_cannot_write_twice_at_the_same_time_is_caught() {
    insta::assert_snapshot!(of(Flaw::OneAtATime).await, @"
    the contract is broken
      several at once: one of three writes at the same time failed: target unavailable: another write is going on
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_probes_by_writing_is_caught() {
    insta::assert_snapshot!(of(Flaw::ProbesByWriting).await, @"
    the contract is broken
      probe: probe must not write, but the target has now [0, 1]
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_probes_nothing_is_caught() {
    insta::assert_snapshot!(of(Flaw::ProbesNothing).await, @r#"
    the contract is broken
      probe: the target is down, but probe answered Ok(Some("the shelf is there"))
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_cannot_close_without_its_target_is_caught() {
    insta::assert_snapshot!(of(Flaw::HangsInClose).await, @"
    the contract is broken
      close while down: close while the target is down did not return within 60s
    ");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_leaves_a_task_behind_is_caught() {
    insta::assert_snapshot!(of(Flaw::LeavesATask).await, @"
    the contract is broken
      freed: the sink and its background were dropped, but something still holds the sink: a task of its own?
    ");
}
