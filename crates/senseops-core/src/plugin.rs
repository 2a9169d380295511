//! From configuration to components.
//!
//! A plugin is a configuration struct. What the user wrote becomes the struct, the struct *plans* components, and
//! each planned component is a factory that the engine calls to build it: at start, and again after a failure.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::settings::Warning;
use crate::{Accepts, Batch, Build, BuildError, PlanError, Sink, Source, WriteError};

/// The configuration of a kind of source.
///
/// The struct denies unknown keys, has a default for each key that can have one, and needs nothing but serde: it
/// can be part of a host program's own configuration.
pub trait SourceConfig: DeserializeOwned + Send + 'static {
    /// The name in `sources.<type>.<name>`.
    const TYPE: &'static str;
    /// What it does, in one line.
    const ABOUT: &'static str;
    /// A complete sample in YAML: every key, commented at its default.
    const SAMPLE: &'static str;

    /// Plans the components, without any I/O.
    ///
    /// # Errors
    /// When values contradict each other.
    fn plan(self) -> Result<Vec<PlannedSource>, PlanError>;

    /// What works but should be known before it runs.
    fn warnings(&self) -> Vec<Warning> {
        Vec::new()
    }
}

/// The configuration of a kind of sink; see [`SourceConfig`].
pub trait SinkConfig: DeserializeOwned + Send + 'static {
    /// The name in `sinks.<type>.<name>`.
    const TYPE: &'static str;
    /// What it does, in one line.
    const ABOUT: &'static str;
    /// A complete sample in YAML: every key, commented at its default.
    const SAMPLE: &'static str;

    /// Plans the components, without any I/O.
    ///
    /// # Errors
    /// When values contradict each other.
    fn plan(self) -> Result<Vec<PlannedSink>, PlanError>;

    /// What works but should be known before it runs.
    fn warnings(&self) -> Vec<Warning> {
        Vec::new()
    }
}

/// Builds a source. Called again after each failure and whenever a file that was [noted](crate::Files) has changed, so it
/// must read files anew. It holds all of the component's configuration, so that [`PartialEq`] tells whether that changed.
#[async_trait]
pub trait SourceFactory: Send + Sync {
    /// Opens what the source needs; spawns nothing.
    ///
    /// # Errors
    /// When something that is ours cannot be opened. An origin that is down is not an error.
    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError>;
}

/// Builds a sink; see [`SourceFactory`].
#[async_trait]
pub trait SinkFactory: Send + Sync {
    /// Opens what the sink needs; spawns nothing.
    ///
    /// # Errors
    /// When something that is ours cannot be opened. A target that is down is not an error.
    async fn build(&self, build: Build) -> Result<Arc<dyn Sink>, BuildError>;
}

/// A source that a configuration asks for.
#[derive(Clone)]
pub struct PlannedSource {
    /// Distinguishes the components of one configuration, such as the name of a server. `None` when there is just one.
    pub part: Option<String>,
    /// Builds it.
    pub factory: Arc<dyn SourceFactory>,
    identity: Identity,
}

/// A sink that a configuration asks for.
#[derive(Clone)]
pub struct PlannedSink {
    /// Distinguishes the components of one configuration. `None` when there is just one.
    pub part: Option<String>,
    /// Builds it.
    pub factory: Arc<dyn SinkFactory>,
    identity: Identity,
}

/// Anything that a pipeline can take sources from: every [`SourceConfig`].
pub trait PlanSources {
    /// The planned components.
    ///
    /// # Errors
    /// When values contradict each other.
    fn plan_sources(self) -> Result<Vec<PlannedSource>, PlanError>;
}

/// Anything that a pipeline can take sinks from: every [`SinkConfig`], a shared sink (`Arc<impl Sink>`), a [`sink_fn`].
pub trait PlanSinks {
    /// The planned components.
    ///
    /// # Errors
    /// When values contradict each other.
    fn plan_sinks(self) -> Result<Vec<PlannedSink>, PlanError>;
}

/// A sink made of a function, see [`sink_fn`].
pub struct SinkFn<F>(F);

