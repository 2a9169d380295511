//! Watching events as they are emitted.

use std::fmt;

use senseops_core::{Event, KindPattern, Name, Shutdown, ShutdownTrigger};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::codec::Chunk;
use crate::settings::Only;

/// How many chunks a tap may be behind before it misses some.
const CHUNKS_BEHIND: usize = 1024;

/// Where chunks go that somebody watches.
#[derive(Clone, Debug)]
pub(crate) struct Taps {
    chunks: broadcast::Sender<Chunk>,
    end: ShutdownTrigger,
}

/// Which events a tap shows; an empty list means all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TapFilter {
    /// Patterns over kinds, such as `qlik.*`.
    pub kinds: Vec<KindPattern>,
    /// Names of sources, such as `udp.users` or `udp.*`.
    pub sources: Vec<String>,
}

/// Shows events as they are emitted, see [`Handle::tap`](crate::Handle::tap). It never slows the pipeline.
pub struct Tap {
    chunks: broadcast::Receiver<Chunk>,
    end: Shutdown,
    only: Only,
}

/// What a tap shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Tapped {
    /// Events that one source emitted together.
    Events {
        /// The component, such as `udp.users`.
        source: Name,
        /// The events, at least one.
        events: Vec<Event>,
    },
    /// The reader was too slow for so many emissions.
    Missed(u64),
}

impl Taps {
    pub(crate) fn show(&self, chunk: &Chunk) {
        if self.chunks.receiver_count() > 0 {
            // An error means that the last watcher has just gone.
            let _unwatched = self.chunks.send(chunk.clone());
        }
    }

    pub(crate) fn tap(&self, filter: TapFilter) -> Tap {
        let TapFilter { kinds, sources } = filter;
        Tap { chunks: self.chunks.subscribe(), end: self.end.shutdown(), only: Only { kinds, sources } }
    }

    /// Nothing will be emitted any more.
    pub(crate) fn end(&self) {
        self.end.request();
    }
}

impl Default for Taps {
    fn default() -> Self {
        Self { chunks: broadcast::Sender::new(CHUNKS_BEHIND), end: ShutdownTrigger::default() }
    }
}

impl Tap {
    /// What is emitted next. Nothing is missed if the future is dropped. `None` once nothing will come any more.
    pub async fn next(&mut self) -> Option<Tapped> {
        loop {
            match self.end.unless_requested(self.chunks.recv()).await? {
                Ok(chunk) => {
                    if let Some(tapped) = self.filtered(&chunk) {
                        return Some(tapped);
                    }
                }
                Err(RecvError::Lagged(chunks)) => return Some(Tapped::Missed(chunks)),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn filtered(&self, chunk: &Chunk) -> Option<Tapped> {
        if !self.only.source(&chunk.source) {
            return None;
        }
        let events: Vec<Event> =
            chunk.events.iter().filter(|event| self.only.kind(event.kind)).cloned().collect();
        (!events.is_empty()).then(|| Tapped::Events { source: chunk.source.clone(), events })
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("only", &self.only).finish_non_exhaustive()
    }
}
