//! Giving dead letters to the sinks that refused them once more.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::PathBuf;

use senseops_core::{Chunk, Event, Name, Outcome};
use senseops_journal::Journal;
use thiserror::Error;
use tracing::info;

use super::directory::{self, Directory};
use super::keeper::DeadLetters;
use super::letter::DeadLetter;
use crate::intake::{count, size};

/// How many events go into the journal together.
const EVENTS_PER_CHUNK: usize = 500;
/// Where replayed events come from, as far as the journal is concerned.
const SOURCE: &str = "dead_letters";

/// Which letters are replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayFilter {
    /// Only those of this sink. `None` for all.
    pub sink: Option<String>,
}

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Events that are in the journal for their sinks now, and no longer dead letters.
    pub events: u64,
    /// Sinks that are not there any more; what they were refused stays.
    pub absent_sinks: BTreeSet<String>,
    /// Lines that cannot be read; they stay too.
    pub unreadable: u64,
}

/// Dead letters cannot be replayed, or not all. What was not replayed is still there; what was may come again if it
/// is replayed again.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The pipeline has no directory for them, or has ended.
    #[error("dead letters are not kept; set pipeline.state_dir or pipeline.dead_letters.path")]
    NotKept,
    /// The files cannot be read or written.
    #[error("dead letters in {}", path.display())]
    Files {
        /// Their directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The journal did not store the events.
    #[error("the journal does not store events now; nothing was removed that is not in it")]
    Journal,
}

/// One file, taken apart.
#[derive(Default)]
struct Sorted {
    /// The events to replay, by sink.
    events: BTreeMap<String, Vec<Event>>,
    /// The lines that stay.
    rest: Vec<u8>,
    absent_sinks: BTreeSet<String>,
    unreadable: u64,
}

impl DeadLetters {
    /// Appends letters to the journal, each for the sink that refused it, and removes them here once they are stored
    /// there. `sinks` are those that there are.
    pub(crate) async fn replay(
        &self,
        ReplayFilter { sink }: ReplayFilter,
        journal: &Journal<Chunk>,
        sinks: HashSet<String>,
    ) -> Result<Replayed, ReplayError> {
        let _replaying = self.begin_replay().await;
        let mut replayed = Replayed::default();
        for number in self.on_disk(Directory::rotate).await? {
            let (only, sinks) = (sink.clone(), sinks.clone());
            let sorted =
                self.on_disk(move |directory| Ok(sort(&directory.read(number)?, only.as_ref(), &sinks)));
            let Sorted { events, rest, absent_sinks, unreadable } = sorted.await?;
            replayed.unreadable += unreadable;
            replayed.absent_sinks.extend(absent_sinks);
            if events.is_empty() {
                continue;
            }
            for (sink, events) in events {
                replayed.events += events.len() as u64;
                append(journal, sink, events).await?;
            }
            self.on_disk(move |directory| directory.replace(number, &rest)).await?;
        }
        info!(events = replayed.events, "dead letters are replayed");
        Ok(replayed)
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Directory) -> io::Result<T> + Send + 'static,
    ) -> Result<T, ReplayError> {
        let path = self.path().ok_or(ReplayError::NotKept)?;
        let done = self.with_directory(work).await.ok_or(ReplayError::NotKept)?;
        done.map_err(|source| ReplayError::Files { path, source })
    }
}

fn sort(content: &[u8], only: Option<&String>, sinks: &HashSet<String>) -> Sorted {
    let mut sorted = Sorted::default();
    for line in directory::lines(content) {
        match DeadLetter::read(line) {
            Some(DeadLetter { sink, event, .. })
                if sinks.contains(&sink) && only.is_none_or(|only| *only == sink) =>
            {
                sorted.events.entry(sink).or_default().push(event);
                continue;
            }
            Some(DeadLetter { sink, .. }) => {
                if !sinks.contains(&sink) && only.is_none_or(|only| *only == sink) {
                    sorted.absent_sinks.insert(sink);
                }
            }
            None => sorted.unreadable += 1,
        }
        sorted.rest.extend_from_slice(line);
        sorted.rest.push(b'\n');
    }
    sorted
}

/// Returns once all of it is stored as well as the journal can.
async fn append(journal: &Journal<Chunk>, sink: String, events: Vec<Event>) -> Result<(), ReplayError> {
    let sink = Name::intern(&sink);
    for events in events.chunks(EVENTS_PER_CHUNK) {
        let chunk = Chunk { target: Some(sink.clone()), ..Chunk::new(SOURCE, events) };
        let (count, bytes) = (count(events.len()), size(chunk.bytes()));
        let receipt = journal.append_when_room(chunk, count, bytes).await;
        match receipt.outcome_now().await {
            Outcome::Stored => {}
            // In memory only, while the letters are on disk.
            Outcome::Held | Outcome::Lost => return Err(ReplayError::Journal),
        }
    }
    Ok(())
}
