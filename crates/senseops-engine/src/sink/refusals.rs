//! What a target refuses, told once in a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

/// How often refusals are logged while they go on.
const LOG_INTERVAL: Duration = Duration::from_mins(1);
/// How long a refusal shows in the health of the sink.
const SHOWN: Duration = Duration::from_mins(10);

/// The refusals of one sink. A target that refuses one event of each batch must not flood the log.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Option<Recent>>);

#[derive(Debug)]
struct Recent {
    /// Why the last ones were refused, and where they are.
    reason: String,
    last: Instant,
    logged: Instant,
    not_logged: u64,
}

impl Refusals {
    /// So many events were refused, the first of them for this reason, and this is where they are.
    pub(crate) fn note(&self, sink: &str, events: u64, reason: &str, whereabouts: &str) {
        if let Some(events) = self.count(events, &format!("{reason}; {whereabouts}")) {
            warn!(sink, events, reason, whereabouts, "target refused events");
        }
    }

    /// What an operator should know of the last minutes.
    pub(crate) fn warning(&self) -> Option<String> {
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = recent.as_ref().filter(|recent| recent.last.elapsed() < SHOWN)?;
        Some(format!("the target refuses events: {}", recent.reason))
    }

    /// How many there were since it was last logged, if it is to be logged now.
    fn count(&self, events: u64, reason: &str) -> Option<u64> {
        let now = Instant::now();
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = recent.take().map(|recent| (recent.logged, recent.not_logged));
        let not_logged = before.map_or(0, |(_, events)| events) + events;
        let reason = reason.to_owned();
        match before {
            Some((logged, _)) if now.duration_since(logged) < LOG_INTERVAL => {
                *recent = Some(Recent { reason, last: now, logged, not_logged });
                None
            }
            Some(_) | None => {
                *recent = Some(Recent { reason, last: now, logged: now, not_logged: 0 });
                Some(not_logged)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn refusals_are_logged_at_once_and_then_once_a_minute_with_totals() {
        let refusals = Refusals::default();
        assert_eq!(refusals.count(2, "too old"), Some(2));
        assert_eq!(refusals.count(3, "too old"), None);
        assert_eq!(refusals.count(4, "too large"), None);
        advance(LOG_INTERVAL).await;
        assert_eq!(refusals.count(1, "too old"), Some(8));
        assert_eq!(refusals.warning(), Some("the target refuses events: too old".into()));
        advance(SHOWN).await;
        assert_eq!(refusals.warning(), None);
    }
}
