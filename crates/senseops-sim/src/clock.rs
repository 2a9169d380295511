//! Simulated time, which may run faster than ours.

use tokio::time::Instant;

/// The clock of a simulated estate.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    first_second: u64,
    speed: f64,
}

impl Clock {
    /// Starts now at this second of the simulated day, `speed` times as fast as real time: 1440 makes a day pass in
    /// a minute, zero stands still.
    pub fn starting_at(second_of_day: u32, speed: f64) -> Self {
        Self { started: Instant::now(), first_second: second_of_day.into(), speed: speed.max(0.0) }
    }

    /// Seconds since the midnight before the start; goes on counting on the second day.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "never negative, and saturates"
    )]
    pub fn second(&self) -> u64 {
        self.first_second + (self.started.elapsed().as_secs_f64() * self.speed) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_passes_a_day_in_a_minute() {
        let clock = Clock::starting_at(8 * 3600, 1440.0);
        assert_eq!(clock.second(), 8 * 3600);
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(clock.second(), (24 + 8) * 3600);
    }
}
