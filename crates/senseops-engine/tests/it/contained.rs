//! Code of plugins that panics where nobody expects it.

use std::sync::Arc;
use std::time::Duration;

use senseops_core::host::{IntoComponents, PlannedRelay, PlannedSink, PlannedSource};
use senseops_core::{
    Accepts, Batch, BoxError, Build, BuildError, Condition, Context, Event, Factory, PlanError, Relay,
    RelayError, Sink, Source, SourceError, WriteError, async_trait,
};
use senseops_engine::{Builder, Delivery, Pipeline};

use crate::support::{Rebuilt, Scripted, emit, last_words, run, until};

/// Where a plugin panics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Nowhere,
    Accepts,
    Comparing,
    /// When the component is dropped.
    End,
    /// When the factory is dropped.
    FactoryEnd,
    /// When its error is shown.
    Error,
}

/// A configuration of whatever is asked for.
#[derive(Debug)]
struct Shaky(At, i64);

struct Part(At);

impl PartialEq for Shaky {
    fn eq(&self, other: &Self) -> bool {
        assert_ne!(self.0, At::Comparing, "cannot be compared");
        self.1 == other.1
    }
}

impl Drop for Shaky {
    fn drop(&mut self) {
        assert_ne!(self.0, At::FactoryEnd, "a factory does not go");
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        assert_ne!(self.0, At::End, "a component does not go");
    }
}

/// An error that cannot be shown.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no words")
    }
}

impl std::error::Error for Unspeakable {}

impl Part {
    fn accepts(&self) -> Accepts {
        assert_ne!(self.0, At::Accepts, "wants nothing");
        Accepts::everything()
    }

    fn result(&self) -> Result<(), BoxError> {
        if self.0 == At::Error { Err(Unspeakable.into()) } else { Ok(()) }
    }
}

#[async_trait]
impl Source for Part {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        self.result()?;
        cx.health.ok();
        cx.shutdown.requested().await;
        Ok(())
    }
}

#[async_trait]
impl Sink for Part {
    fn accepts(&self) -> Accepts {
        self.accepts()
    }

    async fn write(&self, _batch: &Batch) -> Result<(), WriteError> {
        self.result().map_err(WriteError::unavailable)
    }
}

impl Relay for Part {
    fn accepts(&self) -> Accepts {
        self.accepts()
    }

    fn observe(&mut self, _batch: &Batch, _out: &mut Vec<Event>) -> Result<(), RelayError> {
        Ok(self.result()?)
    }
}

#[async_trait]
impl Factory<Box<dyn Source>> for Shaky {
    async fn build(&self, _build: Build) -> Result<Box<dyn Source>, BuildError> {
        Ok(Box::new(Part(self.0)))
    }
}

#[async_trait]
impl Factory<Box<dyn Relay>> for Shaky {
    async fn build(&self, _build: Build) -> Result<Box<dyn Relay>, BuildError> {
        Ok(Box::new(Part(self.0)))
    }
}

#[async_trait]
impl Factory<Arc<dyn Sink>> for Shaky {
    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::new(Part(self.0)))
    }
}

impl IntoComponents<Box<dyn Source>> for Shaky {
    fn into_components(self) -> Result<Vec<PlannedSource>, PlanError> {
        Ok(vec![PlannedSource::single(self)])
    }
}

impl IntoComponents<Box<dyn Relay>> for Shaky {
    fn into_components(self) -> Result<Vec<PlannedRelay>, PlanError> {
        Ok(vec![PlannedRelay::single(self)])
    }
}

impl IntoComponents<Arc<dyn Sink>> for Shaky {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

/// One of each that panics, beside a good sink.
fn shaky(at: At, revision: i64, good: &Arc<Scripted>) -> Builder {
    Pipeline::builder()
        .source("good.source", last_words(100..103))
        .source("source", Shaky(at, revision))
        .relay("relay", Shaky(at, revision))
        .sink("sink", Shaky(at, revision))
        .sink("good", Rebuilt(Arc::clone(good)))
}

#[tokio::test(start_paused = true)]
async fn what_panics_when_it_is_asked_what_it_wants_is_not_opened() {
    let good = Arc::new(Scripted::willing());
    let refused = shaky(At::Accepts, 0, &good).build().await.unwrap_err().to_string();
    let why = "the component panicked: assertion `left != right` failed: wants nothing\n  left: Accepts\n right: Accepts";
    assert_eq!(refused, format!("sinks.sink: {why}; relays.relay: {why}"));
    run(shaky(At::Nowhere, 0, &good).build().await.unwrap(), async |handle| {
        let refused = handle.reload(shaky(At::Accepts, 1, &good).plan().unwrap()).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("sinks.sink: {why}; relays.relay: {why}"));
        emit(&handle, 0..3).await;
    })
    .await;
    assert_eq!(good.log.written(), [0, 1, 2, 100, 101, 102]);
}

