//! Writing a pipeline in code.

use senseops_core::{BuildError, LabelSet, PlanError, PlanSinks, PlanSources};

use crate::pipeline::{OpenError, Pipeline};
use crate::plan::{ComponentError, Plan, SinkSpec, SourceSpec};
use crate::settings::{Delivery, Only, PipelineSettings};

/// Collects the parts of a pipeline, see [`Pipeline::builder`].
#[derive(Debug, Default)]
pub struct Builder {
    plan: Plan,
    errors: Vec<ComponentError>,
}

impl Builder {
    /// Replaces the settings of the pipeline as a whole.
    #[must_use]
    pub fn settings(mut self, settings: PipelineSettings) -> Self {
        self.plan.settings = settings;
        self
    }

    /// Adds a source under a name of its own.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>, source: impl PlanSources) -> Self {
        let name = name.into();
        match source.plan_sources() {
            Ok(components) => {
                self.plan.sources.push(SourceSpec {
                    name,
                    labels: LabelSet::default(),
                    rate_limit: None,
                    components,
                });
            }
            Err(error) => self.errors.push(planning("sources", &name, error)),
        }
        self
    }

    /// Adds a sink under a name of its own, with the usual delivery.
    #[must_use]
    pub fn sink(self, name: impl Into<String>, sink: impl PlanSinks) -> Self {
        self.sink_with(name, Delivery::default(), sink)
    }

    /// Adds a sink under a name of its own.
    #[must_use]
    pub fn sink_with(mut self, name: impl Into<String>, delivery: Delivery, sink: impl PlanSinks) -> Self {
        let name = name.into();
        match sink.plan_sinks() {
            Ok(components) => {
                self.plan.sinks.push(SinkSpec { name, only: Only::default(), delivery, components });
            }
            Err(error) => self.errors.push(planning("sinks", &name, error)),
        }
        self
    }

    /// The plan, for [`Handle::reload`](crate::Handle::reload).
    ///
    /// # Errors
    /// Everything that cannot be planned, all at once.
    pub fn plan(self) -> Result<Plan, OpenError> {
        if self.errors.is_empty() { Ok(self.plan) } else { Err(OpenError { errors: self.errors }) }
    }

    /// Opens everything. Nothing runs and no task is spawned yet.
    ///
    /// # Errors
    /// Everything that cannot be planned or opened, all at once.
    pub async fn build(self) -> Result<Pipeline, OpenError> {
        Pipeline::open(self.plan()?).await
    }
}

fn planning(role: &str, name: &str, error: PlanError) -> ComponentError {
    ComponentError { component: format!("{role}.{name}"), source: BuildError::at(error.key, error.message) }
}
