//! An event as JSON, shown as a line for eyes.

use std::fmt::{self, Display, Formatter};

use serde_json::{Map, Value};

/// The kinds of our own sources fit.
const KIND_WIDTH: usize = 20;
const LEVEL_WIDTH: usize = 8;

/// Time, level and kind in columns; labels, message and fields as they come. No text from outside can control the
/// terminal or look like a part of the line.
pub(in crate::cli) fn pretty(event: &Value) -> impl Display + '_ {
    Pretty(event)
}

struct Pretty<'a>(&'a Value);

/// A value that is no table.
struct Shown<'a>(&'a Value);

/// A text from outside: as it is if it is a plain word, quoted and escaped if not.
struct Word<'a>(&'a str);

impl Display for Pretty<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = |key: &str| self.0.get(key).and_then(Value::as_str);
        let level = text("severity").or_else(|| text("level")).unwrap_or("-");
        write!(
            f,
            "{} {:LEVEL_WIDTH$} {:KIND_WIDTH$}",
            Word(text("time").unwrap_or_default()),
            Word(level),
            Word(text("kind").unwrap_or_default())
        )?;
        if let Some(labels) =
            self.0.get("labels").and_then(Value::as_object).filter(|labels| !labels.is_empty())
        {
            f.write_str(" {")?;
            for (index, (name, value)) in labels.iter().enumerate() {
                let separator = if index == 0 { "" } else { " " };
                write!(f, "{separator}{}={}", Word(name), Word(value.as_str().unwrap_or_default()))?;
            }
            f.write_str("}")?;
        }
        if let Some(message) = text("message") {
            write!(f, " {message:?}")?;
        }
        match self.0.get("fields").and_then(Value::as_object) {
            Some(values) => fields(f, "", values),
            None => Ok(()),
        }
    }
}

/// Fields of fields are named with dots: `mem.free_mb`.
fn fields(f: &mut Formatter<'_>, path: &str, values: &Map<String, Value>) -> fmt::Result {
    for (name, value) in values {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match value {
            Value::Object(inner) => fields(f, &path, inner)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                write!(f, " {}={}", Word(&path), Shown(value))?;
            }
        }
    }
    Ok(())
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => Word(text).fmt(f),
            Value::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}{}", Self(item))?;
                }
                f.write_str("]")
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => self.0.fmt(f),
        }
    }
}

impl Display for Word<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_alphanumeric() || (c.is_ascii_graphic() && !r#""=,[]{}"#.contains(c));
        if !self.0.is_empty() && self.0.chars().all(is_plain) {
            f.pad(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_line_that_controls_nothing() {
        let event = json!({
            "id": "x", "time": "2023-11-14T22:13:20.123Z", "kind": "qlik.user_event", "shape": "record",
            "labels": { "host": "sense1", "note": "two words" }, "severity": "info", "message": "hi \u{1b}[2J\n",
            "fields": { "user_id": "anna", "mem": { "free_mb": 1.5 }, "apps": ["a", "\u{9b}b"], "evil\n": "\u{9b}31m", "none": "" }
        });
        insta::assert_snapshot!(pretty(&event), @r#"2023-11-14T22:13:20.123Z info     qlik.user_event      {host=sense1 note="two words"} "hi \u{1b}[2J\n" apps=[a, "\u{9b}b"] "evil\n"="\u{9b}31m" mem.free_mb=1.5 none="" user_id=anna"#);
    }
}
