//! The suite for sources, run against correct sources and against sources with one flaw each. Time is paused, so
//! waits cost nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod belt;

use senseops_core::{BoxError, Build, Source, async_trait};
use senseops_testkit::{Broken, Keeps, OriginBehaviour, SourceHarness, source_contract};

use belt::{Belt, BeltSource, Flaw};

/// The harness that a third party would write.
struct Harness {
    keeps: Keeps,
    flaw: Option<Flaw>,
}

#[async_trait]
impl SourceHarness for Harness {
    type Origin = Belt;

    async fn origin(&self) -> Belt {
        Belt::new(self.keeps)
    }

    async fn source(&self, belt: &Belt, build: Build) -> Result<Box<dyn Source>, BoxError> {
        BeltSource::build(belt.clone(), self.flaw, &build)
    }

    async fn provoke(&self, belt: &Belt, number: u64) {
        belt.put(number);
    }

    fn keeps(&self) -> Keeps {
        self.keeps
    }

    async fn behave(&self, belt: &Belt, behaviour: OriginBehaviour) -> bool {
        belt.behave(behaviour);
        true
    }
}

/// Of a source that gets each event once.
async fn of(flaw: Flaw) -> Broken {
    source_contract(&Harness { keeps: Keeps::Everything, flaw: Some(flaw) }).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_correct_source_keeps_the_contract_in_every_scenario() {
    let kept = source_contract(&Harness { keeps: Keeps::Everything, flaw: None }).await.unwrap();
    insta::assert_snapshot!(kept.passed.join(", "), @"emits, emits many, well-formed events, stops, stops before it starts, stops without room, goes on when there is room, goes on after a loss, built anew, dropped, down, down at start, stops while waiting, garbage, probe");
    assert_eq!(kept.untried(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_sees_only_what_is_true_now_keeps_the_contract() {
    let kept = source_contract(&Harness { keeps: Keeps::Latest, flaw: None }).await.unwrap();
    insta::assert_snapshot!(kept, @"
    the contract is kept: emits, well-formed events, stops, stops before it starts, stops without room, goes on when there is room, goes on after a loss, built anew, dropped, down, down at start, stops while waiting, garbage, probe
      not tried: emits many, because the origin has only what is true now
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_whose_origin_keeps_nothing_keeps_the_contract() {
    let kept = source_contract(&Harness { keeps: Keeps::Nothing, flaw: None }).await.unwrap();
    assert_eq!(kept.untried(), [""; 0]);
    let broken = source_contract(&Harness { keeps: Keeps::Nothing, flaw: Some(Flaw::TellsTwice) }).await;
    insta::assert_snapshot!(broken.unwrap_err(), @"
    the contract is broken
      emits many: the source told event 2 twice
    ");
}

/// An origin of which only good things are known.
struct Perfect(Harness, Option<&'static str>);

#[async_trait]
impl SourceHarness for Perfect {
    type Origin = Belt;

    async fn origin(&self) -> Belt {
        self.0.origin().await
    }

    async fn source(&self, belt: &Belt, build: Build) -> Result<Box<dyn Source>, BoxError> {
        self.0.source(belt, build).await
    }

    async fn provoke(&self, belt: &Belt, number: u64) {
        self.0.provoke(belt, number).await;
    }

    fn cannot_fail(&self) -> Option<&'static str> {
        self.1
    }
}

#[tokio::test(start_paused = true)]
async fn a_suite_that_could_not_try_what_may_go_wrong_says_so() {
    let harness = || Harness { keeps: Keeps::Latest, flaw: None };
    insta::assert_snapshot!(source_contract(&Perfect(harness(), None)).await.unwrap_err(), @"
    the contract is broken
      what can be wrong with an origin: nothing of it was tried: let the harness `behave`, or say in `cannot_fail` why nothing can fail
    ");
    insta::assert_snapshot!(source_contract(&Perfect(harness(), Some("a belt"))).await.unwrap(), @"
    the contract is kept: emits, well-formed events, stops, stops before it starts, stops without room, goes on when there is room, goes on after a loss, built anew, dropped, probe
      not tried: emits many, because the origin has only what is true now
      not tried: down, because the harness cannot do `Down`
      not tried: down at start, because the harness cannot do `Down`
      not tried: stops while waiting, because the harness cannot do `Hang`
      not tried: garbage, because the harness cannot do `Garbage`
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_emits_nothing_is_caught() {
    insta::assert_snapshot!(of(Flaw::EmitsNothing).await, @"
    the contract is broken
      emits: the origin brought about event 1, but the source did not emit it within 60s; it emitted (none)
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_tells_what_nobody_provoked_is_caught() {
    insta::assert_snapshot!(of(Flaw::Invents).await, @"
    the contract is broken
      emits: the source told of event 77, which nobody provoked
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_loses_events_of_a_burst_is_caught() {
    insta::assert_snapshot!(of(Flaw::LosesOfABurst).await, @"
    the contract is broken
      emits many: of 200 events the source did not emit 51
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_tells_events_twice_is_caught() {
    insta::assert_snapshot!(of(Flaw::TellsTwice).await, @"
    the contract is broken
      emits many: the source told event 1 twice
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_changes_the_order_is_caught() {
    insta::assert_snapshot!(of(Flaw::Reorders).await, @"
    the contract is broken
      emits many: the source told event 200 before event 199
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_makes_labels_for_each_event_is_caught() {
    insta::assert_snapshot!(of(Flaw::MakesLabels).await, @"
    the contract is broken
      well-formed events: the labels {belt=1} were made anew for an event; share one `Arc`
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_shouts_its_kind_is_caught() {
    insta::assert_snapshot!(of(Flaw::ShoutsItsKind).await, @r#"
    the contract is broken
      well-formed events: a kind is lower-case words with dots between, not "Belt Number"
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_ignores_the_request_to_stop_is_caught() {
    insta::assert_snapshot!(of(Flaw::IgnoresShutdown).await, @"
    the contract is broken
      emits: the source did not stop within 10s
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_stop_without_room_is_caught() {
    insta::assert_snapshot!(of(Flaw::IgnoresShutdownWhileEmitting).await, @"
    the contract is broken
      stops without room: the source did not stop within 10s
      stops while waiting: the source did not stop within 10s
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_ends_when_an_event_is_lost_is_caught() {
    insta::assert_snapshot!(of(Flaw::EndsAfterALoss).await, @"
    the contract is broken
      goes on after a loss: the source ended with an error: the journal took nothing
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_loses_what_came_while_it_was_built_anew_is_caught() {
    insta::assert_snapshot!(of(Flaw::StartsAtTheEnd).await, @"
    the contract is broken
      built anew: the origin brought about event 3, but the source did not emit it within 60s; it emitted (none)
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_be_dropped_is_caught() {
    insta::assert_snapshot!(of(Flaw::KeepsItsPlace).await, @"
    the contract is broken
      dropped: the source cannot be built: contract has a place at the belt already
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_ends_when_its_origin_is_down_is_caught() {
    insta::assert_snapshot!(of(Flaw::EndsWhenDown).await, @"
    the contract is broken
      down: the source ended with an error: nobody is there
      down at start: the source ended with an error: nobody is there
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_keeps_quiet_about_a_missing_origin_is_caught() {
    insta::assert_snapshot!(of(Flaw::QuietWhenDown).await, @"
    the contract is broken
      down: health should be failing within 60s, but it is Ok
      down at start: health should be failing within 60s, but it is Starting
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_recovers_is_caught() {
    insta::assert_snapshot!(of(Flaw::NeverRecovers).await, @r#"
    the contract is broken
      down: health should be ok again within 60s, but it is Failing("nobody is there")
      down at start: health should be ok again within 60s, but it is Failing("nobody is there")
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_be_built_while_its_origin_is_down_is_caught() {
    insta::assert_snapshot!(of(Flaw::NeedsOriginToBuild).await, @"
    the contract is broken
      down at start: the source cannot be built: connect to the belt
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_on_garbage_is_caught() {
    insta::assert_snapshot!(of(Flaw::PanicsOnGarbage).await, @"
    the contract is broken
      garbage: the source panicked: not a number
    ");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_probes_nothing_is_caught() {
    insta::assert_snapshot!(of(Flaw::ProbesNothing).await, @r#"
    the contract is broken
      probe: the origin is down, but probe answered Ok(Some("the belt is there"))
    "#);
}
