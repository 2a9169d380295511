//! The sentences that the page for operators explains are those that the program says.

use super::{Finding, Rule};
use crate::tree::{File, Tree};

const PAGE: &str = "docs/operate.md";
/// The tables whose first column quotes the program. In it, `…` stands for names and figures.
const HEADINGS: [&str; 2] = ["| sentence |", "| message |"];

/// Every quoted sentence with a part that no crate has.
pub(super) fn check(tree: &Tree) -> impl Iterator<Item = Finding> {
    let page = tree.files().filter(|file| file.path == PAGE);
    page.flat_map(move |page| {
        let sentences = quoted(page).filter_map(|(line, sentence)| {
            let part = sentence.split('…').map(bare).find(|part| !is_said(tree, part))?;
            let advice = format!("no crate says {part:?}; quote what it says now, or take it out");
            Some(Rule::Sentence.broken_in(page, line, advice))
        });
        sentences.collect::<Vec<_>>()
    })
}

/// What is between backticks in the first cells of those tables, with its line.
fn quoted(page: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut is_inside = false;
    let rows = page.lines().filter(move |(_, line)| {
        is_inside =
            line.starts_with('|') && (is_inside || HEADINGS.iter().any(|head| line.starts_with(head)));
        is_inside
    });
    rows.flat_map(|(number, line)| {
        let cell = line.split(" | ").next().unwrap_or_default();
        cell.split('`').skip(1).step_by(2).map(move |sentence| (number, sentence))
    })
}

/// Without what stands between a figure and the words.
fn bare(part: &str) -> &str {
    part.trim_matches([' ', '(', ')', ':', ';', ','])
}

fn is_said(tree: &Tree, part: &str) -> bool {
    let is_of_a_crate = |file: &File| file.path.starts_with("crates/") && file.path.contains("/src/");
    tree.ending(".rs").any(|file| is_of_a_crate(file) && file.text.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_that_nobody_says_any_more_is_found() {
        let page = "`gone` in prose\n\n| sentence | meaning |\n|---|---|\n| `… is full`, `no room in … (…)` | `gone` |\n\n\
            | other |\n|---|\n| `gone` |\n";
        let tree = Tree::of([
            ("crates/x/src/lib.rs", "format!(\"{disk} is full\")"),
            ("crates/x/tests/it.rs", "no room in"),
            (PAGE, page),
        ]);
        let findings: Vec<_> = check(&tree).map(|finding| (finding.line, finding.advice)).collect();
        let advice = "no crate says \"no room in\"; quote what it says now, or take it out";
        assert_eq!(findings, [(5, advice.to_owned())]);
    }
}
