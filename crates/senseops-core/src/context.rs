//! What the engine gives to a component.

use std::ops::Deref;

use crate::{ComponentState, Emitter, Files, Health, Leases, Meter, Shared, Shutdown};

/// What every component is built with.
#[derive(Clone, Debug)]
pub struct Build {
    /// The name of the component, such as `healthcheck.qlik.server1`.
    pub component: String,
    /// Counts what only the component can see.
    pub meter: Meter,
    /// Tells the operator how the component is.
    pub health: Health,
    /// What the component remembers from one life to the next.
    pub state: ComponentState,
    /// Tables that components of one pipeline share, such as app names.
    pub shared: Shared,
    /// Sockets, which outlive the component so that nothing is lost while it is rebuilt.
    pub leases: Leases,
    /// Where the component notes the files that it was built from.
    pub files: Files,
}

/// What a running source has: everything it was built with, and where to emit, and when to stop.
#[derive(Clone, Debug)]
pub struct Context {
    /// What it was built with.
    pub build: Build,
    /// Where its events go.
    pub emitter: Emitter,
    /// When it must stop.
    pub shutdown: Shutdown,
}

impl Deref for Context {
    type Target = Build;

    fn deref(&self) -> &Build {
        &self.build
    }
}

impl Build {
    /// For components that run outside a pipeline, such as in tests: nothing is shared or outlives the program, and no
    /// socket can be leased.
    pub fn detached(component: impl Into<String>) -> Self {
        let component = component.into();
        Self {
            meter: Meter::default(),
            health: Health::new(&component),
            state: ComponentState::in_memory(),
            shared: Shared::default(),
            leases: Leases::none(),
            files: Files::default(),
            component,
        }
    }
}
