//! `cargo xtask tidy`: the rules of `docs/style.md` that no compiler knows.
//!
//! Each check is a function from the text files of the repository to findings, so each is tested on a small tree
//! that breaks its rule. The last test here is the check itself: `cargo test -p xtask` fails on an untidy tree.

mod bounds;
mod decisions;
mod edges;
mod manifests;
mod plugins;
mod sentences;
mod sources;

use std::fmt;
use std::process::ExitCode;

use crate::error::BoxError;
use crate::tree::{File, Tree};
use crate::{reference, shell};

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    rule: Rule,
    advice: String,
}

/// What a place breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    FirstLine,
    Length,
    TableOfContents,
    FeatureGate,
    Banned,
    ConfigStruct,
    Bound,
    PluginFile,
    Sentence,
    Generated,
    Version,
    Lints,
    Unused,
    Edge,
    Decision,
    Advisory,
}

impl Rule {
    #[cfg(test)]
    const ALL: [Self; 16] = [
        Self::FirstLine,
        Self::Length,
        Self::TableOfContents,
        Self::FeatureGate,
        Self::Banned,
        Self::ConfigStruct,
        Self::Bound,
        Self::PluginFile,
        Self::Sentence,
        Self::Generated,
        Self::Version,
        Self::Lints,
        Self::Unused,
        Self::Edge,
        Self::Decision,
        Self::Advisory,
    ];

    /// What it is called in messages, and its section in the style guide.
    const fn name_and_section(self) -> (&'static str, &'static str) {
        match self {
            Self::FirstLine => ("first-line", "files"),
            Self::Length => ("length", "files"),
            Self::TableOfContents => ("table-of-contents", "files"),
            Self::FeatureGate => ("feature-gate", "plugins"),
            Self::Banned => ("banned", "words-that-are-not-used"),
            Self::ConfigStruct => ("config-struct", "configuration"),
            Self::Bound => ("bound", "bounds"),
            Self::PluginFile => ("plugin-file", "plugins"),
            Self::Sentence => ("sentence", "logs"),
            Self::Generated => ("generated", "plugins"),
            Self::Version => ("version", "dependencies"),
            Self::Lints => ("lints", "dependencies"),
            Self::Unused => ("unused", "dependencies"),
            Self::Edge => ("edge", "dependencies"),
            Self::Decision => ("decision", "decisions"),
            Self::Advisory => ("advisory", "dependencies"),
        }
    }

    fn broken_in(self, file: &File, line: usize, advice: impl Into<String>) -> Finding {
        self.broken_at(&file.path, line, advice)
    }

    fn broken_at(self, path: &str, line: usize, advice: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, rule: self, advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, advice } = self;
        let (rule, section) = rule.name_and_section();
        write!(f, "{path}:{line}: {rule}: {advice} (docs/style.md#{section})")
    }
}

/// Shows all findings; the exit code says whether there are any.
pub(crate) fn run() -> Result<ExitCode, BoxError> {
    let findings = findings()?;
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} findings", findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything in this repository that breaks a rule, by place.
pub(crate) fn findings() -> Result<Vec<Finding>, BoxError> {
    let tree = Tree::read(shell::root())?;
    let mut findings = Vec::new();
    findings.extend(sources::check(&tree));
    findings.extend(bounds::check(&tree));
    findings.extend(plugins::check(&tree));
    findings.extend(sentences::check(&tree));
    findings.extend(manifests::check(&tree));
    findings.extend(edges::check(&tree, &edges::of_workspace(shell::root())?));
    findings.extend(decisions::check_adrs(&tree));
    findings.extend(decisions::check_advisories(&tree, &decisions::this_month()));
    findings.extend(generated(&tree));
    findings.sort();
    Ok(findings)
}

/// Generated files that differ from what would be generated now.
fn generated(tree: &Tree) -> impl Iterator<Item = Finding> {
    reference::generate(tree).into_iter().filter(|file| tree.text(&file.path) != Some(&file.text)).map(
        |file| {
            Rule::Generated.broken_in(
                &file,
                1,
                "differs from its generated form; run `cargo xtask reference`",
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        let findings = findings().unwrap();
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }

    #[test]
    fn a_finding_names_the_place_the_rule_and_where_to_read_about_it() {
        let finding = Rule::Length.broken_at("crates/x/src/a.rs", 501, "split it");
        assert_eq!(finding.to_string(), "crates/x/src/a.rs:501: length: split it (docs/style.md#files)");
    }

    #[test]
    fn every_rule_has_a_section_in_the_style_guide() {
        let tree = Tree::read(shell::root()).unwrap();
        let guide = tree.text("docs/style.md").unwrap();
        for rule in Rule::ALL {
            let (_, section) = rule.name_and_section();
            let heading =
                |line: &str| line.strip_prefix("## ").map(|title| title.to_lowercase().replace(' ', "-"));
            assert!(guide.lines().filter_map(heading).any(|title| title == section), "{section}");
        }
    }

    #[test]
    fn a_generated_file_that_was_edited_is_found() {
        let tree = Tree::of([
            ("crates/senseops-sink-x/Cargo.toml", "description = \"X.\"\n"),
            ("crates/senseops-sink-x/sample.yaml", "# a: 1\n"),
            ("crates/senseops-sink-x/README.md", "<!-- sample -->old<!-- /sample -->\n"),
        ]);
        let paths: Vec<String> = generated(&tree).map(|finding| finding.path).collect();
        assert_eq!(paths, ["crates/senseops-sink-x/README.md"]);
    }
}
