//! Opening the components of a plan: at the start, and those that a new plan changes.

use std::collections::HashSet;
use std::sync::{Arc, RwLock};

use senseops_core::settings::Span;
use senseops_core::{
    BoxError, Build, BuildError, Context, Emitter, Files, Health, LabelSet, Leases, Meter, PlannedSink,
    PlannedSource, Shared, ShutdownTrigger,
};
use senseops_journal::{DiskSettings, Journal, Reader, Writer};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::codec::{Chunk, EventCodec};
use crate::components::{Components, SinkPart, SourcePart};
use crate::counters::SourceCounters;
use crate::dead_letters::DeadLetters;
use crate::handle::{Emitters, Parts};
use crate::intake::SourceIntake;
use crate::pipeline::{OpenError, Pipeline};
use crate::plan::{ComponentError, Plan, SinkSpec, SourceSpec};
use crate::reload::COMMANDS;
use crate::settings::{Delivery, JournalSettings, Only};
use crate::sink::{Deliver, SinkRunner, SinkSlot, Wanted};
use crate::sockets::{ComponentLease, Sockets};
use crate::supervise::{SourceRunner, guarded};
use crate::tap::Taps;
use crate::times::UniqueTimes;
use crate::watched::Watched;

/// The source name of events that an embedder emits through [`Handle::emit`](crate::Handle::emit).
const EMBEDDER: &str = "embedder";

/// The source name of events of the pipeline about itself.
const SELF: &str = "self";

/// What the components of a plan have in common.
#[derive(Default)]
pub(crate) struct Common {
    shared: Shared,
    pub(crate) sockets: Sockets,
}

/// Opens components.
pub(crate) struct Opener {
    pub(crate) journal: Journal<Chunk>,
    journal_settings: JournalSettings,
    pub(crate) common: Common,
    pub(crate) taps: Taps,
    pub(crate) stop_sources: ShutdownTrigger,
    pub(crate) dead_letters: DeadLetters,
    times: Arc<UniqueTimes>,
}

/// The components of a plan, those that run already included.
#[derive(Default)]
pub(crate) struct Opened {
    pub(crate) sources: Vec<OpenedSource>,
    pub(crate) sinks: Vec<OpenedSink>,
}

/// A source of a plan.
pub(crate) enum OpenedSource {
    /// It runs already, and nothing about it has changed.
    Kept(SourcePart),
    New(SourcePart, SourceRunner),
}

/// A sink of a plan.
pub(crate) enum OpenedSink {
    /// It runs already, and nothing about it has changed.
    Kept(SinkPart),
    New(NewSink),
}

/// A sink that has no place in the journal yet.
pub(crate) struct NewSink {
    planned: PlannedSink,
    only: Only,
    delivery: Delivery,
    slot: Arc<SinkSlot>,
    wanted: Wanted,
}

/// Opens everything that a plan names. Nothing runs and no task is spawned yet.
pub(crate) async fn open(plan: Plan) -> Result<Pipeline, OpenError> {
    let Plan { settings, sources, sinks } = plan;
    let (journal, writer) =
        open_journal(&settings.journal()).await.map_err(|error| OpenError { errors: vec![error] })?;
    let opener = Opener {
        journal,
        journal_settings: settings.journal(),
        common: Common::default(),
        taps: Taps::default(),
        stop_sources: ShutdownTrigger::default(),
        dead_letters: DeadLetters::open(&settings)
            .await
            .map_err(|error| OpenError { errors: vec![error] })?,
        times: Arc::default(),
    };
    let opened = opener.open(&settings.labels, sources, sinks, &Components::default()).await?;
    let mut components = Components::default();
    let (mut source_runners, mut sink_runners) = (Vec::new(), Vec::new());
    for source in opened.sources {
        let (part, runner) = source.into_parts();
        components.sources.push(part);
        source_runners.extend(runner);
    }
    for sink in opened.sinks {
        // Before anything is written, so that each sees what is stored already.
        let (part, runner) = sink.attach(&opener);
        components.sinks.push(part);
        sink_runners.extend(runner);
    }
    let embedder = Arc::default();
    let emitters = opener.emitters(&settings.labels, &embedder);
    let (commands, requested) = mpsc::channel(COMMANDS);
    let parts = Arc::new(Parts::new(&opener, components, (emitters, embedder), commands));
    Ok(Pipeline { opener, settings, sources: source_runners, sinks: sink_runners, writer, parts, requested })
}

