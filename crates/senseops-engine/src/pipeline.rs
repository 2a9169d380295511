//! The life of a pipeline: open, run, drain.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use senseops_core::{
    Build, BuildError, Context, Emitter, Health, LabelSet, Leases, Meter, PlannedSink, PlannedSource, Shared,
    ShutdownTrigger, chain,
};
use senseops_journal::{DiskSettings, Journal, Writer};
use thiserror::Error;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use crate::builder::Builder;
use crate::codec::{Chunk, EventCodec};
use crate::handle::{Handle, Parts, SinkPart, SourcePart};
use crate::intake::{SourceIntake, UniqueTimes};
use crate::plan::{ComponentError, Plan, SinkSpec, SourceSpec};
use crate::settings::PipelineSettings;
use crate::sink::{Deliver, SinkRunner, SinkSlot, Wanted};
use crate::sockets::{ComponentLease, Sockets};
use crate::supervise::SourceRunner;
use crate::view::View;

/// The source name of events that an embedder emits through [`Handle::emit`].
const EMBEDDER: &str = "embedder";

/// A pipeline whose parts are open, and that is not running yet.
pub struct Pipeline {
    sources: Vec<SourceRunner>,
    sinks: Vec<SinkRunner>,
    writer: Option<Writer<Chunk>>,
    journal: Journal<Chunk>,
    parts: Arc<Parts>,
    stop_sources: ShutdownTrigger,
    shutdown_timeout: Duration,
}

/// A pipeline cannot be opened.
#[derive(Debug, Error)]
#[error("{}", .errors.iter().map(|error| chain(error).to_string()).collect::<Vec<_>>().join("; "))]
pub struct OpenError {
    /// Every component that cannot be planned or opened.
    pub errors: Vec<ComponentError>,
}

/// What a pipeline came to, see [`Pipeline::run_until`].
#[derive(Clone, Debug)]
pub struct Summary {
    /// The pipeline at its end.
    pub view: View,
    /// Components that did not stop in time and were aborted.
    pub aborted: Vec<String>,
}

/// What the components of a plan have in common.
#[derive(Default)]
pub(crate) struct Common {
    shared: Shared,
    sockets: Sockets,
}

/// What is needed to open the components of a plan.
struct Opening {
    journal: Journal<Chunk>,
    common: Common,
    clock: Arc<UniqueTimes>,
    stop_sources: ShutdownTrigger,
    settings: PipelineSettings,
    errors: Vec<ComponentError>,
}

impl Pipeline {
    /// A pipeline written in code.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Opens everything that a plan names. Nothing runs and no task is spawned yet.
    ///
    /// # Errors
    /// Everything that cannot be opened, all at once.
    pub async fn open(plan: Plan) -> Result<Self, OpenError> {
        let (journal, writer) = open_journal(&plan.settings).await?;
        let mut opening = Opening {
            journal: journal.clone(),
            common: Common::default(),
            clock: Arc::default(),
            stop_sources: ShutdownTrigger::default(),
            settings: plan.settings,
            errors: Vec::new(),
        };
        opening.refuse_duplicates(&plan.sources, &plan.sinks);
        let mut sinks = Vec::new();
        for spec in plan.sinks {
            opening.sinks(spec, &mut sinks).await;
        }
        let mut sources = Vec::new();
        for spec in plan.sources {
            opening.sources(spec, &mut sources).await;
        }
        if !opening.errors.is_empty() {
            return Err(OpenError { errors: opening.errors });
        }
        Ok(Self {
            parts: Arc::new(opening.parts(&sources, &sinks)),
            shutdown_timeout: opening.settings.shutdown_timeout.get(),
            stop_sources: opening.stop_sources,
            sources,
            sinks,
            writer,
            journal,
        })
    }

    /// Looks into the pipeline and emits into it, also while it runs.
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.parts))
    }

    /// Runs on the caller's runtime until `stop` resolves, then drains: sources stop first, then sinks deliver what
    /// is left, both together within the shutdown time.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Summary {
        let drain_sinks = ShutdownTrigger::default();
        let mut sources = Tasks::default();
        let mut sinks = Tasks::default();
        let writer = self.writer.map(|writer| spawn_blocking(move || writer.run()));
        for sink in self.sinks {
            sinks.spawn(sink.slot.name().to_owned(), sink.run(drain_sinks.shutdown()));
        }
        for source in self.sources {
            sources.spawn(source.context.component.clone(), source.run());
        }
        info!(sources = sources.len(), sinks = sinks.len(), "pipeline is running");
        stop.await;

        info!("pipeline is draining");
        let begin = Instant::now();
        self.stop_sources.request();
        // Half of the time at most, so that sources that hang leave some for delivery.
        let mut aborted = sources.join(begin + self.shutdown_timeout / 2).await;
        drain_sinks.request();
        aborted.extend(sinks.join(begin + self.shutdown_timeout).await);
        self.journal.close();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            warn!(error = %chain(&error), "journal writer ended badly");
        }
        let view = Handle(self.parts).view();
        info!(
            seconds = begin.elapsed().as_secs_f64(),
            undelivered = view.undelivered(),
            "pipeline has stopped"
        );
        Summary { view, aborted }
    }
}

impl Opening {
    fn refuse_duplicates(&mut self, sources: &[SourceSpec], sinks: &[SinkSpec]) {
        let mut seen = HashSet::new();
        let sources = sources.iter().map(|spec| format!("sources.{}", spec.name));
        let sinks = sinks.iter().map(|spec| format!("sinks.{}", spec.name));
        for component in sources.chain(sinks) {
            if !seen.insert(component.clone()) {
                let source = BuildError::at("", "the name is used twice");
                self.errors.push(ComponentError { component, source });
            }
        }
    }

