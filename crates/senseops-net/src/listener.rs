//! The one HTTP listener.

mod connection;
mod request;
mod write_deadline;

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use hyper::{Request, Response};
use senseops_core::settings::Size;
use senseops_core::{BoxError, BuildError, Files, Shutdown, chain};
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tower_service::Service;
use tracing::{info, warn};

use self::request::Bounded;
pub use self::request::{RequestBody, SlowBody};
use crate::ServerTls;
use crate::tls::Terminator;

/// The pause after the system could not give a connection, which is mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often the certificate files are read again.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(10);

/// Takes HTTP/1.1 requests at one address, with or without TLS, and hands them to a [`Service`] such as a router of axum.
///
/// Nobody at the other end can hold more of us than [`Limits`] say. Who is let in, and what a refusal looks like, is up to
/// the service: all that is answered without it is what cannot be read as a request, with an empty 400 or 431.
///
/// Rotated certificate files are noticed by themselves; connections that exist go on with what they have.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Terminator>,
    limits: Limits,
    /// How often the certificate files are read again.
    renewal: Duration,
}

/// What a client may take of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections there are at once; 256. Those beyond wait in the queue of the system.
    pub connections: usize,
    /// The size of a request without its body; 16 KiB. More is answered with 431.
    pub header_size: Size,
    /// The size of a request body; 1 MiB. For more, the service gets an error when it reads the [`RequestBody`].
    pub body_size: Size,
    /// How long a TLS handshake may take, or the head of a request, or the pause between two requests; 30 s.
    pub head_time: Duration,
    /// How long a request body may take to arrive; 30 s. After that, the service gets an error when it reads the
    /// [`RequestBody`].
    pub body_time: Duration,
    /// How long a client may not take what is sent to it; 30 s.
    pub write_time: Duration,
    /// How long requests may go on after the stop was requested; 5 s.
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            header_size: Size::from_bytes(16 * 1024),
            body_size: Size::from_mib(1),
            head_time: Duration::from_secs(30),
            body_time: Duration::from_secs(30),
            write_time: Duration::from_secs(30),
            stop_time: Duration::from_secs(5),
        }
    }
}

