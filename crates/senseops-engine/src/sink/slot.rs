//! The place of a sink in a running pipeline: which instance is in use, and how it is replaced.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use senseops_core::{Build, Sink, SinkFactory, chain};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::backoff::Backoff;
use crate::counters::SinkCounters;
use crate::supervise::{FIRST_RESTART, LONGEST_RESTART, panic_text};

/// Holds the sink in use.
pub(crate) struct SinkSlot {
    factory: Arc<dyn SinkFactory>,
    pub(crate) build: Build,
    pub(crate) counters: Arc<SinkCounters>,
    current: watch::Sender<Arc<dyn Sink>>,
    restarts: Mutex<Backoff>,
}

impl SinkSlot {
    pub(crate) fn new(factory: Arc<dyn SinkFactory>, build: Build, sink: Arc<dyn Sink>) -> Self {
        Self {
            factory,
            build,
            counters: Arc::default(),
            current: watch::Sender::new(sink),
            restarts: Mutex::new(Backoff::new(FIRST_RESTART, LONGEST_RESTART)),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.build.component
    }

    pub(crate) fn current(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.current.borrow())
    }

    /// Replaces the sink that failed, after a pause that grows while replacements keep failing. Does nothing if
    /// someone else has replaced it meanwhile.
    pub(crate) async fn replace(&self, failed: &Arc<dyn Sink>, reason: &str) {
        loop {
            self.build.health.failing(reason);
            sleep(self.next_pause()).await;
            if !Arc::ptr_eq(failed, &*self.current.borrow()) {
                return;
            }
            match AssertUnwindSafe(self.factory.build(self.build.clone())).catch_unwind().await {
                Ok(Ok(sink)) => {
                    self.counters.restarts.fetch_add(1, Ordering::Relaxed);
                    self.current.send_replace(sink);
                    return;
                }
                Ok(Err(error)) => self.build.health.failing(chain(&error).to_string()),
                Err(panic) => self.build.health.failing(panic_text(&*panic)),
            }
        }
    }

    /// A write succeeded, so the next failure starts with short pauses again.
    pub(crate) fn succeeded(&self) {
        self.restarts.lock().unwrap_or_else(PoisonError::into_inner).reset();
        self.build.health.ok();
    }

    /// Runs the background work of whichever sink is in use. Never returns.
    pub(crate) async fn run_background(&self) {
        let mut changes = self.current.subscribe();
        loop {
            let sink = Arc::clone(&changes.borrow_and_update());
            let ended = async {
                match sink.background() {
                    Some(background) => AssertUnwindSafe(background).catch_unwind().await,
                    None => std::future::pending().await,
                }
            };
            let reason = tokio::select! {
                _ = changes.changed() => continue,
                ended = ended => match ended {
                    Ok(Ok(())) => "its background work ended".to_owned(),
                    Ok(Err(error)) => chain(&*error).to_string(),
                    Err(panic) => panic_text(&*panic),
                },
            };
            self.replace(&sink, &reason).await;
        }
    }

    fn next_pause(&self) -> Duration {
        self.restarts.lock().unwrap_or_else(PoisonError::into_inner).pause()
    }
}
