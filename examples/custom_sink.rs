//! You will see how often each user event was seen, counted by a sink that you could have written.
//!
//! A sink is two methods and a configuration struct. Batching, retries, the journal, counters and shutdown come from
//! the engine. Here its configuration comes from YAML, as in `sos run`.
#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use senseops::{
    Accepts, Batch, Build, BuildError, Pipeline, PlanError, PlannedSink, Sink, SinkConfig, SinkFactory,
    WriteError, async_trait,
};
use senseops_sim::{Amount, UserEvents, send};
use serde::Deserialize;

/// `sinks.tally.<name>` in a configuration file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TallyConfig {
    /// The field whose values are counted.
    by: String,
}

impl SinkConfig for TallyConfig {
    const TYPE: &'static str = "tally";
    const ABOUT: &'static str = "Counts events by the value of a field";
    const SAMPLE: &'static str = "by: command\n";

    fn plan(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

#[async_trait]
impl SinkFactory for TallyConfig {
    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::new(Tally { by: self.by.clone(), counts: Mutex::default() }))
    }
}

struct Tally {
    by: String,
    counts: Mutex<BTreeMap<String, u64>>,
}

#[async_trait]
impl Sink for Tally {
    fn accepts(&self) -> Accepts {
        Accepts::kinds(["qlik.user_event"])
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for event in batch.iter() {
            let value = event.fields().text(&self.by).unwrap_or("(none)");
            *counts.entry(value.to_owned()).or_default() += 1;
        }
        println!("{counts:?}");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    let yaml = format!(
        "sources: {{ udp: {{ users: {{ listen: '{address}', allow: [ 127.0.0.1 ] }} }} }}\n\
         sinks: {{ tally: {{ commands: {{ by: command }} }} }}\n"
    );
    let registry = senseops::builtin().sink::<TallyConfig>();
    let loaded = senseops::config::load_str(&registry, "example.yaml", &yaml, [])?;
    let pipeline = Pipeline::open(loaded.plan).await?;
    let users = async {
        let datagrams: Vec<_> = UserEvents::new(1).take(500).collect();
        if let Err(error) = send(&datagrams, address, 500, Amount::Count(500)).await {
            println!("nothing was sent: {error}");
        }
    };
    pipeline.run_until(users).await;
    Ok(())
}
