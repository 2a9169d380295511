//! The sockets of a pipeline, which outlive the components that use them.

use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use senseops_core::{Gauge, Lease, LeaseError, Meter, UdpLease};
use socket2::{Domain, Protocol, Socket, Type};

use crate::platform;

/// All sockets of a pipeline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    held: HashMap<Key, Held>,
    /// Components that will not be there when the handover has ended; others may have their sockets.
    leaving: HashSet<String>,
}

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
    owner: Owner,
    /// Who has asked for it since the handover began.
    heir: Option<Owner>,
    /// It was opened since the handover began.
    is_new: bool,
}

#[derive(Debug)]
struct Owner {
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
        self.lock().held.clear();
    }

    /// Brings what the kernel knows about the sockets into the meters of their components.
    pub(crate) fn refresh_readings(&self) {
        for held in self.lock().held.values() {
            if let Some(drops) = platform::kernel_drops(&held.socket) {
                held.owner.drops.set(drops);
            }
        }
    }

    /// From now on components take over sockets; those of `leaving` are free for all.
    pub(crate) fn begin_handover(&self, leaving: HashSet<String>) {
        let mut inner = self.lock();
        inner.leaving = leaving;
        for held in inner.held.values_mut() {
            held.heir = None;
            held.is_new = false;
        }
    }

    /// Sockets belong to those who have asked for them, and what neither they nor `staying` components use is closed.
    pub(crate) fn complete_handover(&self, staying: &HashSet<String>) {
        let mut inner = self.lock();
        inner.leaving.clear();
        inner.held.retain(|_, held| match held.heir.take() {
            Some(heir) => {
                held.owner = heir;
                true
            }
            None => staying.contains(&held.owner.component),
        });
    }

    /// Everything is as before the handover.
    pub(crate) fn cancel_handover(&self) {
        let mut inner = self.lock();
        inner.leaving.clear();
        inner.held.retain(|_, held| !held.is_new);
        inner.held.values_mut().for_each(|held| held.heir = None);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease for ComponentLease {
    fn udp(&self, address: SocketAddr, receive_buffer: usize) -> Result<UdpLease, LeaseError> {
        let bind_error = |source| LeaseError::Bind { address, source };
        let Inner { held, leaving } = &mut *self.sockets.lock();
        let key = Key { address, component: (address.port() == 0).then(|| self.component.clone()) };
        let owner = Owner { component: self.component.clone(), drops: self.meter.gauge("kernel_drops", &[]) };
        let lent = match held.entry(key) {
            Entry::Occupied(entry) => {
                let held = entry.into_mut();
                let user = held.heir.as_ref().unwrap_or(&held.owner);
                if user.component != self.component && !leaving.contains(&user.component) {
                    let taken = format!("the component {} listens there already", user.component);
                    return Err(bind_error(io::Error::new(io::ErrorKind::AddrInUse, taken)));
                }
                held.receive_buffer = platform::grow_receive_buffer(&held.socket, receive_buffer);
                held.heir = Some(owner);
                held.lend()
            }
            Entry::Vacant(entry) => {
                let socket = bind(address).map_err(bind_error)?;
                let receive_buffer = platform::grow_receive_buffer(&socket, receive_buffer);
                let heir = Owner { component: owner.component.clone(), drops: owner.drops.clone() };
                entry.insert(Held { socket, receive_buffer, owner, heir: Some(heir), is_new: true }).lend()
            }
        }
        .map_err(bind_error)?;
        self.meter.gauge("receive_buffer_bytes", &[]).set(lent.receive_buffer as u64);
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

    #[test]
    fn a_socket_is_handed_over_from_a_component_that_leaves() {
        let sockets = Sockets::default();
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        drop(lease(&sockets, "udp.users").udp(address, 65_536).unwrap());
        sender.send_to(b"waits in the kernel", address).unwrap();

        sockets.begin_handover(HashSet::from(["udp.users".to_owned()]));
        let taken_over = lease(&sockets, "udp.both").udp(address, 65_536).unwrap();
        sockets.complete_handover(&HashSet::new());
        let mut buffer = [0; 100];
        assert_eq!(taken_over.socket.recv(&mut buffer).unwrap(), 19);
        assert!(lease(&sockets, "udp.users").udp(address, 65_536).is_err());
    }

    #[test]
    fn a_handover_that_is_cancelled_leaves_no_trace() {
        let sockets = Sockets::default();
        let [first, second] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        lease(&sockets, "udp.users").udp(first, 65_536).unwrap();
        sockets.begin_handover(HashSet::from(["udp.users".to_owned()]));
        lease(&sockets, "udp.other").udp(first, 65_536).unwrap();
        lease(&sockets, "udp.other").udp(second, 65_536).unwrap();
        sockets.cancel_handover();
        assert!(lease(&sockets, "udp.users").udp(first, 65_536).is_ok());
        UdpSocket::bind(second).unwrap();
    }
}
