//! Development tasks: `cargo xtask demo`, `test`, `services`, `ci`, `tidy`, `reference`, and `bench` and `chaos`, which
//! the lab does.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool speaks to the person at the terminal")]

mod ci;
mod demo;
mod error;
mod lab;
mod packages;
mod readme;
mod reference;
mod report;
mod services;
mod shell;
mod tally;
mod test;
mod tidy;
mod tree;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::{BoxError, chain};
use crate::packages::Consent;

/// Development tasks of SenseOps Stats.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build `sos` and show its demo: a simulated estate, a pipeline, a live picture.
    Demo(demo::Demo),
    /// Make sure that the servers of the tests are installed, then run every test.
    Test {
        /// Install missing Debian packages without asking. So does CI=true in the environment.
        #[arg(long)]
        yes: bool,
    },
    /// Start private servers on free loopback ports, until Ctrl-C.
    Services(services::Services),
    /// Everything that must be true before a change goes in.
    Ci(ci::Ci),
    /// Measure what events and polls cost, and write docs/performance.md.
    Bench(lab::Handed),
    /// Break everything around a running pipeline, count every event, and write docs/delivery.md.
    Chaos(lab::Handed),
    /// Check the rules of docs/style.md that no compiler knows.
    Tidy,
    /// Write what is generated: config/sos.reference.yaml, config/sos.schema.json and the samples in the READMEs of plugins.
    Reference {
        /// Write nothing; fail if something would change.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode, BoxError> {
    match task {
        Task::Demo(demo) => demo::run(demo),
        Task::Test { yes } => Ok(test::run(Consent::from_flag(yes))),
        Task::Services(services) => services::run(services),
        Task::Ci(ci) => ci::run(&ci),
        Task::Bench(bench) => lab::run("bench", bench),
        Task::Chaos(chaos) => lab::run("chaos", chaos),
        Task::Tidy => tidy::run(),
        Task::Reference { check } => reference::run(check),
    }
}
