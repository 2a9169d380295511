//! Pauses that cost one wake each.
//!
//! A timer of tokio that is due beyond its present wheel of 64 ms wakes its thread once more, at the turn of that wheel.
//! At a few hundred datagrams a second, where nearly all cost is waking up, that would be every second wake. Linux has
//! timers that are read like sockets.

use std::time::Duration;

pub(crate) use system::Pauses;

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};

    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::Duration;

    pub(crate) struct Pauses(AsyncFd<Timer>);

    struct Timer(TimerFd);

    impl AsRawFd for Timer {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    impl Pauses {
        /// Belongs to the runtime that calls it.
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe, for types that close early; a `Timer` owns what it shows"
        )]
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let timer = Timer(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?);
            Ok(Self(AsyncFd::with_interest(timer, Interest::READABLE)?))
        }

        /// Returns after this time, which is not zero. After a pause that was dropped it may do so too early.
        pub(crate) async fn pause(&mut self, pause: Duration) -> io::Result<()> {
            let once = Expiration::OneShot(pause.into());
            // That makes it forget what it was set to before.
            self.0.get_ref().0.set(once, TimerSetTimeFlags::empty())?;
            self.0.readable().await?.clear_ready();
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    use super::Duration;

    pub(crate) struct Pauses;

    impl Pauses {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(crate) async fn pause(&mut self, pause: Duration) -> io::Result<()> {
            tokio::time::sleep(pause).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_pause_is_not_shorter_than_asked_for_also_when_set_again() {
        let mut pauses = Pauses::new().unwrap();
        for pause in [1, 30, 5].map(Duration::from_millis) {
            let began = Instant::now();
            timeout(Duration::from_secs(10), pauses.pause(pause)).await.unwrap().unwrap();
            assert!(began.elapsed() >= pause, "{pause:?}");
        }
    }

    #[tokio::test]
    async fn a_pause_that_is_dropped_does_not_disturb_the_next() {
        let mut pauses = Pauses::new().unwrap();
        assert!(timeout(Duration::from_millis(1), pauses.pause(Duration::from_hours(1))).await.is_err());
        timeout(Duration::from_secs(10), pauses.pause(Duration::from_millis(1))).await.unwrap().unwrap();
    }
}
