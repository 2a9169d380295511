//! Runs a simulated estate until Ctrl-C, for trying things out and for benches.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use senseops_sim::{
    Amount, Estate, EstateConfig, InfluxTarget, PemFiles, SenseServer, Sent, UserEvents, send,
};

/// Simulates Qlik Sense servers, and users on them.
///
/// Prints a configuration that polls the servers, then runs until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "senseops-sim", version)]
struct Cli {
    /// How many servers.
    #[arg(long, default_value_t = 3)]
    servers: usize,
    /// Where certificates go; a temporary directory if not given.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// How fast the day passes; 1440 makes it a minute.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Which of all possible days.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Servers speak HTTP without TLS.
    #[arg(long)]
    plain_http: bool,
    /// Also be a target that takes what an `InfluxDB` 1.x takes, and counts it.
    #[arg(long)]
    influx: bool,
    /// Where user events go; none if not given.
    #[arg(long, value_name = "ADDRESS:PORT")]
    users_to: Option<SocketAddr>,
    /// User events per second.
    #[arg(long, default_value_t = 10)]
    rate: u32,
    /// Ends after this many user events.
    #[arg(long, requires = "users_to")]
    count: Option<u64>,
}

/// User events are made before they are sent, so that making them does not slow the sending.
const PREPARED_EVENTS: usize = 10_000;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            match writeln!(io::stderr(), "senseops-sim: {text}") {
                Ok(()) | Err(_) => ExitCode::FAILURE,
            }
        }
    }
}

async fn run(cli: Cli) -> Result<(), Box<dyn Error>> {
    if let Some(dir) = &cli.dir {
        tokio::fs::create_dir_all(dir).await?;
    }
    let estate = Estate::start(EstateConfig {
        servers: cli.servers,
        seed: cli.seed,
        speed: cli.speed,
        dir: cli.dir,
        plain_http: cli.plain_http,
        ..EstateConfig::default()
    })
    .await?;
    let target = if cli.influx { Some(InfluxTarget::start().await?) } else { None };
    let out = &mut io::stdout();
    write_config(&estate, target.as_ref(), out)?;

    let users = async {
        let Some(to) = cli.users_to else { return std::future::pending().await };
        let events: Vec<_> = UserEvents::new(cli.seed).take(PREPARED_EVENTS).collect();
        send(&events, to, cli.rate, cli.count.map_or(Amount::For(Duration::MAX), Amount::Count)).await
    };
    tokio::select! {
        stopped = asked_to_stop() => stopped?,
        sent = users => {
            let Sent { datagrams, bytes, unheard } = sent?;
            writeln!(out, "# sent {datagrams} user events of {bytes} bytes, {unheard} unheard")?;
        }
    }
    if let Some(target) = target {
        writeln!(out, "# got {} points in {} writes", target.points(), target.writes())?;
    }
    Ok(())
}

/// Ctrl-C, or what a script sends to end it; either way the certificates are removed.
async fn asked_to_stop() -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            stopped = tokio::signal::ctrl_c() => stopped,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// Writes what a configuration needs, in YAML.
fn write_config(estate: &Estate, target: Option<&InfluxTarget>, out: &mut impl Write) -> io::Result<()> {
    let PemFiles { ca, cert, key } = estate.pem_files();
    let (ca, cert, key) = (quoted(ca.display()), quoted(cert.display()), quoted(key.display()));
    writeln!(out, "sources:\n  healthcheck:\n    sim:")?;
    writeln!(out, "      tls: {{ ca: {ca}, cert: {cert}, key: {key} }}\n      servers:")?;
    for server in estate.servers() {
        let (name, url, tags) = (quoted(server.name()), quoted(server.url()), tags(server));
        writeln!(out, "        - {{ name: {name}, url: {url}, tags: {{ {tags} }} }}")?;
    }
    if let Some(target) = target {
        writeln!(out, "sinks:\n  influx:\n    sim: {{ url: {}, database: senseops }}", quoted(target.url()))?;
    }
    out.flush()
}

/// A JSON string, which YAML reads too.
fn quoted(text: impl Display) -> String {
    serde_json::Value::from(text.to_string()).to_string()
}

fn tags(server: &SenseServer) -> String {
    server.tags().iter().map(|(name, text)| format!("{name}: {text}")).collect::<Vec<_>>().join(", ")
}
