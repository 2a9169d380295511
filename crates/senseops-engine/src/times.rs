//! Times that are unique within a pipeline.

use std::sync::{Mutex, PoisonError};

use senseops_core::{Event, Timestamp};

/// How many recent times are remembered. Events of one nanosecond that come further apart than that are rare, and
/// memory has a bound.
const REMEMBERED: usize = 4096;

/// Moves events of the same nanosecond apart, for all sources of a pipeline: targets that identify a point by its
/// labels and time would overwrite the first with the second.
#[derive(Debug)]
pub(crate) struct UniqueTimes(Mutex<Box<[Taken]>>);

/// A time that was given out, and the next one that may be free. Where it is remembered follows from the time, so a
/// newer one takes the place of an older one.
#[derive(Clone, Copy, Debug)]
struct Taken {
    time: i64,
    next: i64,
}

impl UniqueTimes {
    /// Events whose identity comes from their origin bring times of their own, which must stay the same when they
    /// are read again.
    pub(crate) fn make_unique(&self, events: &mut [Event]) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events.iter_mut().filter(|event| !event.id.is_keyed()) {
            event.time = Timestamp::from_nanos(take(&mut taken, event.time.as_nanos()));
        }
    }
}

/// The first time from `wanted` on that was not given out lately.
fn take(taken: &mut [Taken], wanted: i64) -> i64 {
    let mut time = wanted;
    // Ends at the first time that is not remembered, and there are only so many places to remember one.
    while let Some(place) = taken.get_mut(place_of(time)) {
        if place.time != time || place.next == time {
            *place = Taken { time, next: time.saturating_add(1) };
            break;
        }
        time = place.next;
    }
    if time != wanted
        && let Some(place) = taken.get_mut(place_of(wanted))
        && place.time == wanted
    {
        // So that a thousand events of one moment do not walk past each other.
        place.next = time.saturating_add(1);
    }
    time
}

/// Neighbours get places far apart, and so do whole milliseconds.
fn place_of(time: i64) -> usize {
    let mixed = time.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(mixed >> 52).unwrap_or(0) % REMEMBERED
}

impl Default for UniqueTimes {
    fn default() -> Self {
        // A time whose next one is itself was never given out.
        Self(Mutex::new(vec![Taken { time: i64::MIN, next: i64::MIN }; REMEMBERED].into_boxed_slice()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use senseops_core::{Body, EventId, Fields, Kind, LabelSet};

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
    fn times_that_come_out_of_order_are_unique_too() {
        let clock = UniqueTimes::default();
        assert_eq!(unique(&clock, &[100, 200, 100, 200, 100]), [100, 200, 101, 201, 102]);
        let milliseconds: Vec<i64> = (0..500).chain(0..500).map(|ms| ms * 1_000_000).collect();
        let times: HashSet<i64> = unique(&clock, &milliseconds).into_iter().collect();
        assert_eq!(times.len(), 1000);
    }

    #[test]
    fn the_end_of_time_is_no_trap() {
        let clock = UniqueTimes::default();
        assert_eq!(unique(&clock, &[i64::MAX, i64::MAX, i64::MIN]), [i64::MAX, i64::MAX, i64::MIN]);
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
}
