//! Leased sockets that outlive the component, as the engine keeps them.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError};

use senseops_core::{Lease, LeaseError, UdpLease};

/// Binds each address once and lends the same socket again, so that a source which is built anew finds what arrived
/// meanwhile. It claims to grant any receive buffer, and leaves the size to the system.
#[derive(Debug, Default)]
pub struct Sockets(Mutex<BTreeMap<SocketAddr, UdpSocket>>);

impl Lease for Sockets {
    /// A port of zero is one address like any other: whoever asks for it again gets the same socket.
    fn udp(&self, address: SocketAddr, receive_buffer: usize) -> Result<UdpLease, LeaseError> {
        let bind = |source| LeaseError::Bind { address, source };
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(socket) = open.get(&address) {
            return Ok(UdpLease { socket: socket.try_clone().map_err(bind)?, receive_buffer });
        }
        let socket = UdpSocket::bind(address).map_err(bind)?;
        socket.set_nonblocking(true).map_err(bind)?;
        let lent = socket.try_clone().map_err(bind)?;
        open.insert(address, socket);
        Ok(UdpLease { socket: lent, receive_buffer })
    }
}

#[cfg(test)]
mod tests {
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
    fn an_address_in_use_is_named() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let _keeper = UdpSocket::bind(taken).unwrap();
        let error = Sockets::default().udp(taken, 0).unwrap_err();
        assert_eq!(error.to_string(), format!("bind udp {taken}"));
    }
}
