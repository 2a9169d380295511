//! Opening the components of a plan: at the start, and those that a new plan changes.

mod opened;

use std::collections::HashSet;
use std::sync::{Arc, RwLock};

use senseops_core::host::{Only, PlannedRelay, PlannedSink, PlannedSource, ShutdownTrigger};
use senseops_core::settings::Span;
use senseops_core::{
    Accepts, BoxError, Build, BuildError, Chunk, Context, Emitter, Files, Health, LabelSet, Leases, Meter,
    Name, Shared,
};
use senseops_journal::{DiskSettings, Journal, Writer};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::codec::EventCodec;
use crate::components::{Components, RelayPart, SinkPart, SourcePart};
use crate::contained::{Contained, built, contained};
use crate::counters::SourceCounters;
use crate::dead_letters::DeadLetters;
use crate::intake::SourceIntake;
use crate::parts::{CloseOnDrop, Emitters, Parts};
use crate::pipeline::Pipeline;
use crate::plan::{ComponentError, OpenError, Plan, Program, RelaySpec, SinkSpec, SourceSpec, Specs, path};
use crate::reload_request::{REQUESTS, ReloadRequest};
use crate::settings::JournalSettings;
use crate::sink::{Instance, SinkSlot, Wanted};
use crate::sockets::{ComponentLease, Sockets};
use crate::states::States;
use crate::supervise::SourceRunner;
use crate::tap::Taps;
use crate::times::UniqueTimes;
use crate::watched::Watched;

pub(crate) use opened::{NewRelay, NewSink, Opened, OpenedRelay, OpenedSink, OpenedSource, Runners};

/// The source name of events that an embedder emits through [`Handle::emit`](crate::Handle::emit).
const EMBEDDER: &str = "embedder";

/// The source name of events of the pipeline about itself.
const SELF: &str = "self";

/// What the components of a plan have in common.
#[derive(Default)]
pub(crate) struct Common {
    shared: Shared,
    states: States,
    pub(crate) sockets: Sockets,
}

/// Opens components.
pub(crate) struct Opener {
    program: Program,
    pub(crate) journal: Journal<Chunk>,
    journal_settings: JournalSettings,
    pub(crate) common: Common,
    pub(crate) taps: Taps,
    pub(crate) stop_sources: ShutdownTrigger,
    pub(crate) dead_letters: DeadLetters,
    times: Arc<UniqueTimes>,
}

/// Opens everything that a plan names. Nothing runs and no task is spawned yet.
pub(crate) async fn open(plan: Plan) -> Result<Pipeline, OpenError> {
    let Plan { program, settings, shared, sources, relays, sinks } = plan;
    let specs = Specs { sources, relays, sinks };
    let journal_settings = settings.journal();
    let (journal, states, dead_letters) =
        tokio::join!(open_journal(&journal_settings), States::open(&settings), DeadLetters::open(&settings));
    let ((journal, writer), states, dead_letters) = match (journal, states, dead_letters) {
        (Ok(journal), Ok(states), Ok(dead_letters)) => (journal, states, dead_letters),
        (journal, states, dead_letters) => {
            let errors = [journal.err(), states.err(), dead_letters.err()];
            return Err(OpenError { errors: errors.into_iter().flatten().collect() });
        }
    };
    let opener = Opener {
        program,
        journal,
        journal_settings,
        common: Common { shared, states, sockets: Sockets::default() },
        taps: Taps::default(),
        stop_sources: ShutdownTrigger::default(),
        dead_letters,
        times: Arc::default(),
    };
    let opened = opener.open(&settings.labels, specs, &Components::default()).await?;
    // Readers get their places before anything is written, so that each sees what is stored already.
    let (components, runners) = opened.attach(&opener);
    let embedder = Arc::default();
    let emitters = opener.emitters(&settings.labels, &embedder);
    let (requests, requested) = mpsc::channel(REQUESTS);
    let parts = Arc::new(Parts::new(&opener, components, (emitters, embedder), requests));
    let closing = CloseOnDrop(Arc::clone(&parts));
    Ok(Pipeline { opener, settings, runners, writer, parts, requested, closing })
}

