//! Runs a simulated estate until Ctrl-C, for trying things out and for benches.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use senseops_sim::{
    Amount, Estate, EstateConfig, InfluxTarget, PemFiles, SenseServer, Sent, UserEvents, send,
};

/// Simulates Qlik Sense servers, and users on them.
///
/// Prints a configuration that polls the servers and hears of the users, then runs until Ctrl-C.
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
    /// The port of the first server, so that it is the same after a restart; the other servers and the target have the next
    /// ones. Without it: any that are free.
    #[arg(long, value_name = "PORT")]
    port: Option<NonZeroU16>,
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

const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

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
        first_port: cli.port,
        ..EstateConfig::default()
    })
    .await?;
    let target = if cli.influx { Some(start_target(&estate, cli.port).await?) } else { None };
    let out = &mut io::stdout();
    write_config(&estate, cli.users_to, target.as_ref(), out)?;

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

/// The target, on the port after those of the servers if they have fixed ones.
async fn start_target(estate: &Estate, first_port: Option<NonZeroU16>) -> io::Result<InfluxTarget> {
    let last = estate.servers().last().map(|server| server.address().port());
    let port = match (first_port, last) {
        (None, _) => Some(0),
        (Some(first), None) => Some(first.get()),
        (Some(_), Some(last)) => last.checked_add(1),
    };
    let port =
        port.ok_or_else(|| io::Error::other("no port is left for the target; begin at a lower one"))?;
    InfluxTarget::start_at(port)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("listen on 127.0.0.1:{port}: {error}")))
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
fn write_config(
    estate: &Estate,
    users_to: Option<SocketAddr>,
    target: Option<&InfluxTarget>,
    out: &mut impl Write,
) -> io::Result<()> {
    let PemFiles { ca, cert, key } = estate.pem_files();
    let (ca, cert, key) = (quoted(ca.display()), quoted(cert.display()), quoted(key.display()));
    writeln!(out, "sources:\n  healthcheck:\n    sim:")?;
    writeln!(out, "      tls: {{ ca: {ca}, cert: {cert}, key: {key} }}\n      servers:")?;
    for server in estate.servers() {
        let (name, url, tags) = (quoted(server.name()), quoted(server.url()), tags(server));
        writeln!(out, "        - {{ name: {name}, url: {url}, tags: {{ {tags} }} }}")?;
    }
    if let Some(address) = users_to {
        writeln!(out, "  udp:\n    sim: {}", udp_source(address))?;
    }
    if let Some(target) = target {
        writeln!(out, "sinks:\n  influx:\n    sim: {{ url: {}, database: senseops }}", quoted(target.url()))?;
    }
    out.flush()
}

/// The table of a source that receives what is sent to this address.
fn udp_source(address: SocketAddr) -> String {
    if address.ip().is_loopback() {
        return format!("{{ listen: {}, allow: [{}] }}", quoted(address), quoted(address.ip()));
    }
    // On another machine, which knows better than we do from which address we are seen there.
    let all = SocketAddr::new(if address.is_ipv4() { ANY_V4 } else { ANY_V6 }, address.port());
    format!("{{ listen: {} }} # and allow: [the address of this machine]", quoted(all))
}

/// A JSON string, which YAML reads too.
fn quoted(text: impl Display) -> String {
    serde_json::Value::from(text.to_string()).to_string()
}

fn tags(server: &SenseServer) -> String {
    server.tags().iter().map(|(name, text)| format!("{name}: {text}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_that_is_printed_listens_where_events_are_sent() {
        let table = |address: &str| udp_source(address.parse().unwrap());
        assert_eq!(table("127.0.0.1:9997"), r#"{ listen: "127.0.0.1:9997", allow: ["127.0.0.1"] }"#);
        assert_eq!(
            table("10.1.2.3:9997"),
            r#"{ listen: "0.0.0.0:9997" } # and allow: [the address of this machine]"#
        );
    }
}
