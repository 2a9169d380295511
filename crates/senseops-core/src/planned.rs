//! Components before they are built.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use crate::delivery::{Delivery, Only};
use crate::{Accepts, Batch, Build, BuildError, PlanError, Plugin, Relay, Sink, Source, WriteError};

/// Builds a component. It holds all of the component's configuration, so that [`PartialEq`] shows whether that changed.
/// Every [`Plugin`] is one.
#[async_trait]
pub trait Factory<T>: Send + Sync {
    /// See [`Plugin::build`].
    ///
    /// # Errors
    /// See [`Plugin::build`].
    async fn build(&self, build: Build) -> Result<T, BuildError>;
}

/// A component that a configuration asks for.
pub struct Planned<T> {
    /// Distinguishes the components of one configuration, such as the name of a server. `None` when there is just one.
    pub part: Option<String>,
    /// Builds it.
    pub factory: Arc<dyn Factory<T>>,
    /// Which events this part of a sink gets, of those that the whole of it gets. Others ignore it.
    pub only: Only,
    /// How this part of a sink is delivered, if other than the whole of it. Others ignore it.
    pub delivery: Option<Delivery>,
    identity: Identity,
}

/// A source that a configuration asks for.
pub type PlannedSource = Planned<Box<dyn Source>>;
/// A sink that a configuration asks for.
pub type PlannedSink = Planned<Arc<dyn Sink>>;
/// A relay that a configuration asks for.
pub type PlannedRelay = Planned<Box<dyn Relay>>;

/// Anything that a pipeline can take components from: every [`Plugin`], a [`Planned`], a shared sink (`Arc<impl Sink>`), a
/// [`sink_fn`].
pub trait IntoComponents<T> {
    /// The planned components.
    ///
    /// # Errors
    /// When values contradict each other.
    fn into_components(self) -> Result<Vec<Planned<T>>, PlanError>;
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

impl<T> Planned<T> {
    /// The only component of its configuration.
    pub fn single(factory: impl Factory<T> + PartialEq + 'static) -> Self {
        Self::new(None, factory)
    }

    /// One of several components of its configuration.
    pub fn part(name: impl Into<String>, factory: impl Factory<T> + PartialEq + 'static) -> Self {
        Self::new(Some(name.into()), factory)
    }

    /// Gets only these events, of those that the whole sink gets.
    #[must_use]
    pub fn only(mut self, only: Only) -> Self {
        self.only = only;
        self
    }

    /// Is delivered like this, whatever the operator says about the whole sink.
    #[must_use]
    pub fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = Some(delivery);
        self
    }

    /// Whether both would build the same component. If so, a new configuration leaves the running one alone.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.part, &self.only, &self.delivery) == (&other.part, &other.only, &other.delivery)
            && self.identity.is_same(&other.identity)
    }

    fn new<F: Factory<T> + PartialEq + 'static>(part: Option<String>, factory: F) -> Self {
        let factory = Arc::new(factory);
        let identity = Identity::of(Arc::clone(&factory));
        Self { part, factory, only: Only::default(), delivery: None, identity }
    }
}

impl PlannedSink {
    /// A sink that exists already. It cannot be rebuilt, so after a panic the same one goes on.
    pub fn ready(sink: Arc<impl Sink + 'static>) -> Self {
        Self::single(Ready(sink))
    }
}

impl<P: Plugin> IntoComponents<P::Component> for P {
    fn into_components(self) -> Result<Vec<Planned<P::Component>>, PlanError> {
        self.plan()
    }
}

impl<T> IntoComponents<T> for Planned<T> {
    fn into_components(self) -> Result<Vec<Self>, PlanError> {
        Ok(vec![self])
    }
}

impl<S: Sink + 'static> IntoComponents<Arc<dyn Sink>> for Arc<S> {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::ready(self)])
    }
}

impl<F: Send + Sync + 'static> IntoComponents<Arc<dyn Sink>> for SinkFn<F>
where
    Self: Sink,
{
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Arc::new(self).into_components()
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

#[async_trait]
impl<S: Sink + 'static> Factory<Arc<dyn Sink>> for Ready<S> {
    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::clone(&self.0) as Arc<dyn Sink>)
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

impl<T> Clone for Planned<T> {
    fn clone(&self) -> Self {
        Self {
            part: self.part.clone(),
            factory: Arc::clone(&self.factory),
            only: self.only.clone(),
            delivery: self.delivery.clone(),
            identity: self.identity.clone(),
        }
    }
}

impl<T> fmt::Debug for Planned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Planned").field("part", &self.part).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for SinkFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SinkFn")
    }
}
