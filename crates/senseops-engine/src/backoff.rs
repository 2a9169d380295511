//! Growing pauses between attempts.

use std::time::Duration;

/// The longest pause that a target can ask for with `Retry-After`; more would look like a hang.
const MAX_REQUESTED: Duration = Duration::from_mins(10);

/// Pauses that double from one failure to the next, with jitter so that many clients do not come back together.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    initial: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max: max.max(initial), next: initial }
    }

    /// The pause after one more failure, between half of it and all of it.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.max);
        pause.mul_f64(f64::midpoint(1.0, fastrand::f64()))
    }

    /// The pause after one more failure, when the target asked for `requested`.
    pub(crate) fn pause_at_least(&mut self, requested: Option<Duration>) -> Duration {
        self.pause().max(requested.unwrap_or_default().min(MAX_REQUESTED))
    }

    /// An attempt succeeded.
    pub(crate) fn reset(&mut self) {
        self.next = self.initial;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_the_longest_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(SECOND, 3 * SECOND);
        for expected in [1, 2, 3, 3] {
            let pause = backoff.pause();
            assert!(pause <= expected * SECOND && pause >= expected * SECOND / 2, "{pause:?}");
        }
        backoff.reset();
        assert!(backoff.pause() <= SECOND);
    }

    #[test]
    fn a_requested_pause_is_granted_within_reason() {
        let mut backoff = Backoff::new(SECOND, SECOND);
        assert_eq!(backoff.pause_at_least(Some(5 * SECOND)), 5 * SECOND);
        assert_eq!(backoff.pause_at_least(Some(86_400 * SECOND)), MAX_REQUESTED);
    }
}
