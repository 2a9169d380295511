//! `cargo xtask services`: real servers for a person to try things on, as private as those of the tests.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use senseops_core::BoxError;
use senseops_testkit::{Influxd, InfluxdOptions, Mosquitto, MosquittoOptions};

use crate::packages::{self, Consent, SERVERS, Server};

/// The arguments of the task.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Services {
    #[command(subcommand)]
    task: Option<Task>,
    /// Which servers; all if none is named.
    #[arg(value_parser = PossibleValuesParser::new(SERVERS.iter().map(|server| server.name)))]
    names: Vec<String>,
    /// Install missing Debian packages without asking.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install the servers and start none.
    Install {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// A server that ends when this is dropped.
enum Running {
    Influxd(Influxd),
    Mosquitto(Mosquitto),
}

pub(crate) fn run(services: &Services) -> Result<ExitCode, BoxError> {
    match services.task {
        Some(Task::Install { yes }) => {
            println!("installed: {}", packages::ensure(SERVERS, Consent::from_flag(yes))?);
        }
        None => {
            let wanted = wanted(&services.names);
            packages::ensure(&wanted, Consent::from_flag(services.yes))?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(until_interrupted(&wanted))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn wanted(names: &[String]) -> Vec<Server> {
    let named = |server: &&Server| names.is_empty() || names.iter().any(|name| name == server.name);
    SERVERS.iter().filter(named).copied().collect()
}

async fn until_interrupted(servers: &[Server]) -> Result<(), BoxError> {
    let mut running = Vec::with_capacity(servers.len());
    for server in servers {
        let started = start(server).await?;
        println!("{}: {}", server.name, started.url());
        running.push(started);
    }
    println!("Ctrl-C ends them and removes their data");
    interrupted().await?;
    for server in running {
        server.stop().await;
    }
    Ok(())
}

async fn start(server: &Server) -> Result<Running, BoxError> {
    match server.name {
        "influxdb" => Ok(Running::Influxd(Influxd::start(InfluxdOptions::default()).await?)),
        "mosquitto" => Ok(Running::Mosquitto(Mosquitto::start(MosquittoOptions::default()).await?)),
        name => Err(format!("{name} has no launcher").into()),
    }
}

impl Running {
    fn url(&self) -> String {
        match self {
            Self::Influxd(influxd) => influxd.url(),
            Self::Mosquitto(mosquitto) => mosquitto.url(),
        }
    }

    async fn stop(self) {
        match self {
            Self::Influxd(mut influxd) => influxd.stop().await,
            Self::Mosquitto(mut mosquitto) => mosquitto.stop().await,
        }
    }
}

/// Returns at Ctrl-C, or when the system asks the program to end.
#[cfg(unix)]
async fn interrupted() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

/// Returns at Ctrl-C.
#[cfg(not(unix))]
async fn interrupted() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_is_wanted_when_none_is_named() {
        assert_eq!(wanted(&[]), SERVERS);
        assert_eq!(wanted(&["influxdb".into()]).len(), 1);
    }

    #[tokio::test]
    async fn every_server_has_a_launcher() {
        for server in SERVERS {
            let running = start(server).await.unwrap();
            assert!(running.url().contains("127.0.0.1:"), "{}", running.url());
        }
    }
}
