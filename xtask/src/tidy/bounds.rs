//! Every channel and cache has a capacity with a name and a reason.

use super::{Finding, Rule};
use crate::tree::{File, Tree};

/// What is called to make a channel. The first argument is its capacity; those without one have no bound.
const CONSTRUCTORS: [&str; 5] = [
    "mpsc::channel(",
    "sync_channel(",
    "broadcast::channel(",
    "broadcast::Sender::new(",
    "unbounded_channel(",
];
/// What grows with what is put into it.
const COLLECTIONS: [&str; 5] = ["HashMap<", "BTreeMap<", "HashSet<", "VecDeque<", "LruCache<"];
/// These run on a developer's machine, for a while.
const FREE: [&str; 5] =
    ["crates/senseops-lab/", "crates/senseops-sim/", "crates/senseops-testkit/", "xtask/", "/tests/"];

/// Every channel or cache without a documented bound.
pub(super) fn check(tree: &Tree) -> impl Iterator<Item = Finding> {
    let files = tree.ending(".rs").filter(|file| !FREE.iter().any(|folder| file.path.contains(folder)));
    files.flat_map(|file| {
        let tests = file.text.lines().position(|line| line == "mod tests {").unwrap_or(usize::MAX);
        let code = file.lines().take(tests).filter(|(_, line)| !line.trim_start().starts_with("//"));
        code.filter_map(|(number, line)| {
            Some((number, channel(tree, line).or_else(|| cache(tree, file, line))?))
        })
        .map(|(number, advice)| Rule::Bound.broken_in(file, number, advice))
        .collect::<Vec<_>>()
    })
}

/// What is wrong with a channel that is made here.
fn channel(tree: &Tree, line: &str) -> Option<String> {
    let line = without_type_arguments(line);
    let (constructor, rest) =
        CONSTRUCTORS.iter().find_map(|constructor| Some((constructor, line.split_once(constructor)?.1)))?;
    let capacity = rest.split([')', ',']).next().unwrap_or_default().trim();
    let name = capacity.trim_end_matches(".get(");
    if capacity.is_empty() {
        Some(format!("{constructor}…) makes a queue without a bound"))
    } else if is_setting(name) || is_documented_constant(tree, name) {
        None
    } else {
        Some(format!(
            "the capacity {capacity} must be a setting, or a constant with a doc comment that says why"
        ))
    }
}

/// What is wrong with a cache that is declared here.
fn cache(tree: &Tree, file: &File, line: &str) -> Option<String> {
    let (name, kind) = line.split_once(':')?;
    let is_cache = name.to_lowercase().contains("cache") && COLLECTIONS.iter().any(|one| kind.contains(one));
    let is_bound = |line: &str| {
        line.contains(".len()")
            && identifiers(line).any(|word| is_documented_constant(tree, word) || is_setting(word))
    };
    (is_cache && !file.lines().any(|(_, line)| is_bound(line))).then(|| {
        "a cache must be compared with a setting or a documented constant before it grows".to_owned()
    })
}

/// `settings.queue`, `self.config.max_events`.
fn is_setting(capacity: &str) -> bool {
    let mut parts = capacity.split('.');
    let is_word = |part: &str| part.starts_with(|c: char| c.is_ascii_lowercase());
    capacity.contains('.') && parts.all(is_word)
}

/// Whether a constant of this name has a doc comment right above it.
fn is_documented_constant(tree: &Tree, name: &str) -> bool {
    let is_upper = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let declaration = format!("const {name}:");
    is_upper
        && tree.ending(".rs").filter(|file| file.text.contains(&declaration)).any(|file| {
            let mut before = "";
            file.text.lines().any(|line| {
                let is_documented = line.contains(&declaration) && before.trim_start().starts_with("///");
                before = line;
                is_documented
            })
        })
}

fn identifiers(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').filter(|word| !word.is_empty())
}

/// `mpsc::channel::<Command>(COMMANDS)` without the part that hides the parenthesis.
fn without_type_arguments(line: &str) -> String {
    match line.split_once("::<") {
        Some((before, after)) => match after.split_once(">(") {
            Some((_, arguments)) => format!("{before}({arguments}"),
            None => line.to_owned(),
        },
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of([(path, text)])).map(|finding| finding.line).collect()
    }

    #[test]
    fn a_channel_needs_a_capacity_that_is_a_setting_or_a_documented_constant() {
        for accepted in [
            "/// Enough for a burst.\nconst QUEUE: usize = 8;\nlet x = mpsc::channel(QUEUE);",
            "/// Why.\npub(crate) const QUEUE: usize = 8;\nlet x = broadcast::Sender::new(QUEUE);",
            "/// Why.\nconst QUEUE: usize = 8;\nlet x = mpsc::channel::<Vec<u8>>(QUEUE);",
            "let x = mpsc::channel(self.config.max_in_flight.get());",
            "let x = oneshot::channel();",
        ] {
            assert_eq!(lines("crates/x/src/a.rs", accepted), NONE, "{accepted}");
        }
        for refused in [
            "let x = mpsc::channel(8);",
            "let x = mpsc::channel(n);",
            "let x = std::sync::mpsc::channel();",
            "let x = unbounded_channel();",
            "let x = mpsc::channel::<u8>(8);",
        ] {
            assert_eq!(lines("crates/x/src/a.rs", refused), [1], "{refused}");
        }
        assert_eq!(lines("crates/x/src/a.rs", "const QUEUE: usize = 8;\nlet x = mpsc::channel(QUEUE);"), [2]);
        assert_eq!(lines("crates/x/src/a.rs", "mod tests {\nlet x = mpsc::channel(8);"), NONE);
        assert_eq!(lines("crates/senseops-sim/src/a.rs", "let x = mpsc::channel(8);"), NONE);
    }

    #[test]
    fn a_cache_needs_a_bound_too() {
        let unbounded = "struct Names {\n    cache: HashMap<String, u32>,\n}";
        assert_eq!(lines("crates/x/src/a.rs", unbounded), [2]);
        let bounded = format!("/// Why.\nconst MOST: usize = 9;\n{unbounded}\nif self.cache.len() < MOST {{");
        assert_eq!(lines("crates/x/src/a.rs", &bounded), NONE);
    }
}
