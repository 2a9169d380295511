//! Opening the components of a plan: at the start, and those that a new plan changes.

use std::collections::HashSet;
use std::sync::{Arc, RwLock};

use senseops_core::host::{Only, PlannedRelay, PlannedSink, PlannedSource, ShutdownTrigger};
use senseops_core::{Accepts, BuildError, Chunk, Context, Emitter, LabelSet, Name};
use senseops_journal::Journal;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::common::Common;
use crate::components::{Components, RelayPart, SinkPart, SourcePart};
use crate::contained::{Contained, built, contained};
use crate::counters::SourceCounters;
use crate::dead_letters::DeadLetters;
use crate::intake::SourceIntake;
use crate::opened::{NewRelay, NewSink, Opened, OpenedRelay, OpenedSink, OpenedSource};
use crate::parts::{Emitters, Parts};
use crate::plan::{ComponentError, OpenError, Program, RelaySpec, SinkSpec, SourceSpec, Specs};
use crate::reload_request::ReloadRequest;
use crate::settings::JournalSettings;
use crate::sink::{Instance, SinkSlot, Wanted};
use crate::supervise::SourceRunner;
use crate::tap::Taps;
use crate::times::UniqueTimes;
use crate::watched::Watched;

/// The source name of events that an embedder emits through [`Handle::emit`](crate::Handle::emit).
const EMBEDDER: &str = "embedder";

/// The source name of events of the pipeline about itself.
const SELF: &str = "self";

/// Opens components.
pub(crate) struct Opener {
    pub(crate) program: Program,
    pub(crate) journal: Journal<Chunk>,
    pub(crate) journal_settings: JournalSettings,
    pub(crate) common: Common,
    pub(crate) taps: Taps,
    pub(crate) stop_sources: ShutdownTrigger,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) times: Arc<UniqueTimes>,
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

    /// What the pipeline and its handles share.
    pub(crate) fn parts(
        &self,
        components: Components,
        (emitters, embedder): (Emitters, Arc<SourceCounters>),
        requests: mpsc::Sender<ReloadRequest>,
    ) -> Parts {
        Parts {
            emitters: RwLock::new(emitters),
            embedder,
            program: self.program,
            opened: Instant::now(),
            journal: self.journal.clone(),
            journal_settings: self.journal_settings.clone(),
            sockets: self.common.sockets.clone(),
            states: self.common.states.clone(),
            taps: self.taps.clone(),
            dead_letters: self.dead_letters.clone(),
            components: RwLock::new(Arc::new(components)),
            requests,
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

/// Names must differ: events are known by who emits them, and cursors in the journal by who reads it.
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
