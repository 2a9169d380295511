//! `cargo xtask bench`: what one event, one poll and one idle minute cost, measured on the release binary.
//!
//! CPU comes from the operating system's own accounting of the `sos` process, so a noisy machine disturbs it little.
//! The load comes from this process, which runs on the same cores.

mod estate;
mod program;
mod scenarios;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use senseops_core::BoxError;

use crate::shell;
use scenarios::Scenario;
use table::Figure;

/// The arguments of the task.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// A tenth of the load, to see whether everything works; the figures are rough and not written.
    #[arg(long)]
    quick: bool,
    /// Only scenarios whose names contain this; the figures are not written.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// What is measured, and what it is measured against.
#[derive(Debug)]
struct Binaries {
    sos: PathBuf,
    sim: PathBuf,
}

pub(crate) fn run(bench: &Bench) -> Result<ExitCode, BoxError> {
    let binaries = Binaries::build()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let share = if bench.quick { 0.1 } else { 1.0 };
    let wanted =
        |scenario: &Scenario| bench.only.as_ref().is_none_or(|text| scenario.name().contains(text.as_str()));
    let mut figures: Vec<Figure> = Vec::new();
    for scenario in Scenario::ALL.into_iter().filter(wanted) {
        println!("… {}", scenario.name());
        let measured = runtime.block_on(scenario.measure(&binaries, share))?;
        for figure in &measured {
            println!("  {figure}");
        }
        figures.extend(measured);
    }
    println!("\n{}", table::markdown(&figures));
    if !bench.quick && bench.only.is_none() {
        println!("written to {}", table::write(&figures)?.display());
    }
    let missed = figures.iter().filter(|figure| figure.is_missed()).count();
    println!("{missed} targets missed");
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Binaries {
    fn build() -> Result<Self, BoxError> {
        println!("building the release binaries; the first time this takes some minutes");
        let packages = ["--package", "senseops", "--package", "senseops-sim"];
        shell::run(shell::cargo(["build", "--release", "--bins"]).args(packages))?;
        let target = std::env::var_os("CARGO_TARGET_DIR");
        let release = target.map_or_else(|| shell::root().join("target"), PathBuf::from).join("release");
        let binary = |name: &str| release.join(name).with_extension(std::env::consts::EXE_EXTENSION);
        Ok(Self { sos: binary("sos"), sim: binary("senseops-sim") })
    }
}
