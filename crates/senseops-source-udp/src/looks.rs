//! When to look at the socket.
//!
//! To be woken for each datagram costs far more than the datagram. So as long as datagrams come, nobody is woken: the
//! socket is looked at from time to time, and a look finds all that came since the last. How long that may be depends on
//! how much the system holds for us meanwhile, and on how much comes. Where it may be so short that a look would find
//! less than a datagram, to be woken is cheaper after all.

use std::time::Duration;

/// A user event takes up to this much of the receive buffer. On Linux a datagram of up to 100 bytes takes 416, one of up
/// to 500 takes 640, and one of up to 1400 takes 1152, of a buffer that is twice as large as it says.
const DATAGRAM_BYTES: f64 = 640.0;
/// The pauses leave so much of the buffer free that a look may be so many times later, on a busy machine.
const RESERVE: f64 = 8.0;
/// A quiet time may end with a flood. So much, in datagrams per second, fits into half of the buffer during any pause.
const FLOOD: f64 = 100_000.0;
/// The longest pause, whatever would fit: nobody should wait longer for an event.
const LONGEST: Duration = Duration::from_millis(64);
/// Timers are not more exact.
const SHORTEST: Duration = Duration::from_millis(1);
/// With a buffer so small that no more than this would do, there are no pauses.
const TOO_SHORT: f64 = 0.000_25;

/// What to do after a look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    /// There may be more.
    Now,
    /// Look again after this time.
    In(Duration),
    /// Wait for the next datagram.
    WhenReadable,
}

/// Decides when to look at a socket with this much buffer.
#[derive(Debug)]
pub(crate) struct Looks {
    buffer: f64,
    /// Datagrams per second, lately.
    rate: f64,
}

impl Looks {
    #[expect(clippy::cast_precision_loss, reason = "a size to reckon with")]
    pub(crate) fn new(buffer: u64) -> Self {
        Self { buffer: buffer as f64, rate: 0.0 }
    }

    /// What to do after a look that has `taken` so many datagrams, `since` the one before. It was cut off if `is_cut`,
    /// so that others get their turn.
    #[expect(clippy::cast_precision_loss, reason = "datagrams to reckon with")]
    pub(crate) fn after(&mut self, taken: usize, is_cut: bool, since: Duration) -> Next {
        let rate = taken as f64 / since.max(SHORTEST).as_secs_f64();
        // More counts at once, less only when it lasts.
        self.rate = rate.max(self.rate.midpoint(rate));
        if is_cut {
            return Next::Now;
        }
        let datagrams = self.buffer / DATAGRAM_BYTES;
        let pause = (datagrams / RESERVE / self.rate.max(1.0)).min(datagrams / 2.0 / FLOOD);
        if pause < TOO_SHORT {
            return if taken > 0 { Next::Now } else { Next::WhenReadable };
        }
        let pause = pause.clamp(SHORTEST.as_secs_f64(), LONGEST.as_secs_f64());
        if pause * self.rate < 1.0 {
            return Next::WhenReadable;
        }
        Next::In(Duration::from_secs_f64(pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// What follows after datagrams have come at this rate for a while.
    fn at(buffer: u64, per_second: usize) -> Next {
        let mut looks = Looks::new(buffer);
        let (mut next, mut time, mut taken) = (Next::Now, Duration::ZERO, 0);
        for _ in 0..1000 {
            let pause = match next {
                Next::In(pause) => pause,
                Next::Now => SHORTEST,
                Next::WhenReadable => Duration::from_secs(1) / u32::try_from(per_second).unwrap(),
            };
            time += pause;
            let arrived = usize::try_from(time.as_micros()).unwrap() * per_second / 1_000_000;
            next = looks.after(arrived - taken, false, pause);
            taken = arrived;
        }
        next
    }

    #[test]
    fn the_more_comes_the_sooner_is_the_next_look() {
        let millis = |buffer, per_second| match at(buffer, per_second) {
            Next::In(pause) => pause.as_millis(),
            Next::Now | Next::WhenReadable => 0,
        };
        assert_eq!([200, 10_000, 100_000, 400_000].map(|rate| millis(8 * MIB, rate)), [64, 64, 16, 4]);
        assert_eq!(
            [200, 2000, 50_000].map(|rate| millis(208 * 1024, rate)),
            [0, 1, 1],
            "what Linux grants everybody"
        );
    }

    #[test]
    fn a_tiny_buffer_cannot_wait() {
        let mut looks = Looks::new(16 * 1024);
        assert_eq!(looks.after(1, false, SHORTEST), Next::Now);
        assert_eq!(looks.after(0, false, SHORTEST), Next::WhenReadable);
    }

    #[test]
    fn a_look_that_would_find_nothing_is_not_worth_it() {
        assert_eq!(at(8 * MIB, 15), Next::WhenReadable);
        let mut looks = Looks::new(8 * MIB);
        assert_eq!(looks.after(0, false, Duration::ZERO), Next::WhenReadable, "nothing has come yet");
        assert!(matches!(looks.after(3, false, SHORTEST), Next::In(_)));
        let silent = (1..10).find(|_| looks.after(0, false, LONGEST) == Next::WhenReadable);
        assert!(silent.is_some_and(|looks| looks > 1), "a short pause is nothing yet: {silent:?}");
    }

    #[test]
    fn what_did_not_fit_into_a_look_is_taken_at_once() {
        let mut looks = Looks::new(8 * MIB);
        assert_eq!(looks.after(1024, true, SHORTEST), Next::Now);
        assert!(matches!(looks.after(3, false, SHORTEST), Next::In(_)));
    }
}
