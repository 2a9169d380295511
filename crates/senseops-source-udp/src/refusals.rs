//! Counting what is refused, and telling of it without filling the log.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use senseops_core::{Counter, Meter};

/// How often a refusal of one reason is logged at most.
const SAMPLE_INTERVAL: Duration = Duration::from_mins(1);
const HELP: &str = "Datagrams that are no event, or come from where none is taken.";

/// The refused datagrams by reason.
pub(crate) struct Refusals {
    meter: Meter,
    reasons: BTreeMap<&'static str, Reason>,
}

struct Reason {
    counter: Counter,
    sampled: Option<Instant>,
    since: u64,
}

impl Refusals {
    /// Nothing refused yet.
    pub(crate) fn new(meter: &Meter) -> Self {
        Self { meter: meter.clone(), reasons: BTreeMap::new() }
    }

    /// Counts one. When it should be logged as a sample, gives how many there were since the last sample, with this
    /// one.
    pub(crate) fn count(&mut self, reason: &'static str, now: Instant) -> Option<u64> {
        let reason = self.reasons.entry(reason).or_insert_with(|| Reason {
            counter: self.meter.counter("refused", HELP, &[("reason", reason)]),
            sampled: None,
            since: 0,
        });
        reason.counter.add(1);
        reason.since += 1;
        let due = reason.sampled.is_none_or(|sampled| now.duration_since(sampled) >= SAMPLE_INTERVAL);
        due.then(|| {
            reason.sampled = Some(now);
            std::mem::take(&mut reason.since)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_sampled_at_once_and_then_once_a_minute() {
        let meter = Meter::default();
        let mut refusals = Refusals::new(&meter);
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(refusals.count("empty", after(0)), Some(1));
        assert_eq!(refusals.count("empty", after(1)), None);
        assert_eq!(refusals.count("unknown_type", after(1)), Some(1));
        assert_eq!(refusals.count("empty", after(59)), None);
        assert_eq!(refusals.count("empty", after(60)), Some(3));
        assert_eq!(refusals.count("empty", after(61)), None);
        assert_eq!(meter.counter("refused", HELP, &[("reason", "empty")]).value(), 5);
        assert_eq!(meter.counter("refused", HELP, &[("reason", "unknown_type")]).value(), 1);
    }
}
