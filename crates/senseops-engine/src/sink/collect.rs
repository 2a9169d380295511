//! Collecting what a sink wants from the journal into batches, by count, bytes and age.

use std::sync::Arc;
use std::time::Duration;

use senseops_core::{Accepts, Batch, Event, Shutdown};
use senseops_journal::{Entry, Position, Reader};
use tokio::time::{Instant, sleep_until};

use crate::codec::Chunk;
use crate::settings::{Delivery, Only};

/// Which events a sink gets: what it accepts, and of that what the operator wants it to have.
pub(crate) struct Wanted {
    pub(crate) accepts: Accepts,
    pub(crate) only: Only,
}

/// How often a batch that is neither full nor old enough looks for more. Waking for each chunk would cost more than
/// the chunk.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A batch, and how far the cursor may move once it is delivered.
pub(crate) struct Collected {
    pub(crate) batch: Batch,
    /// `None` while part of the first chunk is still to come.
    pub(crate) through: Option<Position>,
}

/// Collects batches.
pub(crate) struct Collect {
    wanted: Wanted,
    max_events: usize,
    max_bytes: u64,
    max_age: Duration,
    /// What did not fit into the last batch.
    rest: Option<Rest>,
    filling: Filling,
    /// The next batch waits until then, unless it is full.
    earliest: Instant,
}

/// The events of a chunk that are still to be collected.
struct Rest {
    events: Arc<[Event]>,
    left: Left,
    bytes_per_event: u64,
    position: Position,
}

/// Positions in a chunk. Most sinks want all of it, and then no list is needed.
enum Left {
    All,
    Some(Vec<usize>),
}

/// A chunk and the positions that belong to the batch; `None` for all.
type Selected = (Arc<[Event]>, Option<Vec<usize>>);

/// A batch being filled.
#[derive(Default)]
struct Filling {
    chunks: Vec<Selected>,
    events: usize,
    bytes: u64,
    /// The last chunk that is in the batch as a whole, or of which nothing is wanted.
    through: Option<Position>,
    /// When the batch is old enough.
    due: Option<Instant>,
}

impl Wanted {
    fn of(&self, chunk: &Chunk) -> Left {
        if !self.only.source(&chunk.source) {
            return Left::Some(Vec::new());
        }
        let wanted = |event: &Event| self.only.kind(event.kind) && self.accepts.event(event);
        let selected: Vec<usize> =
            chunk.events.iter().enumerate().filter(|(_, event)| wanted(event)).map(|(at, _)| at).collect();
        if selected.len() == chunk.events.len() { Left::All } else { Left::Some(selected) }
    }
}

impl Collect {
    pub(crate) fn new(wanted: Wanted, delivery: &Delivery) -> Self {
        Self {
            wanted,
            max_events: delivery.max_events.get(),
            max_bytes: delivery.max_bytes.bytes(),
            max_age: delivery.max_age.get(),
            rest: None,
            filling: Filling::default(),
            earliest: Instant::now(),
        }
    }

    /// The next batch: full, or as old as its events may get. It is empty when the cursor may move on over events
    /// that the sink does not want. `None` once `drain` is requested and nothing is left.
    ///
    /// Dropping the future loses nothing: what was taken from the reader is kept for the next call.
    pub(crate) async fn next(&mut self, reader: &mut Reader<Chunk>, drain: &Shutdown) -> Option<Collected> {
        loop {
            // Asked before looking: what sources emitted until then is seen by the look.
            let draining = drain.is_requested();
            self.take_what_is_there(reader).await;
            if draining || self.is_full() {
                return self.finish();
            }
            match self.filling.due {
                None if self.filling.through.is_some() => return self.finish(),
                None => {
                    tokio::select! {
                        entry = reader.next() => self.add(entry),
                        () = drain.requested() => {}
                    }
                }
                Some(due) if due <= Instant::now() => return self.finish(),
                Some(due) => {
                    tokio::select! {
                        () = sleep_until(due.min(Instant::now() + LOOK_INTERVAL)) => {}
                        () = drain.requested() => {}
                    }
                }
            }
        }
    }

    async fn take_what_is_there(&mut self, reader: &mut Reader<Chunk>) {
        if let Some(rest) = self.rest.take() {
            self.fill(rest);
        }
        while !self.is_full() {
            let Some(entry) = reader.next_if_any().await else { return };
            self.add(entry);
        }
    }

    fn add(&mut self, entry: Entry<Chunk>) {
        let left = self.wanted.of(&entry.chunk);
        self.fill(Rest {
            left,
            bytes_per_event: entry.bytes / u64::from(entry.events.max(1)),
            position: entry.position,
            events: entry.chunk.events,
        });
    }

    /// Moves as much of `rest` into the batch as fits, at least one event if the batch is empty.
    fn fill(&mut self, mut rest: Rest) {
        let wanted = match &rest.left {
            Left::All => rest.events.len(),
            Left::Some(positions) => positions.len(),
        };
        let room_in_bytes = self.max_bytes.saturating_sub(self.filling.bytes) / rest.bytes_per_event.max(1);
        let room = (self.max_events - self.filling.events.min(self.max_events))
            .min(usize::try_from(room_in_bytes).unwrap_or(usize::MAX))
            .max(usize::from(self.filling.events == 0));
        let taken = wanted.min(room);
        let whole = taken == wanted;
        if taken > 0 {
            let selected = match &mut rest.left {
                Left::All if whole => None,
                Left::All => {
                    let first = (0..taken).collect();
                    rest.left = Left::Some((taken..wanted).collect());
                    Some(first)
                }
                Left::Some(positions) => {
                    let later = positions.split_off(taken);
                    Some(std::mem::replace(positions, later))
                }
            };
            // After a quiet time the first event goes at once; those that follow it closely wait for each other.
            self.filling.due.get_or_insert_with(|| Instant::now().max(self.earliest));
            self.filling.chunks.push((Arc::clone(&rest.events), selected));
            self.filling.events += taken;
            self.filling.bytes += rest.bytes_per_event * taken as u64;
        }
        if whole {
            self.filling.through = Some(rest.position);
        } else {
            self.rest = Some(rest);
        }
    }

    fn is_full(&self) -> bool {
        self.rest.is_some() || self.filling.events >= self.max_events || self.filling.bytes >= self.max_bytes
    }

    fn finish(&mut self) -> Option<Collected> {
        self.earliest = Instant::now() + self.max_age;
        let filling = std::mem::take(&mut self.filling);
        if filling.events == 0 && filling.through.is_none() {
            return None;
        }
        Some(Collected { batch: Batch::from_chunks(filling.chunks), through: filling.through })
    }
}