/// The journal, and what writes it if it is on disk.
pub(crate) async fn open_journal(
    settings: &JournalSettings,
) -> Result<(Journal<Chunk>, Option<Writer<Chunk>>), ComponentError> {
    let max_bytes = settings.max_bytes().bytes();
    let max_age = settings.max_age.map(Span::get);
    let Some(path) = settings.path.clone() else {
        return Ok((Journal::packed_in_memory(max_bytes, EventCodec).with_max_age(max_age), None));
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
        mut specs: Specs,
        running: &Components,
    ) -> Result<Opened, OpenError> {
        let of_specs = specs.sources.iter_mut().map(|spec| &mut spec.labels);
        for of_spec in of_specs.chain(specs.relays.iter_mut().map(|spec| &mut spec.labels)) {
            *of_spec = of_spec.over(labels);
        }
        let mut errors = duplicates(&specs);
        let mut note = |component: String, source| errors.push(ComponentError { component, source });
        let mut opened = Opened::default();
        self.common.sockets.begin_handover(running.leaving(&specs));
        for spec in &specs.sinks {
            for (name, planned) in spec.named() {
                match self.sink(&name, planned, spec, running.sink(&name)).await {
                    Ok(sink) => opened.sinks.push(sink),
                    Err(source) => note(format!("sinks.{}", spec.name), source),
                }
            }
        }
        for spec in &specs.relays {
            for (name, planned) in spec.named() {
                match self.relay(&name, planned, spec, running.relay(&name)).await {
                    Ok(relay) => opened.relays.push(relay),
                    Err(source) => note(format!("relays.{}", spec.name), source),
                }
            }
        }
        for spec in &specs.sources {
            for (name, planned) in spec.named() {
                match self.source(&name, planned, spec, running.source(&name)).await {
                    Ok(source) => opened.sources.push(source),
                    Err(source) => note(format!("sources.{}", spec.name), source),
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
        let build = self.common.build("sinks", name, before.map(|part| &part.slot.build));
        let factory = Contained::new(Arc::clone(&planned.factory));
        let sink = built(factory.build(build.clone())).await?;
        let accepts = asked(|| sink.accepts())?;
        let counters = before.map(|part| Arc::clone(&part.slot.counters)).unwrap_or_default();
        Ok(OpenedSink::New(NewSink {
            planned: Contained::new(planned.clone()),
            only: spec.only.clone(),
            delivery: spec.delivery_of(planned),
            slot: Arc::new(SinkSlot::new(factory, build, Instance::new(sink), counters)),
            wanted: wanted(name, accepts, [&spec.only, &planned.only]),
        }))
    }

    async fn relay(
        &self,
        name: &str,
        planned: &PlannedRelay,
        spec: &RelaySpec,
        before: Option<&RelayPart>,
    ) -> Result<OpenedRelay, BuildError> {
        if let Some(part) = before.filter(|part| part.is_as(spec, planned)) {
            return Ok(OpenedRelay::Kept(part.clone()));
        }
        let build = self.common.build("relays", name, before.map(|part| &part.build));
        let factory = Contained::new(Arc::clone(&planned.factory));
        let relay = built(factory.build(build.clone())).await?;
        let accepts = asked(|| relay.accepts())?;
        let interval = asked(|| relay.interval())?;
        let counters = before.map(|part| Arc::clone(&part.counters)).unwrap_or_default();
        Ok(OpenedRelay::New(NewRelay {
            planned: Contained::new(planned.clone()),
            labels: spec.labels.clone(),
            only: spec.only.clone(),
            emitter: Emitter::new(self.intake(name, spec.labels.clone(), &counters)),
            watched: Arc::new(Watched::new(build.files.clone())),
            wanted: Wanted { emits: true, ..wanted(name, accepts, [&spec.only, &planned.only]) },
            factory,
            relay,
            build,
            counters,
            interval,
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
        let build = self.common.build("sources", name, before.map(|part| &part.build));
        let factory = Contained::new(Arc::clone(&planned.factory));
        let source = built(factory.build(build.clone())).await?;
        let counters = before.map(|part| Arc::clone(&part.counters)).unwrap_or_default();
        let watched = Arc::new(Watched::new(build.files.clone()));
        let stop = self.stop_sources.shutdown().child();
        let intake = self.intake(name, spec.labels.clone(), &counters).limited_to(spec.rate_limit);
        let (emitter, shutdown) = (Emitter::new(intake), stop.shutdown());
        let runner = SourceRunner {
            factory,
            source,
            context: Context { build: build.clone(), emitter, shutdown },
            counters: Arc::clone(&counters),
            watched: Arc::clone(&watched),
        };
        let part = SourcePart {
            planned: Contained::new(planned.clone()),
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

/// Asks a plugin. A panic is why it cannot be opened.
fn asked<T>(question: impl FnOnce() -> T) -> Result<T, BuildError> {
    contained(question).map_err(|panic| BuildError::at("", panic))
}

fn wanted(component: &str, accepts: Accepts, only: [&Only; 2]) -> Wanted {
    Wanted { component: Name::intern(component), accepts, only: only.map(Only::clone), emits: false }
}

/// Names must differ: events are known by who emits them, and places in the journal by who reads it.
fn duplicates(Specs { sources, relays, sinks }: &Specs) -> Vec<ComponentError> {
    let sources = sources.iter().flat_map(SourceSpec::named).map(|(name, _)| ("sources", name));
    let relays = relays.iter().flat_map(RelaySpec::named).map(|(name, _)| ("relays", name));
    let sinks = sinks.iter().flat_map(SinkSpec::named).map(|(name, _)| ("sinks", name));
    let mut emitting = HashSet::from([EMBEDDER, SELF].map(str::to_owned));
    let mut reading = HashSet::new();
    let is_twice = |(role, name): &(&str, String)| {
        let emits = *role != "sinks" && !emitting.insert(name.clone());
        let reads = *role != "sources" && !reading.insert(name.clone());
        emits || reads
    };
    let twice = sources.chain(relays).chain(sinks).filter(is_twice);
    twice
        .map(|(role, name)| {
            let source = BuildError::at("", "the name is used twice");
            ComponentError { component: format!("{role}.{name}"), source }
        })
        .collect()
}

impl Common {
    /// What the component of this name is built with. It goes on counting where its predecessor was.
    pub(crate) fn build(&self, role: &str, component: &str, before: Option<&Build>) -> Build {
        let path = path(role, component);
        let meter = before.map_or_else(Meter::default, |before| before.meter.clone());
        Build {
            component: component.to_owned(),
            health: Health::new(component),
            state: self.states.of(&path),
            shared: self.shared.clone(),
            leases: Leases::new(ComponentLease { sockets: self.sockets.clone(), path, meter: meter.clone() }),
            meter,
            files: Files::default(),
        }
    }
}

impl Parts {
    fn new(
        opener: &Opener,
        components: Components,
        (emitters, embedder): (Emitters, Arc<SourceCounters>),
        requests: mpsc::Sender<ReloadRequest>,
    ) -> Self {
        Self {
            emitters: RwLock::new(emitters),
            embedder,
            program: opener.program,
            opened: Instant::now(),
            journal: opener.journal.clone(),
            journal_settings: opener.journal_settings.clone(),
            sockets: opener.common.sockets.clone(),
            states: opener.common.states.clone(),
            taps: opener.taps.clone(),
            dead_letters: opener.dead_letters.clone(),
            components: RwLock::new(Arc::new(components)),
            requests,
        }
    }
}
