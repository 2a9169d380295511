//! Sends datagrams at a steady pace.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use thiserror::Error;
use tokio::net::UdpSocket;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// When to stop sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// After this many datagrams.
    Count(u64),
    /// After this time; [`Duration::MAX`] for until the future is dropped.
    For(Duration),
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Datagrams that the system took. Whether somebody received them is another question.
    pub datagrams: u64,
    /// Their bytes, without headers.
    pub bytes: u64,
    /// Datagrams that the system did not take, because an earlier one found that nobody listens.
    pub unheard: u64,
}

/// Datagrams cannot be sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no socket to send from.
    #[error("open a socket to send to {to}")]
    Open {
        /// Where to.
        to: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The system refuses a datagram, for another reason than that nobody listens.
    #[error("send {bytes} bytes to {to}")]
    Send {
        /// Where to.
        to: SocketAddr,
        /// How large the datagram is.
        bytes: usize,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Which datagrams are due, given what was sent.
#[derive(Debug)]
struct Pace {
    rate_per_second: u32,
    left: u64,
    sent: u64,
}

/// Other tasks get a turn after this many datagrams.
const TURN: u64 = 64;

/// Sends `datagrams`, again and again in their order, at `rate_per_second` to one address, and tells how many were
/// sent. Sends in bursts of a millisecond; after a delay it catches up, at most five times as fast as the rate.
/// Nothing is sent if there are no datagrams or the rate is zero.
///
/// # Errors
/// When no socket can be opened, or the system refuses a datagram, such as one that is too large.
pub async fn send(
    datagrams: &[Vec<u8>],
    to: SocketAddr,
    rate_per_second: u32,
    amount: Amount,
) -> Result<Sent, SendError> {
    let mut sent = Sent::default();
    if rate_per_second == 0 || datagrams.is_empty() {
        return Ok(sent);
    }
    let socket = open(to).await.map_err(|source| SendError::Open { to, source })?;
    let (count, time) = match amount {
        Amount::Count(count) => (count, Duration::MAX),
        Amount::For(time) => (u64::MAX, time),
    };
    let mut pace = Pace { rate_per_second, left: count, sent: 0 };
    let mut next = datagrams.iter().cycle();
    let started = Instant::now();
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while pace.left > 0 && started.elapsed() < time {
        ticks.tick().await;
        for turn in 0..pace.due(started.elapsed().min(time)) {
            if turn % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
            if let Some(datagram) = next.next() {
                sent.count(datagram.len(), send_one(&socket, datagram).await)
                    .map_err(|source| SendError::Send { to, bytes: datagram.len(), source })?;
                pace.sent_one();
            }
        }
    }
    Ok(sent)
}

async fn open(to: SocketAddr) -> io::Result<UdpSocket> {
    let from: SocketAddr =
        if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(from).await?;
    socket.connect(to).await?;
    Ok(socket)
}

async fn send_one(socket: &UdpSocket, datagram: &[u8]) -> io::Result<usize> {
    match socket.try_send(datagram) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.send(datagram).await,
        result => result,
    }
}

impl Pace {
    /// How many to send now.
    fn due(&self, elapsed: Duration) -> u64 {
        let rate = u128::from(self.rate_per_second);
        let planned =
            u64::try_from(elapsed.as_nanos().saturating_mul(rate) / 1_000_000_000).unwrap_or(u64::MAX);
        let five_milliseconds = u64::from(self.rate_per_second / 200).max(1);
        planned.saturating_sub(self.sent).min(five_milliseconds).min(self.left)
    }

    fn sent_one(&mut self) {
        self.sent += 1;
        self.left -= 1;
    }
}

impl Sent {
    fn count(&mut self, bytes: usize, result: io::Result<usize>) -> io::Result<()> {
        match result {
            Ok(_) => {
                self.datagrams += 1;
                self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.unheard += 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(pace: &mut Pace, millis: u64) -> u64 {
        let due = pace.due(Duration::from_millis(millis));
        (0..due).for_each(|_| pace.sent_one());
        due
    }

    #[test]
    fn a_slow_pace_sends_one_when_it_is_due() {
        let mut pace = Pace { rate_per_second: 50, left: 3, sent: 0 };
        let bursts = [0, 19, 20, 39, 40, 60, 80].map(|millis| due(&mut pace, millis));
        assert_eq!(bursts, [0, 0, 1, 0, 1, 1, 0]);
    }

    #[test]
    fn a_fast_pace_sends_a_burst_each_millisecond() {
        let mut pace = Pace { rate_per_second: 200_000, left: u64::MAX, sent: 0 };
        assert_eq!([1, 2, 3].map(|millis| due(&mut pace, millis)), [200, 200, 200]);
    }

    #[test]
    fn after_a_delay_it_catches_up_without_a_flood() {
        let mut pace = Pace { rate_per_second: 10_000, left: u64::MAX, sent: 0 };
        assert_eq!(due(&mut pace, 1), 10);
        let bursts: Vec<u64> = (20..30).map(|millis| due(&mut pace, millis)).collect();
        assert_eq!(bursts, [50, 50, 50, 50, 30, 10, 10, 10, 10, 10]);
    }
}
