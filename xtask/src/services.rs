//! `cargo xtask services`: real servers for a person to try things on. The lab starts them.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use crate::error::BoxError;
use crate::lab;
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

pub(crate) fn run(services: Services) -> Result<ExitCode, BoxError> {
    let Services { task, names, yes } = services;
    if let Some(Task::Install { yes }) = task {
        println!("installed: {}", packages::ensure(SERVERS, Consent::from_flag(yes))?);
        return Ok(ExitCode::SUCCESS);
    }
    packages::ensure(&wanted(&names), Consent::from_flag(yes))?;
    lab::become_lab("services", names.into_iter().map(Into::into).collect())
}

fn wanted(names: &[String]) -> Vec<Server> {
    let named = |server: &&Server| names.is_empty() || names.iter().any(|name| name == server.name);
    SERVERS.iter().filter(named).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_is_wanted_when_none_is_named() {
        assert_eq!(wanted(&[]), SERVERS);
        assert_eq!(wanted(&["influxdb".into()]).len(), 1);
    }
}
