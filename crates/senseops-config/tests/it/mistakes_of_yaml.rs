//! The sentences that people read after typical mistakes with YAML itself.

use insta::assert_snapshot;

use crate::plugins::problems_of;

#[test]
fn a_key_that_is_there_twice() {
    assert_snapshot!(problems_of("sinks:\n  console:\n    print: {}\nsources: {}\nsinks: {}\n"), @"sos.yaml:5:1: the key `sinks` is in this table twice; delete one of them");
}

#[test]
fn a_tab() {
    assert_snapshot!(problems_of("sources:\n  udp:\n\tusers: {}\n"), @"sos.yaml:3:1: a tab at the beginning of the line; YAML is indented with spaces only");
    assert_snapshot!(problems_of("pipeline: {}\n\tsources: {}\n"), @"sos.yaml:2:1: a tab at the beginning of the line; YAML is indented with spaces only");
}

#[test]
fn a_quote_or_bracket_that_is_not_closed() {
    assert_snapshot!(problems_of("pipeline:\n  labels: { a: 'b }\n"), @"sos.yaml:2:16: not valid YAML: unclosed quote");
    assert_snapshot!(problems_of("sources: { udp: { users: {}\nsinks: {}\n"), @"sos.yaml:2:1: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'; a bracket or brace is not closed, or a comma is too many");
}

#[test]
fn wrong_indentation() {
    assert_snapshot!(problems_of("sources:\n  udp: {}\n healthcheck: {}\n"), @"sos.yaml:3:2: begins in column 2, but the tables around it begin their keys in column 1 or 3; let it begin like the other keys of its table");
}

#[test]
fn a_colon_too_many_or_missing() {
    assert_snapshot!(problems_of("sources: udp: users\n"), @"sos.yaml:1:13: not valid YAML: mapping values are not allowed in this context; a second colon in this line must be in quotes, or the line above has no colon or another indentation");
    assert_snapshot!(problems_of("sources\nsinks: {}\n"), @"sos.yaml:1:1: a key without its colon; write a colon and a blank behind it");
}

#[test]
fn a_windows_path_in_double_quotes() {
    assert_snapshot!(problems_of(r#"pipeline: { journal: { path: "C:\qlik" } }"#), @"sos.yaml:1:30: not valid YAML: while parsing a quoted scalar, found unknown escape character; in double quotes a backslash is written twice, in single quotes once");
}

#[test]
fn a_text_that_begins_with_a_special_character() {
    assert_snapshot!(problems_of("sources: @users\n"), @"sos.yaml:1:10: not valid YAML: unexpected character: `@'; a text that begins with this character must be in quotes");
    assert_snapshot!(problems_of("sources: *users\n"), @"sos.yaml:1:10: the `*name` refers to no `&name` above it; a text that begins with * must be in quotes");
}

#[test]
fn two_documents() {
    assert_snapshot!(problems_of("---\nsources: {}\n---\nsinks: {}\n"), @"sos.yaml:4:1: a second document begins here; a configuration is one document, without `---` inside it");
}

#[test]
fn no_table_at_all() {
    assert_snapshot!(problems_of("- sources\n- sinks\n"), @"sos.yaml:1:1: expected a table with `pipeline`, `sources` and `sinks`; a key ends in a colon");
    assert_snapshot!(problems_of("sources"), @"sos.yaml:1:1: expected a table with `pipeline`, `sources` and `sinks`; a key ends in a colon");
}

#[test]
fn a_key_that_is_no_word() {
    assert_snapshot!(problems_of("? [sources]\n: {}\n"), @"sos.yaml:1:3: a key must be a word; found something else before the colon");
    assert_snapshot!(problems_of("~: {}\n"), @"sos.yaml:1:1: a key must be a word; found something else before the colon");
}

#[test]
fn a_number_that_is_none() {
    assert_snapshot!(problems_of("pipeline: { labels: { a: .nan } }"), @"sos.yaml:1:26: .nan is not a number that can be used");
}

#[test]
fn aliases_that_would_fill_the_memory() {
    let level = |level: usize| {
        let below = format!("*a{}, ", level - 1).repeat(10);
        format!("a{level}: &a{level} [{below}]\n")
    };
    let bomb = format!("a0: &a0 [x]\n{}", (1..9).map(level).collect::<String>());
    assert_snapshot!(problems_of(&bomb), @"sos.yaml:6:25: larger or more deeply nested than a configuration can be");
}
