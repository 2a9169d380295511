//! Which crate of the workspace may depend on which. `docs/architecture.md` draws the same table.

use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

use super::{Finding, Rule};
use crate::tree::Tree;

/// One crate of the workspace depends on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    from: String,
    to: String,
    /// Only in tests, examples and benches.
    dev: bool,
    /// Relative to the root.
    manifest: String,
}

/// A crate, and what it may depend on. `*` stands for any rest of a name.
const ALLOWED: &[(&str, &[&str])] = &[
    ("senseops-core", &[]),
    ("senseops-wire", &["senseops-core"]),
    ("senseops-journal", &["senseops-core"]),
    ("senseops-sim", &["senseops-core"]),
    ("senseops-testkit", &["senseops-core"]),
    ("senseops-net", &["senseops-core"]),
    ("senseops-qlik", &["senseops-core", "senseops-net"]),
    ("senseops-dialect", &["senseops-core", "senseops-qlik"]),
    ("senseops-engine", &["senseops-core", "senseops-journal", "senseops-wire"]),
    ("senseops-config", &["senseops-core", "senseops-engine"]),
    ("senseops-web", &["senseops-core", "senseops-engine", "senseops-net", "senseops-wire"]),
    ("senseops-source-*", &["senseops-core", "senseops-net", "senseops-qlik"]),
    ("senseops-sink-*", &["senseops-core", "senseops-net", "senseops-dialect"]),
    (
        "senseops",
        &[
            "senseops-config",
            "senseops-core",
            "senseops-engine",
            "senseops-net",
            "senseops-qlik",
            "senseops-sim",
            "senseops-sink-*",
            "senseops-source-*",
            "senseops-web",
            "senseops-wire",
        ],
    ),
    ("sos", &["senseops", "senseops-dialect", "senseops-qlik"]),
    ("senseops-lab", &["senseops", "senseops-core", "senseops-sim", "senseops-testkit"]),
    ("senseops-examples", &["senseops", "senseops-source-*", "senseops-sink-*"]),
    // `cargo xtask` is there before anything else is compiled.
    ("xtask", &[]),
];

/// What tests may depend on in addition.
const IN_TESTS: &[(&str, &[&str])] = &[("*", &["senseops-sim", "senseops-testkit"]), ("xtask", &["*"])];

/// The edges between crates of the workspace at `root`.
pub(super) fn of_workspace(root: &Path) -> Result<Vec<Edge>, cargo_metadata::Error> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let edges = metadata.packages.iter().flat_map(|package| {
        let manifest =
            package.manifest_path.as_std_path().strip_prefix(root).unwrap_or(Path::new("Cargo.toml"));
        let manifest = manifest.to_string_lossy().replace('\\', "/");
        let inside = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
        inside.map(move |dependency| Edge {
            from: package.name.to_string(),
            to: dependency.name.clone(),
            dev: dependency.kind == DependencyKind::Development,
            manifest: manifest.clone(),
        })
    });
    Ok(edges.collect())
}

/// Every edge that is not in the table.
pub(super) fn check(tree: &Tree, edges: &[Edge]) -> impl Iterator<Item = Finding> {
    edges.iter().filter(|edge| !is_allowed(edge)).map(|Edge { from, to, manifest, .. }| {
        let file = tree.files().find(|file| file.path == *manifest);
        let line = file.map_or(1, |file| file.line_of(&format!("{to}.workspace")));
        let advice = format!(
            "{from} must not know {to}; a new edge needs an ADR and a row in xtask/src/tidy/edges.rs"
        );
        Rule::Edge.broken_at(manifest, line, advice)
    })
}

fn is_allowed(edge: &Edge) -> bool {
    let rows = ALLOWED.iter().chain(IN_TESTS.iter().filter(|_| edge.dev));
    let mut allowed = rows.filter(|(from, _)| matches(from, &edge.from)).flat_map(|(_, to)| *to);
    allowed.any(|to| matches(to, &edge.to))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, dev: bool) -> Edge {
        Edge { from: from.into(), to: to.into(), dev, manifest: format!("crates/{from}/Cargo.toml") }
    }

    #[test]
    fn plugins_know_the_contracts_and_their_library_and_nothing_else() {
        for (from, to, dev, allowed) in [
            ("senseops-source-udp", "senseops-core", false, true),
            ("senseops-source-udp", "senseops-engine", false, false),
            ("senseops-source-udp", "senseops-dialect", false, false),
            ("senseops-sink-influx", "senseops-dialect", false, true),
            ("senseops-sink-influx", "senseops-qlik", false, false),
            ("senseops-sink-influx", "senseops-sink-console", false, false),
            ("senseops-sink-influx", "senseops-testkit", false, false),
            ("senseops-sink-influx", "senseops-testkit", true, true),
            ("senseops-core", "senseops-journal", false, false),
            ("senseops-newcomer", "senseops-core", false, false),
            ("xtask", "senseops-engine", false, false),
            ("xtask", "senseops-engine", true, true),
        ] {
            assert_eq!(is_allowed(&edge(from, to, dev)), allowed, "{from} -> {to}");
        }
    }

    #[test]
    fn a_forbidden_edge_is_found_in_its_line() {
        let manifest = "[dependencies]\nserde.workspace = true\nsenseops-engine.workspace = true\n";
        let tree = Tree::of([("crates/senseops-net/Cargo.toml", manifest)]);
        let findings: Vec<Finding> =
            check(&tree, &[edge("senseops-net", "senseops-engine", false)]).collect();
        let advice = "senseops-net must not know senseops-engine; a new edge needs an ADR and a row in xtask/src/tidy/edges.rs";
        assert_eq!(findings, [Rule::Edge.broken_at("crates/senseops-net/Cargo.toml", 3, advice)]);
    }
}
