//! The contract of [`Relay`], as a suite that any relay can be run through.
//!
//! A relay computes, so the suite compares: what it makes of the same events and ticks must be the same however they
//! are cut into batches, and wherever the program was stopped in between and went on at the last snapshot.

use std::ops::Range;

use async_trait::async_trait;
use senseops_core::{
    Batch, Body, BoxError, Build, Event, Kind, LabelSet, MAX_STATE_BYTES, Relay, Timestamp, chain,
};

use crate::contract::{Broken, Kept, Run, Verdict, broken, ensure, ensure_well_formed, supported};
use crate::sample;

/// How the suite gets at a relay. One method is enough if it makes something of [samples](crate::sample).
#[async_trait]
pub trait RelayHarness: Send + Sync {
    /// Builds a relay that has seen nothing yet.
    ///
    /// # Errors
    /// When it cannot be built.
    async fn relay(&self, build: Build) -> Result<Box<dyn Relay>, BoxError>;

    /// The event of this number, a second after the one before. The relay has to make something of 6,000 of them and a
    /// tick after each 600.
    fn event(&self, number: u64) -> Event {
        sample::event(number).at(time_of(number))
    }
}

/// 2026-01-01 00:00:00 UTC.
const BEGIN: i64 = 1_767_225_600_000_000_000;
const SECOND: i64 = 1_000_000_000;
/// How often a relay is asked what follows from the time that has passed.
const TICKS: u64 = 10;
/// How many events there are before each tick.
const BETWEEN_TICKS: u64 = 600;
/// After which ticks the program is stopped.
const STOPS: [u64; 4] = [0, 1, 4, 9];

/// What was made of events, as far as it is the same each time.
type Made = Vec<(Kind, LabelSet, Body)>;

/// A relay and what it has made so far.
struct Stage {
    relay: Box<dyn Relay>,
    made: Vec<Event>,
}

/// Runs a relay through the contract.
///
/// # Errors
/// The scenarios that failed. `.unwrap()` in a test shows them one per line.
pub async fn relay_contract<H: RelayHarness>(harness: &H) -> Result<Kept, Broken> {
    let mut run = Run::new();
    // Where this fails, all others would fail for the same reason.
    if run.scenario("makes events", makes_events(harness)).await {
        run.scenario("accepts is stable", accepts_is_stable(harness)).await;
        run.scenario("batches do not matter", batches_do_not_matter(harness)).await;
        run.scenario("goes on after a stop", goes_on_after_a_stop(harness)).await;
        run.scenario("snapshots are small", snapshots_are_small(harness)).await;
        run.scenario("refuses a foreign snapshot", refuses_a_foreign_snapshot(harness)).await;
    }
    run.result()
}

async fn makes_events<H: RelayHarness>(harness: &H) -> Verdict {
    let stage = Stage::after_all(harness).await?;
    ensure(!stage.made.is_empty(), || format!("the relay made nothing of {} events", TICKS * BETWEEN_TICKS))?;
    ensure_well_formed(&stage.made)
}

async fn accepts_is_stable<H: RelayHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::build(harness).await?;
    let before = (stage.relay.accepts(), stage.relay.interval());
    stage.ticks(harness, 0..1, BETWEEN_TICKS)?;
    ensure((stage.relay.accepts(), stage.relay.interval()) == before, || {
        "`accepts` or `interval` changed, but the engine asks only once".into()
    })
}

async fn batches_do_not_matter<H: RelayHarness>(harness: &H) -> Verdict {
    let expected = Stage::after_all(harness).await?.made();
    for events in [1, 7] {
        let mut stage = Stage::build(harness).await?;
        stage.ticks(harness, 0..TICKS, events)?;
        ensure_same(&expected, &stage.made(), &format!("events came {events} at a time"))?;
    }
    Ok(())
}

async fn goes_on_after_a_stop<H: RelayHarness>(harness: &H) -> Verdict {
    let expected = Stage::after_all(harness).await?.made();
    for stop in STOPS {
        let mut before = Stage::build(harness).await?;
        before.ticks(harness, 0..stop, BETWEEN_TICKS)?;
        let snapshot = before.snapshot()?;
        supported(snapshot.is_some(), || "the relay remembers nothing".into())?;
        let mut after = Stage::build(harness).await?;
        let restored = snapshot.map_or(Ok(()), |snapshot| after.relay.restore(snapshot));
        restored.map_err(|error| broken(format!("its own snapshot was refused: {}", chain(&error))))?;
        after.made = before.made;
        after.ticks(harness, stop..TICKS, BETWEEN_TICKS)?;
        ensure_same(&expected, &after.made(), &format!("the program was stopped after tick {stop}"))?;
    }
    Ok(())
}

