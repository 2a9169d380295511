//! Several files, and files that cannot be used.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;

use senseops_config::{Loaded, Problems, load};

use crate::plugins::registry;

/// Loads files of these contents; `dir` stands for their directory in messages.
fn load_files(contents: &[&[u8]]) -> Result<Loaded, String> {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = contents
        .iter()
        .enumerate()
        .map(|(index, content)| {
            let file = dir.path().join(format!("{index}.yaml"));
            std::fs::write(&file, content).unwrap();
            file
        })
        .collect();
    let shown = |problems: Problems| problems.to_string().replace(&dir.path().display().to_string(), "dir");
    load(&registry(), &files, []).map_err(shown)
}

fn problems_of(contents: &[&[u8]]) -> String {
    load_files(contents).unwrap_err()
}

#[test]
fn a_file_that_cannot_be_read() {
    let missing = load(&registry(), &[PathBuf::from("no/such/sos.yaml")], []).unwrap_err();
    insta::assert_snapshot!(missing, @"no/such/sos.yaml: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_file_in_another_encoding() {
    insta::assert_snapshot!(problems_of(&[b"\xff\xfes\0o\0"]), @"dir/0.yaml: is UTF-16; save it as UTF-8");
    insta::assert_snapshot!(problems_of(&[b"# Caf\xe9\n"]), @"dir/0.yaml: line 1 has a character that is not UTF-8; save the file as UTF-8");
    insta::assert_snapshot!(problems_of(&[b"sources: {}\nsinks: { a: \xe9 }\n"]), @"dir/0.yaml: line 2 has a character that is not UTF-8; save the file as UTF-8");
}

#[test]
fn a_later_file_changes_single_keys_and_replaces_lists() {
    let base: &[u8] = b"
sources: { udp: { users: { listen: '0.0.0.0:9997', allow: [10.0.0.1, 10.0.0.2] } } }
sinks: { console: { print: {} }, influx: { main: { url: x, database: base } } }
";
    let loaded = load_files(&[base, b"sinks: { console: { print: { enabled: false } } }"]).unwrap();
    let sinks: Vec<&str> = loaded.plan.sinks.iter().map(|sink| sink.name.as_str()).collect();
    assert_eq!(sinks, ["influx.main"]);
    // An emptied list is again one that admits everybody.
    let loaded = load_files(&[base, b"sources: { udp: { users: { allow: [] } } }"]).unwrap();
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let place = warnings.join("\n").split_once(".yaml").unwrap().1.to_owned();
    insta::assert_snapshot!(place, @":1:35: sources.udp.users.allow: everybody may send; list who may");
}

#[test]
fn null_in_a_later_file_puts_a_key_back_to_its_default() {
    let base: &[u8] = b"
sources: { udp: { users: { listen: '127.0.0.1:9997' } } }
sinks: { console: { print: { enabled: false } } }
";
    assert!(load_files(&[base]).is_err());
    let loaded = load_files(&[base, b"sinks: { console: { print: { enabled: ~ } } }"]).unwrap();
    assert_eq!(loaded.plan.sinks.len(), 1);
}

#[test]
fn a_mistake_is_found_in_the_file_that_makes_it() {
    insta::assert_snapshot!(problems_of(&[
        b"sources: { udp: { users: { listen: '127.0.0.1:9997', allow: [1] } } }\nsinks: { influx: { main: { url: x } } }",
        b"sources: { udp: { users: { allow: [a, 2] } } }\n\nsinks: { influx: { main: { gzip: maybe } } }",
    ]), @r#"
    dir/0.yaml:2:20: sinks.influx.main.database: missing, and there is no default for it
    dir/1.yaml:1:39: sources.udp.users.allow.1: expected a text, found the number 2; put it in quotes: "2"
    dir/1.yaml:3:34: sinks.influx.main.gzip: expected true or false, found the text "maybe"
    "#);
}
