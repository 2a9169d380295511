//! Several simulated servers under one certificate authority.

use std::io;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::SystemTime;

use tempfile::TempDir;
use thiserror::Error;

use crate::{Clock, Load, PemFiles, Pki, PkiError, SenseServer, StartError};

/// Servers that run until it is dropped, and the files that a client of them needs.
#[derive(Debug)]
pub struct Estate {
    servers: Vec<SenseServer>,
    clock: Clock,
    pki: Pki,
    pem_files: PemFiles,
    /// Removes the files when it is dropped; `None` when they are somebody else's.
    _dir: Option<TempDir>,
}

/// What kind of estate to start.
#[derive(Clone, Debug)]
pub struct EstateConfig {
    /// How many servers; 2 if not said.
    pub servers: usize,
    /// Which of all possible days; 1 if not said.
    pub seed: u64,
    /// The second of the day at which it starts; half past seven if not said, when people begin to come.
    pub start_second: u32,
    /// How fast the day passes: 1, as ours, if not said; 1440 for a day in a minute.
    pub speed: f64,
    /// Where certificates go, an existing directory that stays; a temporary one if not said.
    pub dir: Option<PathBuf>,
    /// Whether servers speak HTTP without TLS, for benches; no if not said.
    pub plain_http: bool,
    /// The port of the first server; those that follow have the next ones. Any that are free if not said.
    pub first_port: Option<NonZeroU16>,
}

/// An estate cannot be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EstateError {
    /// There are not so many ports from the first one on.
    #[error("{servers} servers from port {first_port} on need ports beyond 65535; begin at a lower one")]
    Ports {
        /// The servers.
        servers: usize,
        /// The port of the first.
        first_port: NonZeroU16,
    },
    /// There is no directory for its certificates.
    #[error("make a directory for certificates")]
    Dir(#[source] io::Error),
    /// Its certificates cannot be made or written.
    #[error("make certificates")]
    Pki(#[from] PkiError),
    /// A server cannot be started.
    #[error("start server {name}")]
    Start {
        /// Which of them.
        name: String,
        /// Why.
        #[source]
        source: StartError,
    },
}

impl Default for EstateConfig {
    fn default() -> Self {
        Self {
            servers: 2,
            seed: 1,
            start_second: 7 * 3600 + 1800,
            speed: 1.0,
            dir: None,
            plain_http: false,
            first_port: None,
        }
    }
}

impl Estate {
    /// Makes certificates and starts `Server1` and those that follow.
    ///
    /// # Errors
    /// When the certificates cannot be written, or a port is taken or none left.
    pub async fn start(config: EstateConfig) -> Result<Self, EstateError> {
        let ports = ports(&config)?;
        let pki = Pki::new()?;
        let (dir, temporary) = if let Some(dir) = config.dir {
            (dir, None)
        } else {
            let dir = TempDir::with_prefix("senseops-sim-").map_err(EstateError::Dir)?;
            (dir.path().to_owned(), Some(dir))
        };
        let pem_files = pki.write_to(&dir)?;
        let clock = Clock::starting_at(config.start_second, config.speed);
        let now = SystemTime::now();
        let mut servers = Vec::with_capacity(config.servers);
        for ((index, port), number) in ports.into_iter().enumerate().zip(1_u64..) {
            let name = format!("Server{number}");
            let builder =
                if config.plain_http { SenseServer::over_http() } else { SenseServer::over_tls(&pki) };
            let started = builder
                .name(&name)
                .port(port)
                .load(Load::new(config.seed, number).started_before(now), clock)
                .tags(tags(index, config.servers))
                .start()
                .await;
            servers.push(started.map_err(|source| EstateError::Start { name, source })?);
        }
        Ok(Self { servers, clock, pki, pem_files, _dir: temporary })
    }

    /// The servers, `Server1` first.
    pub fn servers(&self) -> &[SenseServer] {
        &self.servers
    }

    /// The time in the estate.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The certificate authority, to start one more server in a test.
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// What a client needs to poll the servers.
    pub fn pem_files(&self) -> &PemFiles {
        &self.pem_files
    }
}

/// The port of each server; 0 for any.
fn ports(config: &EstateConfig) -> Result<Vec<u16>, EstateError> {
    let Some(first_port) = config.first_port else { return Ok(vec![0; config.servers]) };
    let ports: Vec<u16> = (first_port.get()..=u16::MAX).take(config.servers).collect();
    let servers = config.servers;
    if ports.len() == servers { Ok(ports) } else { Err(EstateError::Ports { servers, first_port }) }
}

/// The first server is the central node; the last of several reloads.
fn tags(index: usize, servers: usize) -> [(&'static str, &'static str); 2] {
    let group = match index {
        0 => "central",
        last if last + 1 == servers => "scheduler",
        _ => "consumer",
    };
    [("server_group", group), ("server_location", if index.is_multiple_of(2) { "north" } else { "south" })]
}
