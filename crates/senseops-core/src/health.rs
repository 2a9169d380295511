//! How a component is doing, in its own words.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

/// How often a reason that keeps changing is logged.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// Where a component says how it is. What is repeated is logged once, and the recovery says how often it was repeated.
#[derive(Clone, Debug)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    component: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    condition: Condition,
    trouble: Option<Trouble>,
}

/// What has gone on since the component was last well.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    since: Instant,
    logged: Instant,
    reports: u64,
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
        let state = Mutex::new(State { condition: Condition::Starting, trouble: None });
        Self(Arc::new(Inner { component: component.to_owned(), state }))
    }

    /// It works.
    pub fn ok(&self) {
        // The usual case must not allocate or log.
        let mut state = self.state();
        state.condition = Condition::Ok;
        let trouble = state.trouble.take();
        drop(state);
        if let Some(Trouble { since, reports, .. }) = trouble {
            let (component, seconds) = (self.component(), since.elapsed().as_secs());
            info!(component, seconds, reports, "component recovered");
        }
    }

    /// It works, but someone should know this.
    pub fn warning(&self, reason: impl Into<String>) {
        if let Some(reports) = self.replace(Condition::Warning(reason.into())) {
            warn!(component = self.component(), reason = self.reason(), reports, "component needs attention");
        }
    }

    /// It does not work. `reason` is read by an operator: what failed, and what to do about it.
    pub fn failing(&self, reason: impl Into<String>) {
        if let Some(reports) = self.replace(Condition::Failing(reason.into())) {
            warn!(component = self.component(), reason = self.reason(), reports, "component is failing");
        }
    }

    /// How the component is.
    pub fn condition(&self) -> Condition {
        self.state().condition.clone()
    }

    /// Notes trouble. If it is to be logged: how often there was some since the component was last well.
    fn replace(&self, condition: Condition) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.state();
        let before = std::mem::replace(&mut state.condition, condition);
        let is_other_kind = std::mem::discriminant(&before) != std::mem::discriminant(&state.condition);
        let is_other = before != state.condition;
        let trouble = state.trouble.get_or_insert(Trouble { since: now, logged: now, reports: 0 });
        trouble.reports += 1;
        // A target that fails in two ways by turns would otherwise fill the log.
        let is_due = is_other_kind || is_other && now.duration_since(trouble.logged) >= LOG_INTERVAL;
        is_due.then(|| {
            trouble.logged = now;
            trouble.reports
        })
    }

    fn reason(&self) -> String {
        self.state().condition.reason().to_owned()
    }

    fn component(&self) -> &str {
        &self.0.component
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn failing(reason: &str) -> Condition {
        Condition::Failing(reason.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_repeated_is_logged_once() {
        let health = Health::new("influx.main");
        assert_eq!(health.replace(failing("refused")), Some(1));
        assert_eq!(health.replace(failing("refused")), None);
        advance(Duration::from_mins(5)).await;
        assert_eq!(health.replace(failing("refused")), None);
        assert_eq!(health.replace(Condition::Warning("slow".into())), Some(4));
        health.ok();
        assert_eq!(health.replace(failing("refused")), Some(1), "a new trouble after it was well");
    }

    #[tokio::test(start_paused = true)]
    async fn reasons_that_take_turns_are_logged_once_a_minute() {
        let health = Health::new("influx.main");
        let mut logged = 0;
        for attempt in 0..600 {
            let reason = if attempt % 2 == 0 { "refused" } else { "timed out" };
            logged += u32::from(health.replace(failing(reason)).is_some());
            advance(Duration::from_secs(1)).await;
        }
        assert!((10..=11).contains(&logged), "{logged}");
        assert_eq!(health.condition(), failing("timed out"));
    }
}
