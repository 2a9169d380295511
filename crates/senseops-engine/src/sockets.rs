//! The sockets of a pipeline, which outlive the components that use them.

use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use senseops_core::host::{Lease, Protocol};
use senseops_core::{Counter, LeaseError, Meter, UdpLease};
use socket2::{Domain, Socket, Type};
use tracing::info;

use crate::platform;
use crate::view::ListenerView;

/// How many connections wait in the kernel to be accepted.
const BACKLOG: i32 = 1024;

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
    protocol: Protocol,
    address: SocketAddr,
    path: Option<String>,
}

#[derive(Debug)]
struct Held {
    socket: Open,
    /// What it is bound to; with port 0 the system has chosen one.
    bound: SocketAddr,
    owner: Owner,
    /// Who has asked for it since the handover began.
    heir: Option<Owner>,
    /// It was opened since the handover began.
    is_new: bool,
    /// Drops of the kernel that an owner has counted.
    counted_drops: u64,
}

#[derive(Debug)]
enum Open {
    Udp(UdpSocket),
    Tcp(TcpListener),
}

#[derive(Clone, Debug)]
struct Owner {
    path: String,
    /// Of datagrams that the kernel has dropped.
    drops: Option<Counter>,
}

/// Lends sockets to one component.
pub(crate) struct ComponentLease {
    pub(crate) sockets: Sockets,
    /// Which component, as a path in the configuration.
    pub(crate) path: String,
    pub(crate) meter: Meter,
}

impl Sockets {
    /// Gives the addresses back to the system.
    pub(crate) fn close(&self) {
        self.lock().held.clear();
    }

    /// Who listens where, by component.
    pub(crate) fn view(&self) -> Vec<ListenerView> {
        let view = |(key, held): (&Key, &Held)| ListenerView {
            component: held.owner.name().to_owned(),
            protocol: key.protocol,
            address: held.bound,
        };
        let mut listeners: Vec<_> = self.lock().held.iter().map(view).collect();
        listeners.sort_by(|one, other| (&one.component, one.address).cmp(&(&other.component, other.address)));
        listeners
    }

