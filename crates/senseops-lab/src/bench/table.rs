//! The table of figures, for the terminal and for docs/performance.md.

use std::fmt;

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) what: String,
    /// What others need for it, as far as it was measured on the same kind of machine.
    pub(crate) others: &'static str,
    /// What each run gave.
    pub(crate) ours: Vec<f64>,
    pub(crate) unit: &'static str,
    pub(crate) goal: Goal,
    /// What else was seen, in the last run.
    pub(crate) remark: String,
}

/// What a figure should be. The median is judged.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    /// Whatever it is.
    Any,
    AtMost(f64),
    AtLeast(f64),
    /// Nothing, in any run.
    None,
    /// At most so much more than another figure, run by run.
    AtMostMore {
        most: f64,
        than: Vec<f64>,
    },
}

impl Figure {
    /// A figure of one run, which may be anything.
    pub(crate) fn new(what: impl Into<String>, ours: f64, unit: &'static str) -> Self {
        let (what, ours) = (what.into(), vec![ours]);
        Self { what, others: "", ours, unit, goal: Goal::Any, remark: String::new() }
    }

    pub(crate) fn others(self, others: &'static str) -> Self {
        Self { others, ..self }
    }

    pub(crate) fn goal(self, goal: Goal) -> Self {
        Self { goal, ..self }
    }

    pub(crate) fn at_most(self, most: f64) -> Self {
        self.goal(Goal::AtMost(most))
    }

    pub(crate) fn remark(self, remark: impl Into<String>) -> Self {
        Self { remark: remark.into(), ..self }
    }

    /// The same figure of one more run.
    pub(crate) fn add(&mut self, other: Self) {
        self.ours.extend(other.ours);
        self.remark = other.remark;
        if let (Goal::AtMostMore { than, .. }, Goal::AtMostMore { than: more, .. }) =
            (&mut self.goal, other.goal)
        {
            than.extend(more);
        }
    }

    pub(crate) fn is_missed(&self) -> bool {
        let [_, median, largest] = spread(&self.ours);
        match &self.goal {
            Goal::Any => false,
            Goal::AtMost(most) => median > *most,
            Goal::AtLeast(least) => median < *least,
            Goal::None => largest > 0.0,
            Goal::AtMostMore { most, .. } => {
                spread(&self.differences()).get(1).is_none_or(|more| more > most)
            }
        }
    }

    /// Run by run, how much more it is than what it is compared with.
    fn differences(&self) -> Vec<f64> {
        match &self.goal {
            Goal::AtMostMore { than, .. } => {
                self.ours.iter().zip(than).map(|(ours, other)| ours - other).collect()
            }
            Goal::Any | Goal::AtMost(_) | Goal::AtLeast(_) | Goal::None => Vec::new(),
        }
    }

    fn remarks(&self) -> String {
        let differences = self.differences();
        let more = if differences.is_empty() {
            String::new()
        } else {
            format!("{} {} more", shown(&differences), self.unit)
        };
        let missed = if self.is_missed() { "**missed**".to_owned() } else { String::new() };
        let parts = [missed, more, self.remark.clone()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, ours, unit, goal, .. } = self;
        write!(f, "{what}: {} {unit} (goal {}) {}", shown(ours), goal.shown(unit), self.remarks())
    }
}

impl Goal {
    fn shown(&self, unit: &str) -> String {
        match self {
            Self::Any => String::new(),
            Self::AtMost(most) => format!("≤ {most} {unit}"),
            Self::AtLeast(least) => format!("≥ {least} {unit}"),
            Self::None => "none".into(),
            Self::AtMostMore { most, .. } => format!("≤ {most} {unit} more"),
        }
    }
}

pub(crate) fn markdown(figures: &[Figure]) -> String {
    let head = "| work | the others | goal | ours | |\n|---|---|---|---|---|\n";
    let row = |figure: &Figure| {
        let Figure { what, others, ours, unit, goal, .. } = figure;
        let goal = goal.shown(unit);
        format!("| {what} | {others} | {goal} | {} {unit} | {} |\n", shown(ours), figure.remarks())
    };
    head.to_owned() + &figures.iter().map(row).collect::<String>()
}

/// The median, and the range if there is one: `5.90 (5.70–6.10)`.
fn shown(values: &[f64]) -> String {
    let [least, median, most] = spread(values).map(rounded);
    if values.len() > 1 { format!("{median} ({least}–{most})") } else { median }
}

/// The least, the median and the most.
fn spread(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    let median = if sorted.len() % 2 == 1 {
        at(middle)
    } else {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    };
    [at(0), median, at(sorted.len().wrapping_sub(1))]
}

/// With three digits that say something, or all before the point.
fn rounded(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        small if small < 10.0 => 2,
        middle if middle < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(runs: &[f64], goal: Goal) -> Figure {
        Figure { ours: runs.to_vec(), ..Figure::new("work", 0.0, "µs").goal(goal) }
    }

    #[test]
    fn the_median_is_judged_and_the_range_is_shown() {
        let runs = [5.0, 30.0, 5.2, 4.96, 5.1];
        assert!(!figure(&runs, Goal::AtMost(6.0)).is_missed());
        assert!(figure(&runs, Goal::AtMost(5.0)).is_missed());
        assert!(figure(&runs, Goal::AtLeast(6.0)).is_missed());
        assert_eq!(
            markdown(&[figure(&runs, Goal::AtMost(5.0)).others("more").remark("so")]).lines().last(),
            Some("| work | more | ≤ 5 µs | 5.10 (4.96–30.0) µs | **missed**; so |")
        );
    }

    #[test]
    fn what_should_not_be_at_all_may_not_be_in_any_run() {
        assert!(figure(&[0.0, 0.0, 1.0], Goal::None).is_missed());
        assert!(!figure(&[0.0, 0.0, 0.0], Goal::None).is_missed());
    }

    #[test]
    fn a_figure_is_compared_with_another_run_by_run() {
        let run = |ours, than, most| figure(&[ours], Goal::AtMostMore { most, than: vec![than] });
        let compared = |most| {
            let mut first = run(10.0, 9.0, most);
            first.add(run(20.0, 19.5, most));
            first.add(run(30.0, 28.0, most));
            first
        };
        assert!(!compared(1.0).is_missed());
        assert!(compared(0.9).is_missed());
        assert_eq!(
            compared(1.0).to_string(),
            "work: 20.0 (10.0–30.0) µs (goal ≤ 1 µs more) 1.00 (0.50–2.00) µs more"
        );
    }

    #[test]
    fn an_even_number_of_runs_has_a_median_too() {
        assert_eq!(shown(&[1.0, 2.0, 4.0, 3.0]), "2.50 (1.00–4.00)");
        assert_eq!(shown(&[123_456.7]), "123457");
    }
}
