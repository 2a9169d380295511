//! Figures in documents: a program writes what stands between two marks, people write the rest.
#![expect(clippy::disallowed_methods, reason = "a tool may wait for a disk")]

use std::fs;

use senseops_core::BoxError;

use crate::machine;

const BEGIN: &str = "<!-- figures -->\n";
const END: &str = "<!-- /figures -->";

/// Replaces the figures in the document at this path below the root, and says when and on what they were measured.
pub(crate) fn write(path: &str, figures: &str) -> Result<(), BoxError> {
    let file = machine::root().join(path);
    let text = fs::read_to_string(&file)?;
    let replaced = replaced(&text, &format!("{}\n\n{figures}", measured_on()));
    Ok(fs::write(&file, replaced.ok_or_else(|| format!("{path} has lost its marks for figures"))?)?)
}

fn replaced(text: &str, figures: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{figures}{END}{after}"))
}

fn measured_on() -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let text = "before\n<!-- figures -->\nold\n<!-- /figures -->\nafter\n";
        let expected = "before\n<!-- figures -->\nnew\n<!-- /figures -->\nafter\n";
        assert_eq!(replaced(text, "new\n").as_deref(), Some(expected));
        assert_eq!(replaced("no marks", "new\n"), None);
    }
}
