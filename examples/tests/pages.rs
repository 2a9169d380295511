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

/// Lines without their indentation.
fn normal(text: &[u8]) -> String {
    String::from_utf8_lossy(text).lines().flat_map(|line| [line.trim(), "\n"]).collect()
}
