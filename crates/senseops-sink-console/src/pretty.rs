//! An event on one line, for people.
//!
//! Time, level and kind stand in columns, the rest follows as it comes. Every text from outside is a plain word or
//! quoted and escaped, so that it can neither control the terminal nor look like a part of the line.

use std::fmt::{self, Display, Formatter, Write};

use senseops_core::{Body, Event, Fields, Level, Severity, Timestamp, Value};

/// An event on one line for people, without a line break. No text in it can control a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Pretty<'a> {
    event: &'a Event,
    is_coloured: bool,
}

/// How a part of the line looks on a terminal.
#[derive(Clone, Copy)]
enum Style {
    Plain,
    Faint,
    Bold,
    Green,
    Yellow,
    Red,
}

/// A text from outside.
struct Word<'a>(&'a str);

/// A value, without the name of its field.
struct Shown<'a>(&'a Value);

/// The kinds of our own sources fit.
const KIND_WIDTH: usize = 20;
const LEVEL_WIDTH: usize = 8;

impl Display for Pretty<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (level, style) = level_of(&self.event.body);
        self.styled(f, Style::Faint, format_args!("{}", Millis(self.event.time)))?;
        f.write_char(' ')?;
        self.styled(f, style, format_args!("{level:LEVEL_WIDTH$}"))?;
        f.write_char(' ')?;
        self.styled(f, Style::Bold, format_args!("{:KIND_WIDTH$}", Word(self.event.kind.as_str())))?;
        self.labels(f)?;
        if !self.event.message().is_empty() {
            write!(f, " {:?}", self.event.message())?;
        }
        self.fields(f, &mut Vec::new(), self.event.fields())
    }
}

impl<'a> Pretty<'a> {
    /// Without colour.
    pub fn plain(event: &'a Event) -> Self {
        Self { event, is_coloured: false }
    }

    /// With the escape sequences of terminals.
    pub fn coloured(event: &'a Event) -> Self {
        Self { event, is_coloured: true }
    }
}

impl Pretty<'_> {
    fn labels(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.event.labels.is_empty() {
            return Ok(());
        }
        let mut labels = String::new();
        for (name, text) in self.event.labels.iter() {
            let separator = if labels.is_empty() { "" } else { " " };
            write!(labels, "{separator}{}={}", Word(name.as_str()), Word(text))?;
        }
        f.write_char(' ')?;
        self.styled(f, Style::Faint, format_args!("{{{labels}}}"))
    }

    /// Fields of fields are named with dots: `mem.free_mb`.
    fn fields<'v>(&self, f: &mut Formatter<'_>, path: &mut Vec<&'v str>, fields: &'v Fields) -> fmt::Result {
        for (name, value) in fields.iter() {
            path.push(name.as_str());
            if let Value::Map(inner) = value {
                self.fields(f, path, inner)?;
            } else {
                f.write_char(' ')?;
                self.styled(f, Style::Faint, format_args!("{}=", Word(&path.join("."))))?;
                Shown(value).fmt(f)?;
            }
            path.pop();
        }
        Ok(())
    }

    fn styled(&self, f: &mut Formatter<'_>, style: Style, text: fmt::Arguments<'_>) -> fmt::Result {
        match style.code() {
            Some(code) if self.is_coloured => write!(f, "\x1b[{code}m{text}\x1b[0m"),
            Some(_) | None => f.write_fmt(text),
        }
    }
}

impl Style {
    /// The parameter of the escape sequence that selects it.
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Faint => Some("2"),
            Self::Bold => Some("1"),
            Self::Green => Some("32"),
            Self::Yellow => Some("33"),
            Self::Red => Some("31"),
        }
    }
}

fn level_of(body: &Body) -> (&'static str, Style) {
    match body {
        Body::Record(record) => (
            record.severity.as_str(),
            match record.severity {
                Severity::Debug => Style::Faint,
                Severity::Info => Style::Plain,
                Severity::Warning => Style::Yellow,
                Severity::Error | Severity::Fatal => Style::Red,
            },
        ),
        Body::State(state) => (
            state.level.as_str(),
            match state.level {
                Level::Ok => Style::Green,
                Level::Warning | Level::Unknown => Style::Yellow,
                Level::Critical => Style::Red,
            },
        ),
        // Shapes to come are shown without, too.
        Body::Measurement(_) | _ => ("-", Style::Faint),
    }
}

/// As it is if it is a plain word, quoted and escaped if not.
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

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Text(text) => Word(text).fmt(f),
            Value::List(values) => {
                f.write_char('[')?;
                for (index, value) in values.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    Self(value).fmt(f)?;
                }
                f.write_char(']')
            }
            Value::Map(fields) => {
                f.write_char('{')?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    write!(
                        f,
                        "{}{}={}",
                        if index > 0 { " " } else { "" },
                        Word(name.as_str()),
                        Shown(value)
                    )?;
                }
                f.write_char('}')
            }
            // A kind of value that is new here may hold text, so all of them are checked.
            Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Float(_) | _ => {
                Word(&self.0.to_string()).fmt(f)
            }
        }
    }
}

/// A time to the millisecond, so that lines stand in columns.
struct Millis(Timestamp);

impl Display for Millis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(self.0.as_nanos().into()) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_out_of_range) => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
