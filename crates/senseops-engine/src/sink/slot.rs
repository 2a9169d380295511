//! The place of a sink in a running pipeline: which instance is in use, and how it is replaced.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use senseops_core::{Batch, Build, BuildError, Shutdown, Sink, WriteError, chain};
use tokio::sync::{Mutex, watch};
use tokio::time::sleep;
use tracing::info;

use super::Refusals;
use crate::backoff::Backoff;
use crate::contained::{Contained, contained_async, told};
use crate::counters::{Progress, SinkCounters};
use crate::supervise::{ContainedFactory, FIRST_RESTART, LONGEST_RESTART, RAN_WELL, build_anew};
use crate::watched::Watched;

/// One instance of a sink. Cheap to clone; the last one drops it.
#[derive(Clone)]
pub(crate) struct Instance(Arc<Contained<Arc<dyn Sink>>>);

/// Holds the sink in use.
pub(crate) struct SinkSlot {
    factory: ContainedFactory<Arc<dyn Sink>>,
    pub(crate) build: Build,
    pub(crate) counters: Arc<SinkCounters>,
    pub(crate) refusals: Refusals,
    pub(crate) progress: Progress,
    current: watch::Sender<Instance>,
    pub(crate) watched: Watched,
    /// Held while the sink is replaced, so that one failure leads to one replacement.
    replacing: Mutex<()>,
    /// The background work has failed lately, so writes that succeed do not make the sink healthy.
    is_background_failing: AtomicBool,
}

impl Instance {
    pub(crate) fn new(sink: Contained<Arc<dyn Sink>>) -> Self {
        Self(Arc::new(sink))
    }

    /// Whether both are the same instance of the plugin: some factories give the same one each time.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&**self.0, &**other.0)
    }

    /// Writes the batch, see [`Sink::write`]. A panic is an error.
    pub(crate) async fn write(&self, batch: &Batch) -> Result<Result<(), WriteError>, String> {
        contained_async(self.0.write(batch)).await
    }

    /// See [`Sink::close`].
    pub(crate) async fn close(&self) -> Result<(), String> {
        let closed =
            contained_async(async { self.0.close().await.map_err(|error| chain(&*error).to_string()) });
        closed.await.flatten()
    }

    /// Why the background work of the sink ended. Without such work, never.
    async fn background_end(&self) -> String {
        let work = async {
            match self.0.background() {
                Some(background) => background.await.map_err(|error| chain(&*error).to_string()),
                None => std::future::pending().await,
            }
        };
        match contained_async(work).await.flatten() {
            Ok(()) => "its background work ended".to_owned(),
            Err(reason) => reason,
        }
    }
}

impl SinkSlot {
    /// `sink` was built with `build` by `factory`.
    pub(crate) fn new(
        factory: ContainedFactory<Arc<dyn Sink>>,
        build: Build,
        sink: Instance,
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

    pub(crate) fn current(&self) -> Instance {
        self.current.borrow().clone()
    }

    /// Returns once another sink than `used` is in use.
    pub(crate) async fn changed_from(&self, used: &Instance) {
        let mut changes = self.current.subscribe();
        // An error means that the slot is gone, which holds the sender.
        let _gone = changes.wait_for(|sink| !sink.is(used)).await;
    }

    /// Replaces the sink that failed, after a pause that `drain` cuts short. Does nothing if someone else has replaced
    /// it meanwhile.
    pub(crate) async fn replace(
        &self,
        failed: &Instance,
        reason: &str,
        backoff: &mut Backoff,
        drain: &Shutdown,
    ) {
        let _replacing = self.replacing.lock().await;
        if !failed.is(&self.current.borrow()) {
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
                Err(error) => self.build.health.failing(told(&error)),
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
    pub(crate) async fn refresh(&self, used: &Instance) -> bool {
        let _replacing = self.replacing.lock().await;
        if !used.is(&self.current.borrow()) {
            return false;
        }
        match self.build_anew().await {
            Ok(sink) if sink.is(used) => false,
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

    async fn build_anew(&self) -> Result<Instance, BuildError> {
        build_anew(&**self.factory, &self.build, &self.watched).await.map(Instance::new)
    }

    /// A write succeeded.
    pub(crate) fn succeeded(&self) {
        if !self.is_background_failing.load(Ordering::Relaxed) {
            self.build.health.works();
        }
    }

    /// Runs the background work of whichever sink is in use. Never returns.
    #[expect(clippy::infinite_loop, reason = "the runner drops it when it is done")]
    pub(crate) async fn run_background(&self, drain: &Shutdown) {
        let mut changes = self.current.subscribe();
        let mut backoff = Backoff::new(FIRST_RESTART, LONGEST_RESTART);
        loop {
            let sink = changes.borrow_and_update().clone();
            let end = pin!(sink.background_end());
            let Some(reason) = self.watch(end, &mut changes, &mut backoff).await else { continue };
            self.is_background_failing.store(true, Ordering::Relaxed);
            self.replace(&sink, &reason, &mut backoff, drain).await;
        }
    }

    /// Waits for the end of background work, and tells why it ended; `None` if the sink was replaced.
    async fn watch(
        &self,
        mut end: Pin<&mut impl Future<Output = String>>,
        changes: &mut watch::Receiver<Instance>,
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
                    self.build.health.works();
                }
            }
        }
    }
}