#[tokio::test(start_paused = true)]
async fn what_panics_when_it_is_compared_counts_as_changed() {
    let good = Arc::new(Scripted::willing());
    let summary = run(shaky(At::Comparing, 0, &good).build().await.unwrap(), async |handle| {
        emit(&handle, 0..3).await;
        let plan = shaky(At::Comparing, 0, &good).plan().unwrap();
        let reloaded = handle.reload(plan).await.unwrap();
        let changed = ["sources.good.source", "sources.source", "relays.relay", "sinks.sink"];
        assert_eq!((reloaded.restarted, reloaded.unchanged), (changed.map(str::to_owned).into(), 1));
        emit(&handle, 3..5).await;
    })
    .await;
    let mut written = good.log.written();
    written.sort_unstable();
    assert_eq!(written[..5], [0, 1, 2, 3, 4]);
    assert_eq!((summary.view.undelivered(), summary.aborted), (0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_panics_when_it_goes_disturbs_nobody() {
    for at in [At::End, At::FactoryEnd] {
        let good = Arc::new(Scripted::willing());
        let plan = |revision| shaky(at, revision, &good);
        let summary = run(plan(0).build().await.unwrap(), async |handle| {
            emit(&handle, 0..2).await;
            // Nothing is replaced by this one: the factories that go are its own.
            handle.reload(plan(0).plan().unwrap()).await.unwrap();
            emit(&handle, 2..4).await;
            let reloaded = handle.reload(plan(1).plan().unwrap()).await.unwrap();
            assert_eq!(reloaded.restarted.len(), 4, "{reloaded:?}");
            emit(&handle, 4..6).await;
            assert_eq!(handle.health(), []);
        })
        .await;
        let mut written = good.log.written();
        written.sort_unstable();
        assert_eq!(written[..6], [0, 1, 2, 3, 4, 5], "{at:?}");
        assert_eq!((summary.view.undelivered(), summary.aborted), (0, vec![]), "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_whose_factories_panic_when_they_go_is_refused_like_any_other() {
    let good = Arc::new(Scripted::willing());
    let bad = || shaky(At::FactoryEnd, 1, &good).sink("good", Rebuilt(Arc::clone(&good)));
    let refused = "sinks.good: the name is used twice";
    assert_eq!(bad().build().await.unwrap_err().to_string(), refused);
    run(shaky(At::Nowhere, 0, &good).build().await.unwrap(), async |handle| {
        assert_eq!(handle.reload(bad().plan().unwrap()).await.unwrap_err().to_string(), refused);
        emit(&handle, 0..3).await;
    })
    .await;
    assert_eq!(good.log.written(), [0, 1, 2, 100, 101, 102]);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_cannot_be_shown_is_a_failure_that_says_so() {
    let good = Arc::new(Scripted::willing());
    run(shaky(At::Error, 0, &good).build().await.unwrap(), async |handle| {
        emit(&handle, 0..3).await;
        let failing = Condition::Failing("the component panicked: no words".into());
        until(&handle, |view| {
            [&view.sources[1].condition, &view.relays[0].condition, &view.sinks[0].condition] == [&failing; 3]
        })
        .await;
    })
    .await;
    assert_eq!(good.log.written(), [0, 1, 2, 100, 101, 102]);
}

/// Hangs, and panics when it is given up.
struct Trap;

struct Teeth;

impl Drop for Teeth {
    fn drop(&mut self) {
        panic!("bites");
    }
}

#[async_trait]
impl Sink for Trap {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, _batch: &Batch) -> Result<(), WriteError> {
        let _teeth = Teeth;
        std::future::pending().await
    }
}

/// A trap that is given up after three seconds, and a good sink.
fn trapped(good: &Arc<Scripted>) -> Builder {
    let delivery = Delivery { timeout: "3s".parse().unwrap(), ..Delivery::default() };
    Pipeline::builder()
        .sink_with("trap", delivery, Rebuilds(|| Arc::new(Trap)))
        .sink("good", Rebuilt(Arc::clone(good)))
}

/// Builds a sink each time.
struct Rebuilds(fn() -> Arc<dyn Sink>);

impl PartialEq for Rebuilds {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

#[async_trait]
impl Factory<Arc<dyn Sink>> for Rebuilds {
    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Ok((self.0)())
    }
}

impl IntoComponents<Arc<dyn Sink>> for Rebuilds {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_panics_when_it_is_given_up_ends_in_a_failing_sink_and_disturbs_no_other() {
    let good = Arc::new(Scripted::willing());
    let built = trapped(&good).source("good.source", last_words(100..103));
    run(built.build().await.unwrap(), async |handle| {
        emit(&handle, 0..3).await;
        until(&handle, |view| matches!(view.sinks[0].condition, Condition::Failing(_))).await;
        let reason = handle.view().sinks[0].condition.reason().to_owned();
        assert!(reason.contains("bites"), "{reason}");
    })
    .await;
    assert_eq!(good.log.written(), [0, 1, 2, 100, 101, 102]);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_ends_badly_during_a_reload_is_told_too() {
    let good = Arc::new(Scripted::willing());
    let mut slow = Scripted::willing();
    slow.takes = Duration::from_hours(1);
    let built = trapped(&good).sink("slow", Arc::new(slow));
    run(built.build().await.unwrap(), async |handle| {
        emit(&handle, 0..3).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let reloaded = handle.reload(trapped(&good).plan().unwrap()).await.unwrap();
        assert_eq!((reloaded.stopped, reloaded.unchanged), (vec!["sinks.slow".to_owned()], 2));
        until(&handle, |view| matches!(view.sinks[0].condition, Condition::Failing(_))).await;
    })
    .await;
    assert_eq!(good.log.written(), [0, 1, 2]);
}

/// Cannot be opened, and cannot say why.
#[derive(PartialEq)]
struct Speechless;

#[async_trait]
impl Factory<Arc<dyn Sink>> for Speechless {
    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Err(BuildError::at("tls.ca", "read it").because(Unspeakable))
    }
}

impl IntoComponents<Arc<dyn Sink>> for Speechless {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

#[tokio::test(start_paused = true)]
async fn why_a_component_cannot_be_opened_can_be_shown_whatever_the_plugin_says() {
    let refused = Pipeline::builder().sink("speechless", Speechless).build().await.unwrap_err();
    assert_eq!(refused.to_string(), "sinks.speechless: read it: the component panicked: no words");
    assert_eq!(refused.errors[0].source.key, "tls.ca");
}
