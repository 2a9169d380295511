//! Writing a pipeline in code.

use std::any::Any;
use std::sync::Arc;

use senseops_core::host::{self, Delivery, Only};
use senseops_core::{BuildError, LabelSet, PlanError, Planned, Relay, Sink, Source};

use crate::pipeline::Pipeline;
use crate::plan::{ComponentError, OpenError, Plan, Program, RelaySpec, SinkSpec, SourceSpec};
use crate::settings::{PipelineSettings, RateLimit};

/// Collects the parts of a pipeline, see [`Pipeline::builder`].
#[derive(Debug, Default)]
pub struct Builder {
    plan: Plan,
    errors: Vec<ComponentError>,
}

/// What an operator would write beside the settings of a source.
#[derive(Clone, Debug, Default)]
pub struct SourceOptions {
    /// Labels of its events, under those of their origin.
    pub labels: LabelSet,
    /// How much it may emit. `None` for as much as it wants.
    pub rate_limit: Option<RateLimit>,
}

/// What an operator would write beside the settings of a relay.
#[derive(Clone, Debug, Default)]
pub struct RelayOptions {
    /// Labels of the events that it makes.
    pub labels: LabelSet,
    /// Which events it gets, of those it accepts.
    pub only: Only,
}

/// What an operator would write beside the settings of a sink. A [`Delivery`] or [`Only`] alone will do.
#[derive(Clone, Debug, Default)]
pub struct SinkOptions {
    /// Which events it gets, of those it accepts.
    pub only: Only,
    /// How they are delivered.
    pub delivery: Delivery,
}

impl Pipeline {
    /// A pipeline written in code.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// What figures and pages call the program; `sos` unless said.
    #[must_use]
    pub fn program(mut self, name: &'static str, version: &'static str) -> Self {
        self.plan.program = Program { name, version };
        self
    }

    /// Replaces the settings of the pipeline as a whole; its labels come under those that were set by
    /// [`labels`](Self::labels).
    #[must_use]
    pub fn settings(mut self, settings: PipelineSettings) -> Self {
        let labels = self.plan.settings.labels.over(&settings.labels);
        self.plan.settings = PipelineSettings { labels, ..settings };
        self
    }

    /// Labels of every event, under those of its source and its origin.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "like everything else that a builder is given")]
    pub fn labels(mut self, labels: LabelSet) -> Self {
        self.plan.settings.labels = labels.over(&self.plan.settings.labels);
        self
    }

    /// The one table of this type that components share, such as app names that the host program knows.
    #[must_use]
    pub fn shared<T: Any + Send + Sync>(self, table: Arc<T>) -> Self {
        self.plan.shared.set(table);
        self
    }

    /// Adds a source under a name of its own.
    #[must_use]
    pub fn source(self, name: impl Into<String>, source: impl host::IntoComponents<Box<dyn Source>>) -> Self {
        self.source_with(name, SourceOptions::default(), source)
    }

    /// Adds a source with labels or a rate limit.
    #[must_use]
    pub fn source_with(
        mut self,
        name: impl Into<String>,
        SourceOptions { labels, rate_limit }: SourceOptions,
        source: impl host::IntoComponents<Box<dyn Source>>,
    ) -> Self {
        let name = name.into();
        if let Some(components) = self.planned("sources", &name, source.into_components()) {
            self.plan.sources.push(SourceSpec { name, labels, rate_limit, components });
        }
        self
    }

    /// Adds a relay under a name of its own.
    #[must_use]
    pub fn relay(self, name: impl Into<String>, relay: impl host::IntoComponents<Box<dyn Relay>>) -> Self {
        self.relay_with(name, RelayOptions::default(), relay)
    }

    /// Adds a relay with labels, or for some events only.
    #[must_use]
    pub fn relay_with(
        mut self,
        name: impl Into<String>,
        RelayOptions { labels, only }: RelayOptions,
        relay: impl host::IntoComponents<Box<dyn Relay>>,
    ) -> Self {
        let name = name.into();
        if let Some(components) = self.planned("relays", &name, relay.into_components()) {
            self.plan.relays.push(RelaySpec { name, labels, only, components });
        }
        self
    }

    /// Adds a sink under a name of its own, for all that it accepts and with the usual delivery.
    #[must_use]
    pub fn sink(self, name: impl Into<String>, sink: impl host::IntoComponents<Arc<dyn Sink>>) -> Self {
        self.sink_with(name, SinkOptions::default(), sink)
    }

    /// Adds a sink with a delivery of its own, or for some events only.
    #[must_use]
    pub fn sink_with(
        mut self,
        name: impl Into<String>,
        options: impl Into<SinkOptions>,
        sink: impl host::IntoComponents<Arc<dyn Sink>>,
    ) -> Self {
        let (name, SinkOptions { only, delivery }) = (name.into(), options.into());
        if let Some(components) = self.planned("sinks", &name, sink.into_components()) {
            self.plan.sinks.push(SinkSpec { name, only, delivery, components });
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

    /// The components, unless what is wrong with them is noted.
    fn planned<T>(
        &mut self,
        role: &str,
        name: &str,
        planned: Result<Vec<Planned<T>>, PlanError>,
    ) -> Option<Vec<Planned<T>>> {
        let note = |error: PlanError| {
            let source = BuildError::at(error.key, error.message);
            self.errors.push(ComponentError { component: format!("{role}.{name}"), source });
        };
        planned.map_err(note).ok()
    }
}

impl From<Delivery> for SinkOptions {
    fn from(delivery: Delivery) -> Self {
        Self { delivery, ..Self::default() }
    }
}

impl From<Only> for SinkOptions {
    fn from(only: Only) -> Self {
        Self { only, ..Self::default() }
    }
}
