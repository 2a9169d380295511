//! Which events have arrived.

use std::collections::HashSet;
use std::ops::RangeInclusive;

/// Keys of events: their numbers, or what else distinguishes them.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    keys: HashSet<u64>,
    duplicates: u64,
    largest: Option<u64>,
}

impl Arrivals {
    /// An event of this key has arrived, perhaps again.
    pub(crate) fn add(&mut self, key: u64) {
        if !self.keys.insert(key) {
            self.duplicates += 1;
        }
        self.largest = self.largest.max(Some(key));
    }

    /// How many different events there are.
    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.keys.len()).unwrap_or(u64::MAX)
    }

    /// How many came again.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// The largest key.
    pub(crate) fn largest(&self) -> Option<u64> {
        self.largest
    }

    /// How many of these are there.
    pub(crate) fn count_of(&self, keys: &[RangeInclusive<u64>]) -> u64 {
        let found = keys.iter().cloned().flatten().filter(|key| self.keys.contains(key)).count();
        u64::try_from(found).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_from_their_duplicates() {
        let mut arrivals = Arrivals::default();
        for key in [1, 2, 9, 2] {
            arrivals.add(key);
        }
        assert_eq!((arrivals.count(), arrivals.duplicates(), arrivals.largest()), (3, 1, Some(9)));
        assert_eq!(arrivals.count_of(&[1..=3, 8..=9]), 3);
    }
}
