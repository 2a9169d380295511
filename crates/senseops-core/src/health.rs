//! How a component is doing, in its own words.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::{info, warn};

/// Where a component says how it is. Each change is logged once, however often it is repeated.
#[derive(Clone, Debug)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    component: String,
    condition: Mutex<Condition>,
}

/// How a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It has not said anything yet.
    Starting,
    /// It works.
    Ok,
    /// It works, but someone should know this.
    Warning(String),
    /// It does not work, because of this.
    Failing(String),
}

impl Health {
    /// The health of the component of this name.
    pub fn new(component: &str) -> Self {
        Self(Arc::new(Inner { component: component.to_owned(), condition: Mutex::new(Condition::Starting) }))
    }

    /// It works.
    pub fn ok(&self) {
        // The usual case must not allocate or log.
        let before = self.replace(Condition::Ok);
        if matches!(before, Condition::Failing(_) | Condition::Warning(_)) {
            info!(component = self.0.component, "component recovered");
        }
    }

    /// It works, but someone should know this.
    pub fn warning(&self, reason: impl Into<String>) {
        let condition = Condition::Warning(reason.into());
        if self.replace(condition.clone()) != condition {
            warn!(component = self.0.component, reason = condition.reason(), "component needs attention");
        }
    }

    /// It does not work. `reason` is read by an operator: what failed, and what to do about it.
    pub fn failing(&self, reason: impl Into<String>) {
        let condition = Condition::Failing(reason.into());
        if self.replace(condition.clone()) != condition {
            warn!(component = self.0.component, reason = condition.reason(), "component is failing");
        }
    }

    /// How the component is.
    pub fn condition(&self) -> Condition {
        self.0.condition.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, condition: Condition) -> Condition {
        std::mem::replace(&mut *self.0.condition.lock().unwrap_or_else(PoisonError::into_inner), condition)
    }
}

impl Condition {
    /// The reason of a warning or failure; empty otherwise.
    pub fn reason(&self) -> &str {
        match self {
            Self::Starting | Self::Ok => "",
            Self::Warning(reason) | Self::Failing(reason) => reason,
        }
    }
}
