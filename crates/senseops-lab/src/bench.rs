//! `cargo xtask bench`: what one event, one poll and one idle minute cost, measured on the release binary.
//!
//! CPU comes from the operating system's own accounting of the `sos` process, so a noisy machine disturbs it little.
//! The load comes from this process, which runs on the same cores.

mod backlog;
mod delivery;
mod estate;
mod scenarios;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use senseops_core::BoxError;

use crate::{figures, machine};
use scenarios::Scenario;
use table::Figure;

/// Where the figures go.
const PATH: &str = "docs/performance.md";

/// The arguments of the task.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// A tenth of the load, to see whether everything works; the figures are rough and not written.
    #[arg(long)]
    quick: bool,
    /// Only scenarios whose names contain this; the figures are not written.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The folder of the programs, if it is not that of this one; the figures are not written.
    #[arg(long, value_name = "FOLDER")]
    built: Option<PathBuf>,
}

/// What is measured, and what it is measured against.
#[derive(Debug)]
struct Binaries {
    sos: PathBuf,
    sim: PathBuf,
    chaos: PathBuf,
}

pub(crate) fn run(bench: &Bench) -> Result<ExitCode, BoxError> {
    let binaries = Binaries::new(&bench.built.clone().map_or_else(machine::built, Ok)?);
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
    if !bench.quick && bench.only.is_none() && bench.built.is_none() {
        figures::write(PATH, &table::markdown(&figures))?;
        println!("written to {PATH}");
    }
    let missed = figures.iter().filter(|figure| figure.is_missed()).count();
    println!("{missed} targets missed");
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Binaries {
    fn new(folder: &Path) -> Self {
        let [sos, sim, chaos] =
            ["sos", "senseops-sim", "senseops-chaos"].map(|name| machine::program(folder, name));
        Self { sos, sim, chaos }
    }
}
