//! What is wrong with a file as YAML, in words.

use serde_saphyr::Error;

use crate::excerpt::lines;
use crate::problem::Position;

/// Where the text stops being YAML that a configuration may be, and why.
pub(crate) fn sentence(error: &Error, text: &str) -> (Option<Position>, String) {
    let error = error.without_snippet();
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let position = error
        .location()
        .map(|location| Position { line: number(location.line()), column: number(location.column()) });
    if let Some(tab) = position.and_then(|position| tab_indentation(text, position.line)) {
        return (
            Some(tab),
            "a tab at the beginning of the line; YAML is indented with spaces only".to_owned(),
        );
    }
    (position, message(error))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the errors of the library are many; its own words are the fallback"
)]
fn message(error: &Error) -> String {
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is in this table twice; delete one of them")
        }
        Error::DuplicateMappingKey { key: None, .. } => {
            "a key is in this table twice; delete one of them".to_owned()
        }
        Error::MultipleDocuments { .. } => {
            "a second document begins here; a configuration is one document, without `---` inside it"
                .to_owned()
        }
        Error::UnknownAnchor { .. } => {
            "the `*name` refers to no `&name` above it; a text that begins with * must be in quotes"
                .to_owned()
        }
        Error::NonFiniteFloat { value, .. } => format!("{value} is not a number that can be used"),
        Error::NullIntoString { .. } | Error::Unexpected { expected: "string scalar", .. } => {
            "a key must be a word; found something else before the colon".to_owned()
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "larger or more deeply nested than a configuration can be".to_owned()
        }
        Error::AliasError { error, .. } => message(error),
        other => translated(&other.to_string()),
    }
}

/// The library's words, followed by what usually is the reason.
fn translated(words: &str) -> String {
    let words = words.split(" at line ").next().unwrap_or(words);
    let reason = if words.contains("multiline quoted scalar") {
        "; the text has no closing quote"
    } else if words.contains("unclosed bracket")
        || words.contains("flow mapping")
        || words.contains("flow sequence")
    {
        "; a bracket or brace is not closed, or a comma is too many"
    } else if words.contains("mapping values are not allowed") || words.contains("illegal placement of ':'") {
        "; a second colon in this line must be in quotes, or the line above has no colon or another indentation"
    } else if words.contains("did not find expected") {
        "; the line must be indented like the other keys of its table"
    } else if words.contains("escape character") || words.contains("hexadecimal") {
        "; in double quotes a backslash is written twice, in single quotes once"
    } else if words.contains("unexpected character") {
        "; a text that begins with this character must be in quotes"
    } else {
        ""
    };
    format!("not valid YAML: {words}{reason}")
}

/// The first tab in the indentation of this line or of the one below it, where scanners notice it too late.
fn tab_indentation(text: &str, line: usize) -> Option<Position> {
    let mut near = lines(text).enumerate().skip(line.checked_sub(1)?).take(2);
    near.find_map(|(index, content)| {
        let indentation = content.len() - content.trim_start().len();
        let column = content.get(..indentation)?.find('\t')? + 1;
        Some(Position { line: index + 1, column })
    })
}
