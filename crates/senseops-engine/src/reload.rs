//! Running a new plan in place of the old one, without losing what is on its way.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use senseops_core::{Shutdown, ShutdownTrigger};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::components::{Components, SinkPart, SourcePart};
use crate::handle::Parts;
use crate::opening::{Opened, OpenedSink, OpenedSource, Opener};
use crate::pipeline::OpenError;
use crate::plan::Plan;
use crate::settings::PipelineSettings;
use crate::sink::{LONGEST_RELEASE, SinkRunner};
use crate::supervise::SourceRunner;
use crate::tasks::Tasks;

/// How many plans may wait to be run; who sends more waits.
pub(crate) const COMMANDS: usize = 1;

/// A plan that shall be run, and who wants to know how that went.
pub(crate) struct Command {
    pub(crate) plan: Plan,
    pub(crate) answer: oneshot::Sender<Result<Reloaded, ReloadError>>,
}

/// What a new plan changed. Components are named as in the configuration: `sinks.influx.main`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Components that are new.
    pub started: Vec<String>,
    /// Components that have changed and were replaced.
    pub restarted: Vec<String>,
    /// Components that are gone.
    pub stopped: Vec<String>,
    /// How many components run on untouched.
    pub unchanged: usize,
    /// Settings that have changed and take effect at the next start of the program only.
    pub not_applied: Vec<&'static str>,
}

/// A plan was not run; everything goes on as before.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// Parts of it cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The pipeline has ended, or is about to.
    #[error("the pipeline does not run any more")]
    Ended,
}

/// A pipeline that runs.
pub(crate) struct Running {
    pub(crate) opener: Opener,
    pub(crate) settings: PipelineSettings,
    pub(crate) parts: Arc<Parts>,
    pub(crate) sources: Tasks,
    pub(crate) sinks: Tasks,
    pub(crate) drain: ShutdownTrigger,
}

impl Running {
    pub(crate) fn start_source(&mut self, runner: SourceRunner) {
        self.sources.spawn(runner.context.component.clone(), runner.run());
    }

    pub(crate) fn start_sink(&mut self, runner: SinkRunner, release: Shutdown) {
        self.sinks.spawn(runner.slot.name().to_owned(), runner.run(self.drain.shutdown(), release));
    }

    /// Opens what is new in the plan. Nothing has changed as long as the answer is not switched to.
    pub(crate) async fn open(&self, plan: Plan) -> Result<(PipelineSettings, Opened), OpenError> {
        let Plan { settings, sources, sinks } = plan;
        let running = self.parts.components();
        let opened = self.opener.open(&settings.labels, sources, sinks, &running).await?;
        Ok((settings, opened))
    }

    /// Runs what was opened. Sinks change while the sources go on, whose events wait in the journal meanwhile. So
    /// nobody reads the sockets only as long as it takes a source to stop, and every event finds its sinks.
    pub(crate) async fn switch_to(&mut self, (settings, opened): (PipelineSettings, Opened)) -> Reloaded {
        let before = self.parts.components();
        let (kept_sources, kept_sinks) = kept(&opened);
        let mut reloaded = Reloaded {
            unchanged: kept_sources.len() + kept_sinks.len(),
            not_applied: self.not_applied(&settings),
            ..Reloaded::default()
        };
        // Those that are quite new see what is emitted while the others go.
        let places: Vec<_> = (opened.sinks.iter())
            .filter_map(|sink| match sink {
                OpenedSink::New(new) if before.sink(new.name()).is_none() => Some(new.reader(&self.opener)),
                OpenedSink::New(_) | OpenedSink::Kept(_) => None,
            })
            .collect();
        let left_sinks = self.release(&before.sinks, &kept_sinks, &opened.sinks).await;
        let mut components = Components::default();
        let (mut new_sources, mut new_sinks) = (HashSet::new(), HashSet::new());
        for sink in opened.sinks {
            let (part, runner) = sink.attach(&self.opener);
            if let Some(runner) = runner {
                new_sinks.insert(part.slot.name().to_owned());
                self.start_sink(runner, part.release.shutdown());
            }
            components.sinks.push(part);
        }
        drop(places);
        let longest = settings.shutdown_timeout.get() / 2;
        let left_sources = self.stop(&before.sources, &kept_sources, longest).await;
        self.opener.common.sockets.complete_handover(&kept_sources);
        for source in opened.sources {
            let (part, runner) = source.into_parts();
            if let Some(runner) = runner {
                new_sources.insert(part.build.component.clone());
                self.start_source(runner);
            }
            components.sources.push(part);
        }
        self.parts.replace(components);
        if self.settings.labels != settings.labels {
            self.parts.emit_through(self.opener.emitters(&settings.labels, &self.parts.embedder));
        }
        // The rest takes effect at the next start, and until then a change is named each time.
        self.settings.labels = settings.labels;
        self.settings.shutdown_timeout = settings.shutdown_timeout;
        reloaded.note("sources", &left_sources, &new_sources);
        reloaded.note("sinks", &left_sinks, &new_sinks);
        reloaded.log();
        reloaded
    }

