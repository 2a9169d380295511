//! What one event, one poll and one idle minute cost, measured on the release build.
//!
//! CPU comes from the operating system's own accounting of the `sos` process, so a noisy machine disturbs it little.
//! The load comes from this process, which runs on the same cores.

mod backlog;
mod counting;
mod estate;
mod evenly;
mod influxdb;
mod latency;
mod load;
mod memory;
mod mqtt;
mod polls;
mod table;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use senseops_core::BoxError;

use crate::{figures, machine};
use table::Figure;

/// Where the figures go.
const PATH: &str = "docs/performance.md";
/// Fewer runs say too little about how much a figure varies.
const LEAST_RUNS: u32 = 5;

/// The arguments of the task.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A tenth of the load, once, to see whether everything works; the figures are rough and not written.
    #[arg(long)]
    quick: bool,
    /// How often everything is measured; figures of fewer than five runs are not written.
    #[arg(long, value_name = "N", default_value_t = LEAST_RUNS, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Only scenarios whose names contain one of these; the figures are not written.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// The folder of the programs, if it is not that of this one; the figures are not written.
    #[arg(long, value_name = "FOLDER")]
    built: Option<PathBuf>,
}

/// What is measured, what it is measured against, and how thoroughly.
#[derive(Debug)]
struct Bench {
    sos: PathBuf,
    sim: PathBuf,
    /// With numbered events.
    chaos: PathBuf,
    /// The part of the full load.
    share: f64,
}

/// Something to measure: figures of one run, the same ones each time.
struct Scenario {
    name: &'static str,
    measure: for<'a> fn(&'a Bench) -> Measuring<'a>,
}

type Measuring<'a> = Pin<Box<dyn Future<Output = Result<Vec<Figure>, BoxError>> + 'a>>;

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "nowhere", measure: |bench| Box::pin(counting::nowhere(bench)) },
    Scenario { name: "influxdb-200", measure: |bench| Box::pin(influxdb::evenly(bench, 200)) },
    Scenario { name: "influxdb-mqtt-200", measure: |bench| Box::pin(influxdb::beside_mqtt(bench, 200)) },
    Scenario { name: "influxdb-1000", measure: |bench| Box::pin(influxdb::evenly(bench, 1_000)) },
    Scenario { name: "influxdb-5000", measure: |bench| Box::pin(influxdb::evenly(bench, 5_000)) },
    Scenario { name: "influxdb-10000", measure: |bench| Box::pin(influxdb::evenly(bench, 10_000)) },
    Scenario { name: "influxdb-50000", measure: |bench| Box::pin(influxdb::evenly(bench, 50_000)) },
    Scenario { name: "influxdb-bursts", measure: |bench| Box::pin(influxdb::in_bursts(bench)) },
    Scenario { name: "counting-100000", measure: |bench| Box::pin(counting::at_100_000(bench)) },
    Scenario { name: "counting-rate", measure: |bench| Box::pin(counting::rate(bench)) },
    Scenario { name: "counting-journals", measure: |bench| Box::pin(counting::disk_against_memory(bench)) },
    Scenario { name: "latency", measure: |bench| Box::pin(latency::at_1_000(bench)) },
    Scenario { name: "memory", measure: |bench| Box::pin(memory::of_waiting_events(bench)) },
    Scenario { name: "mqtt", measure: |bench| Box::pin(mqtt::acknowledged(bench)) },
    Scenario { name: "backlog", measure: |bench| Box::pin(backlog::cost(bench)) },
    Scenario { name: "recovery", measure: |bench| Box::pin(backlog::recovery(bench)) },
    Scenario { name: "servers-2", measure: |bench| Box::pin(polls::two_servers(bench)) },
    Scenario { name: "servers-50", measure: |bench| Box::pin(polls::fifty_servers(bench)) },
    Scenario { name: "servers-1000", measure: |bench| Box::pin(polls::thousand_servers(bench)) },
];

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, BoxError> {
    let share = if arguments.quick { 0.1 } else { 1.0 };
    let bench = Bench::new(&arguments.built.clone().map_or_else(machine::built, Ok)?, share);
    let runs = if arguments.quick { 1 } else { arguments.runs };
    let figures = figures(&bench, &arguments.only, runs)?;
    let table = table::markdown(&figures);
    println!("\n{table}");
    let is_whole = !arguments.quick && arguments.only.is_empty() && arguments.built.is_none();
    if is_whole && runs >= LEAST_RUNS {
        let how =
            format!("Each figure is the median of {runs} runs, and in parentheses the least and the most.");
        figures::write(PATH, &bench.sos, &how, &table)?;
        println!("written to {PATH}");
    }
    let missed = figures.iter().filter(|figure| figure.is_missed()).count();
    println!("goals: {} figures, {missed} missed", figures.len());
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures the scenarios whose names contain one of these texts, or all, so often.
fn figures(bench: &Bench, only: &[String], runs: u32) -> Result<Vec<Figure>, BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let is_wanted = |scenario: &&Scenario| {
        only.is_empty() || only.iter().any(|text| scenario.name.contains(text.as_str()))
    };
    let mut all = Vec::new();
    for Scenario { name, measure } in SCENARIOS.iter().filter(is_wanted) {
        let mut figures: Vec<Figure> = Vec::new();
        for run in 1..=runs {
            let began = Instant::now();
            let measured = runtime.block_on(measure(bench))?;
            println!("… {name}: run {run} of {runs}, {:.0} s", began.elapsed().as_secs_f64());
            if figures.is_empty() {
                figures = measured;
            } else {
                figures.iter_mut().zip(measured).for_each(|(all, one)| all.add(one));
            }
        }
        for figure in &figures {
            println!("  {figure}");
        }
        all.extend(figures);
    }
    if all.is_empty() { Err("no scenario has such a name".into()) } else { Ok(all) }
}

impl Bench {
    /// With the programs in this folder.
    fn new(folder: &Path, share: f64) -> Self {
        let [sos, sim, chaos] =
            ["sos", "senseops-sim", "senseops-chaos"].map(|name| machine::program(folder, name));
        Self { sos, sim, chaos, share }
    }

    /// This part of the full load.
    fn part(&self, whole: u64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a small positive number"
        )]
        let part = (to_f64(whole) * self.share) as u64;
        part
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2⁵³")]
fn to_f64(count: u64) -> f64 {
    count as f64
}
