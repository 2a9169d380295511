//! What a pipeline consists of, before anything is opened.

use senseops_core::{BuildError, LabelSet, PlannedSink, PlannedSource};
use thiserror::Error;

use crate::{Delivery, Only, PipelineSettings, RateLimit};

/// A pipeline on paper: written in code with a builder, or from configuration.
#[derive(Debug, Default)]
pub struct Plan {
    /// What concerns the pipeline as a whole.
    pub settings: PipelineSettings,
    /// Where events come from.
    pub sources: Vec<SourceSpec>,
    /// Where they go.
    pub sinks: Vec<SinkSpec>,
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

/// One configured sink, which may be several components.
#[derive(Debug)]
pub struct SinkSpec {
    /// The name, such as `influx.main`; components with a part append it.
    pub name: String,
    /// Which events it gets, of those it accepts.
    pub only: Only,
    /// How they are delivered.
    pub delivery: Delivery,
    /// The components.
    pub components: Vec<PlannedSink>,
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

impl SourceSpec {
    /// The components by their full names.
    pub(crate) fn named(&self) -> impl Iterator<Item = (String, &PlannedSource)> {
        self.components.iter().map(|planned| (full_name(&self.name, planned.part.as_deref()), planned))
    }
}

impl SinkSpec {
    /// The components by their full names.
    pub(crate) fn named(&self) -> impl Iterator<Item = (String, &PlannedSink)> {
        self.components.iter().map(|planned| (full_name(&self.name, planned.part.as_deref()), planned))
    }
}

fn full_name(name: &str, part: Option<&str>) -> String {
    part.map_or_else(|| name.to_owned(), |part| format!("{name}.{part}"))
}
