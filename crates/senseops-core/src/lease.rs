//! Sockets that belong to the pipeline and are lent to components.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Lends sockets to one component. The pipeline keeps them open while the component is rebuilt, so what arrives
/// meanwhile waits in the kernel.
#[derive(Clone)]
pub struct Leases(Option<Arc<dyn Lease>>);

/// Opens sockets, or lends those that are open already. Implemented by the engine.
pub trait Lease: Send + Sync {
    /// A non-blocking UDP socket bound to `address`, with a receive buffer as close to `receive_buffer` bytes as the
    /// system grants. To be asked for when the component is built: a new configuration closes sockets that the
    /// components built for it have not asked for.
    ///
    /// # Errors
    /// When the address cannot be bound.
    fn udp(&self, address: SocketAddr, receive_buffer: usize) -> Result<UdpLease, LeaseError>;

    /// A non-blocking TCP listener bound to `address`; to be asked for as [`udp`](Self::udp) is. What connects while the
    /// component is rebuilt waits in the kernel.
    ///
    /// # Errors
    /// When the address cannot be bound.
    fn tcp(&self, address: SocketAddr) -> Result<TcpListener, LeaseError>;
}

/// A UDP socket that was lent. How many datagrams the system drops because its buffer is full is counted by the lender.
#[derive(Debug)]
pub struct UdpLease {
    /// Bound and non-blocking.
    pub socket: UdpSocket,
    /// The bytes of receive buffer that the system granted.
    pub receive_buffer: usize,
}

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Datagrams.
    Udp,
    /// Connections.
    Tcp,
}

/// A socket cannot be lent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// The system refused to open or bind it.
    #[error("bind {protocol} {address}")]
    Bind {
        /// What it was to speak.
        protocol: Protocol,
        /// What should have been bound.
        address: SocketAddr,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
    /// The component runs outside a pipeline.
    #[error("no pipeline to lend a socket")]
    Detached,
}

impl Leases {
    /// Lends through `lease`.
    pub fn new(lease: impl Lease + 'static) -> Self {
        Self(Some(Arc::new(lease)))
    }

    /// Lends nothing.
    pub fn none() -> Self {
        Self(None)
    }

    /// See [`Lease::udp`].
    ///
    /// # Errors
    /// When the address cannot be bound, or the component runs outside a pipeline.
    pub fn udp(&self, address: SocketAddr, receive_buffer: usize) -> Result<UdpLease, LeaseError> {
        self.0.as_ref().ok_or(LeaseError::Detached)?.udp(address, receive_buffer)
    }

    /// See [`Lease::tcp`].
    ///
    /// # Errors
    /// When the address cannot be bound, or the component runs outside a pipeline.
    pub fn tcp(&self, address: SocketAddr) -> Result<TcpListener, LeaseError> {
        self.0.as_ref().ok_or(LeaseError::Detached)?.tcp(address)
    }
}

impl Protocol {
    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leases")
    }
}