async fn snapshots_are_small<H: RelayHarness>(harness: &H) -> Verdict {
    let stage = Stage::after_all(harness).await?;
    let snapshot = stage.snapshot()?;
    supported(snapshot.is_some(), || "the relay remembers nothing".into())?;
    let bytes = snapshot.map_or(0, |snapshot| snapshot.to_string().len());
    ensure(bytes <= MAX_STATE_BYTES, || {
        format!("the snapshot has {bytes} bytes; at most {MAX_STATE_BYTES} are kept")
    })
}

async fn refuses_a_foreign_snapshot<H: RelayHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::build(harness).await?;
    supported(stage.snapshot()?.is_some(), || "the relay remembers nothing".into())?;
    let restored = stage.relay.restore("of another program".into());
    ensure(restored.is_err(), || "a snapshot that is no use was taken".into())
}

impl Stage {
    async fn build<H: RelayHarness>(harness: &H) -> Verdict<Self> {
        let relay = harness.relay(Build::detached("contract")).await;
        let relay =
            relay.map_err(|error| broken(format!("the relay cannot be built: {}", chain(&*error))))?;
        Ok(Self { relay, made: Vec::new() })
    }

    /// One that has seen all events without anything in between.
    async fn after_all<H: RelayHarness>(harness: &H) -> Verdict<Self> {
        let mut stage = Self::build(harness).await?;
        stage.ticks(harness, 0..TICKS, BETWEEN_TICKS)?;
        Ok(stage)
    }

    /// The events before each of these ticks, so many at a time, and the tick itself.
    fn ticks<H: RelayHarness>(&mut self, harness: &H, ticks: Range<u64>, at_a_time: u64) -> Verdict {
        let accepts = self.relay.accepts();
        for tick in ticks {
            let numbers: Vec<u64> = (tick * BETWEEN_TICKS..(tick + 1) * BETWEEN_TICKS).collect();
            for numbers in numbers.chunks(usize::try_from(at_a_time).unwrap_or(usize::MAX)) {
                let events = numbers.iter().map(|number| harness.event(*number));
                let events: Vec<Event> = events.filter(|event| accepts.event(event)).collect();
                if !events.is_empty() {
                    let seen = self.relay.observe(&Batch::from(events), &mut self.made);
                    seen.map_err(|error| broken(format!("observe failed: {}", chain(&error))))?;
                }
            }
            let ticked = self.relay.tick(time_of((tick + 1) * BETWEEN_TICKS), &mut self.made);
            ticked.map_err(|error| broken(format!("tick failed: {}", chain(&error))))?;
        }
        Ok(())
    }

    fn snapshot(&self) -> Verdict<Option<serde_json::Value>> {
        self.relay.snapshot().map_err(|error| broken(format!("snapshot failed: {}", chain(&error))))
    }

    /// What it made, without what is new each time.
    fn made(&self) -> Made {
        self.made.iter().map(|event| (event.kind, (*event.labels).clone(), event.body.clone())).collect()
    }
}

fn time_of(number: u64) -> Timestamp {
    let seconds = i64::try_from(number).unwrap_or(i64::MAX);
    Timestamp::from_nanos(BEGIN.saturating_add(seconds.saturating_mul(SECOND)))
}

fn ensure_same(expected: &Made, made: &Made, when: &str) -> Verdict {
    if let Some((expected, made)) = expected.iter().zip(made).find(|(one, other)| one != other) {
        let shown = |(kind, labels, body): &(Kind, LabelSet, Body)| format!("{kind} {{{labels}}} {body:?}");
        let (expected, made) = (shown(expected), shown(made));
        return Err(broken(format!("when {when}, the relay made {made} where it made {expected} before")));
    }
    ensure(expected.len() == made.len(), || {
        format!("when {when}, the relay made {} events where it made {} before", made.len(), expected.len())
    })
}
