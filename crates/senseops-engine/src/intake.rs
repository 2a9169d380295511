//! Where the emitter of a source leads: labels are merged, times made unique, events counted and appended.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use senseops_core::{Event, Intake, LabelSet, Name, Outcome, Receipt, Timestamp, async_trait};
use senseops_journal::Journal;

use crate::codec::Chunk;
use crate::counters::SourceCounters;

/// How many merged label sets one source keeps. A source has one per origin, and usually one origin.
const MERGED_LABEL_SETS: usize = 16;

/// The intake of one source component.
pub(crate) struct SourceIntake {
    journal: Journal<Chunk>,
    source: Name,
    configured: LabelSet,
    merged: Mutex<Vec<Merged>>,
    clock: Arc<UniqueTimes>,
    counters: Arc<SourceCounters>,
}

/// The labels of an origin, before and after the configured ones were merged. Holding `origin` keeps its address
/// from being used by another set.
struct Merged {
    origin: Arc<LabelSet>,
    all: Arc<LabelSet>,
}

/// Moves events of the same nanosecond apart, for all sources of a pipeline: targets that identify a point by its
/// labels and time would overwrite the first with the second.
#[derive(Debug, Default)]
pub(crate) struct UniqueTimes(Mutex<Run>);

/// The times that were given out without a gap.
#[derive(Debug, Default)]
struct Run {
    first: i64,
    last: i64,
}

impl SourceIntake {
    pub(crate) fn new(
        journal: Journal<Chunk>,
        source: &str,
        configured: LabelSet,
        clock: Arc<UniqueTimes>,
        counters: Arc<SourceCounters>,
    ) -> Self {
        Self {
            journal,
            source: source.to_owned().into(),
            configured,
            merged: Mutex::default(),
            clock,
            counters,
        }
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
        self.merge_labels(&mut events);
        self.clock.make_unique(&mut events);
        let count = events.len();
        let bytes: usize = events.iter().map(Event::approximate_bytes).sum();
        let chunk = Chunk { source: self.source.clone(), events: events.into() };
        let receipt = self.journal.append(chunk, u32::try_from(count).unwrap_or(u32::MAX), bytes as u64);
        self.counters.emitted.fetch_add(count as u64, Ordering::Relaxed);
        if receipt.known_outcome() == Some(Outcome::Lost) {
            self.counters.lost.fetch_add(count as u64, Ordering::Relaxed);
        }
        receipt
    }

    async fn room(&self) {
        self.journal.room().await;
    }
}

impl UniqueTimes {
    /// Events whose identity comes from their origin bring times of their own, which must stay the same when they
    /// are read again.
    fn make_unique(&self, events: &mut [Event]) {
        let mut run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events.iter_mut().filter(|event| !event.id.is_keyed()) {
            let time = event.time.as_nanos();
            if (run.first..=run.last).contains(&time) {
                run.last += 1;
                event.time = Timestamp::from_nanos(run.last);
            } else {
                *run = Run { first: time, last: time };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use senseops_core::{Body, EventId, Fields, Kind};

    use super::*;

    fn events(times: &[i64]) -> Vec<Event> {
        let labels = Arc::new(LabelSet::default());
        let event = |time: &i64| {
            Event::new(Kind::new("n"), &labels, Body::Measurement(Fields::default()))
                .at(Timestamp::from_nanos(*time))
        };
        times.iter().map(event).collect()
    }

    fn unique(clock: &UniqueTimes, times: &[i64]) -> Vec<i64> {
        let mut events = events(times);
        clock.make_unique(&mut events);
        events.iter().map(|event| event.time.as_nanos()).collect()
    }

    #[test]
    fn events_of_one_nanosecond_are_moved_apart_across_chunks() {
        let clock = UniqueTimes::default();
        assert_eq!(unique(&clock, &[100, 100, 100]), [100, 101, 102]);
        assert_eq!(unique(&clock, &[101, 500, 500]), [103, 500, 501]);
        assert_eq!(unique(&clock, &[90]), [90], "a clock that was set back is not argued with");
    }

    #[test]
    fn keyed_events_keep_their_times() {
        let clock = UniqueTimes::default();
        let mut keyed = events(&[7, 7]);
        for event in &mut keyed {
            event.id = EventId::keyed("origin", b"key");
        }
        clock.make_unique(&mut keyed);
        assert!(keyed.iter().all(|event| event.time.as_nanos() == 7));
    }

    #[test]
    fn configured_labels_are_merged_once_per_origin() {
        let configured = LabelSet::from_iter([("qs_env", "prod"), ("host", "configured")]);
        let journal = Journal::in_memory(1 << 20);
        let intake = SourceIntake::new(journal, "udp.users", configured, Arc::default(), Arc::default());
        let origin = Arc::new(LabelSet::from_iter([("host", "sense1")]));
        let mut two: Vec<Event> = (0..2)
            .map(|_| Event::new(Kind::new("n"), &origin, Body::Measurement(Fields::default())))
            .collect();
        intake.merge_labels(&mut two);
        assert_eq!(two[0].labels.to_string(), "host=sense1,qs_env=prod");
        assert!(Arc::ptr_eq(&two[0].labels, &two[1].labels));
    }
}
