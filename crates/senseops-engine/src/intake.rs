//! Where the emitter of a source leads: labels are merged, times made unique, events counted and appended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use senseops_core::{Event, Intake, LabelSet, Name, Outcome, Receipt, async_trait};
use senseops_journal::Journal;

use crate::codec::Chunk;
use crate::counters::SourceCounters;
use crate::rate_limit::RateLimiter;
use crate::settings::RateLimit;
use crate::tap::Taps;
use crate::times::UniqueTimes;

/// How many merged label sets one source keeps. A source has one per origin, and usually one origin.
const MERGED_LABEL_SETS: usize = 16;

/// The intake of one source component.
pub(crate) struct SourceIntake {
    journal: Journal<Chunk>,
    times: Arc<UniqueTimes>,
    source: Name,
    configured: LabelSet,
    merged: Mutex<Vec<Merged>>,
    counters: Arc<SourceCounters>,
    taps: Taps,
    limiter: Option<RateLimiter>,
}

/// The labels of an origin, before and after the configured ones were merged. Holding `origin` keeps its address
/// from being used by another set.
struct Merged {
    origin: Arc<LabelSet>,
    all: Arc<LabelSet>,
}

impl SourceIntake {
    pub(crate) fn new(
        journal: Journal<Chunk>,
        times: Arc<UniqueTimes>,
        source: &str,
        configured: LabelSet,
        counters: Arc<SourceCounters>,
    ) -> Self {
        Self {
            journal,
            times,
            source: source.to_owned().into(),
            configured,
            merged: Mutex::default(),
            counters,
            taps: Taps::default(),
            limiter: None,
        }
    }

    /// No more is emitted than this, if it is limited.
    pub(crate) fn limited_to(self, limit: Option<RateLimit>) -> Self {
        Self { limiter: limit.map(RateLimiter::new), ..self }
    }

    /// What is emitted is shown to those who watch.
    pub(crate) fn shown_to(self, taps: Taps) -> Self {
        Self { taps, ..self }
    }

    /// The events as they go into the journal, how many they are, and the memory that they take.
    fn chunk(&self, mut events: Vec<Event>) -> (Chunk, u32, u64) {
        self.merge_labels(&mut events);
        self.times.make_unique(&mut events);
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let bytes: usize = events.iter().map(Event::approximate_bytes).sum();
        let chunk = Chunk { source: self.source.clone(), target: None, events: events.into() };
        self.taps.show(&chunk);
        (chunk, count, bytes as u64)
    }

    /// Drops what is above the limit of those who cannot wait, and tells how many events that are.
    fn drop_excess(&self, events: &mut Vec<Event>) -> usize {
        let Some(limiter) = &self.limiter else { return 0 };
        let admitted = limiter.admit(events.len());
        let excess = events.len() - admitted;
        events.truncate(admitted);
        self.counters.rate_limited.fetch_add(excess as u64, Ordering::Relaxed);
        excess
    }

    fn counted(&self, count: u32, receipt: Receipt) -> Receipt {
        let lost = receipt.known_outcome() == Some(Outcome::Lost);
        let counter: &AtomicU64 = if lost { &self.counters.lost } else { &self.counters.emitted };
        counter.fetch_add(count.into(), Ordering::Relaxed);
        receipt
    }

    fn merge_labels(&self, events: &mut [Event]) {
        if self.configured.is_empty() {
            return;
        }
        let mut merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let known = merged.iter().position(|known| Arc::ptr_eq(&known.origin, &event.labels));
            let at = known.unwrap_or_else(|| {
                if merged.len() == MERGED_LABEL_SETS {
                    merged.remove(0);
                }
                let all = Arc::new(event.labels.over(&self.configured));
                merged.push(Merged { origin: Arc::clone(&event.labels), all });
                merged.len() - 1
            });
            if let Some(known) = merged.get(at) {
                event.labels = Arc::clone(&known.all);
            }
        }
    }
}

#[async_trait]
impl Intake for SourceIntake {
    fn append(&self, mut events: Vec<Event>) -> Receipt {
        if events.is_empty() {
            return Receipt::known(Outcome::Stored);
        }
        let excess = self.drop_excess(&mut events);
        if events.is_empty() {
            return Receipt::known(Outcome::Lost);
        }
        let (chunk, count, bytes) = self.chunk(events);
        let receipt = self.counted(count, self.journal.append(chunk, count, bytes));
        // A receipt is about all of the events.
        if excess > 0 { Receipt::known(Outcome::Lost) } else { receipt }
    }

    async fn append_when_room(&self, events: Vec<Event>) -> Receipt {
        if events.is_empty() {
            return Receipt::known(Outcome::Stored);
        }
        if let Some(limiter) = &self.limiter {
            limiter.wait(events.len()).await;
        }
        let (chunk, count, bytes) = self.chunk(events);
        self.counted(count, self.journal.append_when_room(chunk, count, bytes).await)
    }
}

#[cfg(test)]
mod tests {
    use senseops_core::{Body, Fields, Kind};

    use super::*;

    #[test]
    fn configured_labels_are_merged_once_per_origin() {
        let configured = LabelSet::from_iter([("qs_env", "prod"), ("host", "configured")]);
        let journal = Journal::in_memory(1 << 20);
        let intake = SourceIntake::new(journal, Arc::default(), "udp.users", configured, Arc::default());
        let origin = Arc::new(LabelSet::from_iter([("host", "sense1")]));
        let mut two: Vec<Event> = (0..2)
            .map(|_| Event::new(Kind::new("n"), &origin, Body::Measurement(Fields::default())))
            .collect();
        intake.merge_labels(&mut two);
        assert_eq!(two[0].labels.to_string(), "host=sense1,qs_env=prod");
        assert!(Arc::ptr_eq(&two[0].labels, &two[1].labels));
    }
}
