//! Work beside the writes of a sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use senseops_core::host::{IntoComponents, PlannedSink};
use senseops_core::{
    Accepts, Background, Batch, Build, BuildError, Condition, Factory, PlanError, Sink, WriteError,
    async_trait,
};
use senseops_engine::Pipeline;
use tokio::time::{Instant, sleep};

use crate::support::{emit, run, until};

/// What the background work of each built instance does.
#[derive(Clone)]
struct Works {
    built: Arc<AtomicUsize>,
    script: fn(usize) -> Background,
}

struct Instance {
    number: usize,
    script: fn(usize) -> Background,
}

#[async_trait]
impl Sink for Instance {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, _batch: &Batch) -> Result<(), WriteError> {
        Ok(())
    }

    fn background(&self) -> Option<Background> {
        Some((self.script)(self.number))
    }
}

impl PartialEq for Works {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.built, &other.built)
    }
}

#[async_trait]
impl Factory<Arc<dyn Sink>> for Works {
    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        let number = self.built.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Instance { number, script: self.script }))
    }
}

impl IntoComponents<Arc<dyn Sink>> for Works {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

fn works(script: fn(usize) -> Background) -> Works {
    Works { built: Arc::default(), script }
}

#[tokio::test(start_paused = true)]
async fn background_work_that_fails_or_panics_is_begun_anew_with_a_new_sink() {
    let sink = works(|number| match number {
        0 => Box::pin(async { Err("connection lost".into()) }),
        1 => panic!("boom"),
        2 => Box::pin(async { panic!("bang") }),
        _ => Box::pin(std::future::pending()),
    });
    let pipeline = Pipeline::builder().sink("client", sink.clone()).build().await.unwrap();
    run(pipeline, async |handle| {
        until(&handle, |view| view.sinks[0].restarts == 3).await;
        emit(&handle, 0..3).await;
        until(&handle, |view| view.sinks[0].delivered == 3).await;
        assert!(
            matches!(handle.view().sinks[0].condition, Condition::Failing(_)),
            "it has only just begun anew"
        );
        sleep(Duration::from_mins(2)).await;
        assert_eq!(handle.view().sinks[0].condition, Condition::Ok);
    })
    .await;
    assert_eq!(sink.built.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn background_work_that_keeps_failing_is_begun_slower_and_slower_though_writes_succeed() {
    let sink = works(|_| Box::pin(async { Err("no such host".into()) }));
    let pipeline = Pipeline::builder().sink("client", sink.clone()).build().await.unwrap();
    run(pipeline, async |handle| {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_mins(10) {
            emit(&handle, [1]).await;
            sleep(Duration::from_millis(500)).await;
            assert_eq!(handle.view().sinks[0].condition, Condition::Failing("no such host".into()));
        }
    })
    .await;
    assert!(sink.built.load(Ordering::Relaxed) < 50, "{}", sink.built.load(Ordering::Relaxed));
}
