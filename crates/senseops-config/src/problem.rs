//! What is wrong with a configuration, and where.

use std::fmt;

use thiserror::Error;

use crate::excerpt::Excerpt;

/// One thing that is wrong, or that should be known.
///
/// Shown as `sos.yaml:3:5: sinks.influx.main.databse: unknown key; did you mean `database`?`; with `{:#}` the line of
/// the file follows, with what is meant marked. Neither shows a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written.
    pub place: Place,
    /// The dotted path of the key; empty when it is not about one key.
    pub key_path: String,
    /// What was found and what was expected, or what to know.
    pub message: String,
    /// Whether it keeps the configuration from being used.
    pub severity: Severity,
    pub(crate) excerpt: Option<Box<Excerpt>>,
}

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File {
        /// Its path, as it was given.
        file: String,
        /// Where in it; `None` when the whole file is meant.
        position: Option<Position>,
    },
    /// In this environment variable.
    Environment(String),
    /// Nowhere: the program itself is wrong, or there was no file.
    Program,
}

/// A place in a file. Both numbers count from one; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It works, but someone should know this.
    Warning,
}

/// Everything that is wrong with a configuration, in the order of the files. Contains at least one error; warnings
/// are among them.
#[derive(Clone, Debug, Error)]
pub struct Problems(Vec<Problem>);

impl Problem {
    /// The file, if it was written in one.
    pub fn file(&self) -> Option<&str> {
        match &self.place {
            Place::File { file, .. } => Some(file),
            Place::Environment(_) | Place::Program => None,
        }
    }

    /// Where in the file it was written, if that is known.
    pub fn position(&self) -> Option<Position> {
        match &self.place {
            Place::File { position, .. } => *position,
            Place::Environment(_) | Place::Program => None,
        }
    }
}

impl Problems {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    /// The problems in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        if !self.key_path.is_empty() {
            write!(f, "{}: ", self.key_path)?;
        }
        f.write_str(&self.message)?;
        match &self.excerpt {
            Some(excerpt) if f.alternate() => write!(f, "\n{excerpt}"),
            Some(_) | None => Ok(()),
        }
    }
}

/// Ends in a colon and a blank, unless there is nothing to show.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, position: Some(Position { line, column }) } => {
                write!(f, "{file}:{line}:{column}: ")
            }
            Self::File { file, position: None } => write!(f, "{file}: "),
            Self::Environment(variable) => write!(f, "environment variable {variable}: "),
            Self::Program => Ok(()),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if f.alternate() { write!(f, "{problem:#}")? } else { write!(f, "{problem}")? }
        }
        Ok(())
    }
}
