//! The table of figures, for the terminal and for docs/performance.md.
#![expect(clippy::disallowed_methods, reason = "a tool may wait for a disk")]

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use senseops_core::BoxError;

use crate::shell;

const PATH: &str = "docs/performance.md";

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) what: String,
    /// What others need for it, as far as it was measured on the same kind of machine.
    pub(crate) others: &'static str,
    pub(crate) ours: f64,
    pub(crate) unit: &'static str,
    pub(crate) target: Target,
    /// What else was seen.
    pub(crate) remark: String,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    pub(crate) fn is_missed(&self) -> bool {
        match self.target {
            Target::AtMost(most) => self.ours > most,
            Target::AtLeast(least) => self.ours < least,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:.3} {} ({}{}", self.what, self.ours, self.unit, self.target, self.unit)?;
        write!(f, "{}) {}", if self.is_missed() { ", MISSED" } else { "" }, self.remark)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most} "),
            Self::AtLeast(least) => write!(f, "≥ {least} "),
        }
    }
}

pub(crate) fn markdown(figures: &[Figure]) -> String {
    let head = "| work | the others | target | ours | |\n|---|---|---|---|---|\n";
    let row = |figure: &Figure| {
        let Figure { what, others, ours, unit, target, remark } = figure;
        let missed = if figure.is_missed() { "**missed** " } else { "" };
        format!("| {what} | {others} | {target}{unit} | {ours:.3} {unit} | {missed}{remark} |\n")
    };
    head.to_owned() + &figures.iter().map(row).collect::<String>()
}

/// Replaces the figures in the document, and leaves what people wrote around them.
pub(crate) fn write(figures: &[Figure]) -> Result<PathBuf, BoxError> {
    const BEGIN: &str = "<!-- figures -->\n";
    const END: &str = "<!-- /figures -->";
    let path = shell::root().join(PATH);
    let text = fs::read_to_string(&path)?;
    let (before, rest) =
        text.split_once(BEGIN).ok_or("docs/performance.md has lost its <!-- figures --> mark")?;
    let (_, after) = rest.split_once(END).ok_or("docs/performance.md has lost its <!-- /figures --> mark")?;
    let machine = machine();
    fs::write(&path, format!("{before}{BEGIN}{machine}\n\n{}{END}{after}", markdown(figures)))?;
    Ok(Path::new(PATH).to_owned())
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown CPU");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d");
    format!(
        "Measured on {day}: {cores} cores ({}), Linux {}.",
        model.trim_start_matches(['\t', ' ', ':']),
        kernel.trim()
    )
}
