//! Watching events as they are emitted.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use senseops_core::host::{Only, ShutdownTrigger};
use senseops_core::{Chunk, Event, Name, Shutdown};
use tokio::sync::Notify;

/// How much a tap may be behind before it misses something, in bytes.
const BYTES_BEHIND: u64 = 8 * 1024 * 1024;

/// Where chunks go that somebody watches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taps {
    queues: Arc<Mutex<Vec<Weak<Queue>>>>,
    end: ShutdownTrigger,
}

/// Shows events as they are emitted, see [`Handle::tap`](crate::Handle::tap). It never slows the pipeline.
pub struct Tap {
    queue: Arc<Queue>,
    end: Shutdown,
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
    /// The reader was too slow for so many events.
    Missed(u64),
}

/// What one tap has still to show.
#[derive(Debug)]
struct Queue {
    only: Only,
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    chunks: VecDeque<(Chunk, u64)>,
    bytes: u64,
    /// Events that were dropped since that was told last.
    missed: u64,
}

impl Taps {
    /// Shows a chunk that takes so many bytes.
    pub(crate) fn show(&self, chunk: &Chunk, bytes: u64) {
        let mut queues = self.queues();
        if queues.is_empty() {
            return;
        }
        queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            if queue.wanted(chunk).next().is_some() {
                queue.push(chunk, bytes);
            }
            true
        });
    }

    pub(crate) fn tap(&self, only: Only) -> Tap {
        let queue = Arc::new(Queue { only, waiting: Mutex::default(), filled: Notify::new() });
        self.queues().push(Arc::downgrade(&queue));
        Tap { queue, end: self.end.shutdown() }
    }

    /// Nothing will be emitted any more.
    pub(crate) fn end(&self) {
        self.end.request();
    }

    fn queues(&self) -> MutexGuard<'_, Vec<Weak<Queue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// The events of the chunk that are to be shown.
    fn wanted<'a>(&self, chunk: &'a Chunk) -> impl Iterator<Item = &'a Event> {
        let events = if self.only.source(&chunk.source) { &*chunk.events } else { &[] };
        events.iter().filter(|event| self.only.kind(event.kind))
    }

    fn push(&self, chunk: &Chunk, bytes: u64) {
        let mut waiting = self.waiting();
        waiting.chunks.push_back((chunk.clone(), bytes));
        waiting.bytes += bytes;
        while waiting.bytes > BYTES_BEHIND
            && let Some((chunk, bytes)) = waiting.chunks.pop_front()
        {
            waiting.bytes -= bytes;
            waiting.missed += self.wanted(&chunk).count() as u64;
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// What is shown next, if there is something.
    fn pop(&self) -> Option<Tapped> {
        let mut waiting = self.waiting();
        if waiting.missed > 0 {
            return Some(Tapped::Missed(std::mem::take(&mut waiting.missed)));
        }
        let (chunk, bytes) = waiting.chunks.pop_front()?;
        waiting.bytes -= bytes;
        drop(waiting);
        Some(Tapped::Events { events: self.wanted(&chunk).cloned().collect(), source: chunk.source })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap {
    /// What is emitted next. Nothing is missed if the future is dropped. `None` once nothing will come any more.
    pub async fn next(&mut self) -> Option<Tapped> {
        loop {
            if let Some(tapped) = self.queue.pop() {
                return Some(tapped);
            }
            self.end.unless_requested(self.queue.filled.notified()).await?;
        }
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("only", &self.queue.only).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use senseops_core::{Body, Fields, Kind};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_tap_that_is_behind_misses_the_oldest_and_is_told_how_many() {
        let taps = Taps::default();
        let mut tap = taps.tap(Only::default());
        let mut picky = taps.tap(Only { sources: vec!["third".into()], ..Only::default() });
        let event = Event::new(Kind::new("n"), &Arc::default(), Body::Measurement(Fields::default()));
        for source in ["first", "second", "third"] {
            taps.show(&Chunk::new(source, vec![event.clone(); 3]), BYTES_BEHIND / 2);
        }
        assert_eq!(tap.next().await, Some(Tapped::Missed(3)));
        for expected in ["second", "third"] {
            let Some(Tapped::Events { source, events }) = tap.next().await else { panic!("nothing shown") };
            assert_eq!((source.as_str(), events.len()), (expected, 3));
        }
        assert!(matches!(picky.next().await, Some(Tapped::Events { .. })), "others do not count for it");
        assert!(timeout(Duration::from_secs(1), tap.next()).await.is_err());
        taps.end();
        assert_eq!(tap.next().await, None);
    }

    #[test]
    fn a_tap_that_is_gone_takes_nothing() {
        let taps = Taps::default();
        drop(taps.tap(Only::default()));
        taps.show(&Chunk::new("source", []), 0);
        assert!(taps.queues().is_empty());
    }
}
