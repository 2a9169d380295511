//! Keeping source components running: what fails is built anew, with pauses that grow while it keeps failing.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use senseops_core::{BuildError, Condition, Context, Source, SourceFactory, chain};
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::counters::SourceCounters;

/// The pause before the first restart.
pub(crate) const FIRST_RESTART: Duration = Duration::from_millis(500);
/// The longest pause between restarts.
pub(crate) const LONGEST_RESTART: Duration = Duration::from_secs(30);
/// A component that ran this long is taken for healthy: its failure is over, and the next one starts with short
/// pauses again.
pub(crate) const RAN_WELL: Duration = Duration::from_mins(1);
/// The longest that building a component anew may take.
pub(crate) const LONGEST_BUILD: Duration = Duration::from_secs(30);

/// One source component, ready to run.
pub(crate) struct SourceRunner {
    pub(crate) factory: Arc<dyn SourceFactory>,
    pub(crate) source: Box<dyn Source>,
    pub(crate) context: Context,
    pub(crate) counters: Arc<SourceCounters>,
}

impl SourceRunner {
    /// Runs the source until shutdown is requested.
    pub(crate) async fn run(self) {
        let Self { factory, mut source, context, counters } = self;
        let mut backoff = Backoff::new(FIRST_RESTART, LONGEST_RESTART);
        let mut failure = None;
        loop {
            let started = Instant::now();
            let ended = {
                let run = AssertUnwindSafe(source.run(context.clone())).catch_unwind();
                tokio::pin!(run);
                tokio::select! {
                    ended = &mut run => ended,
                    () = sleep(RAN_WELL), if failure.is_some() => {
                        recover(&context, failure.take());
                        run.await
                    }
                }
            };
            let reason = match ended {
                Ok(Ok(())) if context.shutdown.is_requested() => return,
                Ok(Ok(())) => "the source ended unasked".to_owned(),
                Ok(Err(error)) => chain(&error).to_string(),
                Err(panic) => panic_text(&*panic),
            };
            context.health.failing(reason.as_str());
            failure = Some(reason);
            if started.elapsed() >= RAN_WELL {
                backoff.reset();
            }
            let rebuilt = rebuild(&*factory, &context, &mut backoff);
            let Some(rebuilt) = context.shutdown.unless_requested(rebuilt).await else { return };
            counters.restarts.fetch_add(1, Ordering::Relaxed);
            source = rebuilt;
        }
    }
}

/// The source runs well again. Unless it has something else to say about its health, that is how it is.
fn recover(context: &Context, failure: Option<String>) {
    if failure.is_some_and(|reason| context.health.condition() == Condition::Failing(reason)) {
        context.health.ok();
    }
}

async fn rebuild(factory: &dyn SourceFactory, context: &Context, backoff: &mut Backoff) -> Box<dyn Source> {
    loop {
        sleep(backoff.pause()).await;
        match guarded(factory.build(context.build.clone())).await {
            Ok(source) => return source,
            Err(error) => context.health.failing(chain(&error).to_string()),
        }
    }
}

/// Builds a component, with a limit in time, and with a panic as an error.
pub(crate) async fn guarded<T>(build: impl Future<Output = Result<T, BuildError>>) -> Result<T, BuildError> {
    match timeout(LONGEST_BUILD, AssertUnwindSafe(build).catch_unwind()).await {
        Ok(Ok(built)) => built,
        Ok(Err(panic)) => Err(BuildError::at("", panic_text(&*panic))),
        Err(_elapsed) => Err(BuildError::at("", format!("building it took longer than {LONGEST_BUILD:?}"))),
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let said =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the component panicked: {}", said.unwrap_or("without a message"))
}
