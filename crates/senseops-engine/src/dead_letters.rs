//! Dead letters: events that a target refused for good, kept on disk with the sink, the reason and the time.
//!
//! They are lines of JSON in `dead-letters.jsonl`. When that file is large enough it gets a number behind its name, `.1`
//! first, and when there is no room for more the file with the lowest number is given up.
//!
//! What is in a directory can be read at any time, also while a pipeline writes to it. Only the pipeline can
//! [replay](crate::Handle::replay) it.

mod directory;
mod keeper;
mod letter;
mod replay;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;

use senseops_core::Timestamp;

pub(crate) use keeper::{DeadLetters, Refused};
pub use letter::DeadLetter;
pub use replay::{ReplayError, ReplayFilter, Replayed};

/// How many different reasons are told apart for each sink; the rest is summed up.
const MAX_REASONS: usize = 100;

/// What is in a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing<T> {
    /// What was asked for.
    pub entries: Vec<T>,
    /// How many letters that is about, also those that are not among the entries.
    pub letters: u64,
    /// Lines that cannot be read, such as one torn by a crash.
    pub unreadable: u64,
}

/// The letters of one sink that were refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The sink.
    pub sink: String,
    /// The reason; `other reasons` for all that are not among the first hundred of the sink.
    pub reason: String,
    /// How many there are.
    pub events: u64,
    /// When the first of them was refused.
    pub first: Timestamp,
    /// When the last of them was refused.
    pub last: Timestamp,
}

/// Sums up what is in a directory, by sink and reason, the most frequent first. Does blocking I/O.
///
/// # Errors
/// When the directory or a file in it cannot be read.
pub fn list(path: &Path) -> io::Result<Listing<Summary>> {
    let mut reasons: BTreeMap<String, BTreeMap<String, Summary>> = BTreeMap::new();
    let unreadable = each(path, |DeadLetter { sink, reason, refused, .. }| {
        let of_sink = reasons.entry(sink.clone()).or_default();
        let is_told_apart = of_sink.len() < MAX_REASONS || of_sink.contains_key(&reason);
        let reason = if is_told_apart { reason } else { "other reasons".to_owned() };
        let new = Summary { sink, reason: reason.clone(), events: 0, first: refused, last: refused };
        let summary = of_sink.entry(reason).or_insert(new);
        summary.events += 1;
        summary.first = summary.first.min(refused);
        summary.last = summary.last.max(refused);
    })?;
    let mut entries: Vec<_> = reasons.into_values().flat_map(BTreeMap::into_values).collect();
    entries.sort_by_key(|summary| Reverse(summary.events));
    let letters = entries.iter().map(|summary| summary.events).sum();
    Ok(Listing { entries, letters, unreadable })
}

/// The newest `limit` letters, of one sink or all, the oldest of them first. Does blocking I/O.
///
/// # Errors
/// When the directory or a file in it cannot be read.
pub fn show(path: &Path, sink: Option<&str>, limit: usize) -> io::Result<Listing<DeadLetter>> {
    let (mut newest, mut letters) = (VecDeque::new(), 0);
    let unreadable = each(path, |letter| {
        if sink.is_none_or(|sink| letter.sink == sink) {
            newest.push_back(letter);
            letters += 1;
        }
        if newest.len() > limit {
            newest.pop_front();
        }
    })?;
    Ok(Listing { entries: newest.into(), letters, unreadable })
}

/// Shows each letter, the oldest first. How many lines cannot be read.
fn each(path: &Path, mut on_letter: impl FnMut(DeadLetter)) -> io::Result<u64> {
    let failed = |error: io::Error| {
        io::Error::new(error.kind(), format!("read dead letters in {}: {error}", path.display()))
    };
    let mut unreadable = 0;
    for file in directory::files(path).map_err(failed)? {
        for line in directory::lines(&directory::read(&file).map_err(failed)?) {
            match DeadLetter::read(line) {
                Some(letter) => on_letter(letter),
                None => unreadable += 1,
            }
        }
    }
    Ok(unreadable)
}
