//! You will see the user events that a sink of your own has written to a file.
//!
//! A sink is two impls: what the operator writes, and how a batch is written. Batching, retries, the journal, counters,
//! health and shutdown come from the engine. `cargo test --example custom_sink` runs its contract.
#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use senseops::{Accepts, Batch, Build, BuildError, Pipeline, Plugin, Sink, WriteError, async_trait};
use senseops_sim::{Amount, UserEvents, send};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// `sinks.lines.<name>` in a configuration file: appends events to a file, one line of JSON each.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    path: PathBuf,
}

#[async_trait]
impl Plugin for Lines {
    type Component = Arc<dyn Sink>;
    const TYPE: &'static str = "lines";
    const ABOUT: &'static str = "Appends events to a file, one line of JSON each";
    const SAMPLE: &'static str = "path: events.jsonl\n";

    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Sink for Lines {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        let lines: Vec<_> = batch.iter().map(|event| serde_json::json!(event).to_string() + "\n").collect();
        let file = File::options().create(true).append(true).open(&self.path).await;
        let mut file = file.map_err(WriteError::unavailable)?;
        file.write_all(lines.concat().as_bytes()).await.map_err(WriteError::unavailable)?;
        file.sync_data().await.map_err(WriteError::unavailable)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("events.jsonl");
    let path_in_yaml = serde_json::json!(path);
    let yaml = format!(
        "sources: {{ udp: {{ users: {{ listen: '127.0.0.1:0', allow: [ 127.0.0.1 ] }} }} }}\n\
         sinks: {{ lines: {{ file: {{ path: {path_in_yaml} }} }} }}\n"
    );
    let registry = senseops::builtin().sink::<Lines>();
    let loaded = senseops::config::load_str(&registry, "example.yaml", &yaml, [])?;
    let pipeline = Pipeline::open(loaded.plan).await?;
    let listeners = pipeline.handle().view().listeners;
    let users = async {
        let datagrams: Vec<_> = UserEvents::new(1).take(10).collect();
        for listener in listeners {
            if let Err(error) = send(&datagrams, listener.address, 500, Amount::Count(10)).await {
                println!("nothing was sent: {error}");
            }
        }
    };
    pipeline.run_until(users).await;
    println!("{}", tokio::fs::read_to_string(path).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use senseops::BoxError;
    use senseops_testkit::{SinkHarness, TargetBehaviour, sample, sink_contract};
    use serde_json::Value;
    use tempfile::TempDir;

    use super::*;

    struct Directory;

    #[async_trait]
    impl SinkHarness for Directory {
        type Target = TempDir;

        async fn target(&self) -> TempDir {
            tempfile::tempdir().unwrap()
        }

        async fn sink(&self, directory: &TempDir) -> Result<Arc<dyn Sink>, BoxError> {
            Ok(Arc::new(Lines { path: directory.path().join("events.jsonl") }))
        }

        async fn stored(&self, directory: &TempDir) -> Vec<u64> {
            let paths = ["aside.jsonl", "events.jsonl"].map(|name| directory.path().join(name));
            let texts = paths.iter().filter_map(|path| std::fs::read(path).ok());
            let events = texts.flat_map(|text| {
                let events = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
                events.map(Result::unwrap).collect::<Vec<_>>()
            });
            events.map(|event| event["fields"][sample::NUMBER].as_u64().unwrap()).collect()
        }

        async fn behave(&self, directory: &TempDir, behaviour: TargetBehaviour) -> bool {
            let [events, aside] = ["events.jsonl", "aside.jsonl"].map(|name| directory.path().join(name));
            match behaviour {
                TargetBehaviour::Accept if events.is_dir() => {
                    std::fs::remove_dir(&events).unwrap();
                    if aside.exists() {
                        std::fs::rename(aside, events).unwrap();
                    }
                }
                TargetBehaviour::Down | TargetBehaviour::Busy { retry_after: None } if !events.is_dir() => {
                    if events.exists() {
                        std::fs::rename(&events, aside).unwrap();
                    }
                    std::fs::create_dir(events).unwrap();
                }
                TargetBehaviour::Accept
                | TargetBehaviour::Down
                | TargetBehaviour::Busy { retry_after: None } => {}
                TargetBehaviour::Busy { .. }
                | TargetBehaviour::RefuseSome(_)
                | TargetBehaviour::RefuseAll
                | TargetBehaviour::AtMost(_)
                | TargetBehaviour::Deny
                | TargetBehaviour::Hang
                | TargetBehaviour::LoseWrites
                | TargetBehaviour::LoseAnswers
                | _ => return false,
            }
            true
        }
    }

    #[tokio::test]
    async fn it_keeps_the_contract_of_sinks() {
        let kept = sink_contract(&Directory).await.unwrap();
        assert!(kept.passed.contains(&"down"), "{kept}");
    }
}
