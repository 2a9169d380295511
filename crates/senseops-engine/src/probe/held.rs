//! What another process may have while a plan is tried.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::iter::successors;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use senseops_core::host::{Lease, Protocol};
use senseops_core::{BuildError, LeaseError, UdpLease};

use super::ProbeOutcome;

/// What another process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A directory. The id of the process, if it says so.
    Directory(Option<u32>),
    /// A socket.
    Socket(Protocol, SocketAddr),
}

/// Lends any free port of this machine, whatever is asked for, and no address to two components.
pub(super) struct AnyPort {
    pub(super) component: String,
    pub(super) asked: Asked,
}

/// Which component has asked for which address.
pub(super) type Asked = Arc<Mutex<HashMap<(Protocol, SocketAddr), String>>>;

const ANY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// What it means that a component could not be built.
pub(super) fn outcome(error: BuildError) -> ProbeOutcome {
    match socket_of_another_process(&error) {
        Some(held) => ProbeOutcome::Held(held, error),
        None => ProbeOutcome::Closed(error),
    }
}

fn socket_of_another_process(error: &BuildError) -> Option<Held> {
    let first: &(dyn Error + 'static) = error.source.as_deref()?;
    successors(Some(first), |error| (*error).source()).find_map(|cause| {
        let Some(LeaseError::Bind { protocol, address, source }) = cause.downcast_ref() else { return None };
        // About another component of the same plan we say so ourselves, and not the system.
        let is_said_by_the_system = source.raw_os_error().is_some();
        let is_taken = source.kind() == io::ErrorKind::AddrInUse && is_said_by_the_system;
        is_taken.then_some(Held::Socket(*protocol, *address))
    })
}

impl AnyPort {
    fn lend<T>(
        &self,
        protocol: Protocol,
        address: SocketAddr,
        bind: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, LeaseError> {
        let failed = |source| LeaseError::Bind { protocol, address, source };
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let user = asked.entry((protocol, address)).or_insert_with(|| self.component.clone());
        if *user != self.component && address.port() != 0 {
            let taken = format!("{user} listens there already");
            return Err(failed(io::Error::new(io::ErrorKind::AddrInUse, taken)));
        }
        bind().map_err(failed)
    }
}

impl Lease for AnyPort {
    fn udp(&self, address: SocketAddr, receive_buffer: usize) -> Result<UdpLease, LeaseError> {
        self.lend(Protocol::Udp, address, || {
            let socket = UdpSocket::bind(ANY)?;
            socket.set_nonblocking(true)?;
            Ok(UdpLease { socket, receive_buffer })
        })
    }

    fn tcp(&self, address: SocketAddr) -> Result<TcpListener, LeaseError> {
        self.lend(Protocol::Tcp, address, || {
            let listener = TcpListener::bind(ANY)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        })
    }
}
