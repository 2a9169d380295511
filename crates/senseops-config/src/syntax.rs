//! What is wrong with a file as YAML, in words.

use serde_saphyr::Error;

use crate::excerpt::lines;
use crate::problem::Position;
use crate::sentence::{missing_blank, without_blank};
use crate::suggest::joined;

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
    let said = message(error);
    match position.and_then(|position| usual_reason(text, position, &said)) {
        Some((position, reason)) => (Some(position), reason),
        None => (position, said),
    }
}

/// What mostly makes a scanner say this, seen from the lines around the place where it noticed.
fn usual_reason(text: &str, at: Position, said: &str) -> Option<(Position, String)> {
    if said.contains("mapping values are not allowed") || said.contains("illegal placement of ':'") {
        let (line, above) = around(text, at.line)?;
        return unfinished_line(&above).or_else(|| too_deep(&line, &above));
    }
    let is_misaligned = said.contains("block mapping, did not find expected key")
        || said.contains("block collection, did not find expected '-'");
    if is_misaligned {
        let (line, _above) = around(text, at.line)?;
        return between_tables(text, &line);
    }
    None
}

/// A line with something in it.
struct Line<'t> {
    /// Counts from one.
    number: usize,
    /// What it holds, without the blanks before it.
    content: &'t str,
    /// The column where that begins.
    column: usize,
}

impl<'t> Line<'t> {
    fn begin(&self) -> Position {
        Position { line: self.number, column: self.column }
    }

    /// What follows the dashes of lists, and the column where it begins.
    fn entry(&self) -> (&'t str, usize) {
        let entry = self.content.trim_start_matches(['-', ' ']);
        let dashes = self.content.len() - entry.len();
        if self.content.starts_with("- ") {
            (entry, self.column + dashes)
        } else {
            (self.content, self.column)
        }
    }
}

/// The lines that hold something, comments aside.
fn written(text: &str) -> impl DoubleEndedIterator<Item = Line<'_>> {
    let lines: Vec<_> = lines(text).enumerate().collect();
    lines.into_iter().filter_map(|(index, whole)| {
        let content = whole.trim();
        let column = whole.len() - whole.trim_start().len() + 1;
        let is_empty = content.is_empty() || content.starts_with('#');
        (!is_empty).then_some(Line { number: index + 1, content, column })
    })
}

/// This line, and the one above it.
fn around(text: &str, number: usize) -> Option<(Line<'_>, Line<'_>)> {
    let mut up = written(text).filter(|line| line.number <= number).rev();
    let (line, above) = (up.next()?, up.next()?);
    (line.number == number).then_some((line, above))
}

/// A line without its colon, or without the blank after it, is read together with the next one.
fn unfinished_line(above: &Line<'_>) -> Option<(Position, String)> {
    let (entry, column) = above.entry();
    if entry.contains(": ") || entry.ends_with(':') || entry.contains(['{', '[', '"', '\'']) {
        return None;
    }
    let reason = match without_blank(entry) {
        Some((key, value)) => missing_blank(key, value),
        None => "a key without its colon; write a colon and a blank behind it".to_owned(),
    };
    Some((Position { line: above.number, column }, reason))
}

/// A key below one that has its value already.
fn too_deep(line: &Line<'_>, above: &Line<'_>) -> Option<(Position, String)> {
    let (entry, column) = above.entry();
    let has_value = entry.split_once(": ").is_some_and(|(_, value)| !value.trim().is_empty());
    (has_value && line.column > column).then(|| {
        let reason = format!(
            "begins in column {}, but the key in the line above, in column {column}, has its value already; let both \
             begin in the same column",
            line.column
        );
        (line.begin(), reason)
    })
}

/// A key that begins where those of no table do.
fn between_tables(text: &str, line: &Line<'_>) -> Option<(Position, String)> {
    let mut open: Vec<usize> = Vec::new();
    for above in written(text).filter(|above| above.number < line.number).rev() {
        for column in [above.entry().1, above.column] {
            if open.last().is_none_or(|deeper| column < *deeper) {
                open.push(column);
            }
        }
    }
    if !line.content.contains(':') || open.contains(&line.column) {
        return None;
    }
    open.reverse();
    let open = joined(open.iter().map(ToString::to_string), "or");
    let reason = format!(
        "begins in column {}, but the tables around it begin their keys in column {open}; let it begin like the other keys \
         of its table",
        line.column
    );
    Some((line.begin(), reason))
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
