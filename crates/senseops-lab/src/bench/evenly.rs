//! Datagrams one by one, each at its time.
//!
//! The sender of the simulator sends what a millisecond brings at once, as a site does after a pause. Most of the time
//! users come one by one, and then each datagram may cost the receiver a wake-up of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use senseops_core::BoxError;

/// Sends each datagram once, in their order, so many per second, and says when each was sent.
pub(super) async fn send(
    datagrams: Vec<Vec<u8>>,
    to: SocketAddr,
    rate: u32,
) -> Result<Vec<Instant>, BoxError> {
    // A thread sleeps to the microsecond, where the timers of a runtime know milliseconds.
    Ok(tokio::task::spawn_blocking(move || send_all(&datagrams, to, rate)).await??)
}

fn send_all(datagrams: &[Vec<u8>], to: SocketAddr, rate: u32) -> io::Result<Vec<Instant>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(to)?;
    wake_in_time()?;
    let (began, interval) = (Instant::now(), Duration::from_secs(1) / rate);
    let mut sent = Vec::with_capacity(datagrams.len());
    let mut due = began;
    for datagram in datagrams {
        let early = due.saturating_duration_since(Instant::now());
        if !early.is_zero() {
            #[expect(clippy::disallowed_methods, reason = "a thread of its own, which no runtime waits for")]
            thread::sleep(early);
        }
        sent.push(Instant::now());
        socket.send(datagram)?;
        due += interval;
    }
    Ok(sent)
}

/// By default Linux lets a thread sleep 50 microseconds too long, which is longer than the time between two datagrams.
#[cfg(target_os = "linux")]
fn wake_in_time() -> io::Result<()> {
    Ok(nix::sys::prctl::set_timerslack(1)?)
}

#[cfg(not(target_os = "linux"))]
fn wake_in_time() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_datagram_is_sent_at_its_time_or_later() {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let datagrams: Vec<_> = (0..20).map(|number| vec![number]).collect();
        let sent = send(datagrams.clone(), receiver.local_addr().unwrap(), 1_000).await.unwrap();
        for datagram in datagrams {
            let mut received = [0];
            receiver.recv(&mut received).unwrap();
            assert_eq!(received.to_vec(), datagram);
        }
        for (number, at) in (0..).zip(&sent) {
            assert!(
                at.duration_since(sent[0]) + Duration::from_millis(1) >= Duration::from_millis(1) * number,
                "{sent:?}"
            );
        }
    }
}
