//! A way to a server that can be shut, whatever is spoken on it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Passes on connections to a server while it is open. While it is shut there are none, and new ones end at once.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    is_open: watch::Sender<bool>,
    passed: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Gate {
    /// A way to `server` on a free loopback port, shut at first.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (is_open, opened) = watch::channel(false);
        let passed = Arc::new(AtomicU64::new(0));
        let serve = serve(listener, server, opened, Arc::clone(&passed));
        #[expect(clippy::disallowed_methods, reason = "ends with the gate")]
        let task = tokio::spawn(serve);
        Ok(Self { address, is_open, passed, task })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets connections through.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// Ends all connections, and new ones at once.
    pub fn shut(&self) {
        self.is_open.send_replace(false);
    }

    /// How many connections were let through.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Takes the connections with it, since the task owns them.
        self.task.abort();
    }
}

async fn serve(
    listener: TcpListener,
    server: SocketAddr,
    is_open: watch::Receiver<bool>,
    passed: Arc<AtomicU64>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept() => {
                if let Ok((client, _peer)) = accepted && *is_open.borrow() {
                    passed.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(pass(client, server, is_open.clone()));
                }
            }
        }
    }
}

/// Passes bytes both ways until either side ends the connection or the way is shut.
async fn pass(mut client: TcpStream, server: SocketAddr, mut is_open: watch::Receiver<bool>) {
    let both_ways = async {
        let mut server = TcpStream::connect(server).await?;
        copy_bidirectional(&mut client, &mut server).await
    };
    tokio::select! {
        // Either side sees the end of the other.
        _ended = both_ways => {}
        _shut = is_open.wait_for(|is_open| !is_open) => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn bytes_pass_only_while_it_is_open() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let gate = Gate::to(server.local_addr().unwrap()).await.unwrap();
        let mut shut_out = TcpStream::connect(gate.address()).await.unwrap();
        assert_eq!(shut_out.read(&mut [0]).await.unwrap_or(0), 0);

        gate.open();
        let mut client = TcpStream::connect(gate.address()).await.unwrap();
        let (mut served, _) = server.accept().await.unwrap();
        client.write_all(b"in").await.unwrap();
        served.write_all(b"out").await.unwrap();
        let (mut asked, mut answered) = ([0; 2], [0; 3]);
        served.read_exact(&mut asked).await.unwrap();
        client.read_exact(&mut answered).await.unwrap();
        assert_eq!((&asked, &answered), (b"in", b"out"));

        gate.shut();
        assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
        assert_eq!(served.read(&mut [0]).await.unwrap_or(0), 0);
        assert_eq!(gate.passed(), 1);
    }
}