    /// Brings what the kernel knows about the sockets into the meters of their components.
    pub(crate) fn refresh_readings(&self) {
        for held in self.lock().held.values_mut() {
            if let (Open::Udp(socket), Some(counter)) = (&held.socket, &held.owner.drops)
                && let Some(drops) = platform::kernel_drops(socket)
            {
                counter.add(drops.saturating_sub(held.counted_drops));
                held.counted_drops = drops;
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
            None => staying.contains(&held.owner.path),
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

impl ComponentLease {
    /// Lends the socket at this address with `lend`, which may adapt it before. It is opened if it is not yet.
    fn lend<T>(
        &self,
        protocol: Protocol,
        address: SocketAddr,
        drops: Option<Counter>,
        lend: impl FnOnce(&Open) -> io::Result<T>,
    ) -> Result<T, LeaseError> {
        let failed = |source| LeaseError::Bind { protocol, address, source };
        let Inner { held, leaving } = &mut *self.sockets.lock();
        let key = Key { protocol, address, path: (address.port() == 0).then(|| self.path.clone()) };
        let owner = Owner { path: self.path.clone(), drops };
        match held.entry(key) {
            Entry::Occupied(entry) => {
                let held = entry.into_mut();
                let user = held.heir.as_ref().unwrap_or(&held.owner);
                if user.path != self.path && !leaving.contains(&user.path) {
                    let taken = format!("{} listens there already", user.path);
                    return Err(failed(io::Error::new(io::ErrorKind::AddrInUse, taken)));
                }
                held.heir = Some(owner);
                lend(&held.socket).map_err(failed)
            }
            Entry::Vacant(entry) => {
                let socket = Open::bind(protocol, address).map_err(failed)?;
                let bound = socket.local_addr().map_err(failed)?;
                info!(component = self.path, %protocol, address = %bound, "listening");
                let heir = Some(owner.clone());
                let held = entry.insert(Held { socket, bound, owner, heir, is_new: true, counted_drops: 0 });
                lend(&held.socket).map_err(failed)
            }
        }
    }
}

impl Owner {
    /// The path without the role.
    fn name(&self) -> &str {
        self.path.split_once('.').map_or(&*self.path, |(_role, name)| name)
    }
}

impl Lease for ComponentLease {
    fn udp(&self, address: SocketAddr, receive_buffer: usize) -> Result<UdpLease, LeaseError> {
        let help = "Datagrams that the kernel dropped because the receive buffer was full (Linux).";
        let drops = self.meter.counter("kernel_drops", help, &[]);
        let lease = self.lend(Protocol::Udp, address, Some(drops), |open| match open {
            Open::Udp(socket) => {
                let receive_buffer = platform::grow_receive_buffer(socket, receive_buffer);
                Ok(UdpLease { socket: socket.try_clone()?, receive_buffer })
            }
            Open::Tcp(_) => Err(io::ErrorKind::AddrInUse.into()),
        })?;
        let help = "The receive buffer that the kernel has granted, in bytes.";
        self.meter.gauge("receive_buffer_bytes", help, &[]).set(lease.receive_buffer as u64);
        Ok(lease)
    }

    fn tcp(&self, address: SocketAddr) -> Result<TcpListener, LeaseError> {
        self.lend(Protocol::Tcp, address, None, |open| match open {
            Open::Tcp(listener) => listener.try_clone(),
            Open::Udp(_) => Err(io::ErrorKind::AddrInUse.into()),
        })
    }
}

impl Open {
    fn bind(protocol: Protocol, address: SocketAddr) -> io::Result<Self> {
        let of_type = match protocol {
            Protocol::Udp => Type::DGRAM,
            Protocol::Tcp => Type::STREAM,
        };
        let socket = Socket::new(Domain::for_address(address), of_type, None)?;
        if address.is_ipv6() {
            // `[::]` shall mean everybody, as `0.0.0.0` does; it is the default on Linux but not on Windows.
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        match protocol {
            Protocol::Udp => {
                socket.bind(&address.into())?;
                Ok(Self::Udp(socket.into()))
            }
            Protocol::Tcp => {
                // After a restart, connections of before may still be ending. On Windows it would share the port.
                #[cfg(unix)]
                socket.set_reuse_address(true)?;
                socket.bind(&address.into())?;
                socket.listen(BACKLOG)?;
                Ok(Self::Tcp(socket.into()))
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp(listener) => listener.local_addr(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(sockets: &Sockets, path: &str) -> ComponentLease {
        ComponentLease { sockets: sockets.clone(), path: path.into(), meter: Meter::default() }
    }

    /// An address that was free a moment ago.
    fn free_address() -> SocketAddr {
        UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[test]
    fn connections_wait_for_the_component_that_takes_over() {
        let sockets = Sockets::default();
        let any = "127.0.0.1:0".parse().unwrap();
        drop(lease(&sockets, "sources.telemetry.in").tcp(any).unwrap());
        let [listener] = &sockets.view()[..] else { panic!("one listener") };
        assert_eq!((listener.component.as_str(), listener.protocol), ("telemetry.in", Protocol::Tcp));
        let client = std::net::TcpStream::connect(listener.address).unwrap();

        sockets.begin_handover(HashSet::new());
        let again = lease(&sockets, "sources.telemetry.in").tcp(any).unwrap();
        sockets.complete_handover(&HashSet::new());
        let accepted = loop {
            match again.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                accepted => break accepted.unwrap(),
            }
        };
        assert_eq!(accepted.1, client.local_addr().unwrap());
    }

    #[test]
    fn a_component_gets_its_socket_back_and_others_are_told_who_has_it() {
        let sockets = Sockets::default();
        let free = lease(&sockets, "sources.udp.probe").udp("127.0.0.1:0".parse().unwrap(), 65_536).unwrap();
        let again = lease(&sockets, "sources.udp.probe").udp("127.0.0.1:0".parse().unwrap(), 65_536).unwrap();
        assert_eq!(free.socket.local_addr().unwrap(), again.socket.local_addr().unwrap());

        let fixed = free_address();
        lease(&sockets, "sources.udp.users").udp(fixed, 65_536).unwrap();
        let error = lease(&sockets, "sources.udp.logs").udp(fixed, 65_536).unwrap_err();
        let cause = senseops_core::chain(&error).to_string();
        assert_eq!(cause, format!("bind udp {fixed}: sources.udp.users listens there already"));
    }

    #[test]
    fn a_socket_is_handed_over_from_a_component_that_leaves() {
        let sockets = Sockets::default();
        let address = free_address();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        drop(lease(&sockets, "sources.udp.users").udp(address, 65_536).unwrap());
        sender.send_to(b"waits in the kernel", address).unwrap();

        sockets.begin_handover(HashSet::from(["sources.udp.users".to_owned()]));
        let taken_over = lease(&sockets, "sources.udp.both").udp(address, 65_536).unwrap();
        sockets.complete_handover(&HashSet::new());
        let mut buffer = [0; 100];
        assert_eq!(taken_over.socket.recv(&mut buffer).unwrap(), 19);
        assert!(lease(&sockets, "sources.udp.users").udp(address, 65_536).is_err());
    }

    #[test]
    fn a_handover_that_is_cancelled_leaves_no_trace() {
        let sockets = Sockets::default();
        let [first, second] = [(); 2].map(|()| free_address());
        lease(&sockets, "sources.udp.users").udp(first, 65_536).unwrap();
        sockets.begin_handover(HashSet::from(["sources.udp.users".to_owned()]));
        lease(&sockets, "sources.udp.other").udp(first, 65_536).unwrap();
        lease(&sockets, "sources.udp.other").udp(second, 65_536).unwrap();
        sockets.cancel_handover();
        assert!(lease(&sockets, "sources.udp.users").udp(first, 65_536).is_ok());
        UdpSocket::bind(second).unwrap();
    }
}
