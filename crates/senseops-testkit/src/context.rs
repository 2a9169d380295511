//! What a component is run with in a test.

use senseops_core::host::ShutdownTrigger;
use senseops_core::{Build, Context, Leases};

use crate::{Collector, Sockets};

/// Runs one component as if it were in a pipeline.
#[derive(Clone, Debug)]
pub struct TestContext {
    /// What the component gets.
    pub cx: Context,
    /// Stops it.
    pub trigger: ShutdownTrigger,
    /// Has what it emits.
    pub collector: Collector,
}

/// A context for the component of this name. It can lease sockets; nothing is shared with other contexts.
pub fn context(component: &str) -> TestContext {
    let build = Build { leases: Leases::new(Sockets::default()), ..Build::detached(component) };
    TestContext::around(build)
}

impl TestContext {
    /// A new collector and trigger around the same build: what a source gets when the engine runs it again. Health,
    /// counters, shared tables and leased sockets stay.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::around(self.cx.build.clone())
    }

    fn around(build: Build) -> Self {
        let (collector, emitter) = Collector::new();
        let trigger = ShutdownTrigger::default();
        Self { cx: Context { build, emitter, shutdown: trigger.shutdown() }, trigger, collector }
    }
}
