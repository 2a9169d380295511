//! A source of numbered events that writes down which of them were stored.
//!
//! Events have the kind `chaos.numbered`, the label `lane` and the field `n`. Each line of the file is `FIRST LAST`,
//! two numbers: these events and all between them had the receipt `Stored`. A line is in the file once it is synced,
//! so whoever finds it after a crash may demand the events.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use senseops::{
    Body, BoxError, Build, BuildError, Context, Counter, Event, Fields, Kind, LabelSet, Outcome, Plugin,
    Receipt, Source, SourceError, async_trait,
};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, sleep_until};

/// `sources.numbered.<name>` in a configuration file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NumberedConfig {
    /// The number of the first event. Default 0.
    first: u64,
    /// How many events there are. Default: no end.
    count: Option<u64>,
    /// How many are emitted per second. Default: as many as the journal takes.
    per_second: Option<u64>,
    /// The file that gets the numbers of stored events. Default: none.
    stored: Option<PathBuf>,
    /// The source panics each time it has emitted so many. Default: never.
    panics_after: Option<u64>,
    /// Bytes of text in each event, beside the number. Default 0.
    padding: usize,
}

struct Numbered {
    config: NumberedConfig,
    build: Build,
}

/// Writes down what was stored.
struct Ledger {
    file: Option<File>,
    held: Counter,
    lost: Counter,
}

/// Numbers that were emitted together.
struct Emitted {
    numbers: Range<u64>,
    receipt: Receipt,
}

/// Where sources go on that are built anew, by their names.
#[derive(Default)]
struct Places(Mutex<BTreeMap<String, u64>>);

/// What is emitted together is what is due since the last time, at most this much.
const MAX_CHUNK: u64 = 500;
/// How often something is emitted.
const TICK: Duration = Duration::from_millis(10);
/// Chunks whose receipts are out; at the end of it the source waits, as one must that keeps a cursor.
const MAX_UNSETTLED: usize = 1_024;

const KIND: Kind = Kind::new("chaos.numbered");

#[async_trait]
impl Plugin for NumberedConfig {
    type Component = Box<dyn Source>;

    const TYPE: &'static str = "numbered";
    const ABOUT: &'static str = "Emits numbered events, and writes down which of them were stored";
    const SAMPLE: &'static str = "#first: 0\n#per_second: 5000\n";

    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError> {
        Ok(Box::new(Numbered { config: self.clone(), build }))
    }
}

#[async_trait]
impl Source for Numbered {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        let ledger = self.ledger().await?;
        let (emitted, receipts) = mpsc::channel(MAX_UNSETTLED);
        // The ledger ends once there is no sender any more.
        let ((), kept) = tokio::join!(self.emit(&cx, emitted), ledger.keep(receipts));
        kept?;
        // All is emitted, but to return unasked would be a failure.
        cx.shutdown.requested().await;
        Ok(())
    }
}

impl Numbered {
    async fn ledger(&self) -> Result<Ledger, BoxError> {
        let counter = |name| self.build.meter.counter(name, "Events whose receipt said so.", &[]);
        let file = match &self.config.stored {
            Some(path) => Some(File::options().create(true).append(true).open(path).await?),
            None => None,
        };
        Ok(Ledger { file, held: counter("held"), lost: counter("lost") })
    }

    /// Emits what is due until all is emitted or a stop is requested.
    async fn emit(&self, cx: &Context, emitted: Sender<Emitted>) {
        let places = self.build.shared.get::<Places>();
        let lane = &self.build.component;
        let labels = Arc::new(LabelSet::from_iter([("lane", lane.as_str())]));
        let begin = places.next(lane, self.config.first);
        let end = self.config.count.map_or(u64::MAX, |count| self.config.first.saturating_add(count));
        let started = Instant::now();
        let (mut next, mut tick) = (begin, started);
        while next < end && !cx.shutdown.is_requested() {
            let due = self.due(started.elapsed()).map_or(u64::MAX, |due| begin.saturating_add(due));
            let numbers = next..due.min(end).min(next + MAX_CHUNK);
            if numbers.is_empty() {
                tick = Instant::now().max(tick + TICK);
                if cx.shutdown.unless_requested(sleep_until(tick)).await.is_none() {
                    return;
                }
                continue;
            }
            let events = numbers.clone().map(|number| self.event(number, &labels)).collect();
            // Whatever is requested meanwhile: it would count as lost, and nobody would know that it was sent.
            let receipt = cx.emitter.emit(events).await;
            next = numbers.end;
            places.set(lane, next);
            if emitted.send(Emitted { numbers, receipt }).await.is_err() {
                return;
            }
            let is_faulty = self.config.panics_after.is_some_and(|events| next - begin >= events);
            assert!(!is_faulty, "a plugin with a fault");
        }
    }

    /// How many events should have been emitted by now; `None` for as many as possible.
    fn due(&self, elapsed: Duration) -> Option<u64> {
        let due = u128::from(self.config.per_second?) * elapsed.as_nanos() / 1_000_000_000;
        Some(u64::try_from(due).unwrap_or(u64::MAX))
    }

    fn event(&self, number: u64, labels: &Arc<LabelSet>) -> Event {
        let mut fields = Fields::with_capacity(2).with("n", number);
        if self.config.padding > 0 {
            fields.push("padding", "x".repeat(self.config.padding));
        }
        Event::new(KIND, labels, Body::Measurement(fields))
    }
}

impl Ledger {
    /// Writes down what is stored, in the order in which it was emitted, until no more is emitted.
    async fn keep(mut self, mut receipts: Receiver<Emitted>) -> Result<(), BoxError> {
        while let Some(Emitted { numbers, receipt }) = receipts.recv().await {
            match receipt.outcome().await {
                Outcome::Stored => self.stored(&numbers).await?,
                Outcome::Held => self.held.add(numbers.end - numbers.start),
                Outcome::Lost => self.lost.add(numbers.end - numbers.start),
            }
        }
        Ok(())
    }

    async fn stored(&mut self, numbers: &Range<u64>) -> Result<(), BoxError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(format!("{} {}\n", numbers.start, numbers.end - 1).as_bytes()).await?;
        file.flush().await?;
        Ok(file.sync_data().await?)
    }
}

impl Places {
    fn next(&self, lane: &str, first: u64) -> u64 {
        *self.lock().entry(lane.to_owned()).or_insert(first)
    }

    fn set(&self, lane: &str, next: u64) {
        self.lock().insert(lane.to_owned(), next);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
