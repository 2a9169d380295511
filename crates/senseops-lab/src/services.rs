//! Real servers for a person to try things on, as private as those of the tests.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use senseops_core::BoxError;
use senseops_testkit::{Influxd, InfluxdOptions, Mosquitto, MosquittoOptions};

/// The arguments of the task.
#[derive(Debug, Args)]
pub(crate) struct Services {
    /// Which servers; all if none is named.
    names: Vec<Server>,
}

/// A server that can be started.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Server {
    Influxdb,
    Mosquitto,
}

/// A server that ends when this is dropped.
enum Running {
    Influxd(Influxd),
    Mosquitto(Mosquitto),
}

pub(crate) fn run(services: &Services) -> Result<ExitCode, BoxError> {
    let names = if services.names.is_empty() { Server::value_variants() } else { services.names.as_slice() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(until_interrupted(names))?;
    Ok(ExitCode::SUCCESS)
}

async fn until_interrupted(servers: &[Server]) -> Result<(), BoxError> {
    let mut running = Vec::with_capacity(servers.len());
    for server in servers {
        let started = server.start().await?;
        println!("{}: {}", server.name(), started.url());
        running.push(started);
    }
    println!("Ctrl-C ends them and removes their data");
    interrupted().await?;
    for server in running {
        server.stop().await;
    }
    Ok(())
}

impl Server {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    async fn start(self) -> Result<Running, BoxError> {
        Ok(match self {
            Self::Influxdb => Running::Influxd(Influxd::start(InfluxdOptions::default()).await?),
            Self::Mosquitto => Running::Mosquitto(Mosquitto::start(MosquittoOptions::default()).await?),
        })
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

    #[tokio::test]
    async fn every_server_has_a_launcher() {
        for server in Server::value_variants() {
            let running = server.start().await.unwrap();
            assert!(running.url().contains("127.0.0.1:"), "{}: {}", server.name(), running.url());
        }
    }
}
