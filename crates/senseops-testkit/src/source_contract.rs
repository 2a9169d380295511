//! The contract of [`Source`], as a suite that any source can be run through.
//!
//! The suite runs the source as the engine would, makes its origin bring about numbered events, stops it, drops it,
//! builds it anew, takes away the room for its events, and lets its origin fail.

mod scenarios;
mod stage;

use async_trait::async_trait;
use senseops_core::{BoxError, Build, Event, Source};

use crate::contract::{Broken, Kept, Run};
use crate::sample;

/// How the suite gets at a source and its origin. Three methods are enough when the events are
/// [samples](crate::sample); the others let it try more.
#[async_trait]
pub trait SourceHarness: Send + Sync {
    /// An origin: a simulated server, a sender of datagrams, or a vector behind a lock.
    type Origin: Send + Sync;

    /// A fresh origin, which answers.
    async fn origin(&self) -> Self::Origin;

    /// Builds a source for the origin, as its factory would. Called again with the same origin and build when the
    /// source is rebuilt. Sources that poll should do so often, since the suite waits for them.
    ///
    /// # Errors
    /// When it cannot be built. An origin that is down is no reason.
    async fn source(&self, origin: &Self::Origin, build: Build) -> Result<Box<dyn Source>, BoxError>;

    /// Makes the origin bring about what the source emits as the event of this number: sends a datagram with it,
    /// inserts a row with it, or answers polls with it from now on. Numbers are between 1 and 1000. Where the origin
    /// keeps [nothing](Keeps::Nothing) it is called again with a number until the source has emitted it, and may find
    /// nobody there.
    async fn provoke(&self, origin: &Self::Origin, number: u64);

    /// The number of an event; `None` or 0 for events about something else, such as the state of the origin.
    fn number(&self, event: &Event) -> Option<u64> {
        sample::number(event)
    }

    /// What the origin has for a source that comes late.
    fn keeps(&self) -> Keeps {
        Keeps::Latest
    }

    /// Why nothing can be wrong with the origin, if that is so. Otherwise the suite insists on trying something.
    fn cannot_fail(&self) -> Option<&'static str> {
        None
    }

    /// From now on the origin behaves so. Gives `false` when it cannot; what needs it is skipped then.
    async fn behave(&self, _origin: &Self::Origin, behaviour: OriginBehaviour) -> bool {
        matches!(behaviour, OriginBehaviour::Answer)
    }
}

/// What an origin has for a source that comes late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Only what is true now; the same may be emitted again with each look.
    Latest,
    /// Everything that was provoked and not emitted yet, as a socket or a table has. Each is emitted once and in order.
    Everything,
    /// Nothing: it calls whoever listens at that moment, as subscriptions and web hooks do. What it brings about while
    /// the source is there is emitted once and in order.
    Nothing,
}

/// How an origin behaves until it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginBehaviour {
    /// As it should.
    Answer,
    /// Nobody is there.
    Down,
    /// Takes requests and never answers.
    Hang,
    /// Sends what cannot be understood: cut, foreign, much too large.
    Garbage,
}

/// Runs a source through the contract.
///
/// # Errors
/// The scenarios that failed. `.unwrap()` in a test shows them one per line.
pub async fn source_contract<H: SourceHarness>(harness: &H) -> Result<Kept, Broken> {
    let mut run = Run::new();
    // Where this fails, most others would fail for the same reason.
    if !run.scenario("emits", scenarios::emits(harness)).await {
        return run.result();
    }
    run.scenario("emits many", scenarios::emits_many(harness)).await;
    run.scenario("well-formed events", scenarios::well_formed_events(harness)).await;
    run.scenario("stops", scenarios::stops(harness)).await;
    run.scenario("stops before it starts", scenarios::stops_before_it_starts(harness)).await;
    run.scenario("stops without room", scenarios::stops_without_room(harness)).await;
    run.scenario("goes on when there is room", scenarios::goes_on_when_there_is_room(harness)).await;
    run.scenario("goes on after a loss", scenarios::goes_on_after_a_loss(harness)).await;
    run.scenario("built anew", scenarios::built_anew(harness)).await;
    run.scenario("dropped", scenarios::dropped(harness)).await;
    run.begin_group();
    run.scenario("down", scenarios::down(harness)).await;
    run.scenario("down at start", scenarios::down_at_start(harness)).await;
    run.scenario("stops while waiting", scenarios::stops_while_waiting(harness)).await;
    run.scenario("garbage", scenarios::garbage(harness)).await;
    run.end_group("what can be wrong with an origin", harness.cannot_fail());
    run.scenario("probe", scenarios::probe(harness)).await;
    run.result()
}
