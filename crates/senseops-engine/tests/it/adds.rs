//! A relay that does what a test tells it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use senseops_core::host::{IntoComponents, PlannedRelay};
use senseops_core::settings::Span;
use senseops_core::{
    Accepts, Batch, Build, BuildError, Event, Factory, PlanError, Relay, RelayError, Timestamp, async_trait,
};

use crate::support::{number, numbered, numbers};

type Look = Arc<dyn Fn(usize, &[i64]) -> Result<(), RelayError> + Send + Sync>;

/// A relay that emits each number that it sees with `by` added, and remembers what it saw. At each tick it emits how
/// many that were, as a negative number.
#[derive(Clone)]
pub(crate) struct Adds {
    pub(crate) by: i64,
    /// So many times.
    pub(crate) times: u16,
    pub(crate) interval: Option<Span>,
    /// Which of several configurations this is.
    pub(crate) revision: u32,
    /// Asked at the end of the look of this index at these numbers.
    pub(crate) look: Look,
    pub(crate) log: Arc<RelayLog>,
}

/// What happened to an [`Adds`].
#[derive(Default)]
pub(crate) struct RelayLog {
    pub(crate) built: AtomicUsize,
    looks: AtomicUsize,
    remembered: Mutex<Vec<i64>>,
}

struct Adding {
    plan: Adds,
    seen: Vec<i64>,
}

impl Adds {
    pub(crate) fn new(by: i64) -> Self {
        Self { by, times: 1, interval: None, revision: 0, look: Arc::new(|_, _| Ok(())), log: Arc::default() }
    }

    /// Answers looks by `look`.
    pub(crate) fn looking(
        self,
        look: impl Fn(usize, &[i64]) -> Result<(), RelayError> + Send + Sync + 'static,
    ) -> Self {
        Self { look: Arc::new(look), ..self }
    }
}

impl RelayLog {
    /// What the instance in use remembers, sorted.
    pub(crate) fn remembered(&self) -> Vec<i64> {
        let mut remembered = self.remembered.lock().unwrap().clone();
        remembered.sort_unstable();
        remembered
    }
}

impl PartialEq for Adds {
    fn eq(&self, other: &Self) -> bool {
        (self.by, self.interval, self.revision) == (other.by, other.interval, other.revision)
    }
}

#[async_trait]
impl Factory<Box<dyn Relay>> for Adds {
    async fn build(&self, _build: Build) -> Result<Box<dyn Relay>, BuildError> {
        self.log.built.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Adding { plan: self.clone(), seen: Vec::new() }))
    }
}

impl IntoComponents<Box<dyn Relay>> for Adds {
    fn into_components(self) -> Result<Vec<PlannedRelay>, PlanError> {
        Ok(vec![PlannedRelay::single(self)])
    }
}

impl Relay for Adding {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    fn observe(&mut self, batch: &Batch, out: &mut Vec<Event>) -> Result<(), RelayError> {
        let Adds { by, times, look, log, .. } = &self.plan;
        for time in 0..*times {
            out.extend(batch.iter().map(|event| {
                let key = [&number(event).to_be_bytes()[..], &time.to_be_bytes()].concat();
                let sum = numbered(number(event) + by);
                Event::keyed(("adds", &key), event.time, sum.kind, &sum.labels, sum.body)
            }));
        }
        self.seen.extend(numbers(batch));
        log.remembered.lock().unwrap().clone_from(&self.seen);
        look(log.looks.fetch_add(1, Ordering::Relaxed), &numbers(batch))
    }

    fn interval(&self) -> Option<Span> {
        self.plan.interval
    }

    fn tick(&mut self, _now: Timestamp, out: &mut Vec<Event>) -> Result<(), RelayError> {
        out.push(numbered(-i64::try_from(self.seen.len()).unwrap()));
        Ok(())
    }

    fn snapshot(&self) -> Result<Option<serde_json::Value>, RelayError> {
        Ok(Some(self.seen.clone().into()))
    }

    fn restore(&mut self, snapshot: serde_json::Value) -> Result<(), RelayError> {
        self.seen = serde_json::from_value(snapshot).map_err(|error| RelayError(error.into()))?;
        Ok(())
    }
}
