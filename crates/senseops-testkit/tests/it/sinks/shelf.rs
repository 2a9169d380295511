//! A target in memory with every behaviour, and a sink for it that is correct but for one chosen flaw.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use senseops_core::{Accepts, Background, Batch, BoxError, Rejection, Sink, WriteError, async_trait};
use senseops_testkit::{TargetBehaviour, sample};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

#[derive(Clone)]
pub(crate) struct Shelf(Arc<Mutex<Content>>);

struct Content {
    behaviour: TargetBehaviour,
    stored: Vec<u64>,
    offered: Vec<u64>,
}

/// What the shelf answers instead of taking everything.
#[derive(Debug)]
enum Fault {
    Busy(Option<Duration>),
    Refused(BTreeSet<u64>),
    TooLarge,
    Denied,
    Silence,
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    NoneButNamesTheRefused,
    AcksOnceSent,
    AcksOnceQueued,
    LosesTheLastOfMany,
    Invents,
    Reorders,
    WritesWholeChunks,
    RepeatsOnItsOwn,
    ForgetsRetryAfter,
    WaitsOnItsOwn,
    SwallowsRefusals,
    RefusesNeighbours,
    RefusesWithoutReason,
    NamesWrongPositions,
    NamesPositionsBackwards,
    RefusesAndRetries,
    TooLargeIsBusy,
    DeniedIsBusy,
    BusyIsRefused,
    WedgedByDrop,
    PanicsWhenDown,
    HangsWhenDown,
    NeedsTargetToBuild,
    AcceptsLess,
    AcceptsNothing,
    RefusesRepetitions,
    OneAtATime,
    ProbesByWriting,
    ProbesNothing,
    HangsInClose,
    LeavesATask,
}

pub(crate) struct ShelfSink {
    shelf: Shelf,
    flaw: Option<Flaw>,
    writing: AtomicBool,
    used: AtomicBool,
    queue: Arc<Mutex<Vec<u64>>>,
}

/// Clears the flag even when the write is dropped.
struct Cleared<'a>(&'a AtomicBool);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Default for Shelf {
    fn default() -> Self {
        let content = Content { behaviour: TargetBehaviour::Accept, stored: vec![], offered: vec![] };
        Self(Arc::new(Mutex::new(content)))
    }
}

impl Shelf {
    pub(crate) fn stored(&self) -> Vec<u64> {
        self.0.lock().unwrap().stored.clone()
    }

    pub(crate) fn offered(&self) -> Vec<u64> {
        self.0.lock().unwrap().offered.clone()
    }

    pub(crate) fn behave(&self, behaviour: TargetBehaviour) {
        self.0.lock().unwrap().behaviour = behaviour;
    }

    fn is(&self, behaviour: &TargetBehaviour) -> bool {
        self.0.lock().unwrap().behaviour == *behaviour
    }

    async fn put(&self, numbers: &[u64]) -> Result<(), Fault> {
        // Two points at which the write can be dropped: before and after the shelf has it.
        yield_now().await;
        let result = self.put_now(numbers);
        yield_now().await;
        if self.is(&TargetBehaviour::Hang) { pending().await } else { result }
    }

    fn put_now(&self, numbers: &[u64]) -> Result<(), Fault> {
        let mut content = self.0.lock().unwrap();
        let behaviour = content.behaviour.clone();
        if behaviour == TargetBehaviour::Down {
            return Err(Fault::Down);
        }
        content.offered.extend(numbers);
        let refused = match behaviour {
            TargetBehaviour::Busy { retry_after } => return Err(Fault::Busy(retry_after)),
            TargetBehaviour::Deny => return Err(Fault::Denied),
            TargetBehaviour::AtMost(events) if numbers.len() > events => return Err(Fault::TooLarge),
            TargetBehaviour::Hang | TargetBehaviour::LoseWrites => return Err(Fault::Silence),
            TargetBehaviour::LoseAnswers => {
                content.stored.extend(numbers);
                return Err(Fault::Silence);
            }
            TargetBehaviour::RefuseAll => numbers.to_vec(),
            TargetBehaviour::RefuseSome(refused) => refused,
            TargetBehaviour::Accept | TargetBehaviour::AtMost(_) | TargetBehaviour::Down | _ => vec![],
        };
        let (refused, taken): (Vec<u64>, Vec<u64>) =
            numbers.iter().partition(|number| refused.contains(number));
        content.stored.extend(taken);
        if refused.is_empty() { Ok(()) } else { Err(Fault::Refused(refused.into_iter().collect())) }
    }
}

