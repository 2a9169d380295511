//! Rules for Rust files, one line at a time.

use std::iter;

use super::{Finding, Rule};
use crate::tree::{File, Tree};

const MAX_LINES: usize = 500;

/// The files that may look at cargo features: the list of plugins, and the one line that leaves the program out.
const FEATURE_GATES: [&str; 2] = ["crates/senseops/src/plugins.rs", "crates/senseops/src/lib.rs"];

/// This folder has to name what it looks for.
const RULE_BOOK: &str = "xtask/src/tidy";

/// Every Rust file that breaks a rule.
pub(super) fn check(tree: &Tree) -> impl Iterator<Item = Finding> {
    tree.ending(".rs").flat_map(|file| {
        let mut findings: Vec<Finding> = first_line(file).into_iter().chain(length(file)).collect();
        if !file.path.starts_with(RULE_BOOK) {
            findings.extend(table_of_contents(file));
            findings.extend(feature_gates(file));
            findings.extend(banned(file));
            findings.extend(config_structs(file));
        }
        findings
    })
}

fn first_line(file: &File) -> Option<Finding> {
    (!file.text.starts_with("//!")).then(|| {
        Rule::FirstLine.broken_in(file, 1, "begin with a `//!` line that says what this file is for")
    })
}

fn length(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    (lines > MAX_LINES).then(|| {
        Rule::Length.broken_in(file, lines, format!("has {lines} lines; split it below {MAX_LINES}"))
    })
}

fn table_of_contents(file: &File) -> Option<Finding> {
    if !file.path.ends_with("/lib.rs") {
        return None;
    }
    let (line, _) = code(file).find(|(_, line)| words(line).any(|word| word == "fn"))?;
    Some(Rule::TableOfContents.broken_in(
        file,
        line,
        "move the function into a module; lib.rs lists what there is",
    ))
}

fn feature_gates(file: &File) -> impl Iterator<Item = Finding> {
    let lines = (!FEATURE_GATES.contains(&file.path.as_str())).then(|| code(file)).into_iter().flatten();
    lines.filter(|(_, line)| line.contains("cfg(feature") || line.contains("cfg(not(feature")).map(
        |(line, _)| {
            Rule::FeatureGate.broken_in(
                file,
                line,
                format!("features are looked at in {} only", FEATURE_GATES.join(" and ")),
            )
        },
    )
}

/// Words that stand for a habit which we do not want.
fn banned(file: &File) -> impl Iterator<Item = Finding> {
    file.lines().filter_map(|(number, line)| {
        let comment = line.trim_start().starts_with("//");
        let advice = if line.contains("serde(") && words(line).any(|word| word == "flatten") {
            "serde's flatten loses unknown keys and the place of errors; write the fields"
        } else if line.contains("serde(") && words(line).any(|word| word == "untagged") {
            "serde's untagged hides why nothing matched; tag the enum or write the Deserialize"
        } else if words(line).any(|word| word == "mockall") {
            "test against a real parser, socket or server instead of a mock"
        } else if comment && ["# Arguments", "# Returns"].iter().any(|title| line.contains(title)) {
            "say what must hold in a sentence; the signature lists the rest"
        } else if comment
            && !line.contains('|')
            && ["====", "----", "****"].iter().any(|banner| line.contains(banner))
        {
            "a module does what a banner tries to"
        } else if comment && numbered_step(line) {
            "numbered steps are functions that want a name"
        } else if ["TODO", "FIXME", "XXX"]
            .iter()
            .any(|mark| line.contains("//") && words(line).any(|word| word == *mark))
        {
            "do it, or open an issue and write a reason instead"
        } else {
            return None;
        };
        Some(Rule::Banned.broken_in(file, number, advice))
    })
}

/// `Step 1` or `step 2:`, as a word and a number.
fn numbered_step(line: &str) -> bool {
    let pairs = words(line).zip(words(line).skip(1));
    pairs.into_iter().any(|(word, next)| word == "Step" && next.chars().all(|digit| digit.is_ascii_digit()))
}

