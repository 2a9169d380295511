//! Collecting what a sink wants from the journal into batches, by count, bytes and age.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use senseops_core::host::{Delivery, Only};
use senseops_core::{Accepts, Batch, Chunk, Event, Kind, Name, Shutdown, Timestamp};
use senseops_journal::{Entry, Position, Reader, Wants};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

/// Which events a sink or relay gets: what it accepts, and of that what the operator wants it to have.
#[derive(Clone)]
pub(crate) struct Wanted {
    /// The name of the component.
    pub(crate) component: Name,
    pub(crate) accepts: Accepts,
    /// What the operator says about the whole, and the configuration about this part of it.
    pub(crate) only: [Only; 2],
    /// It emits too, and does not get what it emitted.
    pub(crate) emits: bool,
}

/// How far somebody came before, in a journal that may have been another one since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    /// The position of the last chunk.
    position: u64,
    /// When that was appended, in nanoseconds since 1970. Of another journal it was later.
    appended: i64,
}

/// How many chunks are looked at before the cursor moves over those that are not wanted.
const CHUNKS_PER_LOOK: usize = 1024;

/// A batch, and how far the cursor may move once it is delivered.
pub(crate) struct Collected {
    pub(crate) batch: Batch,
    /// `None` while part of the first chunk is still to come.
    pub(crate) through: Option<Through>,
}

/// A chunk up to which everything is in batches.
#[derive(Clone, Copy)]
pub(crate) struct Through {
    pub(crate) position: Position,
    pub(crate) appended: Timestamp,
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
    /// What comes again although it was dealt with.
    reached: Option<Reached>,
}

/// The events of a chunk that are still to be collected.
struct Rest {
    events: Arc<[Event]>,
    /// The positions of those that are wanted; `None` for all. Most sinks want all, and then no list is needed.
    wanted: Option<Vec<usize>>,
    /// How many of the wanted ones have been collected.
    taken: usize,
    bytes_per_event: u64,
    through: Through,
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
    through: Option<Through>,
    /// When the batch is old enough.
    due: Option<Instant>,
}

impl Wanted {
    /// The positions of the wanted events; `None` for all.
    fn of(&self, chunk: &Chunk) -> Option<Vec<usize>> {
        match &chunk.target {
            // It was chosen by `only` when it came first.
            Some(sink) if *sink == self.component => return None,
            Some(_another) => return Some(Vec::new()),
            None if self.emits && chunk.source == self.component => return Some(Vec::new()),
            None if !self.only.iter().all(|only| only.source(&chunk.source)) => return Some(Vec::new()),
            None => {}
        }
        let wanted = |event: &Event| self.kind(event.kind) && self.accepts.event(event);
        let unwanted = chunk.events.iter().position(|event| !wanted(event))?;
        let later = chunk.events.iter().enumerate().skip(unwanted).filter(|(_, event)| wanted(event));
        Some((0..unwanted).chain(later.map(|(at, _)| at)).collect())
    }

    fn kind(&self, kind: Kind) -> bool {
        self.only.iter().all(|only| only.kind(kind)) && self.accepts.kind(kind)
    }

    /// The same by kinds alone, for chunks that are not decoded yet.
    pub(crate) fn kinds(&self) -> Wants {
        let wanted = self.clone();
        // A kind that cannot be interned cannot be decoded either; then that is where it is told.
        Arc::new(move |kind| Kind::intern(kind).map_or(true, |kind| wanted.kind(kind)))
    }
}

impl Reached {
    fn includes(self, entry: &Entry<Chunk>) -> bool {
        entry.position.get() <= self.position && entry.appended.as_nanos() <= self.appended
    }
}

