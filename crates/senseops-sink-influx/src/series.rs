//! How many series a measurement may have.
//!
//! A series is a measurement with its tags. InfluxDB holds all of them in memory, so a tag whose text is never the same,
//! such as the id of a session, ends with a database that cannot start any more. Points of series that are known go on
//! when the limit is reached; those that would begin another are refused.
//!
//! Series are counted over a rolling day, in halves: one that had no point in this half and the one before is forgotten.
//! So users who are gone make room for new ones, and a limit fits a program that runs for years.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldhash::HashMap;
use foldhash::quality::RandomState;
use thiserror::Error;
use tracing::warn;

/// How many measurements there may be. Their names come from kinds of events, of which there are few; the bound
/// keeps a mistake from eating memory.
pub(crate) const MAX_MEASUREMENTS: usize = 256;

/// A series is known for one to two of these after its last point.
const HALF_DAY: Duration = Duration::from_hours(12);

/// The series that were written lately, as far as they fit.
///
/// A series is known by 64 bits, some 20 bytes with what a table needs around them. Two series may be taken for one, in
/// which case one more is let through.
#[derive(Debug)]
pub(crate) struct SeriesLimit {
    component: String,
    max_series: usize,
    seen: Arc<Seen>,
}

/// What each component of a pipeline has written lately. It outlives the sinks, so that rebuilding one does not let
/// more series in.
#[derive(Debug, Default)]
pub(crate) struct SeenSeries(Mutex<BTreeMap<String, Arc<Seen>>>);

#[derive(Debug)]
struct Seen {
    hasher: RandomState,
    begun: Instant,
    /// Taken once per batch, when its lines are made and their series are hashed.
    measurements: Mutex<Measurements>,
}

#[derive(Debug, Default)]
struct Measurements {
    /// Which half of a day it is, counted from the start.
    half: u64,
    by_name: HashMap<Arc<str>, Measurement>,
}

#[derive(Debug, Default)]
struct Measurement {
    /// The half in which each series had its last point.
    series: HashMap<u64, u64>,
    is_told: bool,
}

/// A point that would begin a series too many.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum OverLimit {
    /// Its measurement has all the series that it may have.
    #[error("the measurement {measurement} has reached its limit of {max_series} series")]
    Series { measurement: Arc<str>, max_series: usize },
    /// It is of a measurement too many.
    #[error("there are {MAX_MEASUREMENTS} measurements already, and no more are written")]
    Measurements,
}

impl SeriesLimit {
    pub(crate) fn new(component: &str, max_series: usize, seen: &SeenSeries) -> Self {
        let mut components = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = Arc::clone(components.entry(component.to_owned()).or_default());
        Self { component: component.to_owned(), max_series, seen }
    }

    /// Which of these points may not be written now: their positions, in order, and why. A point is identified by the
    /// name of its measurement and by what identifies its series among those of all measurements.
    pub(crate) fn refused<'p>(
        &self,
        points: impl Iterator<Item = (&'p str, &'p [u8])>,
        now: Instant,
    ) -> Vec<(usize, OverLimit)> {
        let Seen { hasher, begun, measurements } = &*self.seen;
        let hash = |(measurement, series): (&'p str, &[u8])| (measurement, hasher.hash_one(series));
        let points: Vec<(&str, u64)> = points.map(hash).collect();
        let half = now.duration_since(*begun).as_secs() / HALF_DAY.as_secs();
        let mut measurements = measurements.lock().unwrap_or_else(PoisonError::into_inner);
        measurements.forget_before(half);
        let judged = points.into_iter().enumerate();
        judged
            .filter_map(|(at, (name, series))| Some((at, self.admit(&mut measurements, name, series).err()?)))
            .collect()
    }

    fn admit(&self, measurements: &mut Measurements, name: &str, series: u64) -> Result<(), OverLimit> {
        let Measurements { half, by_name } = measurements;
        let is_full = by_name.len() >= MAX_MEASUREMENTS;
        let measurement = match by_name.get_mut(name) {
            Some(known) => known,
            None if is_full => return Err(OverLimit::Measurements),
            None => by_name.entry(name.into()).or_default(),
        };
        if let Some(last) = measurement.series.get_mut(&series) {
            *last = *half;
            return Ok(());
        }
        if measurement.series.len() < self.max_series {
            measurement.series.insert(series, *half);
            return Ok(());
        }
        if !measurement.is_told {
            measurement.is_told = true;
            let (component, measurement, max_series) = (&self.component, name, self.max_series);
            warn!(
                component,
                measurement, max_series, "limit of series reached, points of further ones are refused"
            );
        }
        Err(OverLimit::Series { measurement: name.into(), max_series: self.max_series })
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self { hasher: RandomState::default(), begun: Instant::now(), measurements: Mutex::default() }
    }
}

