//! `cargo xtask test`: the servers that the tests need, then all tests, all doctests, and the short
//! form of `cargo xtask chaos`.

use std::process::ExitCode;
use std::sync::Mutex;

use crate::error::BoxError;
use crate::lab::Build;
use crate::packages::{self, Consent, SERVERS, TOOLS};
use crate::report::{Done, Report};
use crate::shell;
use crate::tally::Tally;

/// Runs every test. The last line says how many there were.
pub(crate) fn run(consent: Consent) -> ExitCode {
    let mut report = Report::new();
    let total = steps(&mut report, consent);
    let code = report.finish();
    println!("tests: {total}");
    code
}

/// Adds the steps to those of a larger task, and counts the tests.
pub(crate) fn steps(report: &mut Report, consent: Consent) -> Tally {
    let mut total = Tally::default();
    if !report.step("servers", || packages::ensure(&[SERVERS, TOOLS].concat(), consent).map(Done::Passed)) {
        // Without its servers a test could only fail, some minutes later.
        return total;
    }
    let runner = Runner::installed();
    if !report.step("build", || Ok(shell::run(&mut shell::cargo(runner.build()))?.into())) {
        return total;
    }
    report.step("tests", || counted(&mut total, runner.run()));
    report.step("doctests", || counted(&mut total, &["test", "--workspace", "--doc", "--no-fail-fast"]));
    report.step("chaos", short_chaos);
    total
}

/// The short form of the chaos runs, with the programs that were built with the tests.
fn short_chaos() -> Result<Done, BoxError> {
    let verdict = Mutex::new(String::new());
    shell::watch(shell::program(Build::Tests.lab()).args(["chaos", "--short"]), |line| {
        if let (Some(promises), Ok(mut verdict)) = (line.strip_prefix("promises: "), verdict.lock()) {
            promises.clone_into(&mut verdict);
        }
    })?;
    Ok(Done::Passed(verdict.into_inner()?))
}

/// What runs the tests.
#[derive(Clone, Copy)]
enum Runner {
    /// cargo-nextest: a process per test, and a limit to how long one may take.
    Nextest,
    /// What comes with cargo.
    Cargo,
}

impl Runner {
    fn installed() -> Self {
        if shell::find("cargo-nextest").is_some() { Self::Nextest } else { Self::Cargo }
    }

    fn build(self) -> &'static [&'static str] {
        match self {
            Self::Nextest => &["nextest", "run", "--workspace", "--no-run"],
            Self::Cargo => &["test", "--workspace", "--lib", "--bins", "--tests", "--no-run"],
        }
    }

    fn run(self) -> &'static [&'static str] {
        match self {
            Self::Nextest => {
                &["nextest", "run", "--workspace", "--no-fail-fast", "--config-file", "xtask/nextest.toml"]
            }
            Self::Cargo => &["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"],
        }
    }
}

/// Runs tests, and adds how many there were.
fn counted(total: &mut Tally, args: &[&str]) -> Result<Done, BoxError> {
    let tally = Mutex::new(Tally::default());
    let ended = shell::watch(&mut shell::cargo(args), |line| {
        if let Ok(mut tally) = tally.lock() {
            *tally += Tally::of_line(line);
        }
    });
    let tally = tally.into_inner()?;
    *total += tally;
    match ended {
        Err(_status) if tally.failed > 0 => Err(tally.to_string().into()),
        Err(other) => Err(other.into()),
        Ok(()) if tally.passed == 0 => Err("not a single test was run".into()),
        Ok(()) => Ok(Done::Passed(tally.to_string())),
    }
}
