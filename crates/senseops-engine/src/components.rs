//! The components of a running pipeline: what is known of each, and what they have in common with a new plan.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use senseops_core::host::{Delivery, Noted, Only, Overflow, ShutdownTrigger};
use senseops_core::{Build, Chunk, Condition, Health, LabelSet, Planned, Relay, Sink, Source};
use senseops_journal::ReaderWatch;

use crate::contained::{Contained, contained};
use crate::counters::{SourceCounters, value};
use crate::plan::{RelaySpec, SinkSpec, SourceSpec, Specs, path};
use crate::settings::RateLimit;
use crate::sink::SinkSlot;
use crate::view::{CertificateView, RelayView, SinkView, SourceView};
use crate::watched::Watched;

/// The components in the order of the plan.
#[derive(Default)]
pub(crate) struct Components {
    pub(crate) sources: Vec<SourcePart>,
    pub(crate) relays: Vec<RelayPart>,
    pub(crate) sinks: Vec<SinkPart>,
}

/// A source component.
#[derive(Clone)]
pub(crate) struct SourcePart {
    pub(crate) planned: Contained<Planned<Box<dyn Source>>>,
    /// What its events are labelled with, beside what they bring.
    pub(crate) labels: LabelSet,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) build: Build,
    pub(crate) counters: Arc<SourceCounters>,
    pub(crate) watched: Arc<Watched>,
    pub(crate) stop: ShutdownTrigger,
}

/// A relay component.
#[derive(Clone)]
pub(crate) struct RelayPart {
    pub(crate) planned: Contained<Planned<Box<dyn Relay>>>,
    /// What its events are labelled with, beside what they bring.
    pub(crate) labels: LabelSet,
    pub(crate) only: Only,
    pub(crate) build: Build,
    pub(crate) counters: Arc<SourceCounters>,
    pub(crate) watched: Arc<Watched>,
    pub(crate) reader: ReaderWatch<Chunk>,
    /// It stops where it is.
    pub(crate) release: ShutdownTrigger,
    /// It stops when it has seen everything.
    pub(crate) drain: ShutdownTrigger,
}

/// A sink component.
#[derive(Clone)]
pub(crate) struct SinkPart {
    pub(crate) planned: Contained<Planned<Arc<dyn Sink>>>,
    pub(crate) only: Only,
    pub(crate) delivery: Delivery,
    pub(crate) slot: Arc<SinkSlot>,
    pub(crate) reader: ReaderWatch<Chunk>,
    pub(crate) release: ShutdownTrigger,
}

impl Components {
    pub(crate) fn source(&self, name: &str) -> Option<&SourcePart> {
        self.sources.iter().find(|part| part.build.component == name)
    }

    pub(crate) fn relay(&self, name: &str) -> Option<&RelayPart> {
        self.relays.iter().find(|part| part.build.component == name)
    }

    pub(crate) fn sink(&self, name: &str) -> Option<&SinkPart> {
        self.sinks.iter().find(|part| part.slot.name() == name)
    }

    /// Where the component of this role and name says how it is.
    pub(crate) fn health_of(&self, role: &str, name: &str) -> Option<&Health> {
        match role {
            "source" => self.source(name).map(|part| &part.build.health),
            "relay" => self.relay(name).map(|part| &part.build.health),
            _ => self.sink(name).map(|part| &part.slot.build.health),
        }
    }

    /// The paths of those whose sockets are free for others, since a new plan does not have them, or has them otherwise.
    pub(crate) fn leaving(&self, Specs { sources, relays, sinks }: &Specs) -> HashSet<String> {
        let mut leaving: HashSet<String> = self.paths().collect();
        for spec in sources {
            for (name, planned) in spec.named() {
                if self.source(&name).is_some_and(|part| part.is_as(spec, planned)) {
                    leaving.remove(&path("sources", &name));
                }
            }
        }
        for spec in relays {
            for (name, planned) in spec.named() {
                if self.relay(&name).is_some_and(|part| part.is_as(spec, planned)) {
                    leaving.remove(&path("relays", &name));
                }
            }
        }
        for spec in sinks {
            for (name, planned) in spec.named() {
                if self.sink(&name).is_some_and(|part| part.is_as(spec, planned)) {
                    leaving.remove(&path("sinks", &name));
                }
            }
        }
        leaving
    }

    fn paths(&self) -> impl Iterator<Item = String> {
        let sources = self.sources.iter().map(|part| path("sources", &part.build.component));
        let relays = self.relays.iter().map(|part| path("relays", &part.build.component));
        let sinks = self.sinks.iter().map(|part| path("sinks", part.slot.name()));
        sources.chain(relays).chain(sinks)
    }