    async fn sinks(&mut self, spec: SinkSpec, opened: &mut Vec<SinkRunner>) {
        for PlannedSink { part, factory } in &spec.components {
            let build = self.common.build(&component_name(&spec.name, part.as_deref()));
            match factory.build(build.clone()).await {
                Ok(sink) => {
                    let wanted = Wanted { accepts: sink.accepts(), only: spec.only.clone() };
                    let reader = self.journal.reader(&build.component, spec.delivery.overflow.into());
                    let slot = Arc::new(SinkSlot::new(Arc::clone(factory), build, sink));
                    let deliver = Deliver {
                        slot: Arc::clone(&slot),
                        retry: spec.delivery.retry.clone(),
                        timeout: spec.delivery.timeout.get(),
                    };
                    opened.push(SinkRunner {
                        slot,
                        deliver,
                        reader,
                        wanted,
                        delivery: spec.delivery.clone(),
                    });
                }
                Err(source) => {
                    self.errors.push(ComponentError { component: format!("sinks.{}", spec.name), source });
                }
            }
        }
    }

    async fn sources(&mut self, spec: SourceSpec, opened: &mut Vec<SourceRunner>) {
        let labels = spec.labels.over(&self.settings.labels);
        for PlannedSource { part, factory } in &spec.components {
            let build = self.common.build(&component_name(&spec.name, part.as_deref()));
            match factory.build(build.clone()).await {
                Ok(source) => {
                    let counters = Arc::default();
                    let intake = self.intake(&build.component, labels.clone(), &counters);
                    let shutdown = self.stop_sources.shutdown();
                    let context = Context { build, emitter: Emitter::new(intake), shutdown };
                    opened.push(SourceRunner { factory: Arc::clone(factory), source, context, counters });
                }
                Err(source) => {
                    self.errors.push(ComponentError { component: format!("sources.{}", spec.name), source });
                }
            }
        }
    }

    fn intake(
        &self,
        source: &str,
        labels: LabelSet,
        counters: &Arc<crate::counters::SourceCounters>,
    ) -> SourceIntake {
        SourceIntake::new(self.journal.clone(), source, labels, Arc::clone(&self.clock), Arc::clone(counters))
    }

    fn parts(&self, sources: &[SourceRunner], sinks: &[SinkRunner]) -> Parts {
        let embedder = self.intake(EMBEDDER, self.settings.labels.clone(), &Arc::default());
        Parts {
            opened: Instant::now(),
            journal: self.journal.clone(),
            sockets: self.common.sockets.clone(),
            emitter: Emitter::new(embedder),
            sources: sources
                .iter()
                .map(|source| SourcePart {
                    build: source.context.build.clone(),
                    counters: Arc::clone(&source.counters),
                })
                .collect(),
            sinks: sinks
                .iter()
                .map(|sink| SinkPart { slot: Arc::clone(&sink.slot), reader: sink.reader.watch() })
                .collect(),
        }
    }
}

/// Tasks by name, so that those that had to be aborted can be named.
#[derive(Default)]
struct Tasks {
    running: JoinSet<()>,
    names: Vec<(tokio::task::Id, String)>,
}

impl Tasks {
    fn spawn(&mut self, name: String, work: impl Future<Output = ()> + Send + 'static) {
        let id = self.running.spawn(work).id();
        self.names.push((id, name));
    }

    fn len(&self) -> usize {
        self.running.len()
    }

    /// Waits for all tasks until `deadline`, aborts the rest and returns their names.
    async fn join(&mut self, deadline: Instant) -> Vec<String> {
        while let Ok(Some(ended)) = timeout_at(deadline, self.running.join_next_with_id()).await {
            let id = match ended {
                Ok((id, ())) => id,
                Err(error) => {
                    warn!(error = %chain(&error), "component task ended badly");
                    error.id()
                }
            };
            self.names.retain(|(known, _)| *known != id);
        }
        self.running.shutdown().await;
        std::mem::take(&mut self.names).into_iter().map(|(_, name)| name).collect()
    }
}

impl Common {
    /// What the component of this name is built with.
    pub(crate) fn build(&self, component: &str) -> Build {
        let meter = Meter::default();
        let lease = ComponentLease {
            sockets: self.sockets.clone(),
            component: component.to_owned(),
            meter: meter.clone(),
        };
        Build {
            component: component.to_owned(),
            meter,
            health: Health::new(component),
            shared: self.shared.clone(),
            leases: Leases::new(lease),
        }
    }
}

pub(crate) fn component_name(name: &str, part: Option<&str>) -> String {
    part.map_or_else(|| name.to_owned(), |part| format!("{name}.{part}"))
}

async fn open_journal(
    settings: &PipelineSettings,
) -> Result<(Journal<Chunk>, Option<Writer<Chunk>>), OpenError> {
    let max_bytes = settings.journal.max_bytes().bytes();
    let Some(path) = settings.journal.path.clone() else {
        return Ok((Journal::in_memory(max_bytes), None));
    };
    let disk = DiskSettings { path, max_bytes, fsync: settings.journal.fsync().get() };
    let failed = |message: &str, cause: senseops_core::BoxError| {
        let source = BuildError::at("path", message).because(cause);
        OpenError { errors: vec![ComponentError { component: "pipeline.journal".into(), source }] }
    };
    match spawn_blocking(move || Journal::open(disk, EventCodec)).await {
        Ok(Ok((journal, writer))) => Ok((journal, Some(writer))),
        Ok(Err(error)) => Err(failed("open the journal", error.into())),
        Err(panicked) => Err(failed("open the journal", panicked.into())),
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("sources", &self.sources.len())
            .field("sinks", &self.sinks.len())
            .finish_non_exhaustive()
    }
}
