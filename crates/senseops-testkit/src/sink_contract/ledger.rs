//! What is known about the events of a scenario: which were given to the sink, and which it reported as refused.

use std::collections::{BTreeMap, BTreeSet};

use senseops_core::Rejection;

use crate::contract::{Few, Verdict, broken, ensure};

/// The book that a scenario keeps, and compares with the target at its end.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Every number once, in the order in which it was first given.
    given: Vec<u64>,
    refused: BTreeMap<u64, Vec<String>>,
    in_order: bool,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { given: Vec::new(), refused: BTreeMap::new(), in_order: true }
    }

    /// The sink is given these events, in this order.
    pub(super) fn give(&mut self, numbers: &[u64]) {
        for number in numbers {
            if !self.given.contains(number) {
                self.given.push(*number);
            }
        }
    }

    /// From now on the order cannot be expected.
    pub(super) fn forget_order(&mut self) {
        self.in_order = false;
    }

    /// The sink reports that the target refuses the event.
    pub(super) fn refuse(&mut self, number: u64, reason: String) {
        self.refused.entry(number).or_default().push(reason);
    }

    /// Books a partial result on a batch of these events. Gives those that come again.
    pub(super) fn partly(
        &mut self,
        numbers: &[u64],
        retry: &[usize],
        refused: Vec<Rejection>,
    ) -> Verdict<Vec<u64>> {
        let refused_at: Vec<usize> = refused.iter().map(|rejection| rejection.index).collect();
        ensure_positions("retry", retry, numbers.len())?;
        ensure_positions("refused", &refused_at, numbers.len())?;
        let both = retry.iter().find(|index| refused_at.contains(index));
        ensure_none(both, |index| {
            format!("a partial result has position {index} both in `retry` and in `refused`")
        })?;
        for Rejection { index, reason } in refused {
            numbers.get(index).into_iter().for_each(|number| self.refuse(*number, reason.clone()));
        }
        Ok(retry.iter().filter_map(|index| numbers.get(*index)).copied().collect())
    }

    /// Compares the book with what the target has (`stored`) and what it refuses (`refused`, ascending).
    pub(super) fn compare(&self, stored: &[u64], refused: &[u64]) -> Verdict {
        self.ensure_refused(refused)?;
        let invented = stored.iter().find(|number| !self.given.contains(number));
        ensure_none(invented, |number| format!("the target has event {number}, which is in no batch"))?;
        let both = stored.iter().find(|number| self.refused.contains_key(number));
        ensure_none(both, |number| format!("event {number} was reported as refused, but the target has it"))?;
        let wanted: Vec<u64> =
            self.given.iter().filter(|number| !self.refused.contains_key(number)).copied().collect();
        let lost: Vec<u64> = wanted.iter().filter(|number| !stored.contains(number)).copied().collect();
        ensure(lost.is_empty(), || format!("the target does not have the events {}", Few(&lost)))?;
        if self.in_order { ensure_order(stored, &wanted) } else { Ok(()) }
    }

    fn ensure_refused(&self, expected: &[u64]) -> Verdict {
        let refused: Vec<u64> = self.refused.keys().copied().collect();
        ensure(refused == expected, || {
            format!("the target refuses the events {}, but reported were {}", Few(expected), Few(&refused))
        })?;
        for (number, reasons) in &self.refused {
            ensure(reasons.len() == 1, || format!("event {number} was reported as refused more than once"))?;
            ensure(reasons.iter().all(|reason| !reason.trim().is_empty()), || {
                format!("event {number} was refused without a reason")
            })?;
        }
        Ok(())
    }
}

fn ensure_positions(list: &str, positions: &[usize], len: usize) -> Verdict {
    ensure(positions.is_sorted_by(|one, next| one < next), || {
        format!("positions in `{list}` of a partial result must ascend, but are {positions:?}")
    })?;
    let outside = positions.iter().find(|index| **index >= len);
    ensure_none(outside, |index| {
        format!("a partial result has position {index} in `{list}` of a batch of {len}")
    })
}

/// The first time that each event was stored counts; repetitions may come at any time.
fn ensure_order(stored: &[u64], wanted: &[u64]) -> Verdict {
    let mut seen = BTreeSet::new();
    let firsts = stored.iter().filter(|number| seen.insert(**number));
    let early = firsts.zip(wanted).find(|(came, next)| came != next);
    ensure_none(early, |(came, next)| {
        format!("the target got event {came} before event {next}, which was written first")
    })
}

fn ensure_none<T>(found: Option<T>, message: impl FnOnce(T) -> String) -> Verdict {
    found.map_or(Ok(()), |found| Err(broken(message(found))))
}
