//! Opening the components of a plan.

use std::collections::HashSet;
use std::sync::Arc;

use senseops_core::{
    BoxError, Build, BuildError, Context, Emitter, Health, LabelSet, Leases, Meter, PlannedSink,
    PlannedSource, Shared, ShutdownTrigger,
};
use senseops_journal::{DiskSettings, Journal, Writer};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::codec::{Chunk, EventCodec};
use crate::counters::SourceCounters;
use crate::handle::{Parts, SinkPart, SourcePart};
use crate::intake::SourceIntake;
use crate::pipeline::{OpenError, Pipeline};
use crate::plan::{ComponentError, Plan, SinkSpec, SourceSpec};
use crate::settings::{JournalSettings, PipelineSettings};
use crate::sink::{Deliver, SinkRunner, SinkSlot, Wanted};
use crate::sockets::{ComponentLease, Sockets};
use crate::supervise::{SourceRunner, guarded};
use crate::times::UniqueTimes;

/// The source name of events that an embedder emits through [`Handle::emit`](crate::Handle::emit).
const EMBEDDER: &str = "embedder";

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
    times: Arc<UniqueTimes>,
    stop_sources: ShutdownTrigger,
    settings: PipelineSettings,
    errors: Vec<ComponentError>,
}

/// Opens everything that a plan names. Nothing runs and no task is spawned yet.
pub(crate) async fn open(plan: Plan) -> Result<Pipeline, OpenError> {
    let (journal, writer) =
        open_journal(&plan.settings.journal).await.map_err(|error| OpenError { errors: vec![error] })?;
    let mut opening = Opening {
        journal,
        common: Common::default(),
        times: Arc::default(),
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
    Ok(Pipeline {
        parts: Arc::new(opening.parts(&sources, &sinks)),
        shutdown_timeout: opening.settings.shutdown_timeout.get(),
        stop_sources: opening.stop_sources,
        journal: opening.journal,
        sources,
        sinks,
        writer,
    })
}

/// The journal, and what writes it if it is on disk.
pub(crate) async fn open_journal(
    settings: &JournalSettings,
) -> Result<(Journal<Chunk>, Option<Writer<Chunk>>), ComponentError> {
    let max_bytes = settings.max_bytes().bytes();
    let Some(path) = settings.path.clone() else {
        return Ok((Journal::in_memory(max_bytes), None));
    };
    let disk = DiskSettings { path, max_bytes, fsync: settings.fsync().get() };
    let opened = spawn_blocking(move || Journal::open(disk, EventCodec)).await;
    let cause: BoxError = match opened {
        Ok(Ok((journal, writer))) => return Ok((journal, Some(writer))),
        Ok(Err(error)) => error.into(),
        Err(panicked) => panicked.into(),
    };
    let source = BuildError::at("path", "open the journal").because(cause);
    Err(ComponentError { component: "pipeline.journal".into(), source })
}

impl Opening {
    fn refuse_duplicates(&mut self, sources: &[SourceSpec], sinks: &[SinkSpec]) {
        let sources = sources.iter().flat_map(SourceSpec::named).map(|(name, _)| ("sources", name));
        let sinks = sinks.iter().flat_map(SinkSpec::named).map(|(name, _)| ("sinks", name));
        let mut seen = HashSet::from([("sources", EMBEDDER.to_owned())]);
        for (role, name) in sources.chain(sinks) {
            if !seen.insert((role, name.clone())) {
                let source = BuildError::at("", "the name is used twice");
                self.errors.push(ComponentError { component: format!("{role}.{name}"), source });
            }
        }
    }

    async fn sinks(&mut self, spec: SinkSpec, opened: &mut Vec<SinkRunner>) {
        for (name, PlannedSink { factory, .. }) in spec.named() {
            let build = self.common.build(&name);
            match guarded(factory.build(build.clone())).await {
                Ok(sink) => {
                    let wanted = Wanted { accepts: sink.accepts(), only: spec.only.clone() };
                    let reader = self.journal.reader(&build.component, spec.delivery.overflow.into());
                    let slot = Arc::new(SinkSlot::new(Arc::clone(factory), build, sink));
                    let deliver = Deliver {
                        slot: Arc::clone(&slot),
                        retry: spec.delivery.retry.clone(),
                        timeout: spec.delivery.timeout.get(),
                        journal: self.journal.clone(),
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
        for (name, PlannedSource { factory, .. }) in spec.named() {
            let build = self.common.build(&name);
            match guarded(factory.build(build.clone())).await {
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

    fn intake(&self, source: &str, labels: LabelSet, counters: &Arc<SourceCounters>) -> SourceIntake {
        SourceIntake::new(self.journal.clone(), Arc::clone(&self.times), source, labels, Arc::clone(counters))
    }

    fn parts(&self, sources: &[SourceRunner], sinks: &[SinkRunner]) -> Parts {
        let embedder = Arc::default();
        let emitter = Emitter::new(self.intake(EMBEDDER, self.settings.labels.clone(), &embedder));
        Parts {
            emitter,
            embedder,
            opened: Instant::now(),
            journal: self.journal.clone(),
            sockets: self.common.sockets.clone(),
            sources: sources
                .iter()
                .map(|source| SourcePart {
                    build: source.context.build.clone(),
                    counters: Arc::clone(&source.counters),
                })
                .collect(),
            sinks: sinks
                .iter()
                .map(|sink| SinkPart {
                    slot: Arc::clone(&sink.slot),
                    reader: sink.reader.watch(),
                    overflow: sink.delivery.overflow,
                })
                .collect(),
        }
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
