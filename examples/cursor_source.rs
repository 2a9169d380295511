//! You will see the lines of two files, each once, although the pipeline was stopped and started again in between.
//!
//! A source that can read its origin again remembers how far it came, and only what is stored counts. A configuration
//! of several files takes itself apart. `cargo test --example cursor_source` runs its contract.
#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use senseops::settings::{Span, Warning};
use senseops::{
    Batch, Body, BoxError, Build, BuildError, Context, Event, Fields, Kind, LabelSet, Outcome, Pipeline,
    PipelineSettings, PlanError, Planned, Plugin, Record, Severity, Source, SourceError, Timestamp,
    async_trait, sink_fn,
};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::time::{interval, sleep};

/// A record whose message is the line, with the label `file`.
const LINE: Kind = Kind::new("example.line");
/// How much is read at once. No line is longer.
const READ_BYTES: u64 = 64 * 1024;
/// In nanoseconds.
const SECOND: i64 = 1_000_000_000;
/// Under this key it remembers where the next line begins.
const AT: &str = "at";

/// `sources.tail.<name>` in a configuration file: reads lines that others append to files.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TailConfig {
    files: Vec<FileConfig>,
    every: Span,
}

/// One of the files.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileConfig {
    name: String,
    path: PathBuf,
    /// Where it stands in the list that the operator wrote, for errors of the component that has it alone.
    #[serde(skip)]
    index: usize,
}

#[async_trait]
impl Plugin for TailConfig {
    type Component = Box<dyn Source>;
    const TYPE: &'static str = "tail";
    const ABOUT: &'static str = "Reads lines that others append to files";
    const SAMPLE: &'static str = "files: [ { name: app, path: /var/log/app.log } ]\nevery: 1s\n";

    fn plan(self) -> Result<Vec<Planned<Box<dyn Source>>>, PlanError> {
        if self.files.is_empty() {
            return Err(PlanError::at("files", "expected at least one file: { name: app, path: app.log }"));
        }
        let alone = |(index, file): (usize, &FileConfig)| {
            let file = FileConfig { index, ..file.clone() };
            Planned::part(file.name.clone(), Self { files: vec![file], ..self.clone() })
        };
        Ok(self.files.iter().enumerate().map(alone).collect())
    }

    fn warnings(&self) -> Vec<Warning> {
        let relative = self.files.iter().enumerate().filter(|(_, file)| file.path.is_relative());
        let warning = |(index, _)| {
            Warning::at(format!("files.{index}.path"), "relative to where the program is started")
        };
        relative.map(warning).collect()
    }

    async fn build(&self, _build: Build) -> Result<Box<dyn Source>, BuildError> {
        let [file] = self.files.as_slice() else {
            return Err(BuildError::at("files", "a component reads one file, so a list has to be planned"));
        };
        if file.path.is_dir() {
            let key = format!("files.{}.path", file.index);
            return Err(BuildError::at(key, format!("{} is a directory", file.path.display())));
        }
        let labels = Arc::new(LabelSet::from_iter([("file", file.name.as_str())]));
        Ok(Box::new(Tail { file: file.clone(), every: self.every, labels }))
    }
}

struct Tail {
    file: FileConfig,
    every: Span,
    labels: Arc<LabelSet>,
}

/// What there is from some place on.
struct Found {
    events: Vec<Event>,
    /// Lines without a time.
    refused: u64,
    /// Where the next line begins.
    next: u64,
}

#[async_trait]
impl Source for Tail {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        let refused = cx.meter.counter("refused", "Lines that were left out.", &[("reason", "no_time")]);
        let mut at: u64 = cx.state.load(AT).await.map_err(BoxError::from)?.unwrap_or_default();
        let mut looks = interval(self.every.get());
        while cx.shutdown.unless_requested(looks.tick()).await.is_some() {
            let found = match self.look(at).await {
                Ok(found) => found,
                Err(error) => {
                    cx.health.failing(format!("cannot read {}: {error}", self.file.path.display()));
                    continue;
                }
            };
            // There may be no room until long after the stop.
            let Some(receipt) = cx.shutdown.unless_requested(cx.emitter.emit(found.events)).await else {
                break;
            };
            let outcome = receipt.outcome().await;
            if outcome == Outcome::Lost {
                continue;
            }
            if outcome == Outcome::Stored && at != found.next {
                // What is held in memory may be gone after a crash, so the place behind it is not remembered.
                cx.state.store(AT, &found.next).await.map_err(BoxError::from)?;
            }
            at = found.next;
            refused.add(found.refused);
            cx.health.works();
        }
        Ok(())
    }
}

