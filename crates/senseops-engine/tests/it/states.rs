//! What components remember.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use senseops_core::host::{IntoComponents, PlannedRelay, PlannedSink, PlannedSource};
use senseops_core::{
    Accepts, Batch, Build, BuildError, ComponentState, Context, Event, Factory, PlanError, Relay, RelayError,
    Sink, Source, SourceError, StateError, WriteError, async_trait, chain,
};
use senseops_engine::{Builder, Pipeline, PipelineSettings};
use tokio::time::{sleep, timeout};

use crate::support::run;

/// A component of any role that lets the test have its state.
#[derive(Clone, Default)]
struct Remembers(Arc<Mutex<Option<ComponentState>>>);

struct Idle;

impl Remembers {
    fn state(&self) -> ComponentState {
        self.0.lock().unwrap().clone().unwrap()
    }

    fn note(&self, build: Build) {
        *self.0.lock().unwrap() = Some(build.state);
    }
}

impl PartialEq for Remembers {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[async_trait]
impl Source for Idle {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        cx.shutdown.requested().await;
        Ok(())
    }
}

#[async_trait]
impl Sink for Idle {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, _batch: &Batch) -> Result<(), WriteError> {
        Ok(())
    }
}

impl Relay for Idle {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    fn observe(&mut self, _batch: &Batch, _out: &mut Vec<Event>) -> Result<(), RelayError> {
        Ok(())
    }
}

#[async_trait]
impl Factory<Box<dyn Source>> for Remembers {
    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError> {
        self.note(build);
        Ok(Box::new(Idle))
    }
}

#[async_trait]
impl Factory<Box<dyn Relay>> for Remembers {
    async fn build(&self, build: Build) -> Result<Box<dyn Relay>, BuildError> {
        self.note(build);
        Ok(Box::new(Idle))
    }
}

#[async_trait]
impl Factory<Arc<dyn Sink>> for Remembers {
    async fn build(&self, build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        self.note(build);
        Ok(Arc::new(Idle))
    }
}

impl IntoComponents<Box<dyn Source>> for Remembers {
    fn into_components(self) -> Result<Vec<PlannedSource>, PlanError> {
        Ok(vec![PlannedSource::single(self)])
    }
}

impl IntoComponents<Box<dyn Relay>> for Remembers {
    fn into_components(self) -> Result<Vec<PlannedRelay>, PlanError> {
        Ok(vec![PlannedRelay::single(self)])
    }
}

impl IntoComponents<Arc<dyn Sink>> for Remembers {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

/// Two sources, a relay and a sink, with names that are no names of files.
const NAMES: [&str; 4] = ["logdb.main", "logdb.Main", "../counts/.state", "logdb.main"];

fn all(dir: Option<&Path>) -> (Builder, [Remembers; 4]) {
    let parts: [Remembers; 4] = Default::default();
    let [one, other, relay, sink] = parts.clone();
    let [one_name, other_name, relay_name, sink_name] = NAMES;
    let settings = PipelineSettings { state_dir: dir.map(Path::to_owned), ..PipelineSettings::default() };
    let builder = Pipeline::builder()
        .settings(settings)
        .source(one_name, one)
        .source(other_name, other)
        .relay(relay_name, relay)
        .sink(sink_name, sink);
    (builder, parts)
}

#[tokio::test]
async fn each_component_finds_after_a_restart_what_it_stored_and_nothing_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let (first, parts) = all(Some(dir.path()));
    run(first.build().await.unwrap(), async |_| {
        for (number, part) in parts.iter().enumerate() {
            assert!(part.state().is_durable());
            assert_eq!(part.state().load::<usize>("a/../Cursor").await.unwrap(), None, "{number}");
            part.state().store("a/../Cursor", &number).await.unwrap();
        }
    })
    .await;
    let error = parts[0].state().store("cursor", &1).await.unwrap_err();
    assert_eq!(chain(&error).to_string(), "what is to be remembered as \"cursor\": the pipeline has ended");
    let (second, parts) = all(Some(dir.path()));
    run(second.build().await.unwrap(), async |_| {
        for (number, part) in parts.iter().enumerate() {
            assert_eq!(part.state().load("a/../Cursor").await.unwrap(), Some(number));
            assert_eq!(part.state().load::<usize>("other").await.unwrap(), None);
        }
    })
    .await;
    let names = |dir: &Path| {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(dir.path()), ["dead-letters", "journal", "state"], "nothing is beside it");
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_what_was_stored_before_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (built, [part, ..]) = all(Some(dir.path()));
    run(built.build().await.unwrap(), async |_| {
        let state = part.state();
        let most = "x".repeat(senseops_core::MAX_STATE_BYTES - 2);
        state.store("names", &most).await.unwrap();
        let refused = state.store("names", &format!("{most}x")).await.unwrap_err();
        let sentence = "what is to be remembered as \"names\" takes 16777217 bytes, and 16777216 are allowed";
        assert_eq!(refused.to_string(), sentence);
        assert_eq!(state.load::<String>("names").await.unwrap(), Some(most));
    })
    .await;
}

