//! Reading a value as a plugin's own type, and finding everything that is wrong with it.
//!
//! Deserializing stops at the first error. So each error is noted, what caused it is taken out of the value, and the
//! rest is tried again, until nothing is wrong or nothing can be taken out any more.

mod removed;
mod strict;
mod tree;

use figment::error::{Actual, Error, Kind};
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use crate::key_path::KeyPath;
use crate::layers::{Locator, Mark};
use crate::problem::{Problem, Severity};
use crate::sentence;

use removed::Removed;
use strict::Strict;

/// The table of a component, or a part of it.
pub(crate) type Table = Dict;

/// After so many problems with one value the rest can wait.
const MAX_PROBLEMS: usize = 50;

/// Reads values and keeps what is wrong with them.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    locator: &'a Locator,
    problems: Vec<Problem>,
}

/// A value that is being read.
struct Attempt<'a> {
    path: &'a KeyPath,
    /// What is left of it.
    value: Value,
    /// Keys of the same table that someone else reads: they are not in the value, but may have been meant.
    siblings: &'a [&'static str],
    removed: Removed,
}

/// What to do after an error.
enum Next {
    /// Take this out of the value.
    TakeOut(Vec<String>),
    /// Read the value once more as it is now.
    Retry,
}

impl<'a> Reader<'a> {
    /// `problems` are those that were found before.
    pub(crate) fn new(locator: &'a Locator, problems: Vec<Problem>) -> Self {
        Self { locator, problems }
    }

    pub(crate) fn locator(&self) -> &'a Locator {
        self.locator
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Whether there is an error by now.
    pub(crate) fn failed(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Notes what is wrong with the value at `path`.
    pub(crate) fn error(&mut self, path: &KeyPath, message: impl Into<String>) {
        self.problems.push(self.locator.error(path, Mark::Value, message));
    }

    /// Notes what is wrong with the key at `path`.
    pub(crate) fn key_error(&mut self, path: &KeyPath, message: impl Into<String>) {
        self.problems.push(self.locator.error(path, Mark::Key, message));
    }

    /// Notes that the last key of `path` is a key and its value, without the blank between them. Only the key is shown.
    pub(crate) fn missing_blank(&mut self, path: &KeyPath, key: &str, value: &str) {
        let problem = self.locator.error(path, Mark::Key, sentence::missing_blank(key, value));
        let key_path = path.parent().child(key).to_string();
        self.problems.push(Problem { key_path, ..problem });
    }

    /// Notes what should be known about the value at `path`.
    pub(crate) fn warning(&mut self, path: &KeyPath, message: impl Into<String>) {
        let problem = self.locator.error(path, Mark::Value, message);
        self.problems.push(Problem { severity: Severity::Warning, ..problem });
    }

    /// Reads the value at `path`; `siblings` are keys of the same table that someone else reads. `None` when anything
    /// is wrong with it.
    pub(crate) fn read<T: DeserializeOwned>(
        &mut self,
        path: &KeyPath,
        value: Value,
        siblings: &[&'static str],
    ) -> Option<T> {
        let before = self.problems.len();
        let mut attempt = Attempt { path, value, siblings, removed: Removed::default() };
        // Each round takes something out or gives a text another type for good, so this ends.
        while self.problems.len() < before + MAX_PROBLEMS {
            let error = match T::deserialize(Strict(&attempt.value)) {
                Ok(read) => return (self.problems.len() == before).then_some(read),
                Err(error) => error,
            };
            match attempt.judge(error, self) {
                Next::Retry => {}
                Next::TakeOut(culprit) if tree::take_out(&mut attempt.value, &culprit) => {}
                // Whatever it is, it concerns the value as a whole.
                Next::TakeOut(_) => return None,
            }
        }
        None
    }
}

impl Attempt<'_> {
    /// Notes the error, unless it is a consequence of an earlier one.
    fn judge(&mut self, error: Error, reader: &mut Reader<'_>) -> Next {
        let at = error.path;
        match error.kind {
            Kind::UnknownField(key, known) => self.unknown_key(at, &key, known, reader),
            Kind::MissingField(key) => self.missing_key(at, &key, reader),
            kind @ (Kind::Message(_)
            | Kind::InvalidType(..)
            | Kind::InvalidValue(..)
            | Kind::InvalidLength(..)
            | Kind::UnknownVariant(..)
            | Kind::DuplicateField(_)
            | Kind::ISizeOutOfRange(_)
            | Kind::USizeOutOfRange(_)
            | Kind::Unsupported(_)
            | Kind::UnsupportedKey(..)) => self.wrong_value(at, &kind, reader),
        }
    }

    fn unknown_key(
        &mut self,
        mut at: Vec<String>,
        key: &str,
        known: &'static [&'static str],
        reader: &mut Reader<'_>,
    ) -> Next {
        if at.last().is_none_or(|last| last != key) {
            // Raised by a plugin's own visitor, after it had read the key.
            at.push(key.to_owned());
        }
        let written = self.removed.as_written(&at);
        let mut candidates = known.to_vec();
        if at.len() == 1 {
            candidates.extend(self.siblings);
        }
        let path = self.path.join(&written);
        if let Some((meant, value)) = sentence::without_blank(key).filter(|_| reader.locator.is_null(&path)) {
            reader.missing_blank(&path, meant, value);
            self.removed.key(written, Some(meant));
            return Next::TakeOut(at);
        }
        reader.key_error(&path, sentence::unknown_key(key, &candidates));
        self.removed.key(written, sentence::meant_by(key, &candidates));
        Next::TakeOut(at)
    }

    fn missing_key(&mut self, at: Vec<String>, key: &str, reader: &mut Reader<'_>) -> Next {
        let table = self.removed.as_written(&at);
        if !self.removed.explains_missing(&table, key) {
            let missing = self.path.join(&table).child(key);
            reader.error(&missing, sentence::missing_key(&missing, reader.locator));
        }
        self.removed.value(table, tree::is_item(&self.value, &at));
        Next::TakeOut(at)
    }

    fn wrong_value(&mut self, at: Vec<String>, kind: &Kind, reader: &mut Reader<'_>) -> Next {
        let written = self.removed.as_written(&at);
        let path = self.path.join(&written);
        let is_item = tree::is_item(&self.value, &at);
        if let Kind::InvalidType(actual, _) = kind {
            if matches!(actual, Actual::Unit | Actual::Option) && !at.is_empty() && !is_item {
                if let Some((meant, value)) = at.last().and_then(|key| sentence::without_blank(key)) {
                    reader.missing_blank(&path, meant, value);
                    self.removed.key(written, Some(meant));
                }
                // `null` puts the key back to its default; if it has none, that is found out in the next round.
                return Next::TakeOut(at);
            }
            if reader.locator.is_from_environment(&path) && tree::spell_out(&mut self.value, &at) {
                // Variables are texts until something else is wanted.
                return Next::Retry;
            }
        }
        if !self.removed.explains(kind, &written) {
            reader.error(&path, sentence::of_value(kind, &path, reader.locator));
        }
        self.removed.value(written, is_item);
        Next::TakeOut(at)
    }
}