impl Tail {
    /// The lines that are complete, from this place on.
    async fn look(&self, at: u64) -> io::Result<Found> {
        let mut file = File::open(&self.file.path).await?;
        file.seek(SeekFrom::Start(at)).await?;
        let mut bytes = Vec::new();
        file.take(READ_BYTES).read_to_end(&mut bytes).await?;
        let mut found = Found { events: Vec::new(), refused: 0, next: at };
        for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            match self.event(found.next, line) {
                Some(event) => found.events.push(event),
                None => found.refused += 1,
            }
            found.next += line.len() as u64;
        }
        if found.next == at && bytes.len() as u64 == READ_BYTES {
            return Err(io::Error::other("a line in it is too long"));
        }
        Ok(found)
    }

    /// The event of a line such as `1767225600 user logged in`, which begins at this place.
    fn event(&self, at: u64, line: &[u8]) -> Option<Event> {
        let (seconds, message) = str::from_utf8(line).ok()?.trim_end().split_once(' ')?;
        // Its clock is coarse, and lines of one second are told apart by their place.
        let nanos = seconds.parse::<i64>().ok()?.checked_mul(SECOND)?;
        let time = Timestamp::from_nanos(nanos + i64::try_from(at).ok()? % SECOND);
        let record = Record { severity: Severity::Info, message: message.into(), fields: Fields::default() };
        let key = (self.file.name.as_str(), &at.to_be_bytes()[..]);
        Some(Event::keyed(key, time, LINE, &self.labels, Body::Record(record)))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let [app, jobs] = ["app", "jobs"].map(|name| (name, directory.path().join(name)));
    tokio::fs::write(&app.1, "1767225600 started\n1767225601 ready\n").await?;
    tokio::fs::write(&jobs.1, "1767225602 nothing to do\n").await?;
    let files = [&app, &jobs].map(|(name, path)| FileConfig::new(name, path));
    let tail = TailConfig { files: files.into(), every: Span::from_millis(100) };
    for more in ["1767225603 stopped\n", ""] {
        let print = sink_fn(|batch: Batch| async move {
            for event in batch.iter() {
                println!("{event}");
            }
            Ok(())
        });
        let settings =
            PipelineSettings { state_dir: Some(directory.path().join("state")), ..Default::default() };
        let builder = Pipeline::builder().settings(settings).source("tail", tail.clone());
        builder.sink("print", print).build().await?.run_until(sleep(Duration::from_secs(1))).await;
        println!("the pipeline has stopped");
        let mut app = File::options().append(true).open(&app.1).await?;
        app.write_all(more.as_bytes()).await?;
        app.flush().await?;
    }
    Ok(())
}

impl FileConfig {
    fn new(name: &str, path: &Path) -> Self {
        Self { name: name.to_owned(), path: path.to_owned(), index: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use senseops_testkit::{Keeps, OriginBehaviour, SourceHarness, source_contract};
    use tempfile::TempDir;

    use super::*;

    struct Directory;

    fn append(directory: &TempDir, line: &[u8]) {
        let path = directory.path().join("app");
        std::fs::File::options().append(true).open(path).unwrap().write_all(line).unwrap();
    }

    #[async_trait]
    impl SourceHarness for Directory {
        type Origin = TempDir;

        async fn origin(&self) -> TempDir {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("app"), "").unwrap();
            directory
        }

        async fn source(&self, directory: &TempDir, build: Build) -> Result<Box<dyn Source>, BoxError> {
            let files = vec![FileConfig::new("app", &directory.path().join("app"))];
            Ok(Plugin::build(&TailConfig { files, every: Span::from_millis(10) }, build).await?)
        }

        async fn provoke(&self, directory: &TempDir, number: u64) {
            append(directory, format!("1767225600 {number}\n").as_bytes());
        }

        fn number(&self, event: &Event) -> Option<u64> {
            event.message().parse().ok()
        }

        fn keeps(&self) -> Keeps {
            Keeps::Everything
        }

        async fn behave(&self, directory: &TempDir, behaviour: OriginBehaviour) -> bool {
            let [file, aside] = ["app", "aside"].map(|name| directory.path().join(name));
            match behaviour {
                OriginBehaviour::Answer if aside.exists() => std::fs::rename(aside, file).unwrap(),
                OriginBehaviour::Answer => {}
                OriginBehaviour::Down => std::fs::rename(file, aside).unwrap(),
                OriginBehaviour::Garbage => append(directory, b"no time\n\xff\xff\n\n"),
                OriginBehaviour::Hang | _ => return false,
            }
            true
        }
    }

    #[tokio::test]
    async fn it_keeps_the_contract_of_sources() {
        let kept = source_contract(&Directory).await.unwrap();
        assert_eq!(kept.untried(), ["stops while waiting"], "{kept}");
    }

    #[test]
    fn each_file_of_a_list_is_a_component_of_its_own() {
        let files = [("app", "/var/log/app.log"), ("jobs", "jobs.log")];
        let files = files.map(|(name, path)| FileConfig::new(name, Path::new(path)));
        let tail = TailConfig { files: files.into(), every: Span::from_secs(1) };
        let keys: Vec<_> = tail.warnings().into_iter().map(|warning| warning.key).collect();
        assert_eq!(keys, ["files.1.path"]);
        let parts: Vec<_> = tail.plan().unwrap().into_iter().filter_map(|planned| planned.part).collect();
        assert_eq!(parts, ["app", "jobs"]);
    }
}
