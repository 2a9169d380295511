//! Figures in documents: a program writes what stands between two marks, people write the rest.
#![expect(clippy::disallowed_methods, reason = "a tool may wait for a disk")]

use std::fs;
use std::path::Path;

use senseops_core::BoxError;

use crate::machine;

const BEGIN: &str = "<!-- figures -->\n";
const END: &str = "<!-- /figures -->";

/// Replaces the figures in the document at this path below the root, and says when, on what, of which versions and how
/// they were measured.
pub(crate) fn write(path: &str, sos: &Path, how: &str, table: &str) -> Result<(), BoxError> {
    let file = machine::root().join(path);
    let text = fs::read_to_string(&file)?;
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d");
    let figures =
        format!("Measured on {day} on {}: {}. {how}\n\n{table}", machine::hardware(), machine::versions(sos));
    let replaced =
        replaced(&text, &figures).ok_or_else(|| format!("{path} has lost its marks for figures"))?;
    Ok(fs::write(&file, replaced)?)
}

fn replaced(text: &str, figures: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{figures}{END}{after}"))
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
