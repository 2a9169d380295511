//! The sockets of a pipeline, which outlive the components that use them.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use senseops_core::{Gauge, Lease, LeaseError, Meter, UdpLease};
use socket2::{Domain, Protocol, Socket, Type};

use crate::platform;

/// All sockets of a pipeline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets(Arc<Mutex<HashMap<Key, Held>>>);

/// Who uses which address. An address with port 0 is a different one for each component.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    address: SocketAddr,
    component: Option<String>,
}

#[derive(Debug)]
struct Held {
    socket: UdpSocket,
    receive_buffer: usize,
    component: String,
    drops: Gauge,
}

/// Lends sockets to one component.
pub(crate) struct ComponentLease {
    pub(crate) sockets: Sockets,
    pub(crate) component: String,
    pub(crate) meter: Meter,
}

impl Sockets {
    /// Gives the addresses back to the system.
    pub(crate) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Brings what the kernel knows about the sockets into the meters of their components.
    pub(crate) fn refresh_readings(&self) {
        for held in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            if let Some(drops) = platform::kernel_drops(&held.socket) {
                held.drops.set(drops);
            }
        }
    }
}

impl Lease for ComponentLease {
    fn udp(&self, address: SocketAddr, receive_buffer: usize) -> Result<UdpLease, LeaseError> {
        let bind_error = |source| LeaseError::Bind { address, source };
        let mut sockets = self.sockets.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Key { address, component: (address.port() == 0).then(|| self.component.clone()) };
        if let Some(held) = sockets.get(&key) {
            return if held.component == self.component {
                held.lend().map_err(bind_error)
            } else {
                let taken = format!("the component {} listens there already", held.component);
                Err(bind_error(io::Error::new(io::ErrorKind::AddrInUse, taken)))
            };
        }
        let socket = bind(address).map_err(bind_error)?;
        let receive_buffer = platform::grow_receive_buffer(&socket, receive_buffer);
        self.meter.gauge("receive_buffer_bytes", &[]).set(receive_buffer as u64);
        let held = Held {
            socket,
            receive_buffer,
            component: self.component.clone(),
            drops: self.meter.gauge("kernel_drops", &[]),
        };
        let lent = held.lend().map_err(bind_error)?;
        sockets.insert(key, held);
        Ok(lent)
    }
}

impl Held {
    fn lend(&self) -> io::Result<UdpLease> {
        Ok(UdpLease { socket: self.socket.try_clone()?, receive_buffer: self.receive_buffer })
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // `[::]` shall mean everybody, as `0.0.0.0` does; it is the default on Linux but not on Windows.
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(sockets: &Sockets, component: &str) -> ComponentLease {
        ComponentLease { sockets: sockets.clone(), component: component.into(), meter: Meter::default() }
    }

    #[test]
    fn a_component_gets_its_socket_back_and_others_are_told_who_has_it() {
        let sockets = Sockets::default();
        let free = lease(&sockets, "udp.probe").udp("127.0.0.1:0".parse().unwrap(), 65_536).unwrap();
        let again = lease(&sockets, "udp.probe").udp("127.0.0.1:0".parse().unwrap(), 65_536).unwrap();
        assert_eq!(free.socket.local_addr().unwrap(), again.socket.local_addr().unwrap());

        let fixed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        lease(&sockets, "udp.users").udp(fixed, 65_536).unwrap();
        let error = lease(&sockets, "udp.logs").udp(fixed, 65_536).unwrap_err();
        let cause = senseops_core::chain(&error).to_string();
        assert_eq!(cause, format!("bind udp {fixed}: the component udp.users listens there already"));
    }
}
