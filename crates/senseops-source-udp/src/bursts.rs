//! Taking datagrams from a socket: many with each system call where the system can do that, which is Linux.

use std::io;
use std::net::{IpAddr, UdpSocket};

use system::{BURST, SLOT};

/// No datagram is longer.
const MAX_DATAGRAM: usize = 65_535;

/// Room for what a system call takes. Memory is used only for the pages that datagrams reach.
pub(crate) struct Bursts(Vec<u8>);

/// What a system call took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Burst {
    /// So many datagrams.
    pub(crate) taken: usize,
    /// There may be more.
    pub(crate) is_full: bool,
}

impl Bursts {
    pub(crate) fn new() -> Self {
        Self(vec![0; BURST * SLOT])
    }

    /// Takes what is there and shows it with its sender, at most so many datagrams, at least one. The socket must not
    /// block.
    pub(crate) fn receive(
        &mut self,
        socket: &UdpSocket,
        most: usize,
        show: impl FnMut(&[u8], IpAddr),
    ) -> io::Result<Burst> {
        let most = most.clamp(1, BURST);
        match system::receive(&mut self.0, socket, most, show) {
            Ok(taken) => Ok(Burst { taken, is_full: taken == most }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Burst { taken: 0, is_full: false }),
            // Windows reports here that an earlier sender is gone; Unix, that a signal came.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted) =>
            {
                Ok(Burst { taken: 0, is_full: true })
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io::{self, IoSliceMut};
    use std::net::{IpAddr, UdpSocket};
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};

    /// With more the bytes of the first leave the cache before they are read.
    pub(super) const BURST: usize = 32;
    /// A little more than a datagram, so that not all of them begin at the same few sets of the cache.
    pub(super) const SLOT: usize = super::MAX_DATAGRAM + 577;

    pub(super) fn receive(
        buffer: &mut [u8],
        socket: &UdpSocket,
        most: usize,
        mut show: impl FnMut(&[u8], IpAddr),
    ) -> io::Result<usize> {
        let mut slots: Vec<_> =
            buffer.chunks_mut(SLOT).take(most).map(|slot| [IoSliceMut::new(slot)]).collect();
        let mut headers = MultiHeaders::preallocate(slots.len(), None);
        let datagrams = recvmmsg(socket.as_raw_fd(), &mut headers, &mut slots, MsgFlags::empty(), None)?;
        let shown = datagrams.map(|datagram| {
            // Every datagram of these families has a sender.
            if let Some(sender) = datagram.address.as_ref().and_then(ip) {
                show(datagram.iovs().next().unwrap_or_default(), sender);
            }
        });
        Ok(shown.count())
    }

    fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
        let v4 = address.as_sockaddr_in().map(|address| address.ip().into());
        v4.or_else(|| Some(address.as_sockaddr_in6()?.ip().into()))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::net::{IpAddr, UdpSocket};

    pub(super) const BURST: usize = 1;
    pub(super) const SLOT: usize = super::MAX_DATAGRAM;

    pub(super) fn receive(
        buffer: &mut [u8],
        socket: &UdpSocket,
        _most: usize,
        mut show: impl FnMut(&[u8], IpAddr),
    ) -> io::Result<usize> {
        let (length, sender) = socket.recv_from(buffer)?;
        show(buffer.get(..length).unwrap_or_default(), sender.ip());
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes all that is there, as text and sender, and says in how many bursts.
    fn all(bursts: &mut Bursts, socket: &UdpSocket) -> (Vec<(String, IpAddr)>, usize) {
        let (mut all, mut calls) = (Vec::new(), 0);
        loop {
            let show = |datagram: &[u8], sender| all.push((String::from_utf8_lossy(datagram).into(), sender));
            calls += 1;
            if !bursts.receive(socket, usize::MAX, show).unwrap().is_full {
                return (all, calls);
            }
        }
    }

    #[test]
    fn each_datagram_comes_whole_and_with_its_sender() {
        for (listen, sender) in
            [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0"), ("[::]:0", "127.0.0.1:0")]
        {
            let socket = UdpSocket::bind(listen).unwrap();
            socket.set_nonblocking(true).unwrap();
            let sender = UdpSocket::bind(sender).unwrap();
            sender.connect((sender.local_addr().unwrap().ip(), socket.local_addr().unwrap().port())).unwrap();
            let mut bursts = Bursts::new();
            assert_eq!(all(&mut bursts, &socket), (Vec::new(), 1), "{listen}");

            let texts: Vec<_> =
                (0..70).map(|number| "x".repeat(number * 13)).chain(["y".repeat(60_000)]).collect();
            for text in &texts {
                sender.send(text.as_bytes()).unwrap();
            }
            let (received, calls) = all(&mut bursts, &socket);
            assert!(received.iter().map(|(text, _)| text).eq(&texts), "{listen}");
            let sender = sender.local_addr().unwrap().ip();
            assert!(received.iter().all(|(_, ip)| ip.to_canonical() == sender), "{listen}");
            assert!(calls < 5 || BURST == 1, "{calls} calls");
        }
    }

    #[test]
    fn no_more_is_taken_than_was_asked_for() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        for _ in 0..3 {
            socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        }
        let mut bursts = Bursts::new();
        let taken = [1, 1, 1, 1].map(|most| bursts.receive(&socket, most, |_, _| {}).unwrap());
        assert_eq!(taken.map(|burst| burst.taken), [1, 1, 1, 0]);
        assert_eq!(taken.map(|burst| burst.is_full), [true, true, true, false]);
    }
}
