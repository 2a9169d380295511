//! Components that are open and do not run yet.

use std::sync::Arc;

use senseops_core::host::{Delivery, Only, Overflow, ShutdownTrigger};
use senseops_core::settings::Span;
use senseops_core::{Build, Chunk, Emitter, LabelSet, Planned, Relay, Sink};
use senseops_journal::{Journal, Reader};

use crate::components::{Components, RelayPart, SinkPart, SourcePart};
use crate::contained::Contained;
use crate::counters::SourceCounters;
use crate::dead_letters::DeadLetters;
use crate::relay::RelayRunner;
use crate::sink::{Deliver, SinkRunner, SinkSlot, Wanted};
use crate::supervise::{ContainedFactory, SourceRunner};
use crate::watched::Watched;

/// The components of a plan, those that run already included.
#[derive(Default)]
pub(crate) struct Opened {
    pub(crate) sources: Vec<OpenedSource>,
    pub(crate) relays: Vec<OpenedRelay>,
    pub(crate) sinks: Vec<OpenedSink>,
}

/// What runs components.
#[derive(Default)]
pub(crate) struct Runners {
    pub(crate) sources: Vec<SourceRunner>,
    pub(crate) relays: Vec<RelayRunner>,
    pub(crate) sinks: Vec<SinkRunner>,
}

/// A source of a plan.
pub(crate) enum OpenedSource {
    /// It runs already, and nothing about it has changed.
    Kept(SourcePart),
    New(SourcePart, SourceRunner),
}

/// A relay of a plan.
pub(crate) enum OpenedRelay {
    /// It runs already, and nothing about it has changed.
    Kept(RelayPart),
    New(NewRelay),
}

/// A sink of a plan.
pub(crate) enum OpenedSink {
    /// It runs already, and nothing about it has changed.
    Kept(SinkPart),
    New(NewSink),
}

/// A relay that has no cursor in the journal yet.
pub(crate) struct NewRelay {
    pub(crate) planned: Contained<Planned<Box<dyn Relay>>>,
    pub(crate) labels: LabelSet,
    pub(crate) only: Only,
    pub(crate) factory: ContainedFactory<Box<dyn Relay>>,
    pub(crate) relay: Contained<Box<dyn Relay>>,
    pub(crate) build: Build,
    pub(crate) emitter: Emitter,
    pub(crate) counters: Arc<SourceCounters>,
    pub(crate) watched: Arc<Watched>,
    pub(crate) wanted: Wanted,
    pub(crate) interval: Option<Span>,
}

/// A sink that has no cursor in the journal yet.
pub(crate) struct NewSink {
    pub(crate) planned: Contained<Planned<Arc<dyn Sink>>>,
    pub(crate) only: Only,
    pub(crate) delivery: Delivery,
    pub(crate) slot: Arc<SinkSlot>,
    pub(crate) wanted: Wanted,
}

impl Opened {
    /// What is known of all components, and what runs those that do not run yet. Those that read the journal get their
    /// places in it now.
    pub(crate) fn attach(
        self,
        journal: &Journal<Chunk>,
        dead_letters: &DeadLetters,
    ) -> (Components, Runners) {
        let (mut components, mut runners) = (Components::default(), Runners::default());
        for source in self.sources {
            let (part, runner) = source.into_parts();
            components.sources.push(part);
            runners.sources.extend(runner);
        }
        for relay in self.relays {
            let (part, runner) = relay.attach(journal);
            components.relays.push(part);
            runners.relays.extend(runner);
        }
        for sink in self.sinks {
            let (part, runner) = sink.attach(journal, dead_letters);
            components.sinks.push(part);
            runners.sinks.extend(runner);
        }
        (components, runners)
    }
}

impl OpenedSource {
    fn into_parts(self) -> (SourcePart, Option<SourceRunner>) {
        match self {
            Self::Kept(part) => (part, None),
            Self::New(part, runner) => (part, Some(runner)),
        }
    }
}

impl NewRelay {
    pub(crate) fn name(&self) -> &str {
        &self.build.component
    }

    /// Reads from its cursor in the journal on. It emits itself, so nobody may have to wait for it.
    pub(crate) fn reader(&self, journal: &Journal<Chunk>) -> Reader<Chunk> {
        journal.reader_of(self.name(), Overflow::DropOldest, self.wanted.kinds())
    }
}

impl OpenedRelay {
    fn attach(self, journal: &Journal<Chunk>) -> (RelayPart, Option<RelayRunner>) {
        let new = match self {
            Self::Kept(part) => return (part, None),
            Self::New(new) => new,
        };
        let reader = new.reader(journal);
        let NewRelay {
            planned,
            labels,
            only,
            factory,
            relay,
            build,
            emitter,
            counters,
            watched,
            wanted,
            interval,
        } = new;
        let part = RelayPart {
            planned,
            labels,
            only,
            build: build.clone(),
            counters: Arc::clone(&counters),
            watched: Arc::clone(&watched),
            reader: reader.watch(),
            drain: ShutdownTrigger::default(),
            release: ShutdownTrigger::default(),
        };
        let runner = RelayRunner {
            factory,
            relay,
            build,
            emitter,
            counters,
            watched,
            journal: journal.clone(),
            reader,
            wanted,
            interval,
        };
        (part, Some(runner))
    }
}

impl NewSink {
    pub(crate) fn name(&self) -> &str {
        self.slot.name()
    }

    /// Reads from its cursor in the journal on.
    pub(crate) fn reader(&self, journal: &Journal<Chunk>) -> Reader<Chunk> {
        journal.reader_of(self.name(), self.delivery.overflow, self.wanted.kinds())
    }
}

impl OpenedSink {
    fn attach(self, journal: &Journal<Chunk>, dead_letters: &DeadLetters) -> (SinkPart, Option<SinkRunner>) {
        let new = match self {
            Self::Kept(part) => return (part, None),
            Self::New(new) => new,
        };
        let reader = new.reader(journal);
        let NewSink { planned, only, delivery, slot, wanted } = new;
        let deliver = Deliver {
            slot: Arc::clone(&slot),
            retry: delivery.retry.clone(),
            timeout: delivery.timeout.get(),
            journal: journal.clone(),
            dead_letters: dead_letters.clone(),
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
