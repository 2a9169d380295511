//! `cargo xtask reference`: what is generated from the samples of the plugins.
//!
//! `config/sos.reference.yaml` is every sample below the keys that all pipelines have. The README of a plugin shows
//! its sample between `<!-- sample -->` and `<!-- /sample -->`.

use std::process::ExitCode;

use crate::error::BoxError;
use crate::shell;
use crate::tree::{self, File, Tree};

const REFERENCE: &str = "config/sos.reference.yaml";

/// What does not depend on plugins: the table of the pipeline, and the keys that all sources and sinks have.
const FRAME: &str = include_str!("reference/frame.yaml");

const BEGIN: &str = "<!-- sample -->";
const END: &str = "<!-- /sample -->";

/// Writes what differs, or says what would be written.
pub(crate) fn run(check: bool) -> Result<ExitCode, BoxError> {
    let root = shell::root();
    let tree = Tree::read(root)?;
    let mut stale = false;
    for File { path, text } in generate(&tree) {
        if tree.text(&path) == Some(&text) {
            println!("{path}: as it should be");
        } else if check {
            println!("{path}: differs; run `cargo xtask reference`");
            stale = true;
        } else {
            tree::write(&root.join(&path), &text)?;
            println!("{path}: written");
        }
    }
    Ok(if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The generated files as they should be.
pub(crate) fn generate(tree: &Tree) -> Vec<File> {
    let reference = File { path: REFERENCE.to_owned(), text: reference(tree) };
    let readmes = tree.plugins().filter_map(|folder| {
        let path = format!("{folder}/README.md");
        let text = with_sample(tree.text(&path)?, tree.text(&format!("{folder}/sample.yaml"))?)?;
        Some(File { path, text })
    });
    [reference].into_iter().chain(readmes).collect()
}

fn reference(tree: &Tree) -> String {
    let table = |name: &str, role: &str| {
        let entries: Vec<String> = tree.plugins().filter_map(|folder| entry(tree, folder, role)).collect();
        format!("\n{name}:\n{}", entries.join("\n"))
    };
    [FRAME, &table("sources", "/senseops-source-"), &table("sinks", "/senseops-sink-")].concat()
}

/// The sample of a plugin as a component named `main`; `None` if the plugin is not of that role.
fn entry(tree: &Tree, folder: &str, role: &str) -> Option<String> {
    let (_, kind) = folder.split_once(role)?;
    let sample = tree.text(&format!("{folder}/sample.yaml"))?;
    let about = description(tree, folder).map(|about| format!("  # {about}\n")).unwrap_or_default();
    let indented = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("      {line}\n") };
    let sample: String = sample.lines().map(indented).collect();
    Some(format!("{about}  {kind}:\n    main:\n{sample}"))
}

/// What the manifest says about the crate.
fn description<'a>(tree: &'a Tree, folder: &str) -> Option<&'a str> {
    let manifest = tree.text(&format!("{folder}/Cargo.toml"))?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("description = \""))?;
    line.strip_suffix('"')
}

/// Whether a README says where its sample belongs.
pub(crate) fn has_place_for_sample(readme: &str) -> bool {
    with_sample(readme, "").is_some()
}

/// The README with the sample in it; `None` if it has no place for one.
fn with_sample(readme: &str, sample: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_old, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n```yaml\n{}\n```\n{END}{after}", sample.trim_end()))
}

