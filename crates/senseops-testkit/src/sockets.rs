//! Leased sockets that outlive the component, as the engine keeps them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

use senseops_core::host::{Lease, Protocol};
use senseops_core::{LeaseError, UdpLease};

/// Binds each address once and lends the same socket again, so that a source which is rebuilt finds what arrived
/// meanwhile. It claims to grant any receive buffer, and leaves the size to the system. A port of zero is one address
/// like any other: whoever asks for it again gets the same socket.
#[derive(Debug, Default)]
pub struct Sockets {
    udp: Mutex<BTreeMap<SocketAddr, UdpSocket>>,
    tcp: Mutex<BTreeMap<SocketAddr, TcpListener>>,
}

impl Lease for Sockets {
    fn udp(&self, address: SocketAddr, receive_buffer: usize) -> Result<UdpLease, LeaseError> {
        let bind = |source| LeaseError::Bind { protocol: Protocol::Udp, address, source };
        let open = || {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let socket = lent(&self.udp, address, open, UdpSocket::try_clone).map_err(bind)?;
        Ok(UdpLease { socket, receive_buffer })
    }

    fn tcp(&self, address: SocketAddr) -> Result<TcpListener, LeaseError> {
        let bind = |source| LeaseError::Bind { protocol: Protocol::Tcp, address, source };
        let open = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        lent(&self.tcp, address, open, TcpListener::try_clone).map_err(bind)
    }
}

fn lent<S>(
    sockets: &Mutex<BTreeMap<SocketAddr, S>>,
    address: SocketAddr,
    open: impl FnOnce() -> io::Result<S>,
    lend: impl FnOnce(&S) -> io::Result<S>,
) -> io::Result<S> {
    let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
    match sockets.entry(address) {
        Entry::Occupied(socket) => lend(socket.get()),
        Entry::Vacant(none) => lend(none.insert(open()?)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_socket_that_was_given_back_is_lent_again_with_what_arrived_meanwhile() {
        let sockets = Sockets::default();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let first = sockets.udp(any, 0).unwrap().socket;
        let address = first.local_addr().unwrap();
        drop(first);
        UdpSocket::bind(any).unwrap().send_to(b"meanwhile", address).unwrap();
        let mut received = [0; 16];
        let length = sockets.udp(any, 0).unwrap().socket.recv(&mut received).unwrap();
        assert_eq!(&received[..length], b"meanwhile");
    }

    #[test]
    fn who_connected_while_nobody_had_the_listener_is_accepted_later() {
        let sockets = Sockets::default();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let address = sockets.tcp(any).unwrap().local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        let (_, peer) = sockets.tcp(any).unwrap().accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    }

    #[test]
    fn an_address_in_use_is_named() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let _keeper = UdpSocket::bind(taken).unwrap();
        let error = Sockets::default().udp(taken, 0).unwrap_err();
        assert_eq!(error.to_string(), format!("bind udp {taken}"));
    }
}
