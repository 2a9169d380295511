//! How a component is doing, in its own words.

use std::mem::Discriminant;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

/// How often a reason that keeps changing is logged.
const LOG_INTERVAL: Duration = Duration::from_mins(1);
/// How many changes are logged in such a time; a target that fails and recovers by turns would otherwise fill the log.
const LOGGED_CHANGES: u32 = 6;

/// Where a component says how it is. What is repeated is logged once, and the recovery says how often it was repeated.
#[derive(Clone, Debug)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    component: String,
    state: Mutex<HealthState>,
}

#[derive(Debug)]
struct HealthState {
    condition: Condition,
    /// The warning that stands until the component says that it is well: trouble may hide it, but does not end it.
    warning: Option<String>,
    trouble: Option<Trouble>,
    /// What kind of trouble was logged, until the recovery is logged.
    told: Option<Discriminant<Condition>>,
    /// When the changes began that count for the limit, and how many were logged since.
    changes: (Instant, u32),
}

/// What has gone on since the component was last well, as far as it was logged.
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
        let state = HealthState {
            condition: Condition::Starting,
            warning: None,
            trouble: None,
            told: None,
            changes: (Instant::now(), 0),
        };
        Self(Arc::new(Inner { component: component.to_owned(), state: Mutex::new(state) }))
    }

    /// It works, and there is nothing more to say.
    pub fn ok(&self) {
        self.state().warning = None;
        self.works();
    }

    /// It works: what failed is over. A [warning](Self::warning) stands. For those who see that a component works, but
    /// not what it has to say.
    pub fn works(&self) {
        let warning = self.state().warning.clone();
        if let Some(warning) = warning {
            return self.warning(warning);
        }
        if let Some(Trouble { since, reports, .. }) = self.recovered() {
            let (component, seconds) = (self.component(), since.elapsed().as_secs());
            info!(component, seconds, reports, "component recovered");
        }
    }

    /// It works, but someone should know this.
    pub fn warning(&self, reason: impl Into<String>) {
        let reason = reason.into();
        self.state().warning = Some(reason.clone());
        if let Some(reports) = self.replace(Condition::Warning(reason)) {
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

    /// Notes that it works. If that is to be logged: the trouble that is over.
    fn recovered(&self) -> Option<Trouble> {
        // The usual case must not allocate or ask for the time.
        let mut state = self.state();
        state.condition = Condition::Ok;
        state.trouble?;
        let now = Instant::now();
        if state.told.is_none() && now.duration_since(state.changes.0) >= LOG_INTERVAL {
            // It was over before anybody was told.
            state.trouble = None;
        }
        if state.told.is_none() || !state.may_log_change(now) {
            return None;
        }
        state.told = None;
        state.trouble.take()
    }

    /// Notes trouble. If it is to be logged: how often there was some since the component was last well.
    fn replace(&self, condition: Condition) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.state();
        let kind = Some(std::mem::discriminant(&condition));
        let before = std::mem::replace(&mut state.condition, condition);
        let is_other = before != state.condition;
        let trouble = state.trouble.get_or_insert(Trouble { since: now, logged: now, reports: 0 });
        trouble.reports += 1;
        let Trouble { logged, reports, .. } = *trouble;
        // A target that fails in two ways by turns would otherwise fill the log.
        let is_due = state.told != kind || is_other && now.duration_since(logged) >= LOG_INTERVAL;
        if !is_due || !state.may_log_change(now) {
            return None;
        }
        state.told = kind;
        if let Some(trouble) = &mut state.trouble {
            trouble.logged = now;
        }
        Some(reports)
    }

    fn reason(&self) -> String {
        self.state().condition.reason().to_owned()
    }

    fn component(&self) -> &str {
        &self.0.component
    }

    fn state(&self) -> MutexGuard<'_, HealthState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HealthState {
    /// Whether one more change may be logged now; it counts as logged then.
    fn may_log_change(&mut self, now: Instant) -> bool {
        if now.duration_since(self.changes.0) >= LOG_INTERVAL {
            self.changes = (now, 0);
        }
        let may_log = self.changes.1 < LOGGED_CHANGES;
        self.changes.1 += u32::from(may_log);
        may_log
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

    #[test]
    fn a_warning_stands_until_the_component_takes_it_back() {
        let health = Health::new("influx.main");
        health.warning("the certificate ends soon");
        health.works();
        health.failing("refused");
        assert_eq!(health.condition(), failing("refused"));
        health.works();
        assert_eq!(health.condition(), Condition::Warning("the certificate ends soon".into()));
        health.ok();
        health.works();
        assert_eq!(health.condition(), Condition::Ok);
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

    #[tokio::test(start_paused = true)]
    async fn a_component_that_fails_and_recovers_by_turns_does_not_fill_the_log() {
        let health = Health::new("influx.main");
        let mut logged = 0;
        for _ in 0..600 {
            logged += u32::from(health.replace(failing("refused")).is_some());
            logged += u32::from(health.recovered().is_some());
            advance(Duration::from_secs(1)).await;
        }
        assert!((10..=10 * LOGGED_CHANGES).contains(&logged), "{logged}");
        advance(LOG_INTERVAL).await;
        assert_eq!(health.condition(), Condition::Ok);
        assert!(health.recovered().is_none(), "the last that was logged is a recovery");
        assert_eq!(health.replace(failing("refused")), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_that_stays_is_logged_however_it_began() {
        let health = Health::new("influx.main");
        for _ in 0..LOGGED_CHANGES {
            health.failing("refused");
            health.ok();
        }
        assert_eq!(health.replace(failing("refused")), None);
        advance(LOG_INTERVAL).await;
        assert!(health.replace(failing("refused")).is_some());
        assert!(health.recovered().is_some());
    }
}
