//! Loopback addresses for programs that have to be told where to listen.
//!
//! Whatever can be told to listen on port 0 should be, and asked where it does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A TCP address on loopback that nobody else is given while this lives, for a server that is told where to listen, and
/// for one that is not there.
///
/// The port is bound, but nobody listens: connections are refused until somebody does who binds it with
/// `SO_REUSEADDR`, as servers do on Unix, and again when that one has ended. Elsewhere the address was only free a
/// moment ago.
#[derive(Debug)]
pub struct Reserved {
    address: SocketAddr,
    /// Kept on Unix alone, since elsewhere it would keep the server away too.
    _socket: Option<TcpSocket>,
}

impl Reserved {
    /// Reserves a free port.
    ///
    /// # Errors
    /// When there is none.
    pub fn tcp() -> io::Result<Self> {
        let socket = bound((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { address: socket.local_addr()?, _socket: cfg!(unix).then_some(socket) })
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A socket that is bound but does not listen: connections to it are refused.
pub(crate) fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections of the time before, which the system still remembers, must not keep us from the port, and we must
    // not keep the server from it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_server_may_listen_where_it_was_reserved_again_and_again_and_nobody_else_gets_the_port() {
        let reserved = Reserved::tcp().unwrap();
        for _ in 0..3 {
            assert_eq!(
                TcpStream::connect(reserved.address()).unwrap_err().kind(),
                io::ErrorKind::ConnectionRefused
            );
            let server = TcpListener::bind(reserved.address()).unwrap();
            let client = TcpStream::connect(reserved.address()).unwrap();
            drop((server.accept().unwrap(), client));
        }
        let others: Vec<_> = (0..100).map(|_| Reserved::tcp().unwrap()).collect();
        assert!(others.iter().all(|other| other.address() != reserved.address()));
    }
}
