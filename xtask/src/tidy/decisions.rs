//! Decisions: records without gaps, and exceptions that are looked at again.

use super::{Finding, Rule};
use crate::tree::Tree;

const FOLDER: &str = "docs/adr/";
const INDEX: &str = "docs/adr/README.md";
const EXCEPTIONS: &str = "deny.toml";

/// Every record that the index lacks, and every gap in the numbers.
pub(super) fn check_adrs(tree: &Tree) -> impl Iterator<Item = Finding> {
    let index = tree.text(INDEX).unwrap_or_default();
    let records = tree.ending(".md").filter(|file| file.path.starts_with(FOLDER) && file.path != INDEX);
    (1..).zip(records).flat_map(move |(expected, record)| {
        let name = record.path.strip_prefix(FOLDER).unwrap_or_default();
        let number = name.split('-').next().unwrap_or_default();
        let expected = format!("{expected:04}");
        let gap =
            (number != expected).then(|| format!("is numbered {number}; the next number is {expected}"));
        let unlisted =
            (!index.contains(&format!("({name})"))).then(|| format!("is not in {INDEX}; add a line"));
        gap.into_iter().chain(unlisted).map(|advice| Rule::Decision.broken_in(record, 1, advice))
    })
}

/// Every ignored advisory without a month of review that is still to come. `this_month` is written `2027-03`.
pub(super) fn check_advisories(tree: &Tree, this_month: &str) -> impl Iterator<Item = Finding> {
    let lines = tree.files().filter(|file| file.path == EXCEPTIONS).flat_map(|file| {
        file.lines()
            .filter(|(_, line)| line.contains("RUSTSEC-"))
            .map(move |(number, line)| (file, number, line))
    });
    lines.filter_map(move |(file, number, line)| {
        let advice = match line.split_once("Review ").and_then(|(_, after)| after.get(..7)) {
            None => "give the reason, and `Review YYYY-MM`",
            Some(month) if month <= this_month => {
                "is due for review: is the advisory still ignored for good reason?"
            }
            Some(_later) => return None,
        };
        Some(Rule::Advisory.broken_in(file, number, advice))
    })
}

/// The month that it is, as in `Review 2027-03`.
pub(super) fn this_month() -> String {
    jiff::Timestamp::now().strftime("%Y-%m").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_the_numbers_and_a_record_without_a_line_in_the_index_are_found() {
        let tree = Tree::of([
            ("docs/adr/0001-record-decisions.md", ""),
            ("docs/adr/0003-journal.md", ""),
            (INDEX, "* [0001](0001-record-decisions.md)\n"),
        ]);
        let findings: Vec<String> = check_adrs(&tree).map(|finding| finding.advice).collect();
        assert_eq!(
            findings,
            ["is numbered 0003; the next number is 0002", "is not in docs/adr/README.md; add a line"]
        );
    }

    #[test]
    fn an_advisory_is_ignored_until_its_review() {
        let entry = "  { id = \"RUSTSEC-2025-0134\", reason = \"ours only. Review 2027-03\" },\n";
        let tree = Tree::of([(EXCEPTIONS, entry)]);
        assert_eq!(check_advisories(&tree, "2027-02").count(), 0);
        assert_eq!(check_advisories(&tree, "2027-03").count(), 1);
        let tree = Tree::of([(EXCEPTIONS, "  { id = \"RUSTSEC-2025-0134\", reason = \"ours only\" },\n")]);
        assert_eq!(check_advisories(&tree, "2027-02").count(), 1);
    }
}