impl ShelfSink {
    pub(crate) fn build(shelf: Shelf, flaw: Option<Flaw>) -> Result<Arc<dyn Sink>, BoxError> {
        if flaw == Some(Flaw::NeedsTargetToBuild) && shelf.is(&TargetBehaviour::Down) {
            return Err("connect to the shelf".into());
        }
        let [writing, used] = [false, false].map(AtomicBool::new);
        let sink = Arc::new(Self { shelf, flaw, writing, used, queue: Arc::default() });
        if flaw == Some(Flaw::LeavesATask) {
            let mut tasks = JoinSet::new();
            let kept = Arc::clone(&sink);
            tasks.spawn(async move {
                pending::<()>().await;
                drop(kept);
            });
            tasks.detach_all();
        }
        Ok(sink)
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn numbers(&self, batch: &Batch) -> Vec<u64> {
        let mut numbers = sample::numbers(batch.iter());
        match self.flaw {
            Some(Flaw::LosesTheLastOfMany) if numbers.len() > 10 => drop(numbers.pop()),
            Some(Flaw::Invents) => numbers.push(4711),
            Some(Flaw::Reorders) => numbers.reverse(),
            Some(Flaw::WritesWholeChunks) => numbers.insert(0, 1_000_000),
            _ => {}
        }
        numbers
    }

    fn error(&self, fault: &Fault, batch: &Batch) -> Result<(), WriteError> {
        let unavailable =
            |retry_after| Err(WriteError::Unavailable { source: "the shelf says no".into(), retry_after });
        match fault {
            Fault::Silence if self.has(Flaw::AcksOnceSent) => Ok(()),
            Fault::Refused(_) if self.has(Flaw::SwallowsRefusals) => Ok(()),
            Fault::Busy(_) if self.has(Flaw::BusyIsRefused) => Err(WriteError::Split("busy".into())),
            Fault::Busy(_) if self.has(Flaw::ForgetsRetryAfter) => unavailable(None),
            Fault::Busy(retry_after) => unavailable(*retry_after),
            Fault::Denied if self.has(Flaw::DeniedIsBusy) => unavailable(None),
            Fault::Denied => Err(WriteError::Denied("the shelf is locked".into())),
            Fault::TooLarge if self.has(Flaw::TooLargeIsBusy) => unavailable(None),
            Fault::TooLarge => Err(WriteError::Split("too many at once".into())),
            Fault::Refused(numbers) => Err(self.refused(numbers, batch)),
            Fault::Silence | Fault::Down => unavailable(None),
        }
    }

    fn refused(&self, numbers: &BTreeSet<u64>, batch: &Batch) -> WriteError {
        let reason =
            || if self.has(Flaw::RefusesWithoutReason) { String::new() } else { "does not fit".to_owned() };
        let is_refused = |number: Option<u64>| number.is_some_and(|number| numbers.contains(&number));
        let refused: Vec<Rejection> = match self.flaw {
            Some(Flaw::NoneButNamesTheRefused | Flaw::RefusesWithoutReason) => {
                let events = batch.iter().enumerate().filter(|(_, event)| is_refused(sample::number(event)));
                events.map(|(index, _)| Rejection { index, reason: reason() }).collect()
            }
            Some(Flaw::RefusesNeighbours) => {
                (0..batch.len()).map(|index| Rejection { index, reason: reason() }).collect()
            }
            Some(Flaw::NamesPositionsBackwards) => {
                (0..batch.len()).rev().map(|index| Rejection { index, reason: reason() }).collect()
            }
            Some(Flaw::RefusesAndRetries) => {
                let refused = vec![Rejection { index: 0, reason: reason() }];
                return WriteError::Partial { retry: vec![0], refused };
            }
            Some(Flaw::NamesWrongPositions) => vec![Rejection { index: batch.len(), reason: reason() }],
            _ => return WriteError::Split("some do not fit".into()),
        };
        WriteError::Partial { retry: vec![], refused }
    }

    async fn store(&self, numbers: &[u64]) -> Result<(), Fault> {
        if self.has(Flaw::AcksOnceQueued) {
            self.queue.lock().unwrap().extend(numbers);
            return Ok(());
        }
        if self.has(Flaw::RefusesRepetitions)
            && self.shelf.stored().iter().any(|stored| numbers.contains(stored))
        {
            return Err(Fault::Denied);
        }
        let result = self.shelf.put(numbers).await;
        match &result {
            Err(Fault::Down) if self.has(Flaw::HangsWhenDown) => pending().await,
            Err(Fault::Busy(_)) if self.has(Flaw::RepeatsOnItsOwn) => self.shelf.put(numbers).await,
            Err(Fault::Busy(Some(pause))) if self.has(Flaw::WaitsOnItsOwn) => {
                sleep(*pause).await;
                result
            }
            _ => result,
        }
    }
}

#[async_trait]
impl Sink for ShelfSink {
    fn accepts(&self) -> Accepts {
        match self.flaw {
            Some(Flaw::AcceptsNothing) => Accepts::kinds(["foreign.*"]),
            Some(Flaw::AcceptsLess) if self.used.load(Ordering::Relaxed) => Accepts::kinds(["sample.record"]),
            _ => Accepts::everything(),
        }
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        self.used.store(true, Ordering::Relaxed);
        if self.writing.swap(true, Ordering::Relaxed)
            && matches!(self.flaw, Some(Flaw::WedgedByDrop | Flaw::OneAtATime))
        {
            return Err(WriteError::unavailable("another write is going on"));
        }
        let _cleared = (!self.has(Flaw::WedgedByDrop)).then(|| Cleared(&self.writing));
        let result = self.store(&self.numbers(batch)).await;
        assert!(!(self.has(Flaw::PanicsWhenDown) && matches!(result, Err(Fault::Down))), "no shelf");
        self.writing.store(false, Ordering::Relaxed);
        result.or_else(|fault| self.error(&fault, batch))
    }

    fn background(&self) -> Option<Background> {
        let (shelf, queue) = (self.shelf.clone(), Arc::clone(&self.queue));
        Some(Box::pin(async move {
            loop {
                sleep(Duration::from_millis(1)).await;
                let queued = std::mem::take(&mut *queue.lock().unwrap());
                if !queued.is_empty() {
                    shelf.put(&queued).await.map_err(|fault| format!("{fault:?}"))?;
                }
            }
        }))
    }

    async fn probe(&self) -> Result<Option<String>, BoxError> {
        if self.has(Flaw::ProbesByWriting) {
            self.shelf.put(&[1]).await.map_err(|fault| format!("{fault:?}"))?;
        }
        if self.shelf.is(&TargetBehaviour::Down) && !self.has(Flaw::ProbesNothing) {
            return Err("there is no shelf".into());
        }
        Ok(Some("the shelf is there".into()))
    }

    async fn close(&self) -> Result<(), BoxError> {
        if self.has(Flaw::HangsInClose) && self.shelf.is(&TargetBehaviour::Down) {
            pending::<()>().await;
        }
        Ok(())
    }
}