    /// Ends the sinks that are not `kept`, and names them. Those of the same name in `next` go on where they were.
    async fn release(
        &mut self,
        sinks: &[SinkPart],
        kept: &HashSet<String>,
        next: &[OpenedSink],
    ) -> HashSet<String> {
        for sink in next {
            if let OpenedSink::New(new) = sink {
                self.opener.journal.expect_back(new.name());
            }
        }
        let leaving = sinks.iter().filter(|part| !kept.contains(part.slot.name()));
        let leaving = leaving.map(|part| {
            part.release.request();
            part.slot.name().to_owned()
        });
        let leaving = leaving.collect();
        let late = self.sinks.join_named(&leaving, Instant::now() + LONGEST_RELEASE).await;
        warn_of(&late);
        leaving
    }

    /// Ends the sources that are not `kept`, and names them.
    async fn stop(
        &mut self,
        sources: &[SourcePart],
        kept: &HashSet<String>,
        longest: Duration,
    ) -> HashSet<String> {
        let leaving = sources.iter().filter(|part| !kept.contains(&part.build.component));
        let leaving = leaving.map(|part| {
            part.stop.request();
            part.build.component.clone()
        });
        let leaving = leaving.collect();
        let late = self.sources.join_named(&leaving, Instant::now() + longest).await;
        warn_of(&late);
        leaving
    }

    fn not_applied(&self, settings: &PipelineSettings) -> Vec<&'static str> {
        let before = &self.settings;
        let changed = [
            ("pipeline.state_dir", settings.state_dir != before.state_dir),
            ("pipeline.journal", settings.journal != before.journal),
            ("pipeline.dead_letters", settings.dead_letters != before.dead_letters),
            ("pipeline.self_metrics", settings.self_metrics != before.self_metrics),
        ];
        changed.into_iter().filter_map(|(key, is_changed)| is_changed.then_some(key)).collect()
    }
}

/// The names of the components that run on.
fn kept(opened: &Opened) -> (HashSet<String>, HashSet<String>) {
    let sources = opened.sources.iter().filter_map(|source| match source {
        OpenedSource::Kept(part) => Some(part.build.component.clone()),
        OpenedSource::New(..) => None,
    });
    let sinks = opened.sinks.iter().filter_map(|sink| match sink {
        OpenedSink::Kept(part) => Some(part.slot.name().to_owned()),
        OpenedSink::New(_) => None,
    });
    (sources.collect(), sinks.collect())
}

fn warn_of(late: &[String]) {
    if !late.is_empty() {
        warn!(components = late.join(", "), "components did not stop in time and were aborted");
    }
}

impl Reloaded {
    fn note(&mut self, role: &str, left: &HashSet<String>, new: &HashSet<String>) {
        let named = |names: Vec<&String>| {
            let mut names: Vec<String> = names.into_iter().map(|name| format!("{role}.{name}")).collect();
            names.sort();
            names
        };
        self.started.extend(named(new.difference(left).collect()));
        self.restarted.extend(named(new.intersection(left).collect()));
        self.stopped.extend(named(left.difference(new).collect()));
    }

    fn log(&self) {
        info!(
            started = self.started.join(", "),
            restarted = self.restarted.join(", "),
            stopped = self.stopped.join(", "),
            unchanged = self.unchanged,
            "new configuration is in use"
        );
        if !self.not_applied.is_empty() {
            let settings = self.not_applied.join(", ");
            warn!(settings, "changed settings take effect at the next start only");
        }
    }
}
