//! You will see how many user events there were in each second, counted by a relay that you could have written.
//!
//! A relay makes events of events. It only computes: the engine reads the journal for it, and what it remembers survives
//! restarts together with its place there. `cargo test --example custom_relay` runs its contract.
#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use senseops::settings::Span;
use senseops::sources::udp::UdpConfig;
use senseops::{
    Accepts, Batch, Body, BoxError, Build, BuildError, Event, Fields, Kind, LabelSet, Only, Pipeline, Plugin,
    Relay, RelayError, Timestamp, async_trait, sink_fn,
};
use senseops_sim::{Amount, UserEvents, send};
use serde::Deserialize;
use serde_json::{Value, json};

/// A measurement with the field `events`, and the label `command`.
const RATE: Kind = Kind::new("example.command_rate");

/// `relays.command_rate.<name>` in a configuration file: how many events of each command there were.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandRate {
    every: Span,
    #[serde(skip)]
    counts: BTreeMap<String, u64>,
}

#[async_trait]
impl Plugin for CommandRate {
    type Component = Box<dyn Relay>;
    const TYPE: &'static str = "command_rate";
    const ABOUT: &'static str = "Counts user events by their command";
    const SAMPLE: &'static str = "every: 1m\n";

    async fn build(&self, _build: Build) -> Result<Box<dyn Relay>, BuildError> {
        Ok(Box::new(self.clone()))
    }
}

impl Relay for CommandRate {
    fn accepts(&self) -> Accepts {
        Accepts::kinds(["qlik.user_event"])
    }

    fn observe(&mut self, batch: &Batch, _out: &mut Vec<Event>) -> Result<(), RelayError> {
        for event in batch.iter() {
            let command = event.fields().text("command").unwrap_or_default();
            *self.counts.entry(command.to_owned()).or_default() += 1;
        }
        Ok(())
    }

    fn interval(&self) -> Option<Span> {
        Some(self.every)
    }

    fn tick(&mut self, now: Timestamp, out: &mut Vec<Event>) -> Result<(), RelayError> {
        for (command, events) in std::mem::take(&mut self.counts) {
            let labels = Arc::new(LabelSet::from_iter([("command", command)]));
            out.push(
                Event::new(RATE, &labels, Body::Measurement(Fields::default().with("events", events)))
                    .at(now),
            );
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Option<Value>, RelayError> {
        Ok(Some(json!(self.counts)))
    }

    fn restore(&mut self, snapshot: Value) -> Result<(), RelayError> {
        self.counts = serde_json::from_value(snapshot).map_err(BoxError::from)?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let relay = CommandRate { every: Span::from_secs(1), counts: BTreeMap::new() };
    let print = sink_fn(|batch: Batch| async move {
        for event in batch.iter() {
            println!("{event}");
        }
        Ok(())
    });
    let pipeline = Pipeline::builder()
        .source("users", UdpConfig::listen("127.0.0.1:0".parse()?))
        .relay("rates", relay)
        .sink_with("print", Only { sources: vec!["rates".into()], kinds: vec![] }, print)
        .build()
        .await?;
    let listeners = pipeline.handle().view().listeners;
    let users = async {
        let datagrams: Vec<_> = UserEvents::new(1).take(500).collect();
        for listener in listeners {
            if let Err(error) = send(&datagrams, listener.address, 200, Amount::Count(500)).await {
                println!("nothing was sent: {error}");
            }
        }
    };
    pipeline.run_until(users).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use senseops::{Record, Severity};
    use senseops_testkit::{RelayHarness, relay_contract, sample};

    use super::*;

    struct Harness;

    #[async_trait]
    impl RelayHarness for Harness {
        async fn relay(&self, _build: Build) -> Result<Box<dyn Relay>, BoxError> {
            Ok(Box::new(CommandRate { every: Span::from_secs(60), counts: BTreeMap::new() }))
        }

        fn event(&self, number: u64) -> Event {
            let command = if number.is_multiple_of(3) { "Start session" } else { "Open connection" };
            let fields = Fields::default().with("command", command);
            let body = Body::Record(Record { severity: Severity::Info, message: "".into(), fields });
            Event { kind: Kind::new("qlik.user_event"), body, ..sample::record(number) }
        }
    }

    #[tokio::test]
    async fn it_keeps_the_contract_of_relays() {
        assert_eq!(relay_contract(&Harness).await.unwrap().untried(), [""; 0]);
    }
}
