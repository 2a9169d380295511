//! The components of a running pipeline: what is known of each, and what they have in common with a new plan.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use senseops_core::{Build, Condition, LabelSet, Noted, PlannedSink, PlannedSource, ShutdownTrigger};
use senseops_journal::ReaderWatch;

use crate::codec::Chunk;
use crate::counters::{SourceCounters, value};
use crate::plan::{SinkSpec, SourceSpec};
use crate::settings::{Delivery, Only, Overflow, RateLimit};
use crate::sink::SinkSlot;
use crate::view::{CertificateView, SinkView, SourceView};
use crate::watched::Watched;

/// The components in the order of the plan.
#[derive(Default)]
pub(crate) struct Components {
    pub(crate) sources: Vec<SourcePart>,
    pub(crate) sinks: Vec<SinkPart>,
}

/// A source component.
#[derive(Clone)]
pub(crate) struct SourcePart {
    pub(crate) planned: PlannedSource,
    /// What its events are labelled with, beside what they bring.
    pub(crate) labels: LabelSet,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) build: Build,
    pub(crate) counters: Arc<SourceCounters>,
    pub(crate) watched: Arc<Watched>,
    pub(crate) stop: ShutdownTrigger,
}

/// A sink component.
#[derive(Clone)]
pub(crate) struct SinkPart {
    pub(crate) planned: PlannedSink,
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

    pub(crate) fn sink(&self, name: &str) -> Option<&SinkPart> {
        self.sinks.iter().find(|part| part.slot.name() == name)
    }

    /// The sources that a new plan does not have, or has otherwise.
    pub(crate) fn leaving(&self, planned: &[SourceSpec]) -> HashSet<String> {
        let mut leaving: HashSet<String> =
            self.sources.iter().map(|part| part.build.component.clone()).collect();
        for spec in planned {
            for (name, planned) in spec.named() {
                if self.source(&name).is_some_and(|part| part.is_as(spec, planned)) {
                    leaving.remove(&name);
                }
            }
        }
        leaving
    }

    /// The files that components were built from.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &Watched> {
        let sources = self.sources.iter().map(|part| &*part.watched);
        sources.chain(self.sinks.iter().map(|part| &part.slot.watched))
    }
}

impl SourcePart {
    /// Whether it runs as it is planned.
    pub(crate) fn is_as(&self, spec: &SourceSpec, planned: &PlannedSource) -> bool {
        self.labels == spec.labels && self.rate_limit == spec.rate_limit && self.planned.is_same(planned)
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

impl SinkPart {
    /// Whether it runs as it is planned.
    pub(crate) fn is_as(&self, spec: &SinkSpec, planned: &PlannedSink) -> bool {
        self.only == spec.only && self.delivery == spec.delivery && self.planned.is_same(planned)
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
