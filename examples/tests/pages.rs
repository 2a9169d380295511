//! Pages quote the examples word for word, so what they show compiles.

use std::path::Path;

/// Those for people who write code against ours.
const PAGES: [&str; 2] = ["../docs/embed.md", "../docs/write-a-plugin.md"];

#[test]
fn what_pages_quote_is_in_an_example() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(here).unwrap().map(|entry| entry.unwrap().path());
    let sources = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let examples: Vec<String> = sources.map(|path| normal(&std::fs::read(path).unwrap())).collect();
    for page in PAGES {
        let text = normal(&std::fs::read(here.join(page)).unwrap());
        let mut blocks = text.split("\n```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        let invented = blocks.find(|block| !examples.iter().any(|example| example.contains(*block)));
        assert_eq!(invented, None, "{page} shows what is in no example");
    }
}

#[test]
fn what_a_readme_shows_is_an_example_of_its_crate() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    for folder in std::fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path()) {
        let read = |file| std::fs::read(folder.join(file)).map(|text| normal(&text)).unwrap_or_default();
        let (readme, docs) = (read("README.md"), read("src/lib.rs"));
        if docs.contains("include_str!(\"../README.md\")") {
            continue;
        }
        let is_run = |line: &str| {
            docs.lines().filter_map(|doc| doc.strip_prefix("//!")).any(|doc| {
                let doc = doc.trim();
                doc == line || doc.strip_prefix("# ") == Some(line)
            })
        };
        let blocks = readme.split("\n```rust\n").skip(1).filter_map(|rest| rest.split("```").next());
        let invented = blocks.flat_map(str::lines).find(|line| !line.is_empty() && !is_run(line));
        assert_eq!(invented, None, "the README of {} shows what no doctest of it runs", folder.display());
    }
}

/// Lines without their indentation.
fn normal(text: &[u8]) -> String {
    String::from_utf8_lossy(text).lines().flat_map(|line| [line.trim(), "\n"]).collect()
}
