//! Sources that fail are built anew.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use senseops_core::host::{IntoComponents, PlannedSource};
use senseops_core::{
    Build, BuildError, Condition, Context, Factory, Outcome, PlanError, Source, SourceError, async_trait,
};
use senseops_engine::{Delivery, JournalSettings, Overflow, Pipeline, PipelineSettings, RateLimit};
use tokio::time::Instant;

use crate::support::{CHUNK_BYTES, Scripted, numbered, run, source_fn, unpackable, until};

const TEN: NonZeroUsize = NonZeroUsize::new(10).unwrap();

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_panics_or_ends_is_run_again_and_its_reason_is_shown() {
    let source = source_fn(|run, cx| async move {
        cx.emitter.emit(vec![numbered(i64::try_from(run).unwrap())]).await.ignore();
        match run {
            0 => Err(SourceError("cable is out".into())),
            1 => panic!("boom"),
            2 => Ok(()),
            _ => {
                cx.health.ok();
                cx.shutdown.requested().await;
                Ok(())
            }
        }
    });
    let sink = Arc::new(Scripted::willing());
    let pipeline =
        Pipeline::builder().source("shaky", source).sink("all", Arc::clone(&sink)).build().await.unwrap();
    run(pipeline, async |handle| {
        for (restarts, reason) in
            [(0, "cable is out"), (1, "the component panicked: boom"), (2, "the source ended unasked")]
        {
            let failing = Condition::Failing(reason.into());
            until(&handle, |view| {
                view.sources[0].condition == failing && view.sources[0].restarts == restarts
            })
            .await;
        }
        until(&handle, |view| view.sources[0].condition == Condition::Ok).await;
    })
    .await;
    assert_eq!(sink.log.written(), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn with_a_blocking_sink_sources_wait_and_nothing_is_lost() {
    let mut slow = Scripted::willing();
    slow.takes = Duration::from_secs(1);
    let slow = Arc::new(slow);
    let delivery = Delivery { overflow: Overflow::Block, max_events: TEN, ..Delivery::default() };
    let pipeline = Pipeline::builder()
        .settings(small_journal())
        .source("eager", eager())
        .sink_with("slow", delivery, Arc::clone(&slow))
        .build()
        .await
        .unwrap();
    run(pipeline, async |handle| {
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(handle.view().sources[0].emitted < 200, "the source waits");
        until(&handle, |view| view.sinks[0].delivered == 500).await;
    })
    .await;
    assert_eq!(slow.log.written(), (0..500).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn with_drop_oldest_sources_never_wait_and_what_a_sink_missed_is_counted() {
    let mut slow = Scripted::willing();
    slow.takes = Duration::from_secs(1);
    let slow = Arc::new(slow);
    let delivery = Delivery { max_events: TEN, ..Delivery::default() };
    let pipeline = Pipeline::builder()
        .settings(small_journal())
        .source("eager", eager())
        .sink_with("slow", delivery, Arc::clone(&slow))
        .build()
        .await
        .unwrap();
    let summary = run(pipeline, async |handle| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(handle.view().sources[0].emitted, 500);
        until(&handle, |view| view.sinks[0].lag_events == 0).await;
    })
    .await;
    let sink = &summary.view.sinks[0];
    assert!(sink.discarded > 100, "{sink:?}");
    assert_eq!(sink.delivered + sink.discarded, 500);
    assert_eq!(slow.log.written().last(), Some(&499), "the newest are kept");
}

#[tokio::test(start_paused = true)]
async fn with_a_blocking_sink_a_chunk_waits_until_all_of_it_fits() {
    let source = source_fn(|_, cx| async move {
        for chunk in 0..80 {
            cx.emitter.emit((0..10).map(|n| unpackable(chunk * 10 + n)).collect()).await.ignore();
        }
        cx.shutdown.requested().await;
        Ok(())
    });
    let mut slow = Scripted::willing();
    slow.takes = Duration::from_secs(1);
    let delivery =
        Delivery { overflow: Overflow::Block, max_age: "1h".parse().unwrap(), ..Delivery::default() };
    let pipeline = Pipeline::builder()
        .settings(small_journal())
        .source("eager", source)
        .sink_with("slow", delivery, Arc::new(slow))
        .build()
        .await
        .unwrap();
    let summary = run(pipeline, async |handle| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let waited_for = "the journal is full, and sources wait until this sink has caught up";
        assert_eq!(handle.health(), [("slow".to_owned(), Condition::Warning(waited_for.into()))]);
        until(&handle, |view| view.sources[0].emitted == 800).await;
    })
    .await;
    assert_eq!((summary.view.sources[0].lost, summary.view.sinks[0].delivered), (0, 800));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_runs_well_after_a_restart_is_healthy_again() {
    let pipeline =
        Pipeline::builder().source("quiet", Plugged { builds: Arc::default() }).build().await.unwrap();
    run(pipeline, async |handle| {
        until(&handle, |view| view.sources[0].condition == Condition::Failing("cable is out".into())).await;
        until(&handle, |view| view.sources[0].restarts == 1).await;
        assert_eq!(handle.view().sources[0].condition, Condition::Failing("no such port".into()));
        tokio::time::sleep(Duration::from_mins(2)).await;
        assert_eq!(handle.view().sources[0].condition, Condition::Ok);
    })
    .await;
}

/// Fails once when it is run, once when it is built again, and then says nothing.
#[derive(Clone)]
struct Plugged {
    builds: Arc<AtomicUsize>,
}

impl PartialEq for Plugged {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.builds, &other.builds)
    }
}

#[async_trait]
impl Factory<Box<dyn Source>> for Plugged {
    async fn build(&self, _build: Build) -> Result<Box<dyn Source>, BuildError> {
        match self.builds.fetch_add(1, Ordering::Relaxed) {
            1 => Err(BuildError::at("port", "no such port")),
            _ => Ok(Box::new(self.clone())),
        }
    }
}

#[async_trait]
impl Source for Plugged {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        if self.builds.load(Ordering::Relaxed) == 1 {
            return Err(SourceError("cable is out".into()));
        }
        cx.shutdown.requested().await;
        Ok(())
    }
}

