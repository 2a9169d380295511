//! From configuration to components.
//!
//! A plugin is a configuration struct. What the user wrote becomes the struct, the struct *plans* components, and each
//! planned component is a factory that the engine calls to build it: at start, and again after a failure.

use async_trait::async_trait;
use schemars::{Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use crate::settings::Warning;
use crate::{Build, BuildError, Factory, Kind, PlanError, Planned};

/// The configuration of a kind of source, sink or relay.
///
/// The struct denies unknown keys, has a default for each key that can have one, and needs nothing but serde: it can be
/// part of a host program's own configuration. Values are checked by the types of its fields, and what concerns several
/// of them in [`plan`](Self::plan).
#[async_trait]
pub trait Plugin: DeserializeOwned + PartialEq + Send + Sync + 'static {
    /// What it builds: `Box<dyn Source>`, `Arc<dyn Sink>` or `Box<dyn Relay>`.
    type Component;
    /// The name in `sources.<type>.<name>`, `sinks.<type>.<name>` or `relays.<type>.<name>`.
    const TYPE: &'static str;
    /// What it does, in one line.
    const ABOUT: &'static str;
    /// A complete sample in YAML: every key, commented at its default.
    const SAMPLE: &'static str;
    /// The kinds of the events that it emits. Empty when they are not known before it runs, and for sinks.
    const KINDS: &'static [Kind] = &[];

    /// Opens what the component needs; spawns nothing. Called again after each failure and whenever a file that was
    /// [noted](Build::files) has changed, so it must read files again.
    ///
    /// # Errors
    /// When something that is ours cannot be opened. An origin or target that is down is not an error.
    async fn build(&self, build: Build) -> Result<Self::Component, BuildError>;

    /// Plans the components, without any I/O. By default there is one. A configuration of several, such as a list of
    /// servers, takes itself apart: each [part](Planned::part) is a configuration of one.
    ///
    /// # Errors
    /// When values contradict each other.
    fn plan(self) -> Result<Vec<Planned<Self::Component>>, PlanError> {
        Ok(vec![Planned::single(self)])
    }

    /// What may be written, for editors: the struct's own schema, if it derives [`JsonSchema`](schemars::JsonSchema) and
    /// says `Self::json_schema(generator)` here. By default anything may.
    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        Schema::default()
    }

    /// What works but should be known before it runs.
    fn warnings(&self) -> Vec<Warning> {
        Vec::new()
    }
}

#[async_trait]
impl<P: Plugin> Factory<P::Component> for P {
    async fn build(&self, build: Build) -> Result<P::Component, BuildError> {
        Plugin::build(self, build).await
    }
}