#[tokio::test]
async fn a_damaged_file_costs_its_key_and_one_that_cannot_be_read_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (built, [part, ..]) = all(Some(dir.path()));
    run(built.build().await.unwrap(), async |_| {
        let state = part.state();
        for key in ["cursor", "names", "counts"] {
            state.store(key, &7).await.unwrap();
        }
        let files = files_with("cursor.state", dir.path());
        let [file] = &files[..] else { panic!("{files:?}") };
        std::fs::write(file, "crc32c 00000000\n8").unwrap();
        assert_eq!(state.load::<u64>("cursor").await.unwrap(), None);
        assert_eq!(std::fs::read(file.with_extension("damaged")).unwrap(), b"crc32c 00000000\n8");
        assert_eq!(state.load("names").await.unwrap(), Some(7));
        state.store("cursor", &8).await.unwrap();
        assert_eq!(state.load("cursor").await.unwrap(), Some(8));

        let unreadable = file.with_file_name("names.state");
        std::fs::remove_file(&unreadable).unwrap();
        std::fs::create_dir(&unreadable).unwrap();
        let error = state.load::<u64>("names").await.unwrap_err();
        assert!(matches!(error, StateError::Area { .. }), "{error:?}");
        assert_eq!(state.load("counts").await.unwrap(), Some(7));
    })
    .await;
}

/// The files below a directory whose names end like this.
fn files_with(end: &str, dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files_with(end, &path));
        } else if path.to_str().unwrap().ends_with(end) {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn a_value_is_replaced_as_a_whole_whatever_a_crash_left() {
    let dir = tempfile::tempdir().unwrap();
    let (built, [part, ..]) = all(Some(dir.path()));
    run(built.build().await.unwrap(), async |_| part.state().store("cursor", &7).await.unwrap()).await;
    let file = files_with("cursor.state", dir.path()).remove(0);
    // The next one was not complete yet.
    std::fs::write(file.with_extension("tmp"), "crc32c").unwrap();
    let (built, [part, ..]) = all(Some(dir.path()));
    run(built.build().await.unwrap(), async |_| {
        assert_eq!(part.state().load("cursor").await.unwrap(), Some(7));
        part.state().store("cursor", &8).await.unwrap();
        assert_eq!(part.state().load("cursor").await.unwrap(), Some(8));
        assert_eq!(files_with(".tmp", dir.path()), Vec::<PathBuf>::new());
    })
    .await;
}

#[tokio::test]
async fn without_a_directory_what_is_stored_outlives_a_component_and_no_pipeline() {
    let (built, parts) = all(None);
    run(built.build().await.unwrap(), async |_| {
        for (number, part) in parts.iter().enumerate() {
            assert!(!part.state().is_durable());
            part.state().store("cursor", &number).await.unwrap();
        }
        for (number, part) in parts.iter().enumerate() {
            assert_eq!(part.state().load("cursor").await.unwrap(), Some(number));
        }
    })
    .await;
    let (again, [part, ..]) = all(None);
    run(again.build().await.unwrap(), async |_| {
        assert_eq!(part.state().load::<usize>("cursor").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_directory_in_use_or_of_a_newer_program_is_refused_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let refused = async || {
        let (built, _) = all(Some(dir.path()));
        let error = built.build().await.unwrap_err().to_string();
        error.replace(&path, "DIR").replace(&std::process::id().to_string(), "PID")
    };
    let (built, _) = all(Some(dir.path()));
    let pipeline = built.build().await.unwrap();
    assert_eq!(
        refused().await,
        "pipeline.journal: open the journal: DIR/journal is in use by process PID; \
         pipeline.state_dir: open the directory for what components remember: DIR/state is in use by process PID; \
         pipeline.dead_letters: open DIR/dead-letters: DIR/dead-letters is in use by process PID"
    );
    drop(pipeline);
    std::fs::write(dir.path().join("state/format"), "senseops component state 2\n").unwrap();
    assert_eq!(
        refused().await,
        "pipeline.state_dir: open the directory for what components remember: DIR/state holds component state \
         of version 2; this program knows version 1: use the newer program, or another directory"
    );
}

#[tokio::test]
async fn a_handle_that_is_kept_does_not_keep_the_directory_of_a_pipeline_that_was_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let pipeline = all(Some(dir.path())).0.build().await.unwrap();
    let never_run = pipeline.handle();
    drop(pipeline);
    let pipeline = all(Some(dir.path())).0.build().await.unwrap();
    let cut_short = pipeline.handle();
    let run = pipeline.run_until(std::future::pending());
    assert!(timeout(Duration::from_millis(50), run).await.is_err());
    // The writer of the journal ends on its own thread.
    let reopened = async {
        while all(Some(dir.path())).0.build().await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(Duration::from_mins(5), reopened).await.is_ok());
    assert_eq!([never_run, cut_short].map(|handle| handle.view().sources.len()), [2, 2]);
}
