//! You will see readings of a sensor, taken by a source that you could have written.
//!
//! A source that looks at something from time to time implements `Gather`; the schedule, jitter and timeout come
//! from `Periodic`, restarts from the engine. `cargo test --example custom_source` runs its contract.
#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use senseops::settings::Span;
use senseops::{
    Batch, Body, Build, BuildError, Event, Fields, Gather, GatherError, Kind, LabelSet, Periodic, Pipeline,
    Plugin, Schedule, Source, async_trait, sink_fn,
};
use serde::Deserialize;

/// A measurement with the field `value`.
const READING: Kind = Kind::new("sensor.reading");

/// `sources.sensor.<name>` in a configuration file: reads a number from a file, as sensors have them below `/sys`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct SensorConfig {
    path: PathBuf,
    interval: Span,
}

#[async_trait]
impl Plugin for SensorConfig {
    type Component = Box<dyn Source>;
    const TYPE: &'static str = "sensor";
    const ABOUT: &'static str = "Reads a number from a file";
    const SAMPLE: &'static str = "path: /sys/class/hwmon/hwmon0/temp1_input\ninterval: 15s\n";

    async fn build(&self, _build: Build) -> Result<Box<dyn Source>, BuildError> {
        let labels = Arc::new(LabelSet::from_iter([("path", self.path.display().to_string())]));
        let schedule = Schedule { interval: self.interval, timeout: Span::from_secs(5) };
        Ok(Box::new(Periodic::new(Sensor { path: self.path.clone(), labels }, schedule)))
    }
}

struct Sensor {
    path: PathBuf,
    labels: Arc<LabelSet>,
}

#[async_trait]
impl Gather for Sensor {
    async fn gather(&mut self, found: &mut Vec<Event>) -> Result<(), GatherError> {
        let text = tokio::fs::read_to_string(&self.path).await.map_err(|error| GatherError(error.into()))?;
        let value: f64 =
            text.trim().parse().map_err(|_invalid| GatherError("there is no number in the file".into()))?;
        let fields = Fields::default().with("value", value);
        found.push(Event::new(READING, &self.labels, Body::Measurement(fields)));
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("temp1_input");
    tokio::fs::write(&path, "41500\n").await?;
    let sensor = SensorConfig { path: path.clone(), interval: Span::from_millis(300) };
    let print = sink_fn(|batch: Batch| async move {
        for event in batch.iter() {
            println!("{event}");
        }
        Ok(())
    });
    let pipeline = Pipeline::builder().source("sensor", sensor).sink("print", print).build().await?;
    let warmer = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Err(error) = tokio::fs::write(path, "43000\n").await {
            println!("it stays as it is: {error}");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    pipeline.run_until(warmer).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use senseops::{BoxError, Value};
    use senseops_testkit::{OriginBehaviour, SourceHarness, source_contract};
    use tempfile::TempDir;

    use super::*;

    struct Directory;

    #[async_trait]
    impl SourceHarness for Directory {
        type Origin = TempDir;

        async fn origin(&self) -> TempDir {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("sensor"), "0").unwrap();
            directory
        }

        async fn source(&self, directory: &TempDir, build: Build) -> Result<Box<dyn Source>, BoxError> {
            let path = directory.path().join("sensor");
            Ok(Plugin::build(&SensorConfig { path, interval: Span::from_millis(10) }, build).await?)
        }

        async fn provoke(&self, directory: &TempDir, number: u64) {
            // Renamed, so that nobody reads half of it.
            let new = directory.path().join("new");
            std::fs::write(&new, number.to_string()).unwrap();
            std::fs::rename(new, directory.path().join("sensor")).unwrap();
        }

        fn number(&self, event: &Event) -> Option<u64> {
            let Some(Value::Float(value)) = event.fields().get("value") else { return None };
            value.to_string().parse().ok()
        }

        async fn behave(&self, directory: &TempDir, behaviour: OriginBehaviour) -> bool {
            let sensor = directory.path().join("sensor");
            match behaviour {
                OriginBehaviour::Answer => std::fs::write(sensor, "0").unwrap(),
                OriginBehaviour::Down => std::fs::remove_file(sensor).unwrap(),
                OriginBehaviour::Garbage => std::fs::write(sensor, "no number").unwrap(),
                OriginBehaviour::Hang | _ => return false,
            }
            true
        }
    }

    #[tokio::test]
    async fn it_keeps_the_contract_of_sources() {
        let kept = source_contract(&Directory).await.unwrap();
        assert_eq!(kept.untried(), ["emits many", "stops while waiting"]);
    }
}