    /// The files that components were built from.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &Watched> {
        let sources = self.sources.iter().map(|part| &*part.watched);
        let relays = self.relays.iter().map(|part| &*part.watched);
        sources.chain(relays).chain(self.sinks.iter().map(|part| &part.slot.watched))
    }
}

/// Whether both would build the same component. If a plugin cannot compare its configurations, they are not the same.
fn is_same<T>(running: &Planned<T>, planned: &Planned<T>) -> bool {
    contained(|| running.is_same(planned)).unwrap_or(false)
}

impl SourcePart {
    /// Whether it runs as it is planned.
    pub(crate) fn is_as(&self, spec: &SourceSpec, planned: &Planned<Box<dyn Source>>) -> bool {
        self.labels == spec.labels && self.rate_limit == spec.rate_limit && is_same(&self.planned, planned)
    }

    pub(crate) fn condition(&self) -> Condition {
        unless_in_trouble(self.build.health.condition(), || self.watched.warning())
    }

    pub(crate) fn view(&self) -> SourceView {
        SourceView {
            name: self.build.component.clone(),
            condition: self.condition(),
            emitted: value(&self.counters.emitted),
            lost: value(&self.counters.lost),
            rate_limited: value(&self.counters.rate_limited),
            restarts: value(&self.counters.restarts),
            certificates: certificates(self.watched.noted()),
            readings: self.build.meter.readings(),
        }
    }
}

impl RelayPart {
    /// Whether it runs as it is planned.
    pub(crate) fn is_as(&self, spec: &RelaySpec, planned: &Planned<Box<dyn Relay>>) -> bool {
        self.labels == spec.labels && self.only == spec.only && is_same(&self.planned, planned)
    }

    pub(crate) fn condition(&self) -> Condition {
        unless_in_trouble(self.build.health.condition(), || self.watched.warning())
    }

    pub(crate) fn view(&self) -> RelayView {
        let lag = self.reader.lag();
        RelayView {
            name: self.build.component.clone(),
            condition: self.condition(),
            emitted: value(&self.counters.emitted),
            lost: value(&self.counters.lost),
            discarded: self.reader.discarded() + value(&self.counters.left_out),
            lag_events: lag.events,
            lag_age: lag.age,
            restarts: value(&self.counters.restarts),
            certificates: certificates(self.watched.noted()),
            readings: self.build.meter.readings(),
        }
    }
}

impl SinkPart {
    /// Whether it runs as it is planned.
    pub(crate) fn is_as(&self, spec: &SinkSpec, planned: &Planned<Arc<dyn Sink>>) -> bool {
        self.only == spec.only
            && self.delivery == spec.delivery_of(planned)
            && is_same(&self.planned, planned)
    }

    /// What the sink says, unless it works and holds up the sources all the same.
    pub(crate) fn condition(&self, has_room: bool) -> Condition {
        let is_waited_for =
            !has_room && self.delivery.overflow == Overflow::Block && self.reader.lag().events > 0;
        unless_in_trouble(self.slot.build.health.condition(), || {
            if is_waited_for {
                return Some("the journal is full, and sources wait until this sink has caught up".into());
            }
            self.slot.refusals.warning().or_else(|| self.slot.watched.warning())
        })
    }

    pub(crate) fn view(&self, has_room: bool) -> SinkView {
        let counters = &self.slot.counters;
        let lag = self.reader.lag();
        SinkView {
            name: self.slot.name().to_owned(),
            condition: self.condition(has_room),
            delivered: value(&counters.delivered),
            refused: value(&counters.refused),
            dead_letters: value(&counters.dead_letters),
            discarded: self.reader.discarded(),
            retries: value(&counters.retries),
            writes: value(&counters.writes),
            attempts: counters.attempts.view(),
            write_seconds: counters.write_seconds.view(),
            overflow: self.delivery.overflow,
            lag_events: lag.events,
            lag_bytes: lag.bytes,
            lag_age: lag.age,
            restarts: value(&counters.restarts),
            last_success: counters.last_success().map(|at| at.elapsed()),
            certificates: certificates(self.slot.watched.noted()),
            readings: self.slot.build.meter.readings(),
        }
    }
}

/// What a component says about itself comes first.
fn unless_in_trouble(condition: Condition, warning: impl FnOnce() -> Option<String>) -> Condition {
    match condition {
        Condition::Warning(_) | Condition::Failing(_) => condition,
        Condition::Ok | Condition::Starting => warning().map_or(condition, Condition::Warning),
    }
}

fn certificates(noted: Vec<(PathBuf, Noted)>) -> Vec<CertificateView> {
    let certificate =
        |(path, noted): (PathBuf, Noted)| Some(CertificateView { path, expires: noted.expires? });
    noted.into_iter().filter_map(certificate).collect()
}