#[cfg(test)]
mod tests {
    use senseops_core::LabelSet;
    use senseops_engine::{
        DeadLetterSettings, Delivery, JournalSettings, Only, PipelineSettings, RateLimit, SelfMetrics,
    };
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pipeline {
        pipeline: PipelineSettings,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct AnySource {
        enabled: bool,
        labels: LabelSet,
        rate_limit: RateLimit,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct AnyRelay {
        enabled: bool,
        labels: LabelSet,
        only: Only,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct AnySink {
        enabled: bool,
        only: Only,
        delivery: Delivery,
    }

    /// The text with the settings that are commented out, which are `key: value` after `mark`.
    fn switched_on(text: &str, mark: &str) -> String {
        let setting = |line: &str| {
            let (indent, rest) = line.split_once(mark)?;
            let (key, _) = rest.split_once(':')?;
            let is_key = key.trim_start().chars().all(|c| c.is_ascii_lowercase() || c == '_');
            is_key.then(|| format!("{indent}{rest}"))
        };
        text.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
    }

    #[test]
    fn a_readme_gets_the_sample_between_its_marks_and_keeps_the_rest() {
        let readme = "# X\n<!-- sample -->\nold\n<!-- /sample -->\nend\n";
        let new = with_sample(readme, "# qos: 1\n").unwrap();
        assert_eq!(new, "# X\n<!-- sample -->\n```yaml\n# qos: 1\n```\n<!-- /sample -->\nend\n");
        assert_eq!(with_sample(&new, "# qos: 1\n"), Some(new), "generating twice changes nothing");
        assert_eq!(with_sample("# X\n", "# qos: 1\n"), None);
    }

    #[test]
    fn the_reference_has_each_sample_below_its_role_and_type() {
        let tree = Tree::of([
            ("crates/senseops-sink-x/Cargo.toml", "description = \"Writes to X.\"\n"),
            ("crates/senseops-sink-x/sample.yaml", "url: http://x\n\n# qos: 1\n"),
            ("crates/senseops-source-y/Cargo.toml", ""),
            ("crates/senseops-source-y/sample.yaml", "listen: 127.0.0.1:1\n"),
        ]);
        let expected = "
sources:
  y:
    main:
      listen: 127.0.0.1:1

sinks:
  # Writes to X.
  x:
    main:
      url: http://x

      # qos: 1
";
        assert_eq!(reference(&tree).strip_prefix(FRAME), Some(expected));
    }

    #[test]
    fn the_frame_shows_every_default_of_the_pipeline() {
        let (pipeline, _) = FRAME.split_once("\n# Health, metrics").unwrap();
        let Pipeline { pipeline } = serde_saphyr::from_str(&switched_on(pipeline, "#")).unwrap();
        let (journal, dead_letters) = (JournalSettings::default(), DeadLetterSettings::default());
        let shown = PipelineSettings {
            state_dir: Some("/var/lib/sos".into()),
            journal: JournalSettings {
                path: Some("/var/lib/sos/journal".into()),
                max_bytes: Some(journal.max_bytes()),
                fsync: Some(journal.fsync()),
                max_age: Some("7d".parse().unwrap()),
            },
            dead_letters: DeadLetterSettings {
                path: Some("/var/lib/sos/dead-letters".into()),
                ..dead_letters
            },
            self_metrics: Some(SelfMetrics::default()),
            ..PipelineSettings::default()
        };
        assert_eq!(pipeline, shown);
    }

    #[test]
    fn the_frame_shows_every_default_of_components() {
        let (_, components) = FRAME.split_once("every source has:\n").unwrap();
        let (source, others) =
            components.split_once("#\n# and every relay, of which sos itself has none:\n").unwrap();
        let (relay, sink) = others.split_once("#\n# and every sink has:\n").unwrap();
        let source: AnySource = serde_saphyr::from_str(&switched_on(source, "#   ")).unwrap();
        // It has no default: most sources are not limited.
        let rate_limit = source.rate_limit;
        assert_eq!(source, AnySource { enabled: true, labels: LabelSet::default(), rate_limit });
        let relay: AnyRelay = serde_saphyr::from_str(&switched_on(relay, "#   ")).unwrap();
        assert_eq!(relay, AnyRelay { enabled: true, labels: LabelSet::default(), only: Only::default() });
        let sink: AnySink = serde_saphyr::from_str(&switched_on(sink, "#   ")).unwrap();
        assert_eq!(sink, AnySink { enabled: true, only: Only::default(), delivery: Delivery::default() });
    }
}
