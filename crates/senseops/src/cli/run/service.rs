//! What the service manager is told, see `sd_notify(3)`. Without `NOTIFY_SOCKET` nothing is sent.

use std::convert::Infallible;
use std::time::Duration;

use senseops_core::Condition;
use senseops_engine::Handle;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// How often the service manager hears how it goes, unless its watchdog wants to hear more often.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// The shortest pause between two signs of life, whatever the watchdog asks for.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// What can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    Ready,
    Reloading,
    Stopping,
    /// How it goes.
    Status(String),
    /// It makes progress.
    Alive,
}

/// Tells the service manager, if there is one.
pub(super) fn tell(news: &News) {
    #[cfg(target_os = "linux")]
    if let Err(error) = linux::notify(news) {
        warn!(%error, "service manager cannot be told");
    }
    #[cfg(not(target_os = "linux"))]
    let _nobody_there = news;
}

/// Tells again and again how it goes, and that it makes progress as long as that is true: a watchdog ends a program
/// that is stalled, and another one is started.
#[expect(clippy::infinite_loop, reason = "it goes on until it is dropped")]
pub(super) async fn keep_informed(handle: &Handle) -> Infallible {
    let watchdog = watchdog();
    let pause = watchdog.map_or(STATUS_INTERVAL, |longest| longest / 2);
    let mut ticks = interval(pause.clamp(SHORTEST_INTERVAL, STATUS_INTERVAL));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut was_stalled) = (String::new(), false);
    loop {
        ticks.tick().await;
        let stalled = handle.stalled();
        if !stalled.is_empty() && !was_stalled {
            warn!(parts = stalled.join(", "), "no progress, the watchdog is not fed");
        }
        was_stalled = !stalled.is_empty();
        let status = how_it_goes(&handle.conditions());
        if status != told {
            tell(&News::Status(status.clone()));
            told = status;
        }
        if watchdog.is_some() && !was_stalled {
            tell(&News::Alive);
        }
    }
}

fn how_it_goes(conditions: &[(String, Condition)]) -> String {
    let failing: Vec<_> = conditions
        .iter()
        .filter(|(_, condition)| matches!(condition, Condition::Failing(_)))
        .map(|(name, _)| name.as_str())
        .collect();
    if failing.is_empty() {
        "everything works".to_owned()
    } else {
        format!("{} of {} failing: {}", failing.len(), conditions.len(), failing.join(", "))
    }
}

/// How long the watchdog waits before it ends the program.
fn watchdog() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    return sd_notify::watchdog_enabled();
    #[cfg(not(target_os = "linux"))]
    return None;
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use sd_notify::{NotifyState, notify as send};

    use super::News;

    pub(super) fn notify(news: &News) -> io::Result<()> {
        match news {
            News::Ready => send(&[NotifyState::Ready]),
            News::Reloading => send(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?]),
            News::Stopping => send(&[NotifyState::Stopping]),
            News::Status(text) => send(&[NotifyState::Status(text)]),
            News::Alive => send(&[NotifyState::Watchdog]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_fail_are_named() {
        let conditions = |failing: &[&str]| {
            let failing = failing.iter().map(|name| ((*name).to_owned(), Condition::Failing("x".into())));
            failing.chain([("console.out".to_owned(), Condition::Ok)]).collect::<Vec<_>>()
        };
        assert_eq!(how_it_goes(&conditions(&[])), "everything works");
        assert_eq!(how_it_goes(&conditions(&["influx.a", "influx.b"])), "2 of 3 failing: influx.a, influx.b");
    }
}
