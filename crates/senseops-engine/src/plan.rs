//! What a pipeline consists of, before anything is opened.

use senseops_core::host::{Delivery, Only, PlannedRelay, PlannedSink, PlannedSource};
use senseops_core::{BuildError, LabelSet, Planned, Shared, chain};
use thiserror::Error;

use crate::contained::Contained;
use crate::{PipelineSettings, RateLimit};

/// A pipeline on paper: written in code with a builder, or from configuration.
#[derive(Debug, Default)]
pub struct Plan {
    /// Whose pipeline it is.
    pub program: Program,
    /// What concerns the pipeline as a whole.
    pub settings: PipelineSettings,
    /// Tables that components share and the host program provides.
    pub shared: Shared,
    /// Where events come from.
    pub sources: Vec<SourceSpec>,
    /// What makes events of events.
    pub relays: Vec<RelaySpec>,
    /// Where they go.
    pub sinks: Vec<SinkSpec>,
}

/// A program, as operators know it: what figures and pages call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name, such as `sos`.
    pub name: &'static str,
    /// Its version, such as `1.2.3`.
    pub version: &'static str,
}

/// One configured source, which may be several components.
#[derive(Debug)]
pub struct SourceSpec {
    /// The name, such as `udp.users`; components with a part append it: `healthcheck.qlik.server1`.
    pub name: String,
    /// Labels of its events, over those of the pipeline and under those of the origin.
    pub labels: LabelSet,
    /// How much each of the components may emit. `None` for as much as it wants.
    pub rate_limit: Option<RateLimit>,
    /// The components.
    pub components: Vec<PlannedSource>,
}

/// One configured relay, which may be several components.
#[derive(Debug)]
pub struct RelaySpec {
    /// The name, such as `counts.users`; components with a part append it.
    pub name: String,
    /// Labels of the events that it makes, over those of the pipeline.
    pub labels: LabelSet,
    /// Which events it gets, of those it accepts.
    pub only: Only,
    /// The components.
    pub components: Vec<PlannedRelay>,
}

/// One configured sink, which may be several components.
#[derive(Debug)]
pub struct SinkSpec {
    /// The name, such as `influx.main`; components with a part append it.
    pub name: String,
    /// Which events it gets, of those it accepts.
    pub only: Only,
    /// How they are delivered, unless a component has a delivery of its own.
    pub delivery: Delivery,
    /// The components.
    pub components: Vec<PlannedSink>,
}

/// The components of a plan. When they are dropped, a factory that panics then disturbs nobody.
#[derive(Debug, Default)]
pub(crate) struct Specs {
    pub(crate) sources: Vec<SourceSpec>,
    pub(crate) relays: Vec<RelaySpec>,
    pub(crate) sinks: Vec<SinkSpec>,
}

/// A component of a plan cannot be opened.
#[derive(Debug, Error)]
#[error("{component}")]
pub struct ComponentError {
    /// Which one, as a path in the configuration: `sinks.influx.main`, or `pipeline.journal`.
    pub component: String,
    /// Why.
    #[source]
    pub source: BuildError,
}

/// A pipeline cannot be opened.
#[derive(Debug, Error)]
#[error("{}", .errors.iter().map(|error| chain(error).to_string()).collect::<Vec<_>>().join("; "))]
pub struct OpenError {
    /// Every component that cannot be planned or opened.
    pub errors: Vec<ComponentError>,
}

impl Default for Program {
    fn default() -> Self {
        Self { name: "sos", version: env!("CARGO_PKG_VERSION") }
    }
}

impl Drop for Specs {
    fn drop(&mut self) {
        // Each on its own: the second panic of one list would end the process.
        self.sources.drain(..).flat_map(|spec| spec.components).for_each(let_go);
        self.relays.drain(..).flat_map(|spec| spec.components).for_each(let_go);
        self.sinks.drain(..).flat_map(|spec| spec.components).for_each(let_go);
    }
}

fn let_go<T>(planned: Planned<T>) {
    drop(Contained::new(planned));
}

impl SourceSpec {
    /// The components by their full names.
    pub(crate) fn named(&self) -> impl Iterator<Item = (String, &PlannedSource)> {
        named(&self.name, &self.components)
    }
}

impl RelaySpec {
    /// The components by their full names.
    pub(crate) fn named(&self) -> impl Iterator<Item = (String, &PlannedRelay)> {
        named(&self.name, &self.components)
    }
}

impl SinkSpec {
    /// The components by their full names.
    pub(crate) fn named(&self) -> impl Iterator<Item = (String, &PlannedSink)> {
        named(&self.name, &self.components)
    }

    /// How this component of it is delivered.
    pub(crate) fn delivery_of(&self, planned: &PlannedSink) -> Delivery {
        planned.delivery.clone().unwrap_or_else(|| self.delivery.clone())
    }
}

/// A component as a path in the configuration, such as `sinks.influx.main`. A source and a sink may have one name.
pub(crate) fn path(role: &str, name: &str) -> String {
    format!("{role}.{name}")
}

fn named<'a, T>(
    name: &'a str,
    components: &'a [Planned<T>],
) -> impl Iterator<Item = (String, &'a Planned<T>)> {
    components.iter().map(move |planned| match &planned.part {
        Some(part) => (format!("{name}.{part}"), planned),
        None => (name.to_owned(), planned),
    })
}