/// Structs that people write as YAML must refuse keys which they do not have.
fn config_structs(file: &File) -> impl Iterator<Item = Finding> {
    let is_config = file.path.ends_with("/config.rs") || file.path.ends_with("/settings.rs");
    let mut attributes = String::new();
    let structs = code(file).filter_map(move |(number, line)| {
        let line = line.trim();
        if line.starts_with("#[") || !attributes.is_empty() && line.starts_with([']', ')']) {
            attributes.push_str(line);
            return None;
        }
        let named = words(line).take(3).any(|word| word == "struct") && line.ends_with('{');
        let attributes = std::mem::take(&mut attributes);
        let strict =
            ["deny_unknown_fields", "try_from", "from = "].iter().any(|word| attributes.contains(word));
        (named && words(&attributes).any(|word| word == "Deserialize") && !strict).then_some(number)
    });
    let structs: Vec<usize> = if is_config { structs.collect() } else { Vec::new() };
    structs.into_iter().map(|line| {
        Rule::ConfigStruct.broken_in(
            file,
            line,
            "add `#[serde(deny_unknown_fields)]`, or typos are ignored in silence",
        )
    })
}

/// Lines that are not comments.
fn code(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.lines().filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    iter::from_fn(move || {
        let start = rest.find(|c: char| c.is_alphanumeric() || c == '_')?;
        let word = rest.get(start..)?;
        let end = word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(Rule, usize)> {
        check(&Tree::of([(path, text)])).map(|finding| (finding.rule, finding.line)).collect()
    }

    #[test]
    fn a_file_without_a_first_line_about_itself_is_found() {
        assert_eq!(rules("crates/x/src/a.rs", "use std::fmt;\n"), [(Rule::FirstLine, 1)]);
        assert_eq!(rules("crates/x/src/a.rs", "//! A.\n"), []);
    }

    #[test]
    fn a_file_may_have_500_lines_and_no_more() {
        let lines = |count: usize| format!("//! Long.\n{}", "\n".repeat(count - 1));
        assert_eq!(rules("crates/x/src/a.rs", &lines(500)), []);
        assert_eq!(rules("crates/x/src/a.rs", &lines(501)), [(Rule::Length, 501)]);
    }

    #[test]
    fn a_function_in_lib_rs_is_found_but_not_one_in_its_docs() {
        let text = "//! Like `fn main`.\n/// fn of docs\nmod a;\npub(crate) const fn b() {}\n";
        assert_eq!(rules("crates/x/src/lib.rs", text), [(Rule::TableOfContents, 4)]);
        assert_eq!(rules("crates/x/src/a.rs", text), []);
    }

    #[test]
    fn features_are_looked_at_in_one_file() {
        let text = "//! A.\n#[cfg(feature = \"mqtt\")]\nmod b;\n";
        assert_eq!(rules("crates/x/src/a.rs", text), [(Rule::FeatureGate, 2)]);
        assert_eq!(rules(FEATURE_GATES[0], text), []);
    }

    #[test]
    fn banned_words_are_found_where_they_mean_the_habit() {
        for line in [
            "#[serde(default, flatten)]",
            "#[serde(untagged)]",
            "use mockall::automock;",
            "/// # Arguments",
            "// ==== types ====",
            "// Step 2: send",
            "// TODO: more",
        ] {
            assert_eq!(
                rules("crates/x/src/a.rs", &format!("//! A.\n{line}\n")),
                [(Rule::Banned, 2)],
                "{line}"
            );
        }
        for line in [
            "let all = nested.iter().flatten();",
            "/// # Errors",
            "/// |----|----|",
            "assert_eq!(a, \"====\");",
        ] {
            assert_eq!(rules("crates/x/src/a.rs", &format!("//! A.\n{line}\n")), [], "{line}");
        }
    }

    #[test]
    fn a_config_struct_that_takes_any_key_is_found() {
        let with = |attribute: &str| {
            format!(
                "//! C.\n#[derive(Debug, Deserialize)]\n{attribute}\n/// Doc.\npub struct XConfig {{\n}}\n"
            )
        };
        assert_eq!(rules("crates/x/src/config.rs", &with("#[serde(default)]")), [(Rule::ConfigStruct, 5)]);
        assert_eq!(rules("crates/x/src/config.rs", &with("#[serde(deny_unknown_fields)]")), []);
        assert_eq!(rules("crates/x/src/config.rs", &with("#[serde(try_from = \"RawX\")]")), []);
        assert_eq!(rules("crates/x/src/answer.rs", &with("#[serde(default)]")), []);
    }
}
