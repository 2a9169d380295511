//! What every source and every sink has beside its code.

use super::{Finding, Rule};
use crate::reference;
use crate::tree::Tree;

const FILES: [(&str, &str); 3] = [
    ("README.md", "say what it does, what its keys are, and what it emits or writes"),
    ("sample.yaml", "list every key, commented at its default"),
    ("tests/it/contract.rs", "run the contract suite of senseops-testkit"),
];

/// Every file that a plugin lacks, and every README that does not show the sample.
pub(super) fn check(tree: &Tree) -> impl Iterator<Item = Finding> {
    missing(tree).chain(without_sample(tree))
}

fn without_sample(tree: &Tree) -> impl Iterator<Item = Finding> {
    tree.plugins().map(|folder| format!("{folder}/README.md")).filter_map(|path| {
        let placed = reference::has_place_for_sample(tree.text(&path)?);
        let advice = "put `<!-- sample -->` and `<!-- /sample -->` where its keys belong";
        (!placed).then(|| Rule::PluginFile.broken_at(&path, 1, advice))
    })
}

fn missing(tree: &Tree) -> impl Iterator<Item = Finding> {
    tree.plugins().flat_map(move |folder| {
        let paths = FILES.map(|(name, advice)| (format!("{folder}/{name}"), advice));
        let missing = paths.into_iter().filter(|(path, _)| tree.text(path).is_none());
        missing.map(|(path, advice)| Rule::PluginFile.broken_at(&path, 1, format!("is missing; {advice}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_without_contract_test_is_found() {
        let tree = Tree::of([
            ("crates/senseops-core/Cargo.toml", ""),
            ("crates/senseops-sink-x/Cargo.toml", ""),
            ("crates/senseops-sink-x/README.md", "<!-- sample --><!-- /sample -->"),
            ("crates/senseops-sink-x/sample.yaml", ""),
        ]);
        let paths: Vec<String> = check(&tree).map(|finding| finding.path).collect();
        assert_eq!(paths, ["crates/senseops-sink-x/tests/it/contract.rs"]);
    }

    #[test]
    fn a_readme_without_a_place_for_the_sample_is_found() {
        let tree = Tree::of([
            ("crates/senseops-sink-x/tests/fixtures/README.md", ""),
            ("crates/senseops-sink-x/Cargo.toml", ""),
            ("crates/senseops-sink-x/README.md", "# X\n"),
            ("crates/senseops-sink-x/sample.yaml", ""),
            ("crates/senseops-sink-x/tests/it/contract.rs", ""),
        ]);
        let paths: Vec<String> = check(&tree).map(|finding| finding.path).collect();
        assert_eq!(paths, ["crates/senseops-sink-x/README.md"]);
    }
}
