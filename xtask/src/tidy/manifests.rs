//! Rules for manifests: versions in one place, lints everywhere, nothing listed that nobody uses.

use super::{Finding, Rule};
use crate::tree::{File, Tree};

const ROOT: &str = "Cargo.toml";

/// Crates that stand for a habit which we do not want.
const BANNED: [(&str, &str); 2] = [
    ("anyhow", "libraries have error types of their own; tools use BoxError of senseops-core"),
    ("mockall", "test against a real parser, socket or server instead of a mock"),
];

/// A line of a manifest below the heading of its table.
struct Entry<'a> {
    table: &'a str,
    line: usize,
    /// What stands before `=` or `.`.
    key: &'a str,
    text: &'a str,
}

/// Every manifest that breaks a rule.
pub(super) fn check(tree: &Tree) -> impl Iterator<Item = Finding> {
    let members = || tree.ending("/Cargo.toml");
    members().flat_map(versions).chain(members().filter_map(lints)).chain(unused(tree)).chain(banned(tree))
}

fn versions(member: &File) -> impl Iterator<Item = Finding> {
    let own = entries(member)
        .filter(|entry| is_dependencies(entry.table) && !entry.text.contains("workspace = true"));
    own.map(|entry| {
        let advice =
            format!("write `{}.workspace = true`; its version belongs to the root manifest", entry.key);
        Rule::Version.broken_in(member, entry.line, advice)
    })
}

fn lints(member: &File) -> Option<Finding> {
    let on = entries(member).any(|entry| entry.table == "lints" && entry.text == "workspace = true");
    (!on).then(|| Rule::Lints.broken_in(member, 1, "add `[lints] workspace = true`"))
}

/// Dependencies of the workspace that no member has.
fn unused(tree: &Tree) -> impl Iterator<Item = Finding> {
    let used = |name: &str| {
        tree.ending("/Cargo.toml")
            .any(|member| entries(member).any(|entry| is_dependencies(entry.table) && entry.key == name))
    };
    listed(tree).filter(move |(_, entry)| !used(entry.key)).map(|(root, entry)| {
        Rule::Unused.broken_in(root, entry.line, format!("no member uses {}; remove the line", entry.key))
    })
}

fn banned(tree: &Tree) -> impl Iterator<Item = Finding> {
    listed(tree).filter_map(|(root, entry)| {
        let (_, advice) = BANNED.iter().find(|(name, _)| *name == entry.key)?;
        Some(Rule::Banned.broken_in(root, entry.line, *advice))
    })
}

/// The dependencies of the workspace, where every member has to take its own from.
fn listed(tree: &Tree) -> impl Iterator<Item = (&File, Entry<'_>)> {
    tree.files().filter(|file| file.path == ROOT).flat_map(|root| {
        entries(root).filter(|entry| entry.table == "workspace.dependencies").map(move |entry| (root, entry))
    })
}

/// `dependencies`, `dev-dependencies`, and both for one target.
fn is_dependencies(table: &str) -> bool {
    table.ends_with("dependencies") && table != "workspace.dependencies"
}

/// The lines `key = …` and `key.sub = …` with the table that they are in. Inline tables and lists are on one line
/// in our manifests, so this is all of TOML that is needed.
fn entries(file: &File) -> impl Iterator<Item = Entry<'_>> {
    let mut table = "";
    file.lines().filter_map(move |(line, text)| {
        let text = text.trim();
        if let Some(heading) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = heading;
            return None;
        }
        let key = text.split(['=', '.']).next().map(str::trim).filter(|key| !key.is_empty())?;
        (!text.starts_with('#') && text.contains('=')).then_some(Entry { table, line, key, text })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT_TEXT: &str = "[workspace.dependencies]\n# why\nserde = \"1\"\nurl = { version = \"2\" }\n";
    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn rules(member: &str) -> Vec<(Rule, usize)> {
        let tree = Tree::of([(ROOT, ROOT_TEXT), ("crates/x/Cargo.toml", member)]);
        check(&tree).map(|finding| (finding.rule, finding.line)).collect()
    }

    #[test]
    fn a_member_that_uses_what_the_root_lists_is_tidy() {
        let text = format!(
            "{LINTS}[dependencies]\nserde.workspace = true\n[dev-dependencies]\nurl = {{ workspace = true, features = [\"serde\"] }}\n"
        );
        assert_eq!(rules(&text), []);
    }

    #[test]
    fn a_version_in_a_member_is_found() {
        let text = format!("{LINTS}[dependencies]\nserde.workspace = true\nurl = \"2\"\n");
        assert_eq!(rules(&text), [(Rule::Version, 5)]);
    }

    #[test]
    fn a_member_without_the_lints_is_found() {
        assert_eq!(
            rules("[dependencies]\nserde.workspace = true\nurl.workspace = true\n"),
            [(Rule::Lints, 1)]
        );
    }

    #[test]
    fn a_banned_crate_is_found_even_if_it_is_used() {
        let member = format!("{LINTS}[dependencies]\nanyhow.workspace = true\n");
        let tree = Tree::of([
            (ROOT, "[workspace.dependencies]\nanyhow = \"1\"\n"),
            ("crates/x/Cargo.toml", &member),
        ]);
        assert_eq!(
            check(&tree).map(|finding| (finding.rule, finding.line)).collect::<Vec<_>>(),
            [(Rule::Banned, 2)]
        );
    }

    #[test]
    fn a_dependency_that_nobody_uses_is_found() {
        assert_eq!(rules(&format!("{LINTS}[dependencies]\nserde.workspace = true\n")), [(Rule::Unused, 4)]);
    }
}
