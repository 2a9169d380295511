//! Steps, how they ended, and how long they took.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::error::{BoxError, chain};
use crate::shell;

/// The steps of a task so far.
#[derive(Debug)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// A pipeline lacks nothing, so there every step has to be run.
    demands_all: bool,
}

/// How a step went that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It did its work; what there is to say about it, if anything.
    Passed(String),
    /// It could not be tried here, and why.
    NotRun(String),
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    ended: Result<Done, String>,
    took: Duration,
}

impl Report {
    /// No step yet.
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new(), demands_all: shell::in_ci() }
    }

    /// Does a step, whatever became of those before it, and says whether it did not fail.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<Done, BoxError>) -> bool {
        println!("\n==> {name}");
        let start = Instant::now();
        let ended = work().map_err(|error| chain(&*error));
        let row = Row { name, ended, took: start.elapsed() };
        println!("{row}");
        let passed = self.has_passed(&row);
        self.rows.push(row);
        passed
    }

    fn passed(&self) -> bool {
        self.rows.iter().all(|row| self.has_passed(row))
    }

    fn has_passed(&self, row: &Row) -> bool {
        match row.ended {
            Ok(Done::Passed(_)) => true,
            Ok(Done::NotRun(_)) => !self.demands_all,
            Err(_) => false,
        }
    }

    /// Shows all steps again in one table. The exit code is that of the whole.
    pub(crate) fn finish(self) -> ExitCode {
        println!();
        for row in &self.rows {
            println!("{row}");
        }
        if self.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl From<()> for Done {
    fn from((): ()) -> Self {
        Self::Passed(String::new())
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (verdict, note) = match &self.ended {
            Ok(Done::Passed(note)) => ("ok", note),
            Ok(Done::NotRun(note)) => ("not run", note),
            Err(note) => ("FAILED", note),
        };
        let line = format!("{:<12} {verdict:<8} {:>7.1} s  {note}", self.name, self.took.as_secs_f64());
        f.write_str(line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_does_not_stop_the_next_but_fails_the_whole() {
        let mut report = Report { rows: Vec::new(), demands_all: false };
        assert!(!report.step("first", || Err("broken".into())));
        assert!(report.step("second", || Ok(Done::NotRun("no such tool".into()))));
        let rows: Vec<String> = report.rows.iter().map(ToString::to_string).collect();
        assert_eq!(
            rows,
            ["first        FAILED       0.0 s  broken", "second       not run      0.0 s  no such tool"]
        );
        assert!(!report.passed());
    }

    #[test]
    fn what_cannot_be_tried_passes_only_where_somebody_sees_it() {
        for demands_all in [false, true] {
            let mut report = Report { rows: Vec::new(), demands_all };
            report.step("first", || Ok(().into()));
            report.step("second", || Ok(Done::NotRun("no such tool".into())));
            assert_eq!(report.passed(), !demands_all);
        }
    }
}
