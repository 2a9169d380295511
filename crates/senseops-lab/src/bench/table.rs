//! The table of figures, for the terminal and for docs/performance.md.

use std::fmt;

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