impl From<Through> for Reached {
    fn from(Through { position, appended }: Through) -> Self {
        Self { position: position.get(), appended: appended.as_nanos() }
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
            reached: None,
        }
    }

    /// Leaves out what comes again of what was dealt with before.
    pub(crate) fn after(self, reached: Option<Reached>) -> Self {
        Self { reached, ..self }
    }

    /// From now on no batch has more events.
    pub(crate) fn limit(&mut self, max_events: NonZeroUsize) {
        self.max_events = max_events.get();
    }

    /// Whether the last batch ended in the middle of a chunk.
    pub(crate) fn is_inside_a_chunk(&self) -> bool {
        self.rest.is_some()
    }

    /// The next batch: full, or as old as its events may get. It is empty when the cursor may move on over events
    /// that the sink does not want. `None` once `drain` is requested and nothing is left.
    ///
    /// Dropping the future loses nothing: what was taken from the reader is kept for the next call.
    pub(crate) async fn next(&mut self, reader: &mut Reader<Chunk>, drain: &Shutdown) -> Option<Collected> {
        loop {
            // Asked before looking: what sources emitted until then is seen by the look.
            let draining = drain.is_requested();
            let has_more = self.take_what_is_there(reader).await;
            if self.is_ready(has_more, draining) || !reader.journal_has_room() {
                match self.finish() {
                    None if !draining => {}
                    collected => return collected,
                }
            }
            if has_more {
                continue;
            }
            match self.filling.due {
                None => {
                    tokio::select! {
                        entry = reader.next() => self.add(entry),
                        () = drain.requested(), if !draining => {}
                    }
                }
                Some(due) => {
                    tokio::select! {
                        () = reader.until_unread(self.expected()) => {}
                        () = sleep_until(due) => {}
                        () = drain.requested(), if !draining => {}
                    }
                }
            }
        }
    }

    /// Whether the batch goes as it is.
    fn is_ready(&self, has_more: bool, draining: bool) -> bool {
        let is_due = self.filling.due.is_some_and(|due| due <= Instant::now());
        // Nothing of what was looked at is wanted; the cursor moves on before the next look.
        let is_skipping = self.filling.events == 0 && self.filling.through.is_some();
        self.is_full() || is_due || is_skipping || (draining && !has_more)
    }

    /// Fills the batch from what can be read at once. Whether there may be more of that.
    async fn take_what_is_there(&mut self, reader: &mut Reader<Chunk>) -> bool {
        if let Some(rest) = self.rest.take() {
            self.fill(rest);
        }
        for _ in 0..CHUNKS_PER_LOOK {
            if self.is_full() {
                return false;
            }
            let Some(entry) = reader.next_if_any().await else { return false };
            self.add(entry);
        }
        true
    }

    fn add(&mut self, entry: Entry<Chunk>) {
        let is_known = self.reached.is_some_and(|reached| reached.includes(&entry));
        let wanted = if is_known { Some(Vec::new()) } else { self.wanted.of(&entry.chunk) };
        self.fill(Rest {
            wanted,
            taken: 0,
            bytes_per_event: entry.bytes / u64::from(entry.events.max(1)),
            through: Through { position: entry.position, appended: entry.appended },
            events: entry.chunk.events,
        });
    }

    /// Moves as much of `rest` into the batch as fits, at least one event if the batch is empty.
    fn fill(&mut self, mut rest: Rest) {
        let wanted = rest.wanted.as_ref().map_or(rest.events.len(), Vec::len);
        let room = self.room(rest.bytes_per_event).max(usize::from(self.filling.events == 0));
        let range = rest.taken..wanted.min(rest.taken + room);
        let taken = range.len();
        if taken > 0 {
            let selected = match &rest.wanted {
                Some(positions) => positions.get(range.clone()).map(<[usize]>::to_vec),
                None if taken == rest.events.len() => None,
                None => Some(range.clone().collect()),
            };
            // After a quiet time the first event goes at once; those that follow it closely wait for each other.
            self.filling.due.get_or_insert_with(|| Instant::now().max(self.earliest));
            self.filling.chunks.push((Arc::clone(&rest.events), selected));
            self.filling.events += taken;
            self.filling.bytes += rest.bytes_per_event * taken as u64;
        }
        if range.end == wanted {
            self.filling.through = Some(rest.through);
        } else {
            rest.taken = range.end;
            self.rest = Some(rest);
        }
    }

    /// How many events more would fill the batch if they were as large as those in it.
    fn expected(&self) -> u64 {
        let bytes_per_event = self.filling.bytes / self.filling.events.max(1) as u64;
        self.room(bytes_per_event).max(1) as u64
    }

    /// How many events of this size still fit into the batch.
    fn room(&self, bytes_per_event: u64) -> usize {
        let by_bytes = self.max_bytes.saturating_sub(self.filling.bytes) / bytes_per_event.max(1);
        let by_count = self.max_events.saturating_sub(self.filling.events);
        by_count.min(usize::try_from(by_bytes).unwrap_or(usize::MAX))
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
