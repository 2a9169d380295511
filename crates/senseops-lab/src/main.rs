//! What breaks a running pipeline and counts every event (`chaos`), what measures it (`bench`), and real servers to
//! try things on (`services`). `cargo xtask` builds the programs and hands these three over.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool speaks to the person at the terminal")]

mod bench;
mod chaos;
mod figures;
mod http;
mod machine;
mod program;
mod services;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use senseops_core::{BoxError, chain};

/// Chaos and bench runs of SenseOps Stats, and servers to try things on.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure what events and polls cost, and write docs/performance.md.
    Bench(bench::Arguments),
    /// Break everything around a running pipeline, count every event, and write docs/delivery.md.
    Chaos(chaos::Chaos),
    /// Start private servers on free loopback ports, until Ctrl-C.
    Services(services::Services),
}

fn main() -> ExitCode {
    match run(&Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<ExitCode, BoxError> {
    match task {
        Task::Bench(bench) => bench::run(bench),
        Task::Chaos(chaos) => chaos::run(chaos),
        Task::Services(services) => services::run(services),
    }
}