impl IntoComponents<Box<dyn Source>> for Plugged {
    fn into_components(self) -> Result<Vec<PlannedSource>, PlanError> {
        Ok(vec![PlannedSource::single(self)])
    }
}

/// Emits five hundred events as fast as it may.
fn eager() -> impl IntoComponents<Box<dyn Source>> {
    source_fn(|_, cx| async move {
        for number in 0..500 {
            cx.emitter.emit(vec![unpackable(number)]).await.ignore();
        }
        cx.shutdown.requested().await;
        Ok(())
    })
}

/// Room for a hundred small events.
fn small_journal() -> PipelineSettings {
    let max_bytes = format!("{}B", 100 * (numbered(0).bytes() + CHUNK_BYTES)).parse().unwrap();
    let journal = JournalSettings { max_bytes: Some(max_bytes), ..JournalSettings::default() };
    PipelineSettings { journal, ..PipelineSettings::default() }
}

#[tokio::test(start_paused = true)]
async fn what_is_above_the_rate_limit_is_dropped_and_counted_or_waits() {
    let source = source_fn(|_, cx| async move {
        for number in 0..100 {
            let outcome = cx.emitter.emit_now(vec![numbered(number)]).known_outcome();
            assert_eq!(outcome, Some(if number < 20 { Outcome::Stored } else { Outcome::Lost }));
        }
        let begin = Instant::now();
        for number in 100..150 {
            cx.emitter.emit(vec![numbered(number)]).await.ignore();
        }
        let seconds = begin.elapsed().as_secs_f64();
        assert!((4.9..5.5).contains(&seconds), "{seconds}");
        cx.shutdown.requested().await;
        Ok(())
    });
    let sink = Arc::new(Scripted::willing());
    let rate_limit =
        RateLimit { events_per_second: NonZeroU32::new(10).unwrap(), burst: NonZeroU32::new(20) };
    let mut plan = Pipeline::builder().source("eager", source).sink("all", Arc::clone(&sink)).plan().unwrap();
    plan.sources[0].rate_limit = Some(rate_limit);
    let summary = run(Pipeline::open(plan).await.unwrap(), async |handle| {
        until(&handle, |view| view.sinks[0].delivered == 70).await;
    })
    .await;
    let view = &summary.view.sources[0];
    assert_eq!((view.emitted, view.rate_limited, view.lost, view.restarts), (70, 80, 0, 0));
    assert_eq!(sink.log.written(), (0..20).chain(100..150).collect::<Vec<_>>());
}
