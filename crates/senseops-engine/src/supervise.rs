//! Keeping components running: what fails is built anew, with pauses that grow while it keeps failing.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use senseops_core::{Build, BuildError, Condition, Context, Factory, Files, Health, Source};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::contained::{Contained, built, contained_result, told};
use crate::counters::SourceCounters;
use crate::watched::Watched;

/// The pause before the first restart.
pub(crate) const FIRST_RESTART: Duration = Duration::from_millis(500);
/// The longest pause between restarts.
pub(crate) const LONGEST_RESTART: Duration = Duration::from_secs(30);
/// A component that ran this long is taken for healthy: its failure is over, and the next one starts with short
/// pauses again.
pub(crate) const RAN_WELL: Duration = Duration::from_mins(1);
/// The longest that an instance may take to stop when another takes its place.
const LONGEST_STOP: Duration = Duration::from_secs(5);

/// Builds a component, of a plugin that may panic when it is dropped.
pub(crate) type ContainedFactory<T> = Contained<Arc<dyn Factory<T>>>;

/// One source component, ready to run.
pub(crate) struct SourceRunner {
    pub(crate) factory: ContainedFactory<Box<dyn Source>>,
    pub(crate) source: Contained<Box<dyn Source>>,
    /// Its shutdown is that of the component, through all of its instances.
    pub(crate) context: Context,
    pub(crate) counters: Arc<SourceCounters>,
    pub(crate) watched: Arc<Watched>,
}

/// How a run of one instance ended.
pub(crate) enum Ended<T> {
    /// As was asked.
    Stopped,
    /// It was stopped because this one takes its place.
    Replaced(Contained<T>),
    Failed(String),
}

/// Brings a component back that fails, with longer pauses the more often that happens.
pub(crate) struct Restarts {
    backoff: Backoff,
    /// When the instance in use began.
    began: Instant,
    /// What health was told last, until an instance has run well.
    failure: Option<String>,
}

impl SourceRunner {
    /// Runs the source until shutdown is requested.
    pub(crate) async fn run(mut self) {
        let mut restarts = Restarts::new();
        loop {
            self.source = match self.run_instance(&mut restarts).await {
                Ended::Stopped => return,
                Ended::Replaced(source) => source,
                Ended::Failed(reason) => {
                    let Self { factory, context, watched, .. } = &self;
                    let rebuilt = restarts.rebuild(reason, &***factory, &context.build, watched);
                    let Some(source) = context.shutdown.unless_requested(rebuilt).await else { return };
                    self.counters.restarts.fetch_add(1, Ordering::Relaxed);
                    source
                }
            }
        }
    }

    /// Runs the instance in use until it ends, or until its files have changed and another has taken its place.
    async fn run_instance(&mut self, restarts: &mut Restarts) -> Ended<Box<dyn Source>> {
        restarts.begin();
        let Self { factory, source, context, watched, .. } = self;
        let stop = context.shutdown.child();
        let instance = Context { shutdown: stop.shutdown(), ..context.clone() };
        let mut run = pin!(contained_result(async { source.run(instance).await }));
        // The old one goes on until the new one is there.
        let mut next = pin!(follow_files(&***factory, &context.build, watched));
        let ended = loop {
            tokio::select! {
                ended = &mut run => break ended,
                () = restarts.until_well(&context.health) => {}
                next = &mut next => {
                    stop.request();
                    if timeout(LONGEST_STOP, run).await.is_err() {
                        warn!(source = context.component, "source did not stop in time and is replaced");
                    }
                    return Ended::Replaced(next);
                }
            }
        };
        match ended {
            Ok(()) if context.shutdown.is_requested() => Ended::Stopped,
            Ok(()) => Ended::Failed("the source ended unasked".to_owned()),
            Err(reason) => Ended::Failed(reason),
        }
    }
}

impl Restarts {
    pub(crate) fn new() -> Self {
        let backoff = Backoff::new(FIRST_RESTART, LONGEST_RESTART);
        Self { backoff, began: Instant::now(), failure: None }
    }

    /// An instance begins.
    pub(crate) fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// Builds a component that failed, after a pause, until that works.
    pub(crate) async fn rebuild<T>(
        &mut self,
        reason: String,
        factory: &dyn Factory<T>,
        build: &Build,
        watched: &Watched,
    ) -> Contained<T> {
        if self.began.elapsed() >= RAN_WELL {
            self.backoff.reset();
        }
        self.failed(&build.health, reason);
        loop {
            sleep(self.backoff.pause()).await;
            match build_anew(factory, build, watched).await {
                Ok(component) => return component,
                Err(error) => self.failed(&build.health, told(&error)),
            }
        }
    }

    fn failed(&mut self, health: &Health, reason: String) {
        health.failing(reason.as_str());
        self.failure = Some(reason);
    }

    /// Returns once an instance has run well after a failure; without one, never. Unless the component has something
    /// else to say about its health, it works.
    pub(crate) async fn until_well(&mut self, health: &Health) {
        if self.failure.is_none() {
            pending::<()>().await;
        }
        sleep_until(self.began + RAN_WELL).await;
        if self.failure.take().is_some_and(|reason| health.condition() == Condition::Failing(reason)) {
            health.works();
        }
    }
}

/// Returns another instance once files have changed and one can be built from them.
pub(crate) async fn follow_files<T>(
    factory: &dyn Factory<T>,
    build: &Build,
    watched: &Watched,
) -> Contained<T> {
    loop {
        watched.changed().await;
        match build_anew(factory, build, watched).await {
            Ok(component) => {
                info!(build.component, "component follows files that have changed");
                return component;
            }
            Err(error) => watched.cannot_use(&build.component, &error),
        }
    }
}

/// Builds a component that was built before. What it was built from is remembered if that works.
pub(crate) async fn build_anew<T>(
    factory: &dyn Factory<T>,
    build: &Build,
    watched: &Watched,
) -> Result<Contained<T>, BuildError> {
    let build = Build { files: Files::default(), ..build.clone() };
    let files = build.files.clone();
    let component = built(factory.build(build)).await?;
    watched.replace(files);
    Ok(component)
}