/// A sink that accepts everything and calls `write` with each batch.
///
/// ```
/// # use senseops_core::{Batch, sink_fn};
/// let sink = sink_fn(|batch: Batch| async move {
///     for event in batch.iter() {
///         println!("{event}");
///     }
///     Ok(())
/// });
/// ```
pub fn sink_fn<F, Fut>(write: F) -> SinkFn<F>
where
    F: Fn(Batch) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), WriteError>> + Send + 'static,
{
    SinkFn(write)
}

impl PlannedSource {
    /// The only component of its configuration.
    pub fn single(factory: impl SourceFactory + PartialEq + 'static) -> Self {
        Self::new(None, factory)
    }

    /// One of several components of its configuration.
    pub fn part(name: impl Into<String>, factory: impl SourceFactory + PartialEq + 'static) -> Self {
        Self::new(Some(name.into()), factory)
    }

    /// Whether both would build the same component. If so, a new configuration leaves the running one alone.
    pub fn is_same(&self, other: &Self) -> bool {
        self.part == other.part && self.identity.is_same(&other.identity)
    }

    fn new<F: SourceFactory + PartialEq + 'static>(part: Option<String>, factory: F) -> Self {
        let factory = Arc::new(factory);
        Self { part, identity: Identity::of(Arc::clone(&factory)), factory }
    }
}

impl PlannedSink {
    /// A sink that exists already. It cannot be built anew, so after a panic the same one goes on.
    pub fn ready(sink: Arc<impl Sink + 'static>) -> Self {
        Self::single(Ready(sink))
    }

    /// The only component of its configuration.
    pub fn single(factory: impl SinkFactory + PartialEq + 'static) -> Self {
        Self::new(None, factory)
    }

    /// One of several components of its configuration.
    pub fn part(name: impl Into<String>, factory: impl SinkFactory + PartialEq + 'static) -> Self {
        Self::new(Some(name.into()), factory)
    }

    /// See [`PlannedSource::is_same`].
    pub fn is_same(&self, other: &Self) -> bool {
        self.part == other.part && self.identity.is_same(&other.identity)
    }

    fn new<F: SinkFactory + PartialEq + 'static>(part: Option<String>, factory: F) -> Self {
        let factory = Arc::new(factory);
        Self { part, identity: Identity::of(Arc::clone(&factory)), factory }
    }
}

impl<C: SourceConfig> PlanSources for C {
    fn plan_sources(self) -> Result<Vec<PlannedSource>, PlanError> {
        self.plan()
    }
}

impl<C: SinkConfig> PlanSinks for C {
    fn plan_sinks(self) -> Result<Vec<PlannedSink>, PlanError> {
        self.plan()
    }
}

impl<S: Sink + 'static> PlanSinks for Arc<S> {
    fn plan_sinks(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::ready(self)])
    }
}

impl<F: Send + Sync + 'static> PlanSinks for SinkFn<F>
where
    Self: Sink,
{
    fn plan_sinks(self) -> Result<Vec<PlannedSink>, PlanError> {
        Arc::new(self).plan_sinks()
    }
}

#[async_trait]
impl<F, Fut> Sink for SinkFn<F>
where
    F: Fn(Batch) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), WriteError>> + Send + 'static,
{
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        (self.0)(batch.clone()).await
    }
}

/// A factory for a sink that exists already.
struct Ready<S>(Arc<S>);

impl<S> PartialEq for Ready<S> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A factory as something that can be compared with another of any type.
#[derive(Clone)]
struct Identity {
    factory: Arc<dyn Any + Send + Sync>,
    is_equal: fn(&(dyn Any + Send + Sync), &(dyn Any + Send + Sync)) -> bool,
}

impl Identity {
    fn of<F: PartialEq + Send + Sync + 'static>(factory: Arc<F>) -> Self {
        Self {
            factory,
            is_equal: |one, other| match (one.downcast_ref::<F>(), other.downcast_ref::<F>()) {
                (Some(one), Some(other)) => one == other,
                (_, _) => false,
            },
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.is_equal)(&*self.factory, &*other.factory)
    }
}

#[async_trait]
impl<S: Sink + 'static> SinkFactory for Ready<S> {
    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::clone(&self.0) as Arc<dyn Sink>)
    }
}

impl fmt::Debug for PlannedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedSource").field("part", &self.part).finish_non_exhaustive()
    }
}

impl fmt::Debug for PlannedSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedSink").field("part", &self.part).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for SinkFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SinkFn")
    }
}
