//! The suite for relays, run against a correct relay and against relays with one flaw each.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use senseops_core::{
    Accepts, Batch, Body, BoxError, Build, Event, Fields, Kind, LabelSet, Relay, RelayError, Timestamp,
    async_trait,
};
use senseops_testkit::{Broken, RelayHarness, relay_contract};
use serde_json::{Value, json};

/// Counts events by kind, and tells at each tick.
#[derive(Default)]
struct Counts {
    flaw: Option<Flaw>,
    counts: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    SaysNothing,
    CountsBatches,
    Forgets,
    RemembersNothing,
    TakesAnySnapshot,
    Panics,
}

struct Harness(Option<Flaw>);

#[async_trait]
impl RelayHarness for Harness {
    async fn relay(&self, _build: Build) -> Result<Box<dyn Relay>, BoxError> {
        Ok(Box::new(Counts { flaw: self.0, ..Counts::default() }))
    }
}

impl Relay for Counts {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    fn observe(&mut self, batch: &Batch, _out: &mut Vec<Event>) -> Result<(), RelayError> {
        assert_ne!(self.flaw, Some(Flaw::Panics), "too much");
        let counted = if self.flaw == Some(Flaw::CountsBatches) { 1 } else { usize::MAX };
        for event in batch.iter().take(counted) {
            *self.counts.entry(event.kind.to_string()).or_default() += 1;
        }
        Ok(())
    }

    fn tick(&mut self, now: Timestamp, out: &mut Vec<Event>) -> Result<(), RelayError> {
        if self.flaw == Some(Flaw::SaysNothing) {
            return Ok(());
        }
        for (kind, count) in &self.counts {
            let labels = Arc::new(LabelSet::from_iter([("kind", kind.as_str())]));
            let body = Body::Measurement(Fields::default().with("events", *count));
            let key = format!("{kind} {now}");
            out.push(Event::keyed(("counts", key.as_bytes()), now, Kind::new("test.count"), &labels, body));
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Option<Value>, RelayError> {
        match self.flaw {
            Some(Flaw::RemembersNothing) => Ok(None),
            Some(Flaw::Forgets) => Ok(Some(json!({}))),
            _ => Ok(Some(json!(self.counts))),
        }
    }

    fn restore(&mut self, snapshot: Value) -> Result<(), RelayError> {
        if self.flaw == Some(Flaw::TakesAnySnapshot) {
            self.counts = serde_json::from_value(snapshot).unwrap_or_default();
            return Ok(());
        }
        self.counts = serde_json::from_value(snapshot).map_err(BoxError::from)?;
        Ok(())
    }
}

async fn of(flaw: Flaw) -> Broken {
    relay_contract(&Harness(Some(flaw))).await.unwrap_err()
}

#[tokio::test]
async fn a_correct_relay_keeps_the_contract() {
    insta::assert_snapshot!(relay_contract(&Harness(None)).await.unwrap(), @"the contract is kept: makes events, accepts is stable, batches do not matter, goes on after a stop, snapshots are small, refuses a foreign snapshot");
}

#[tokio::test]
async fn a_relay_that_says_nothing_is_caught() {
    insta::assert_snapshot!(of(Flaw::SaysNothing).await, @"
    the contract is broken
      makes events: the relay made nothing of 6000 events
    ");
}

#[tokio::test]
async fn a_relay_that_counts_batches_is_caught() {
    insta::assert_snapshot!(of(Flaw::CountsBatches).await, @r#"
    the contract is broken
      batches do not matter: when events came 1 at a time, the relay made test.count {kind=sample.measurement} Measurement({"events": UInt(200)}) where it made test.count {kind=sample.state} Measurement({"events": UInt(1)}) before
    "#);
}

#[tokio::test]
async fn a_relay_that_forgets_at_a_restart_is_caught() {
    insta::assert_snapshot!(of(Flaw::Forgets).await, @r#"
    the contract is broken
      goes on after a stop: when the program was stopped after tick 1, the relay made test.count {kind=sample.measurement} Measurement({"events": UInt(200)}) where it made test.count {kind=sample.measurement} Measurement({"events": UInt(400)}) before
    "#);
}

#[tokio::test]
async fn a_relay_that_takes_any_snapshot_is_caught() {
    insta::assert_snapshot!(of(Flaw::TakesAnySnapshot).await, @"
    the contract is broken
      refuses a foreign snapshot: a snapshot that is no use was taken
    ");
}

#[tokio::test]
async fn a_relay_that_panics_is_caught() {
    insta::assert_snapshot!(of(Flaw::Panics).await, @"
    the contract is broken
      makes events: panicked: assertion `left != right` failed: too much
      left: Some(Panics)
     right: Some(Panics)
    ");
}

#[tokio::test]
async fn what_a_relay_that_remembers_nothing_is_spared_is_said() {
    insta::assert_snapshot!(relay_contract(&Harness(Some(Flaw::RemembersNothing))).await.unwrap(), @"
    the contract is kept: makes events, accepts is stable, batches do not matter
      not tried: goes on after a stop, because the relay remembers nothing
      not tried: snapshots are small, because the relay remembers nothing
      not tried: refuses a foreign snapshot, because the relay remembers nothing
    ");
}
