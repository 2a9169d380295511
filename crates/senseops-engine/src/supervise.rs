//! Keeping source components running: what fails is built anew, with pauses that grow while it keeps failing.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use senseops_core::{Context, Source, SourceFactory, chain};
use tokio::time::{Instant, sleep};

use crate::backoff::Backoff;
use crate::counters::SourceCounters;

/// The pause before the first restart.
pub(crate) const FIRST_RESTART: Duration = Duration::from_millis(500);
/// The longest pause between restarts.
pub(crate) const LONGEST_RESTART: Duration = Duration::from_secs(30);
/// A component that ran this long is taken for healthy: its next failure starts with short pauses again.
const RAN_WELL: Duration = Duration::from_mins(1);

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
        loop {
            let started = Instant::now();
            let ended = AssertUnwindSafe(source.run(context.clone())).catch_unwind().await;
            if context.shutdown.is_requested() {
                return;
            }
            context.health.failing(match ended {
                Ok(Ok(())) => "the source ended unasked".to_owned(),
                Ok(Err(error)) => chain(&error).to_string(),
                Err(panic) => panic_text(&*panic),
            });
            if started.elapsed() >= RAN_WELL {
                backoff.reset();
            }
            let Some(rebuilt) =
                context.shutdown.unless_requested(rebuild(&*factory, &context, &mut backoff)).await
            else {
                return;
            };
            counters.restarts.fetch_add(1, Ordering::Relaxed);
            source = rebuilt;
        }
    }
}

async fn rebuild(factory: &dyn SourceFactory, context: &Context, backoff: &mut Backoff) -> Box<dyn Source> {
    loop {
        sleep(backoff.pause()).await;
        match AssertUnwindSafe(factory.build(context.build.clone())).catch_unwind().await {
            Ok(Ok(source)) => return source,
            Ok(Err(error)) => context.health.failing(chain(&error).to_string()),
            Err(panic) => context.health.failing(panic_text(&*panic)),
        }
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let said =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the component panicked: {}", said.unwrap_or("without a message"))
}
