//! Where the emitter of a component leads: labels are merged, times made unique, events counted and appended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;
use senseops_core::host::Intake;
use senseops_core::{Chunk, Event, LabelSet, Name, Outcome, Receipt, async_trait};
use senseops_journal::Journal;

use crate::counters::SourceCounters;
use crate::rate_limit::RateLimiter;
use crate::settings::RateLimit;
use crate::tap::Taps;
use crate::times::UniqueTimes;

/// How many merged label sets one component keeps: a source has one per origin. Events with others carry their own,
/// which count as theirs.
const MERGED_LABEL_SETS: usize = 1024;

/// What a chunk takes in the journal beside its events: the counts of its shared slice, its place, its receipt.
const CHUNK_BYTES: usize = 256;

/// The intake of one component that emits.
pub(crate) struct SourceIntake {
    journal: Journal<Chunk>,
    times: Arc<UniqueTimes>,
    source: Name,
    configured: LabelSet,
    merged: Mutex<MergedLabels>,
    counters: Arc<SourceCounters>,
    taps: Taps,
    limiter: Option<RateLimiter>,
}

/// Label sets of origins with the configured labels under them, by the address of the former.
#[derive(Default)]
struct MergedLabels(HashMap<usize, Merged>);

/// The labels of an origin, before and after the configured ones were merged. Holding `origin` keeps its address
/// from being used by another set.
struct Merged {
    origin: Arc<LabelSet>,
    all: Arc<LabelSet>,
}

/// Events that are on their way into the journal. If whoever waits for that is dropped, they count as lost.
struct OnTheWay<'a> {
    counters: &'a SourceCounters,
    events: u64,
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
            source: Name::intern(source),
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

    /// The events as they go into the journal, and the memory that they take.
    fn chunk(&self, mut events: Vec<Event>) -> (Chunk, usize) {
        let labels = self.merge_labels(&mut events);
        self.times.make_unique(&mut events);
        let bytes = labels + events.iter().map(Event::bytes).sum::<usize>();
        (Chunk::new(self.source.clone(), events), bytes)
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

    fn counted(&self, events: usize, receipt: Receipt) -> Receipt {
        let lost = receipt.known_outcome() == Some(Outcome::Lost);
        let counter: &AtomicU64 = if lost { &self.counters.lost } else { &self.counters.emitted };
        counter.fetch_add(events as u64, Ordering::Relaxed);
        receipt
    }

    /// Waits until as many events may be emitted, and for room for them.
    async fn append_in_time(&self, events: usize, make: impl FnOnce() -> (Chunk, usize)) -> Receipt {
        let on_the_way = OnTheWay { counters: &self.counters, events: events as u64 };
        if let Some(limiter) = &self.limiter {
            limiter.wait(events).await;
        }
        let (chunk, bytes) = make();
        self.taps.show(&chunk, size(bytes));
        let receipt = self.journal.append_when_room(chunk, count(events), size(bytes)).await;
        on_the_way.has_arrived();
        self.counted(events, receipt)
    }

    /// Puts the configured labels under those of the origins. Gives the memory that labels take of which nobody else
    /// has a copy.
    fn merge_labels(&self, events: &mut [Event]) -> usize {
        let mut merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut own, mut last): (usize, Option<Merged>) = (0, None);
        for event in events {
            // Events that come together mostly come from one origin.
            let known = last.as_ref().filter(|last| Arc::ptr_eq(&last.origin, &event.labels));
            if let Some(known) = known {
                event.labels = Arc::clone(&known.all);
                continue;
            }
            let (all, is_kept) = merged.merge(&event.labels, &self.configured);
            own += if is_kept { 0 } else { all.bytes() };
            let origin = std::mem::replace(&mut event.labels, Arc::clone(&all));
            last = Some(Merged { origin, all });
        }
        own
    }
}

impl MergedLabels {
    /// The labels of an origin over the configured ones, and whether they are kept for the next event.
    fn merge(&mut self, origin: &Arc<LabelSet>, configured: &LabelSet) -> (Arc<LabelSet>, bool) {
        let address = Arc::as_ptr(origin).addr();
        if let Some(known) = self.0.get(&address) {
            return (Arc::clone(&known.all), true);
        }
        let all = if configured.is_empty() { Arc::clone(origin) } else { Arc::new(origin.over(configured)) };
        if self.0.len() >= MERGED_LABEL_SETS {
            self.0.retain(|_, merged| merged.is_used());
        }
        let is_kept = self.0.len() < MERGED_LABEL_SETS;
        if is_kept {
            self.0.insert(address, Merged { origin: Arc::clone(origin), all: Arc::clone(&all) });
        }
        (all, is_kept)
    }
}

