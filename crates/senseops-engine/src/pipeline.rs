//! The life of an open pipeline: run, drain.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use senseops_core::host::ShutdownTrigger;
use senseops_core::{Chunk, chain};
use senseops_journal::{Journal, Writer};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::file_checks::check_files;
use crate::handle::Handle;
use crate::opened::Runners;
use crate::opener::Opener;
use crate::parts::{CloseOnDrop, Parts};
use crate::reload::Running;
use crate::reload_request::ReloadRequest;
use crate::self_events;
use crate::settings::{PipelineSettings, SelfMetrics};
use crate::tasks::Tasks;
use crate::view::View;

/// The longest that the journal may take to store what it has at the end.
const LAST_WRITE: Duration = Duration::from_secs(10);

/// A pipeline whose parts are open, and that is not running yet.
pub struct Pipeline {
    pub(crate) opener: Opener,
    pub(crate) settings: PipelineSettings,
    pub(crate) runners: Runners,
    pub(crate) writer: Option<Writer<Chunk>>,
    pub(crate) parts: Arc<Parts>,
    /// Plans that shall be run instead.
    pub(crate) requested: mpsc::Receiver<ReloadRequest>,
    pub(crate) closing: CloseOnDrop,
}

/// What a pipeline came to, see [`Pipeline::run_until`].
#[derive(Clone, Debug)]
pub struct Summary {
    /// The pipeline at its end.
    pub view: View,
    /// Components that did not stop in time and were aborted.
    pub aborted: Vec<String>,
}

impl Pipeline {
    /// Looks into the pipeline and emits into it, also while it runs.
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.parts))
    }

    /// Runs on the caller's runtime until `stop` resolves, then drains: sources stop first, then relays see what is left,
    /// then sinks deliver it, all together within the shutdown time.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Summary {
        // Also if this future is dropped: the threads of the journal end only then.
        let Self { closing, opener, settings, runners, writer, parts, mut requested } = self;
        let writer = writer.map(|writer| spawn_blocking(move || writer.run()));
        keep(&opener.journal);
        let mut running = Running {
            opener,
            settings,
            parts,
            sources: Tasks::default(),
            relays: Tasks::default(),
            sinks: Tasks::default(),
            drain: ShutdownTrigger::default(),
        };
        running.start(runners);
        let mut chores = Tasks::default();
        chores.spawn("files".to_owned(), check_files(Arc::clone(&running.parts)));
        if let Some(SelfMetrics { interval }) = running.settings.self_metrics {
            let handle = Handle(Arc::clone(&running.parts));
            chores.spawn("self_metrics".to_owned(), self_events::emit(handle, interval));
        }
        let status = running.parts.journal.status();
        info!(
            sources = running.sources.len(),
            relays = running.relays.len(),
            sinks = running.sinks.len(),
            events_waiting = status.events,
            "pipeline is running"
        );
        for cursor in running.parts.left_behind(&status, 1) {
            warn!("{cursor}");
        }
        let mut stop = pin!(stop);
        loop {
            let ReloadRequest { settings, specs, answer } = tokio::select! {
                () = &mut stop => break,
                Some(request) = requested.recv() => request,
                () = running.watch_runners() => continue,
            };
            let opened = tokio::select! {
                () = &mut stop => break,
                opened = running.open(&settings.labels, specs) => opened,
            };
            let result = match opened {
                Ok(opened) => Ok(running.switch_to(settings, opened).await),
                Err(error) => Err(error.into()),
            };
            // Whoever asked may have gone.
            let _unheard = answer.send(result);
        }
        drop((requested, chores));
        running.drain(closing, writer).await
    }
}

impl Running {
    async fn drain(mut self, closing: CloseOnDrop, writer: Option<JoinHandle<()>>) -> Summary {
        info!("pipeline is draining");
        let begin = Instant::now();
        let longest = self.settings.shutdown_timeout.get();
        self.opener.stop_sources.request();
        // Half of the time at most, so that sources that hang leave some for delivery.
        let mut aborted = self.sources.join(begin + longest / 2).await;
        // One after another, so that each sees what those before it emitted last.
        for relay in &self.parts.components().relays {
            relay.drain.request();
            let name = HashSet::from([relay.build.component.clone()]);
            aborted.extend(self.relays.join_named(&name, begin + longest / 4 * 3).await);
        }
        // What a host program emits from here on would be seen by some sinks and not by others.
        self.parts.journal.seal();
        self.opener.taps.end();
        self.drain.request();
        aborted.extend(self.sinks.join(begin + longest).await);
        self.parts.journal.close();
        if let Some(writer) = writer {
            match timeout(LAST_WRITE, writer).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(error = %chain(&error), "journal writer ended badly"),
                Err(_elapsed) => {
                    warn!(seconds = LAST_WRITE.as_secs(), "journal writer did not end, the disk hangs");
                }
            }
        }
        if !aborted.is_empty() {
            warn!(components = aborted.join(", "), "components did not stop in time and were aborted");
        }
        let view = Handle(Arc::clone(&self.parts)).view();
        drop(closing);
        tell_losses(&view);
        info!(seconds = begin.elapsed().as_secs_f64(), "pipeline has stopped");
        Summary { view, aborted }
    }
}

/// Starts the keeper of the journal, which ends when that is closed. A thread of its own: tokio holds a paused clock for
/// those of the runtime, and tests of host programs pause it.
fn keep(journal: &Journal<Chunk>) {
    let keeper = journal.clone();
    let started = thread::Builder::new().name("journal".into()).spawn(move || keeper.keep());
    if let Err(error) = started {
        warn!(error = %chain(&error), "a backlog in memory is not packed, and a disk that hangs is not noticed");
    }
}

/// Losses must not hide among figures.
fn tell_losses(view: &View) {
    for sink in &view.sinks {
        if sink.discarded > 0 {
            warn!(
                sink = sink.name,
                events = sink.discarded,
                "events were discarded, they waited too long or the journal was full"
            );
        }
        if sink.lag_events > 0 && view.journal.outlives_the_program {
            info!(
                sink = sink.name,
                events = sink.lag_events,
                "events wait in the journal for the next start"
            );
        } else if sink.lag_events > 0 {
            warn!(
                sink = sink.name,
                events = sink.lag_events,
                "events are lost, they could not be delivered in time"
            );
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("sources", &self.runners.sources.len())
            .field("relays", &self.runners.relays.len())
            .field("sinks", &self.runners.sinks.len())
            .finish_non_exhaustive()
    }
}
