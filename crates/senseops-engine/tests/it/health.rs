//! How components are, in their own words and those of the engine.

use std::sync::Arc;
use std::time::Duration;

use senseops_core::host::{IntoComponents, PlannedSink, PlannedSource};
use senseops_core::{
    Accepts, Batch, Build, BuildError, Condition, Event, Factory, Gather, GatherError, Health, Periodic,
    PlanError, Schedule, Sink, Source, WriteError, async_trait,
};
use senseops_engine::Pipeline;
use tokio::time::sleep;

use crate::support::{emit, numbered, run, until};

/// A sink that has something to say, and works; but batches of two are too much for it at first.
#[derive(PartialEq)]
struct Warns;

struct Warning(Health);

#[async_trait]
impl Factory<Arc<dyn Sink>> for Warns {
    async fn build(&self, build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        build.health.warning("the password is in the file");
        Ok(Arc::new(Warning(build.health)))
    }
}

impl IntoComponents<Arc<dyn Sink>> for Warns {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

#[async_trait]
impl Sink for Warning {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        let is_down = matches!(self.0.condition(), Condition::Warning(_)) && batch.len() == 2;
        if is_down { Err(WriteError::unavailable("down")) } else { Ok(()) }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_warns_of_survives_its_writes_and_its_troubles() {
    let pipeline = Pipeline::builder().sink("warns", Warns).build().await.unwrap();
    run(pipeline, async |handle| {
        let warning = [("warns".to_owned(), Condition::Warning("the password is in the file".into()))];
        assert_eq!(handle.health(), warning);
        emit(&handle, [0]).await;
        until(&handle, |view| view.sinks[0].delivered == 1).await;
        assert_eq!(handle.health(), warning);
        handle.emit(vec![numbered(1), numbered(2)]).await.ignore();
        until(&handle, |view| view.sinks[0].condition == Condition::Failing("down".into())).await;
        until(&handle, |view| view.sinks[0].delivered == 3).await;
        assert_eq!(handle.health(), warning);
    })
    .await;
}

/// Finds nothing, and never fails.
#[derive(Clone, PartialEq)]
struct Quiet;

#[async_trait]
impl Gather for Quiet {
    async fn gather(&mut self, _found: &mut Vec<Event>) -> Result<(), GatherError> {
        Ok(())
    }
}

#[async_trait]
impl Factory<Box<dyn Source>> for Quiet {
    async fn build(&self, _build: Build) -> Result<Box<dyn Source>, BuildError> {
        let seconds = "10s".parse().unwrap();
        Ok(Box::new(Periodic::new(Quiet, Schedule { interval: seconds, timeout: seconds })))
    }
}

impl IntoComponents<Box<dyn Source>> for Quiet {
    fn into_components(self) -> Result<Vec<PlannedSource>, PlanError> {
        Ok(vec![PlannedSource::single(self)])
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_looks_and_finds_nothing_is_well() {
    let pipeline = Pipeline::builder().source("quiet", Quiet).build().await.unwrap();
    run(pipeline, async |handle| {
        sleep(Duration::from_secs(1)).await;
        assert!(handle.conditions().contains(&("quiet".to_owned(), Condition::Ok)));
    })
    .await;
}
