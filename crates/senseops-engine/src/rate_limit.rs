//! Limiting how much a source may emit.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::settings::RateLimit;

/// A bucket of tokens, one for each event that may be emitted now. It fills at a steady rate.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    per_second: f64,
    burst: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// Below zero while those who can wait do.
    tokens: f64,
    filled: Instant,
}

impl RateLimiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        let burst = limit.burst().get().into();
        let bucket = Mutex::new(Bucket { tokens: burst, filled: Instant::now() });
        Self { per_second: limit.events_per_second.get().into(), burst, bucket }
    }

    /// How many of so many events may be emitted now.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a bucket holds 2³² tokens at most"
    )]
    pub(crate) fn admit(&self, events: usize) -> usize {
        let mut bucket = self.bucket();
        let admitted = events.min(bucket.tokens.max(0.0) as usize);
        bucket.tokens -= admitted as f64;
        admitted
    }

    /// Waits until so many events may be emitted. More than a burst at once is emitted when a burst could be, and paid
    /// for by those that follow.
    #[expect(clippy::cast_precision_loss, reason = "a chunk has far fewer than 2⁵³ events")]
    pub(crate) async fn wait(&self, events: usize) {
        let wanted = (events as f64).min(self.burst);
        loop {
            let missing = {
                let mut bucket = self.bucket();
                if bucket.tokens >= wanted {
                    bucket.tokens -= events as f64;
                    return;
                }
                wanted - bucket.tokens
            };
            // A little more, so that rounding does not lead to another round.
            sleep(Duration::from_secs_f64(missing / self.per_second) + Duration::from_millis(1)).await;
        }
    }

    /// The bucket as full as it is by now.
    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let fresh = now.duration_since(bucket.filled).as_secs_f64() * self.per_second;
        *bucket = Bucket { tokens: (bucket.tokens + fresh).min(self.burst), filled: now };
        bucket
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tokio::time::advance;

    use super::*;

    fn limiter(events_per_second: u32, burst: u32) -> RateLimiter {
        RateLimiter::new(RateLimit {
            events_per_second: NonZeroU32::new(events_per_second).unwrap(),
            burst: NonZeroU32::new(burst),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_admitted_and_then_so_much_a_second() {
        let limiter = limiter(10, 30);
        assert_eq!(limiter.admit(100), 30);
        assert_eq!(limiter.admit(1), 0);
        advance(Duration::from_millis(500)).await;
        assert_eq!(limiter.admit(100), 5);
        advance(Duration::from_hours(1)).await;
        assert_eq!(limiter.admit(100), 30, "a quiet time does not add up to more than a burst");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_can_wait_get_through_at_the_rate() {
        let limiter = limiter(10, 10);
        let begin = Instant::now();
        for _ in 0..10 {
            limiter.wait(25).await;
        }
        // 250 events, of which 10 were free; what the last chunk borrowed is paid for by nobody yet.
        let seconds = begin.elapsed().as_secs_f64();
        assert!((22.0..=24.5).contains(&seconds), "{seconds}");
    }
}