/// The journal, and what writes it if it is on disk.
pub(crate) async fn open_journal(
    settings: &JournalSettings,
) -> Result<(Journal<Chunk>, Option<Writer<Chunk>>), ComponentError> {
    let max_bytes = settings.max_bytes().bytes();
    let max_age = settings.max_age.map(Span::get);
    let Some(path) = settings.path.clone() else {
        return Ok((Journal::in_memory(max_bytes).with_max_age(max_age), None));
    };
    let disk = DiskSettings { path, max_bytes, fsync: settings.fsync().get(), max_age };
    let opened = spawn_blocking(move || Journal::open(disk, EventCodec)).await;
    let cause: BoxError = match opened {
        Ok(Ok((journal, writer))) => return Ok((journal, Some(writer))),
        Ok(Err(error)) => error.into(),
        Err(panicked) => panicked.into(),
    };
    let source = BuildError::at("path", "open the journal").because(cause);
    Err(ComponentError { component: "pipeline.journal".into(), source })
}

impl Opener {
    /// Opens the components that are not `running` as they are planned. Sockets are in a handover then, which the
    /// caller completes or, after an error, need not care about.
    pub(crate) async fn open(
        &self,
        labels: &LabelSet,
        mut sources: Vec<SourceSpec>,
        sinks: Vec<SinkSpec>,
        running: &Components,
    ) -> Result<Opened, OpenError> {
        for spec in &mut sources {
            spec.labels = spec.labels.over(labels);
        }
        let mut errors = duplicates(&sources, &sinks);
        let mut opened = Opened::default();
        self.common.sockets.begin_handover(running.leaving(&sources));
        for spec in &sinks {
            for (name, planned) in spec.named() {
                match self.sink(&name, planned, spec, running.sink(&name)).await {
                    Ok(sink) => opened.sinks.push(sink),
                    Err(source) => {
                        errors.push(ComponentError { component: format!("sinks.{}", spec.name), source });
                    }
                }
            }
        }
        for spec in &sources {
            for (name, planned) in spec.named() {
                match self.source(&name, planned, spec, running.source(&name)).await {
                    Ok(source) => opened.sources.push(source),
                    Err(source) => {
                        errors.push(ComponentError { component: format!("sources.{}", spec.name), source });
                    }
                }
            }
        }
        if errors.is_empty() {
            return Ok(opened);
        }
        self.common.sockets.cancel_handover();
        Err(OpenError { errors })
    }

    async fn sink(
        &self,
        name: &str,
        planned: &PlannedSink,
        spec: &SinkSpec,
        before: Option<&SinkPart>,
    ) -> Result<OpenedSink, BuildError> {
        if let Some(part) = before.filter(|part| part.is_as(spec, planned)) {
            return Ok(OpenedSink::Kept(part.clone()));
        }
        let build = self.common.build(name, before.map(|part| &part.slot.build));
        let sink = guarded(planned.factory.build(build.clone())).await?;
        let (accepts, only) = (sink.accepts(), spec.only.clone());
        let counters = before.map(|part| Arc::clone(&part.slot.counters)).unwrap_or_default();
        Ok(OpenedSink::New(NewSink {
            planned: planned.clone(),
            only: spec.only.clone(),
            delivery: spec.delivery.clone(),
            slot: Arc::new(SinkSlot::new(Arc::clone(&planned.factory), build, sink, counters)),
            wanted: Wanted { sink: name.to_owned().into(), accepts, only },
        }))
    }

    async fn source(
        &self,
        name: &str,
        planned: &PlannedSource,
        spec: &SourceSpec,
        before: Option<&SourcePart>,
    ) -> Result<OpenedSource, BuildError> {
        if let Some(part) = before.filter(|part| part.is_as(spec, planned)) {
            return Ok(OpenedSource::Kept(part.clone()));
        }
        let build = self.common.build(name, before.map(|part| &part.build));
        let source = guarded(planned.factory.build(build.clone())).await?;
        let counters = before.map(|part| Arc::clone(&part.counters)).unwrap_or_default();
        let watched = Arc::new(Watched::new(build.files.clone()));
        let stop = self.stop_sources.shutdown().child();
        let intake = self.intake(name, spec.labels.clone(), &counters).limited_to(spec.rate_limit);
        let runner = SourceRunner {
            factory: Arc::clone(&planned.factory),
            source,
            context: Context {
                build: build.clone(),
                emitter: Emitter::new(intake),
                shutdown: stop.shutdown(),
            },
            counters: Arc::clone(&counters),
            watched: Arc::clone(&watched),
        };
        let part = SourcePart {
            planned: planned.clone(),
            labels: spec.labels.clone(),
            rate_limit: spec.rate_limit,
            build,
            counters,
            watched,
            stop,
        };
        Ok(OpenedSource::New(part, runner))
    }

