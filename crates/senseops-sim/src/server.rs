//! A simulated Sense server: the engine's health API over mutual TLS.

mod answer;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::site::Opened;
use crate::{Certificate, ClientCheck, Clock, Load, Pki, PkiError};

/// A server on a port of its own on the loopback interface. Dropping it closes the port and every connection.
pub struct SenseServer {
    name: String,
    url: String,
    tags: Vec<Tag>,
    address: SocketAddr,
    state: Arc<ServerState>,
    _open: Opened,
}

/// What a server answers to `GET /engine/healthcheck`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// The health of its simulated load.
    #[default]
    Healthy,
    /// Exactly this.
    Body {
        /// The HTTP status; one that HTTP does not have becomes 500.
        status: u16,
        /// The `Content-Type`.
        content_type: &'static str,
        /// The body.
        bytes: Bytes,
    },
    /// Status 200 and an HTML form, as a proxy answers to somebody who is not logged in.
    LoginPage,
    /// Status 302 to a login page.
    Redirect,
    /// Status 200 and the first half of a health document.
    CutJson,
    /// Status 200 and this many blanks instead of a document, without a `Content-Length`.
    TooLarge(u64),
    /// Nothing, ever.
    Hang,
    /// Nothing: it reads the request and closes the connection.
    Close,
    /// Nothing: it reads the request and resets the connection.
    Reset,
}

/// Starts a [`SenseServer`].
#[derive(Debug)]
#[must_use = "call `start`"]
pub struct SenseServerBuilder<'a> {
    pki: Option<&'a Pki>,
    certificate: Certificate,
    clients: ClientCheck,
    name: String,
    tags: Vec<Tag>,
    load: Load,
    clock: Clock,
    behaviour: Behaviour,
    port: u16,
}

/// A name and a text that an operator would configure for the server.
type Tag = (&'static str, &'static str);

/// A server cannot be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// It has no certificate.
    #[error("prepare tls of a simulated server")]
    Pki(#[from] PkiError),
    /// It has no port.
    #[error("listen on 127.0.0.1:{port}")]
    Listen {
        /// The port that was asked for; 0 for any.
        port: u16,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// What the tasks of a server share with its owner.
#[derive(Debug)]
struct ServerState {
    load: Load,
    clock: Clock,
    behaviour: Mutex<Behaviour>,
    last_request: Mutex<Option<http::request::Parts>>,
    requests: AtomicU64,
    connections: AtomicU64,
}

impl SenseServer {
    /// A server with a certificate of `pki` that demands client certificates of it, as a Sense server does.
    pub fn over_tls(pki: &Pki) -> SenseServerBuilder<'_> {
        SenseServerBuilder { pki: Some(pki), ..Self::over_http() }
    }

    /// A server without TLS, for benches of everything else.
    pub fn over_http() -> SenseServerBuilder<'static> {
        SenseServerBuilder {
            pki: None,
            certificate: Certificate::default(),
            clients: ClientCheck::default(),
            name: "Server1".to_owned(),
            tags: Vec::new(),
            load: Load::new(0, 0),
            clock: Clock::starting_at(10 * 3600, 1.0),
            behaviour: Behaviour::default(),
            port: 0,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address, such as `https://127.0.0.1:40123`, without a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Names and texts that an operator would configure for it, such as `server_group`.
    pub fn tags(&self) -> &[(&'static str, &'static str)] {
        &self.tags
    }

    /// The address where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers like this from the next request on.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.state.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// How many requests it has read, of any path.
    pub fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// How many connections it has accepted, including those whose TLS handshake failed.
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// The head of the last request that it has read.
    pub fn last_request(&self) -> Option<http::request::Parts> {
        self.state.last_request.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl SenseServerBuilder<'_> {
    /// How good its certificate is; [`Certificate::Valid`] if not said.
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }

    /// What it demands of clients; [`ClientCheck::Required`] if not said.
    pub fn clients(mut self, clients: ClientCheck) -> Self {
        self.clients = clients;
        self
    }

    /// Its name; `Server1` if not said.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What an operator would configure for it; nothing if not said.
    pub fn tags(mut self, tags: impl IntoIterator<Item = (&'static str, &'static str)>) -> Self {
        self.tags = tags.into_iter().collect();
        self
    }

    /// Its load, by this clock; that of ten o'clock and later if not said.
    pub fn load(mut self, load: Load, clock: Clock) -> Self {
        self.load = load;
        self.clock = clock;
        self
    }

    /// How it answers at first; [`Behaviour::Healthy`] if not said.
    pub fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// Its port; any that is free if not said.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When its port is taken or there is none left, or one of the names of the certificate is none.
    pub async fn start(self) -> Result<SenseServer, StartError> {
        let tls = match self.pki {
            Some(pki) => {
                Some(TlsAcceptor::from(Arc::new(pki.server_config(&self.certificate, self.clients)?)))
            }
            None => None,
        };
        let failed = |source| StartError::Listen { port: self.port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = Arc::new(ServerState {
            load: self.load,
            clock: self.clock,
            behaviour: Mutex::new(self.behaviour),
            last_request: Mutex::new(None),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        let opened = Opened::new(listener, tls, Arc::clone(&state));
        let url = format!("{scheme}://{address}");
        Ok(SenseServer { name: self.name, url, tags: self.tags, address, state, _open: opened })
    }
}

impl ServerState {
    fn behaviour(&self) -> Behaviour {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn health(&self) -> Vec<u8> {
        self.load.body(self.clock.second())
    }
}

impl fmt::Debug for SenseServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SenseServer")
            .field("name", &self.name)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