impl Measurements {
    /// A new half begins: what had no point since the last one began is forgotten.
    fn forget_before(&mut self, half: u64) {
        if half <= self.half {
            return;
        }
        self.half = half;
        self.by_name.retain(|_, measurement| {
            measurement.is_told = false;
            measurement.series.retain(|_, last| *last + 1 >= half);
            measurement.series.shrink_to_fit();
            !measurement.series.is_empty()
        });
    }
}

impl OverLimit {
    /// Whose points are refused, for a counter.
    pub(crate) fn measurement(&self) -> &str {
        match self {
            Self::Series { measurement, .. } => measurement,
            Self::Measurements => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(max_series: usize) -> SeriesLimit {
        SeriesLimit::new("influx.main", max_series, &SeenSeries::default())
    }

    /// Whether points of these series of a measurement `m` are written, so many halves of a day after the start.
    fn admitted<const N: usize>(limit: &SeriesLimit, halves: u32, series: [&str; N]) -> [bool; N] {
        series.map(|series| {
            let point = std::iter::once(("m", series.as_bytes()));
            limit.refused(point, limit.seen.begun + HALF_DAY * halves).is_empty()
        })
    }

    #[test]
    fn known_series_go_on_when_the_limit_is_reached() {
        let limit = limit(2);
        let points = ["a", "b", "a", "c", "b", "d"].map(|series| ("m", series.as_bytes()));
        let refused = limit.refused(points.into_iter(), Instant::now());
        assert_eq!(refused.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [3, 5]);
        insta::assert_snapshot!(refused[0].1, @"the measurement m has reached its limit of 2 series");
    }

    #[test]
    fn each_measurement_has_a_limit_of_its_own() {
        let limit = limit(1);
        let points = [("m", &b"m,a=1"[..]), ("n", b"n,a=1"), ("m", b"m,a=2")];
        let refused = limit.refused(points.into_iter(), Instant::now());
        assert_eq!(refused, [(2, OverLimit::Series { measurement: "m".into(), max_series: 1 })]);
    }

    #[test]
    fn a_series_without_points_for_a_day_makes_room_for_another() {
        let limit = limit(2);
        assert_eq!(admitted(&limit, 0, ["a", "b", "c"]), [true, true, false]);
        assert_eq!(admitted(&limit, 1, ["a", "c"]), [true, false], "b may still come back");
        assert_eq!(admitted(&limit, 2, ["c", "b", "a"]), [true, false, true]);
        assert_eq!(admitted(&limit, 3, ["d"]), [false], "a and c had points in the half before");
        assert_eq!(admitted(&limit, 9, ["d", "e", "a"]), [true, true, false]);
    }

    #[test]
    fn a_measurement_without_points_for_a_day_makes_room_for_another() {
        let limit = limit(1);
        let names: Vec<String> = (0..=MAX_MEASUREMENTS).map(|number| format!("m{number}")).collect();
        let refused = |halves| {
            let points = names.iter().map(|name| (name.as_str(), name.as_bytes()));
            limit.refused(points, limit.seen.begun + HALF_DAY * halves)
        };
        assert_eq!(refused(0), [(MAX_MEASUREMENTS, OverLimit::Measurements)]);
        assert_eq!(admitted(&limit, 1, ["m"]), [false]);
        assert_eq!(admitted(&limit, 2, ["m"]), [true]);
    }

    #[test]
    fn a_flood_of_series_and_measurements_takes_bounded_memory() {
        let limit = limit(10);
        let texts = (0..10_000).map(|n| (format!("m{}", n % 1000), format!("user={n}"))).collect::<Vec<_>>();
        for halves in 0..3 {
            let points = texts.iter().map(|(measurement, series)| (measurement.as_str(), series.as_bytes()));
            let refused = limit.refused(points, limit.seen.begun + HALF_DAY * halves);
            assert_eq!(refused.len(), 10_000 - MAX_MEASUREMENTS * 10);
        }
        let measurements = limit.seen.measurements.lock().unwrap();
        let known: usize = measurements.by_name.values().map(|measurement| measurement.series.len()).sum();
        assert_eq!((measurements.by_name.len(), known), (MAX_MEASUREMENTS, MAX_MEASUREMENTS * 10));
    }
}