    /// Where events go that come from no source.
    pub(crate) fn emitters(&self, labels: &LabelSet, embedder: &Arc<SourceCounters>) -> Emitters {
        Emitters {
            embedder: Emitter::new(self.intake(EMBEDDER, labels.clone(), embedder)),
            own: Emitter::new(self.intake(SELF, labels.clone(), &Arc::default())),
        }
    }

    fn intake(&self, source: &str, labels: LabelSet, counters: &Arc<SourceCounters>) -> SourceIntake {
        SourceIntake::new(self.journal.clone(), Arc::clone(&self.times), source, labels, Arc::clone(counters))
            .shown_to(self.taps.clone())
    }
}

fn duplicates(sources: &[SourceSpec], sinks: &[SinkSpec]) -> Vec<ComponentError> {
    let sources = sources.iter().flat_map(SourceSpec::named).map(|(name, _)| ("sources", name));
    let sinks = sinks.iter().flat_map(SinkSpec::named).map(|(name, _)| ("sinks", name));
    let mut seen = HashSet::from([EMBEDDER, SELF].map(|own| ("sources", own.to_owned())));
    let twice = sources.chain(sinks).filter(|named| !seen.insert(named.clone()));
    twice
        .map(|(role, name)| {
            let source = BuildError::at("", "the name is used twice");
            ComponentError { component: format!("{role}.{name}"), source }
        })
        .collect()
}

impl NewSink {
    pub(crate) fn name(&self) -> &str {
        self.slot.name()
    }

    /// Reads from its place in the journal.
    pub(crate) fn reader(&self, opener: &Opener) -> Reader<Chunk> {
        opener.journal.reader(self.name(), self.delivery.overflow.into())
    }
}

impl OpenedSource {
    /// What is known of it, and what runs it if it does not run yet.
    pub(crate) fn into_parts(self) -> (SourcePart, Option<SourceRunner>) {
        match self {
            Self::Kept(part) => (part, None),
            Self::New(part, runner) => (part, Some(runner)),
        }
    }
}

impl OpenedSink {
    /// What is known of it, and what runs it if it does not run yet. It gets its place in the journal now.
    pub(crate) fn attach(self, opener: &Opener) -> (SinkPart, Option<SinkRunner>) {
        let new = match self {
            Self::Kept(part) => return (part, None),
            Self::New(new) => new,
        };
        let reader = new.reader(opener);
        let NewSink { planned, only, delivery, slot, wanted } = new;
        let deliver = Deliver {
            slot: Arc::clone(&slot),
            retry: delivery.retry.clone(),
            timeout: delivery.timeout.get(),
            journal: opener.journal.clone(),
            dead_letters: opener.dead_letters.clone(),
        };
        let part = SinkPart {
            planned,
            only,
            delivery: delivery.clone(),
            slot: Arc::clone(&slot),
            reader: reader.watch(),
            release: ShutdownTrigger::default(),
        };
        (part, Some(SinkRunner { slot, deliver, reader, wanted, delivery }))
    }
}

impl Common {
    /// What the component of this name is built with. It goes on counting where its predecessor was.
    pub(crate) fn build(&self, component: &str, before: Option<&Build>) -> Build {
        let meter = before.map_or_else(Meter::default, |before| before.meter.clone());
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
            files: Files::default(),
        }
    }
}

impl Parts {
    fn new(
        opener: &Opener,
        components: Components,
        (emitters, embedder): (Emitters, Arc<SourceCounters>),
        commands: mpsc::Sender<crate::reload::Command>,
    ) -> Self {
        Self {
            emitters: RwLock::new(emitters),
            embedder,
            opened: Instant::now(),
            journal: opener.journal.clone(),
            journal_settings: opener.journal_settings.clone(),
            sockets: opener.common.sockets.clone(),
            taps: opener.taps.clone(),
            dead_letters: opener.dead_letters.clone(),
            components: RwLock::new(Arc::new(components)),
            commands,
        }
    }
}