impl Listener {
    /// Opens the address and reads the files of `tls`, which are noted in `files`. `key` is the table of the configuration
    /// that holds `listen` and `tls`, for errors; empty if it is the component's own.
    ///
    /// # Errors
    /// When the address cannot be opened, or a certificate or key cannot be used.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<&ServerTls>,
        key: &str,
        files: &Files,
    ) -> Result<Self, BuildError> {
        let (socket, address) = open(address, key).await?;
        Self::new(socket, address, tls, key, files).await
    }

    /// The same on a socket that listens already, such as a [lease](senseops_core::Leases::tcp), which stays when the
    /// component is rebuilt.
    ///
    /// # Errors
    /// When the socket or a certificate or key cannot be used.
    pub async fn on(
        socket: std::net::TcpListener,
        tls: Option<&ServerTls>,
        key: &str,
        files: &Files,
    ) -> Result<Self, BuildError> {
        let opened = socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket));
        let opened = opened.and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (address, socket) =
            opened.map_err(|cause| BuildError::at(below(key, "listen"), "use the socket").because(cause))?;
        Self::new(socket, address, tls, key, files).await
    }

    async fn new(
        socket: TcpListener,
        address: SocketAddr,
        tls: Option<&ServerTls>,
        key: &str,
        files: &Files,
    ) -> Result<Self, BuildError> {
        let tls = match tls {
            Some(tls) => Some(Terminator::new(tls, below(key, "tls"), files).await?),
            None => None,
        };
        Ok(Self { socket, address, tls, limits: Limits::default(), renewal: RENEWAL_INTERVAL })
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Leaves its address for this one. All else stays as it is: no file is read again. `key` is as above.
    ///
    /// # Errors
    /// When the address cannot be opened. It listens where it did, then.
    pub async fn move_to(&mut self, address: SocketAddr, key: &str) -> Result<(), BuildError> {
        (self.socket, self.address) = open(address, key).await?;
        Ok(())
    }

    /// Where it listens; with the port that the system chose, if that was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes requests until the stop is requested, then lets those that have begun end, within [`Limits::stop_time`].
    pub async fn serve<S, B>(self, service: S, shutdown: Shutdown)
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Self { socket, tls, limits, renewal, .. } = self;
        let acceptor = tls.as_ref().map(Terminator::acceptor);
        // Beside the loop, never in it: whoever reads files may wait for them.
        let mut following = pin!(follow_files(tls, renewal));
        let mut connections = JoinSet::new();
        let mut failures: u64 = 0;
        loop {
            tokio::select! {
                () = shutdown.requested() => break,
                Some(ended) = connections.join_next() => report(ended),
                never = &mut following => match never {},
                accepted = socket.accept(), if connections.len() < limits.connections => match accepted {
                    Ok((stream, peer)) => {
                        if failures > 0 {
                            info!(failures, "connections can be accepted again");
                            failures = 0;
                        }
                        let acceptor = acceptor.as_ref().map(|now| now.borrow().clone());
                        let service = Bounded::new(service.clone(), limits);
                        let shutdown = shutdown.clone();
                        connections.spawn(connection::serve(stream, peer, acceptor, service, shutdown));
                    }
                    Err(cause) => {
                        if failures == 0 {
                            warn!(error = %chain(&cause), "connections cannot be accepted");
                        }
                        failures += 1;
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(socket);
        let ending = async {
            while let Some(ended) = connections.join_next().await {
                report(ended);
            }
        };
        // Dropping the set at the end cuts what is left.
        if timeout(limits.stop_time, ending).await.is_err() {
            warn!(connections = connections.len(), "connections were cut, since they did not end in time");
        }
    }
}

/// Opens the address that the setting `listen` below `key` asks for.
async fn open(address: SocketAddr, key: &str) -> Result<(TcpListener, SocketAddr), BuildError> {
    let opened = async {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        io::Result::Ok((socket, address))
    };
    opened
        .await
        .map_err(|cause| BuildError::at(below(key, "listen"), format!("listen on {address}")).because(cause))
}

fn below(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

/// Keeps the certificate up to date, if there is one. Never returns.
async fn follow_files(tls: Option<Terminator>, interval: Duration) -> Infallible {
    match tls {
        Some(tls) => tls.follow_files(interval).await,
        None => pending().await,
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(cause) = ended {
        warn!(error = %chain(&cause), "a request panicked");
    }
}

#[cfg(all(test, unix))]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use senseops_core::host::ShutdownTrigger;
    use senseops_sim::{Certificate, Pki};

    use super::*;
    use crate::{HeaderMap, HttpClient, ServerTls, TlsSettings, fifo};

    /// The longest that anything may take here.
    const LONG: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn certificate_files_that_hang_keep_nobody_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let server = Pki::new().unwrap().write_server_to(directory.path(), &Certificate::default()).unwrap();
        let settings = ServerTls {
            cert: server.cert.clone(),
            key: server.key.clone(),
            passphrase: None,
            client_ca: None,
        };
        let files = Files::default();
        let listener =
            Listener::bind("127.0.0.1:0".parse().unwrap(), Some(&settings), "", &files).await.unwrap();
        let listener = Listener { renewal: Duration::from_millis(10), ..listener };
        let (url, stop) = (format!("https://{}/", listener.local_addr()), ShutdownTrigger::default());
        let serving = listener.serve(Router::new().route("/", get(|| async { "hello" })), stop.shutdown());
        let asking = async {
            fifo::put(&server.cert);
            let _hanging = timeout(LONG, fifo::hanging(&server.cert)).await.expect("the file is read anew");
            let tls: TlsSettings = serde_json::from_str(r#"{"verify": "none"}"#).unwrap();
            let client = HttpClient::new(&tls, "tls", LONG, HeaderMap::new(), &files).await.unwrap();
            let answer = client.get(&url).send().await.expect("new connections are accepted");
            assert_eq!(answer.text().await.unwrap(), "hello");
            stop.request();
        };
        tokio::join!(async { timeout(LONG, serving).await.expect("it stops") }, asking);
    }

    #[tokio::test]
    async fn a_socket_that_listens_already_is_taken_over_with_what_waits_in_it() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", socket.local_addr().unwrap());
        let files = Files::default();
        let client =
            HttpClient::new(&TlsSettings::default(), "tls", LONG, HeaderMap::new(), &files).await.unwrap();
        let stop = ShutdownTrigger::default();
        let asking = async {
            let answer = client.get(&url).send().await.unwrap();
            assert_eq!(answer.text().await.unwrap(), "hello");
            stop.request();
        };
        let serving = async {
            let listener = Listener::on(socket, None, "", &files).await.unwrap();
            assert_eq!(format!("http://{}/", listener.local_addr()), url);
            listener.serve(Router::new().route("/", get(|| async { "hello" })), stop.shutdown()).await;
        };
        timeout(LONG, async { tokio::join!(asking, serving) }).await.unwrap();
    }
}
