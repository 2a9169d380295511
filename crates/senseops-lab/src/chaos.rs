//! `cargo xtask chaos`: breaks everything around a running pipeline, and counts every event.
//!
//! Each scenario starts programs of its own, does to them and around them what its name says, and balances what was
//! sent against what arrived and what was counted as lost. The full form runs the release build for the time and the
//! load that docs/delivery.md promises, and writes its figures there. The short form does the same for seconds, on
//! the build of the tests, and judges what other work on the machine cannot change: losses, order, exit codes, lines
//! of the log, bytes that the program accounts. Seconds and resident memory are shown there, and judged by the full form.

mod account;
mod arrivals;
mod clock;
mod damage;
mod datagrams;
mod disk;
mod http_faults;
mod influxdb;
mod kill;
mod lab;
mod mqtt;
mod overflow;
mod panics;
mod reload;
mod sense;
mod target;

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use senseops_core::{BoxError, chain};
use senseops_testkit::in_ci;

use crate::{figures, machine};
use account::{Account, Row};
use lab::Lab;

/// Where the figures go.
const PATH: &str = "docs/delivery.md";

/// The arguments of the task.
#[derive(Debug, Args)]
pub(crate) struct Chaos {
    /// Seconds instead of minutes, on the build of the tests; the figures are not written.
    #[arg(long)]
    short: bool,
    /// Only scenarios whose names contain one of these; the figures are not written.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// The folder of the programs, if it is not that of this one; the figures are not written.
    #[arg(long, value_name = "FOLDER")]
    built: Option<PathBuf>,
}

/// One way to break things.
struct Scenario {
    name: &'static str,
    run: for<'a> fn(&'a Lab) -> Running<'a>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Account, BoxError>> + 'a>>;

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "influxdb-away", run: |lab| Box::pin(influxdb::away(lab)) },
    Scenario { name: "influxdb-away-on-disk", run: |lab| Box::pin(influxdb::away_on_disk(lab)) },
    Scenario { name: "http-500", run: |lab| Box::pin(http_faults::status_500(lab)) },
    Scenario { name: "http-429", run: |lab| Box::pin(http_faults::retry_after(lab)) },
    Scenario { name: "http-401", run: |lab| Box::pin(http_faults::wrong_password(lab)) },
    Scenario { name: "http-413", run: |lab| Box::pin(http_faults::too_large(lab)) },
    Scenario { name: "http-half-refused", run: |lab| Box::pin(http_faults::half_refused(lab)) },
    Scenario { name: "http-unfinished", run: |lab| Box::pin(http_faults::unfinished(lab)) },
    Scenario { name: "http-reset", run: |lab| Box::pin(http_faults::reset(lab)) },
    Scenario { name: "mqtt-killed", run: |lab| Box::pin(mqtt::killed(lab)) },
    Scenario { name: "mqtt-killed-tls", run: |lab| Box::pin(mqtt::killed_over_tls(lab)) },
    Scenario { name: "mqtt-late", run: |lab| Box::pin(mqtt::late(lab)) },
    Scenario { name: "kill-9", run: |lab| Box::pin(kill::numbered_source(lab)) },
    Scenario { name: "kill-9-udp", run: |lab| Box::pin(kill::datagrams(lab)) },
    Scenario { name: "torn-write", run: |lab| Box::pin(damage::torn_write(lab)) },
    Scenario { name: "flipped-bits", run: |lab| Box::pin(damage::flipped_bits(lab)) },
    Scenario { name: "cursors-deleted", run: |lab| Box::pin(damage::cursors_deleted(lab)) },
    Scenario { name: "disk-full", run: |lab| Box::pin(disk::full(lab)) },
    Scenario { name: "disk-read-only", run: |lab| Box::pin(disk::read_only(lab)) },
    Scenario { name: "clock-step", run: |lab| Box::pin(clock::step(lab)) },
    Scenario { name: "datagrams-random", run: |lab| Box::pin(datagrams::random(lab)) },
    Scenario { name: "datagrams-largest", run: |lab| Box::pin(datagrams::largest(lab)) },
    Scenario { name: "sense-hangs", run: |lab| Box::pin(sense::hangs(lab)) },
    Scenario { name: "sense-floods", run: |lab| Box::pin(sense::floods(lab)) },
    Scenario { name: "plugin-panics", run: |lab| Box::pin(panics::plugins(lab)) },
    Scenario { name: "reload", run: |lab| Box::pin(reload::under_load(lab)) },
    Scenario { name: "overflow-drop-oldest", run: |lab| Box::pin(overflow::drop_oldest(lab)) },
    Scenario { name: "overflow-block", run: |lab| Box::pin(overflow::block(lab)) },
    Scenario { name: "overflow-in-memory", run: |lab| Box::pin(overflow::in_memory(lab)) },
];

pub(crate) fn run(chaos: &Chaos) -> Result<ExitCode, BoxError> {
    let lab = Lab::new(&chaos.built.clone().map_or_else(machine::built, Ok)?, chaos.short);
    let rows = rows(&lab, &chaos.only)?;
    if !chaos.short && chaos.only.is_empty() && chaos.built.is_none() {
        figures::write(PATH, &lab.sos, "One run.", &account::markdown(&rows))?;
        println!("written to {PATH}");
    }
    let verdict = Verdict::of(&rows);
    println!("{verdict}");
    Ok(if verdict.is_good(in_ci()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the scenarios whose names contain one of these texts, or all.
fn rows(lab: &Lab, only: &[String]) -> Result<Vec<Row>, BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let is_wanted = |scenario: &&Scenario| {
        only.is_empty() || only.iter().any(|text| scenario.name.contains(text.as_str()))
    };
    let mut rows = Vec::new();
    for Scenario { name, run } in SCENARIOS.iter().filter(is_wanted) {
        println!("… {name}");
        let began = Instant::now();
        let account = runtime.block_on(run(lab)).unwrap_or_else(|error| Account::failed(&chain(&*error)));
        let row = account.row(name, began.elapsed());
        println!("  {row}");
        rows.push(row);
    }
    println!("\n{}", account::markdown(&rows));
    Ok(rows)
}

/// How many promises were kept, how many broken, and how many nobody knows about.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    kept: usize,
    broken: usize,
    not_run: usize,
}

impl Verdict {
    fn of(rows: &[Row]) -> Self {
        let mut verdict = Self::default();
        for row in rows {
            match (row.is_broken(), row.was_run()) {
                (true, _) => verdict.broken += 1,
                (false, true) => verdict.kept += 1,
                (false, false) => verdict.not_run += 1,
            }
        }
        verdict
    }

    /// A pipeline lacks nothing, so there everything has to be run.
    fn is_good(&self, in_ci: bool) -> bool {
        self.broken == 0 && self.kept > 0 && (self.not_run == 0 || !in_ci)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, broken, not_run } = self;
        write!(f, "promises: {kept} kept, {broken} broken, {not_run} not run")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_not_run_is_good_enough_only_where_somebody_sees_it() {
        let row = |account: Account| account.row("name", Duration::ZERO);
        let (kept, not_run) = (row(Account::default()), row(Account::not_run("no disk")));
        let broken = row(Account::failed(&"it broke"));
        for (rows, by_hand, in_ci) in [
            (vec![], false, false),
            (vec![kept.clone()], true, true),
            (vec![kept.clone(), not_run.clone()], true, false),
            (vec![not_run], false, false),
            (vec![kept, broken], false, false),
        ] {
            let verdict = Verdict::of(&rows);
            assert_eq!((verdict.is_good(false), verdict.is_good(true)), (by_hand, in_ci), "{verdict}");
        }
    }
}
