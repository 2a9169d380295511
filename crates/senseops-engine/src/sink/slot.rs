//! The place of a sink in a running pipeline: which instance is in use, and how it is replaced.

use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use senseops_core::{Build, BuildError, Shutdown, Sink, SinkFactory, chain};
use tokio::sync::{Mutex, watch};
use tokio::time::sleep;
use tracing::info;

use super::Refusals;
use crate::backoff::Backoff;
use crate::counters::{Progress, SinkCounters};
use crate::supervise::{FIRST_RESTART, LONGEST_RESTART, RAN_WELL, build_anew, panic_text};
use crate::watched::Watched;

/// Holds the sink in use.
pub(crate) struct SinkSlot {
    factory: Arc<dyn SinkFactory>,
    pub(crate) build: Build,
    pub(crate) counters: Arc<SinkCounters>,
    pub(crate) refusals: Refusals,
    pub(crate) progress: Progress,
    current: watch::Sender<Arc<dyn Sink>>,
    pub(crate) watched: Watched,
    /// Held while the sink is replaced, so that one failure leads to one replacement.
    replacing: Mutex<()>,
    /// The background work has failed lately, so writes that succeed do not make the sink healthy.
    is_background_failing: AtomicBool,
}

impl SinkSlot {
    /// `sink` was built with `build` by `factory`.
    pub(crate) fn new(
        factory: Arc<dyn SinkFactory>,
        build: Build,
        sink: Arc<dyn Sink>,
        counters: Arc<SinkCounters>,
    ) -> Self {
        Self {
            factory,
            watched: Watched::new(build.files.clone()),
            build,
            counters,
            refusals: Refusals::default(),
            progress: Progress::default(),
            current: watch::Sender::new(sink),
            replacing: Mutex::default(),
            is_background_failing: AtomicBool::new(false),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.build.component
    }

    pub(crate) fn current(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.current.borrow())
    }

    /// Returns once another sink than `used` is in use.
    pub(crate) async fn changed_from(&self, used: &Arc<dyn Sink>) {
        let mut changes = self.current.subscribe();
        // An error means that the slot is gone, which holds the sender.
        let _gone = changes.wait_for(|sink| !Arc::ptr_eq(sink, used)).await;
    }

    /// Replaces the sink that failed, after a pause that `drain` cuts short. Does nothing if someone else has replaced
    /// it meanwhile.
    pub(crate) async fn replace(
        &self,
        failed: &Arc<dyn Sink>,
        reason: &str,
        backoff: &mut Backoff,
        drain: &Shutdown,
    ) {
        let _replacing = self.replacing.lock().await;
        if !Arc::ptr_eq(failed, &*self.current.borrow()) {
            return;
        }
        self.build.health.failing(reason);
        let mut is_patient = !drain.is_requested();
        loop {
            let pause = backoff.pause();
            tokio::select! {
                () = sleep(pause) => {}
                () = drain.requested(), if is_patient => is_patient = false,
            }
            match self.build_anew().await {
                Ok(sink) => {
                    self.counters.restarts.fetch_add(1, Ordering::Relaxed);
                    self.current.send_replace(sink);
                    return;
                }
                Err(error) => self.build.health.failing(chain(&error).to_string()),
            }
        }
    }

    /// Replaces the sink whenever files that it was built from have changed. Never returns.
    #[expect(clippy::infinite_loop, reason = "the runner drops it when it is done")]
    pub(crate) async fn follow_files(&self) {
        loop {
            self.watched.changed().await;
            if self.refresh(&self.current()).await {
                info!(sink = self.name(), "sink follows files that have changed");
            }
        }
    }

    /// Replaces the sink by one built from what its files and variables hold now; keeps it if that does not work. Does
    /// nothing if someone else has replaced `used` meanwhile. Whether it was replaced.
    pub(crate) async fn refresh(&self, used: &Arc<dyn Sink>) -> bool {
        let _replacing = self.replacing.lock().await;
        if !Arc::ptr_eq(used, &*self.current.borrow()) {
            return false;
        }
        match self.build_anew().await {
            Ok(sink) if Arc::ptr_eq(&sink, used) => false,
            Ok(sink) => {
                self.current.send_replace(sink);
                true
            }
            Err(error) => {
                self.watched.cannot_use(self.name(), &error);
                false
            }
        }
    }

    async fn build_anew(&self) -> Result<Arc<dyn Sink>, BuildError> {
        build_anew(|build| self.factory.build(build), &self.build, &self.watched).await
    }

    /// A write succeeded.
    pub(crate) fn succeeded(&self) {
        if !self.is_background_failing.load(Ordering::Relaxed) {
            self.build.health.ok();
        }
    }

    /// Runs the background work of whichever sink is in use. Never returns.
    #[expect(clippy::infinite_loop, reason = "the runner drops it when it is done")]
    pub(crate) async fn run_background(&self, drain: &Shutdown) {
        let mut changes = self.current.subscribe();
        let mut backoff = Backoff::new(FIRST_RESTART, LONGEST_RESTART);
        loop {
            let sink = Arc::clone(&changes.borrow_and_update());
            let end = pin!(background_end(&sink));
            let Some(reason) = self.watch(end, &mut changes, &mut backoff).await else { continue };
            self.is_background_failing.store(true, Ordering::Relaxed);
            self.replace(&sink, &reason, &mut backoff, drain).await;
        }
    }

    /// Waits for the end of background work, and tells why it ended; `None` if the sink was replaced.
    async fn watch(
        &self,
        mut end: Pin<&mut impl Future<Output = String>>,
        changes: &mut watch::Receiver<Arc<dyn Sink>>,
        backoff: &mut Backoff,
    ) -> Option<String> {
        let mut well = pin!(sleep(RAN_WELL));
        loop {
            tokio::select! {
                _ = changes.changed() => return None,
                reason = &mut end => return Some(reason),
                () = &mut well, if self.is_background_failing.load(Ordering::Relaxed) => {
                    self.is_background_failing.store(false, Ordering::Relaxed);
                    backoff.reset();
                    self.build.health.ok();
                }
            }
        }
    }
}

/// Why the background work of the sink ended. Without such work, never.
async fn background_end(sink: &Arc<dyn Sink>) -> String {
    let work = async {
        match sink.background() {
            Some(background) => background.await,
            None => std::future::pending().await,
        }
    };
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(())) => "its background work ended".to_owned(),
        Ok(Err(error)) => chain(&*error).to_string(),
        Err(panic) => panic_text(&*panic),
    }
}
