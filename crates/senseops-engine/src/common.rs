//! What components have in common, and what each of them is built with.

use senseops_core::{Build, Files, Health, Leases, Meter, Shared};

use crate::plan::path;
use crate::sockets::{ComponentLease, Sockets};
use crate::states::States;

/// What the components of a plan have in common.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) shared: Shared,
    pub(crate) states: States,
    pub(crate) sockets: Sockets,
}

impl Common {
    /// What the component of this name is built with. It goes on counting where its predecessor was.
    pub(crate) fn build(&self, role: &str, component: &str, before: Option<&Build>) -> Build {
        let path = path(role, component);
        let meter = before.map_or_else(Meter::default, |before| before.meter.clone());
        Build {
            component: component.to_owned(),
            health: Health::new(component),
            state: self.states.of(&path),
            shared: self.shared.clone(),
            leases: Leases::new(ComponentLease { sockets: self.sockets.clone(), path, meter: meter.clone() }),
            meter,
            files: Files::default(),
        }
    }
}
