//! How many series a measurement may have.
//!
//! A series is a measurement with its tags. InfluxDB holds all of them in memory, so a tag whose text is never the same,
//! such as the id of a session, ends with a database that cannot start any more. Points of series that are known go on
//! when the limit is reached; those that would begin another are refused.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use thiserror::Error;
use tracing::warn;

/// How many measurements may be told apart. Their names come from kinds of events, of which there are few; the bound
/// keeps a mistake from eating memory.
pub(crate) const MAX_MEASUREMENTS: usize = 256;

/// The series that were written since the start, as far as they fit.
///
/// A series is known by 64 bits, some 20 bytes with what a table needs around them. Two series may be taken for one, in
/// which case one more is let through.
#[derive(Debug)]
pub(crate) struct SeriesLimit {
    component: String,
    max_series: usize,
    known: HashSet<u64>,
    measurements: HashMap<Arc<str>, Measurement>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Measurement {
    series: usize,
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
    pub(crate) fn new(component: &str, max_series: usize) -> Self {
        Self {
            component: component.to_owned(),
            max_series,
            known: HashSet::new(),
            measurements: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// Whether a point of this series may be written. `series` identifies it among all series of all measurements.
    pub(crate) fn admit(&mut self, measurement: &str, series: &[u8]) -> Result<(), OverLimit> {
        let hash = self.hasher.hash_one(series);
        if self.known.contains(&hash) { Ok(()) } else { self.begin(measurement, hash) }
    }

    fn begin(&mut self, name: &str, hash: u64) -> Result<(), OverLimit> {
        let is_full = self.measurements.len() >= MAX_MEASUREMENTS;
        let (name, measurement) = match self.measurements.entry(name.into()) {
            Entry::Vacant(_) if is_full => return Err(OverLimit::Measurements),
            Entry::Vacant(entry) => (Arc::clone(entry.key()), entry.insert(Measurement::default())),
            Entry::Occupied(entry) => (Arc::clone(entry.key()), entry.into_mut()),
        };
        if measurement.series < self.max_series {
            measurement.series += 1;
            self.known.insert(hash);
            return Ok(());
        }
        if !measurement.is_told {
            measurement.is_told = true;
            let (component, measurement, max_series) = (&self.component, &*name, self.max_series);
            warn!(
                component,
                measurement, max_series, "limit of series reached, points of further ones are refused"
            );
        }
        Err(OverLimit::Series { measurement: name, max_series: self.max_series })
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
        SeriesLimit::new("influx.main", max_series)
    }

    #[test]
    fn known_series_go_on_when_the_limit_is_reached() {
        let mut limit = limit(2);
        let admitted =
            ["a", "b", "a", "c", "b", "c"].map(|series| limit.admit("m", series.as_bytes()).is_ok());
        assert_eq!(admitted, [true, true, true, false, true, false]);
    }

    #[test]
    fn each_measurement_has_a_limit_of_its_own() {
        let mut limit = limit(1);
        assert_eq!(limit.admit("m", b"m,a=1"), Ok(()));
        assert_eq!(limit.admit("n", b"n,a=1"), Ok(()));
        let refused = limit.admit("m", b"m,a=2").unwrap_err();
        assert_eq!(refused, OverLimit::Series { measurement: "m".into(), max_series: 1 });
        insta::assert_snapshot!(refused, @"the measurement m has reached its limit of 1 series");
    }

    #[test]
    fn a_flood_of_series_and_measurements_takes_bounded_memory() {
        let mut limit = limit(10);
        for n in 0..10_000 {
            let measurement = format!("m{}", n % 1000);
            let series = format!("{measurement},user={n}");
            // What it says is a matter of other tests.
            let _admitted = limit.admit(&measurement, series.as_bytes()).is_ok();
        }
        assert_eq!(limit.measurements.len(), MAX_MEASUREMENTS);
        assert_eq!(limit.known.len(), MAX_MEASUREMENTS * 10);
        assert_eq!(limit.admit("another", b"another"), Err(OverLimit::Measurements));
    }
}
