//! You will see samples of this machine's load, taken by a source that you could have written.
//!
//! A source that looks at something from time to time implements `Gather`; the schedule, jitter and timeout come
//! from `Periodic`, restarts from the engine.
#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use senseops::settings::Span;
use senseops::{
    Batch, Body, Build, BuildError, Event, Fields, Gather, GatherError, Kind, LabelSet, Periodic, Pipeline,
    PlanError, PlannedSource, Schedule, Source, SourceConfig, SourceFactory, async_trait, sink_fn,
};
use serde::Deserialize;

/// A measurement with the fields `parallelism` (hardware threads) and `busy_ms` (a fixed piece of work took that).
const LOAD: Kind = Kind::new("example.load");

/// `sources.load.<name>` in a configuration file, or a value in code as below.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadConfig {
    interval: Span,
}

impl SourceConfig for LoadConfig {
    const TYPE: &'static str = "load";
    const ABOUT: &'static str = "Measures how busy this machine is";
    const SAMPLE: &'static str = "interval: 15s\n";

    fn plan(self) -> Result<Vec<PlannedSource>, PlanError> {
        Ok(vec![PlannedSource::single(self)])
    }
}

#[async_trait]
impl SourceFactory for LoadConfig {
    async fn build(&self, _build: Build) -> Result<Box<dyn Source>, BuildError> {
        let labels = Arc::new(LabelSet::from_iter([("host", "localhost")]));
        let schedule = Schedule { interval: self.interval, timeout: Span::from_secs(5) };
        Ok(Box::new(Periodic::new(Load { labels }, schedule)))
    }
}

struct Load {
    labels: Arc<LabelSet>,
}

#[async_trait]
impl Gather for Load {
    async fn gather(&mut self, found: &mut Vec<Event>) -> Result<(), GatherError> {
        let parallelism = std::thread::available_parallelism().map_err(|error| GatherError(error.into()))?;
        let begin = std::time::Instant::now();
        let mut sum = 0_u64;
        for number in 0..1_000_000_u64 {
            sum = std::hint::black_box(sum.wrapping_add(number));
        }
        let fields = Fields::default()
            .with("parallelism", u64::try_from(parallelism.get()).unwrap_or(u64::MAX))
            .with("busy_ms", begin.elapsed().as_secs_f64() * 1000.0);
        found.push(Event::new(LOAD, &self.labels, Body::Measurement(fields)));
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pipeline = Pipeline::builder()
        .source("load", LoadConfig { interval: Span::from_millis(300) })
        .sink(
            "print",
            sink_fn(|batch: Batch| async move {
                for event in batch.iter() {
                    println!("{event}");
                }
                Ok(())
            }),
        )
        .build()
        .await?;
    pipeline.run_until(tokio::time::sleep(Duration::from_secs(2))).await;
    Ok(())
}
