//! Counting what only a component can see.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::LabelSet;

/// How many series one component may have. Labels of series must come from a short list, never from input; the
/// bound keeps a mistake from eating memory.
pub const MAX_SERIES: usize = 256;

/// Makes the counters and gauges of one component, and reads them.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<BTreeMap<Key, Described>>>);

type Key = (&'static str, Vec<(&'static str, String)>);

/// A series, and what it counts.
#[derive(Clone, Debug)]
struct Described {
    help: &'static str,
    series: Series,
}

/// A number that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

/// A number that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicU64>);

#[derive(Clone, Debug)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
}

/// The value of a counter or gauge at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its name, such as `refused`.
    pub name: &'static str,
    /// What is counted, in a sentence.
    pub help: &'static str,
    /// Which of them, such as `reason=malformed`.
    pub labels: LabelSet,
    /// How many.
    pub value: u64,
    /// Whether the number only grows.
    pub is_counter: bool,
}

impl Meter {
    /// The counter of this name and these labels. `help` says in a sentence what it counts, for those who find it among
    /// the metrics. Keep it: looking it up takes a lock.
    pub fn counter(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Counter {
        match self.series(name, help, labels, || Series::Counter(Counter::default())) {
            Some(Series::Counter(counter)) => counter,
            Some(Series::Gauge(_)) | None => Counter::default(),
        }
    }

    /// The gauge of this name and these labels, see [`counter`](Self::counter).
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        match self.series(name, help, labels, || Series::Gauge(Gauge::default())) {
            Some(Series::Gauge(gauge)) => gauge,
            Some(Series::Counter(_)) | None => Gauge::default(),
        }
    }

    /// All values now, sorted by name and labels.
    pub fn readings(&self) -> Vec<Reading> {
        let series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        series
            .iter()
            .map(|((name, labels), Described { help, series })| Reading {
                name,
                help,
                labels: labels.iter().map(|(name, text)| (*name, text.as_str())).collect(),
                value: match series {
                    Series::Counter(counter) => counter.value(),
                    Series::Gauge(gauge) => gauge.value(),
                },
                is_counter: matches!(series, Series::Counter(_)),
            })
            .collect()
    }

    fn series(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        make: impl FnOnce() -> Series,
    ) -> Option<Series> {
        let key = (name, labels.iter().map(|(name, text)| (*name, (*text).to_owned())).collect());
        let mut series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if series.len() >= MAX_SERIES && !series.contains_key(&key) {
            return None;
        }
        Some(series.entry(key).or_insert_with(|| Described { help, series: make() }).series.clone())
    }
}

impl Counter {
    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// How many were counted.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    /// Replaces the value.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// `refused{reason=malformed}=3`, without braces when there are no labels.
impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if !self.labels.is_empty() {
            write!(f, "{{{}}}", self.labels)?;
        }
        write!(f, "={}", self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_found_again_by_name_and_labels() {
        let meter = Meter::default();
        meter.counter("refused", "", &[("reason", "malformed")]).add(2);
        meter.counter("refused", "", &[("reason", "malformed")]).add(1);
        meter.counter("refused", "", &[("reason", "source")]).add(7);
        meter.gauge("buffer_bytes", "", &[]).set(5);
        let values: Vec<_> = meter.readings().iter().map(ToString::to_string).collect();
        assert_eq!(values, ["buffer_bytes=5", "refused{reason=malformed}=3", "refused{reason=source}=7"]);
    }

    #[test]
    fn series_are_bounded() {
        let meter = Meter::default();
        for n in 0..2 * MAX_SERIES {
            meter.counter("seen", "", &[("user", &n.to_string())]).add(1);
        }
        assert_eq!(meter.readings().len(), MAX_SERIES);
    }
}