impl Merged {
    /// Whether the origin is still there, or any of its events.
    fn is_used(&self) -> bool {
        let ours = if Arc::ptr_eq(&self.origin, &self.all) { 2 } else { 1 };
        Arc::strong_count(&self.origin) > ours
    }
}

impl OnTheWay<'_> {
    fn has_arrived(mut self) {
        self.events = 0;
    }
}

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        self.counters.lost.fetch_add(self.events, Ordering::Relaxed);
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
        let (chunk, bytes) = self.chunk(events);
        self.taps.show(&chunk, size(bytes));
        let events = chunk.events.len();
        let receipt = self.counted(events, self.journal.append(chunk, count(events), size(bytes)));
        // A receipt is about all of the events.
        if excess > 0 { Receipt::known(Outcome::Lost) } else { receipt }
    }

    async fn append_when_room(&self, events: Vec<Event>) -> Receipt {
        if events.is_empty() {
            return Receipt::known(Outcome::Stored);
        }
        self.append_in_time(events.len(), || self.chunk(events)).await
    }

    async fn forward_when_room(&self, chunk: Chunk) -> Receipt {
        if chunk.events.is_empty() {
            return Receipt::known(Outcome::Stored);
        }
        let bytes = chunk.bytes();
        self.append_in_time(chunk.events.len(), || (chunk, bytes)).await
    }
}

/// How many events there are, for the journal.
pub(crate) fn count(events: usize) -> u32 {
    u32::try_from(events).unwrap_or(u32::MAX)
}

/// What a chunk takes in the journal, whose events take so many bytes.
pub(crate) fn size(bytes: usize) -> u64 {
    (CHUNK_BYTES + bytes) as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use senseops_core::{Body, Fields, Kind};
    use senseops_journal::Overflow;
    use tokio::time::timeout;

    use super::*;
    use crate::counters::value;

    fn intake(journal: &Journal<Chunk>, configured: LabelSet) -> SourceIntake {
        SourceIntake::new(journal.clone(), Arc::default(), "udp.users", configured, Arc::default())
    }

    fn event(labels: &Arc<LabelSet>) -> Event {
        Event::new(Kind::new("n"), labels, Body::Measurement(Fields::default()))
    }

    #[test]
    fn configured_labels_are_merged_once_per_origin() {
        let configured = LabelSet::from_iter([("qs_env", "prod"), ("host", "configured")]);
        let intake = intake(&Journal::in_memory(1 << 20), configured);
        let origin = Arc::new(LabelSet::from_iter([("host", "sense1")]));
        let mut two = [event(&origin), event(&origin)];
        assert_eq!(intake.merge_labels(&mut two), 0);
        assert_eq!(two[0].labels.to_string(), "host=sense1,qs_env=prod");
        assert!(Arc::ptr_eq(&two[0].labels, &two[1].labels));
    }

    #[test]
    fn labels_that_are_not_kept_for_others_count_as_those_of_the_chunk() {
        let intake = intake(&Journal::in_memory(1 << 20), LabelSet::from_iter([("qs_env", "prod")]));
        let origins: Vec<_> = (0..=MERGED_LABEL_SETS).map(|_| Arc::new(LabelSet::default())).collect();
        let mut events: Vec<_> = origins.iter().map(event).collect();
        let own = intake.merge_labels(&mut events);
        assert_eq!(own, events[0].labels.bytes());
    }

    #[tokio::test(start_paused = true)]
    async fn events_whose_source_does_not_wait_for_room_any_longer_are_counted_as_lost() {
        let journal = Journal::in_memory(10_000);
        let _full = journal.reader("slow", Overflow::Block);
        let intake = intake(&journal, LabelSet::default());
        let labels = Arc::default();
        let mut emitted = 0;
        while timeout(Duration::from_secs(1), intake.append_when_room(vec![event(&labels)])).await.is_ok() {
            emitted += 1;
        }
        assert_eq!((value(&intake.counters.emitted), value(&intake.counters.lost)), (emitted, 1));
    }

    #[tokio::test]
    async fn a_forwarded_chunk_stays_as_it_is() {
        let journal = Journal::in_memory(1 << 20);
        let mut reader = journal.reader("r", Overflow::Block);
        let intake = intake(&journal, LabelSet::from_iter([("qs_env", "prod")]));
        let events = [event(&Arc::default()), event(&Arc::default())]
            .map(|event| event.at(senseops_core::Timestamp::from_nanos(7)));
        let chunk = Chunk::new("udp.elsewhere", events);
        assert_eq!(intake.forward_when_room(chunk.clone()).await.outcome().await, Outcome::Stored);
        assert_eq!(reader.next().await.chunk, chunk);
        assert_eq!(value(&intake.counters.emitted), 2);
    }
}
