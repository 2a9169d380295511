//! Sinks and sources that do what a test tells them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use senseops_core::host::{IntoComponents, PlannedSink, PlannedSource};
use senseops_core::{
    Accepts, Batch, Body, Build, BuildError, Context, Event, Factory, Fields, Kind, LabelSet, PlanError,
    Sink, Source, SourceError, Value, WriteError, async_trait,
};
use senseops_engine::{Handle, Only, Pipeline, Summary};
use tokio::time::{Instant, sleep};

/// What a chunk takes in the journal beside its events.
pub(crate) const CHUNK_BYTES: usize = 256;

/// An event that carries a number.
pub(crate) fn numbered(number: i64) -> Event {
    let fields = Fields::default().with("n", number);
    Event::new(Kind::new("test.number"), &Arc::new(LabelSet::default()), Body::Measurement(fields))
}

/// An event of a thousand bytes that nothing makes shorter, so that what fits into a journal does not depend on how much
/// of it was packed already.
pub(crate) fn unpackable(number: i64) -> Event {
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(1000).collect();
    let mut event = numbered(number);
    event.body = Body::Measurement(event.fields().clone().with("noise", noise));
    event
}

pub(crate) fn number(event: &Event) -> i64 {
    match event.fields().get("n") {
        Some(Value::Int(number)) => *number,
        other => panic!("no number: {other:?}"),
    }
}

pub(crate) fn numbers(batch: &Batch) -> Vec<i64> {
    batch.iter().map(number).collect()
}

type Answer = Box<dyn Fn(usize, &Batch) -> Result<(), WriteError> + Send + Sync>;

/// A sink that asks a function about each batch, and remembers what was written and when.
pub(crate) struct Scripted {
    answer: Answer,
    pub(crate) takes: Duration,
    pub(crate) accepts: Accepts,
    pub(crate) log: Arc<Log>,
}

/// What happened to a [`Scripted`] sink.
#[derive(Default)]
pub(crate) struct Log {
    attempts: Mutex<Vec<(Instant, Vec<i64>)>>,
    written: Mutex<Vec<i64>>,
    pub(crate) built: AtomicUsize,
    pub(crate) closed: AtomicUsize,
}

impl Log {
    /// Every write, in order: when it came and what it held.
    pub(crate) fn attempts(&self) -> Vec<(Instant, Vec<i64>)> {
        self.attempts.lock().unwrap().clone()
    }

    /// The size of every write.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.attempts().into_iter().map(|(_, numbers)| numbers.len()).collect()
    }

    /// Everything that was written, in order.
    pub(crate) fn written(&self) -> Vec<i64> {
        self.written.lock().unwrap().clone()
    }
}

impl Scripted {
    /// Answers the attempt of this index with this batch by `answer`.
    pub(crate) fn new(
        answer: impl Fn(usize, &Batch) -> Result<(), WriteError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            answer: Box::new(answer),
            takes: Duration::ZERO,
            accepts: Accepts::everything(),
            log: Arc::default(),
        }
    }

    /// Takes everything.
    pub(crate) fn willing() -> Self {
        Self::new(|_, _| Ok(()))
    }
}

#[async_trait]
impl Sink for Scripted {
    fn accepts(&self) -> Accepts {
        self.accepts.clone()
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        let attempt = {
            let mut attempts = self.log.attempts.lock().unwrap();
            attempts.push((Instant::now(), numbers(batch)));
            attempts.len() - 1
        };
        sleep(self.takes).await;
        let answer = (self.answer)(attempt, batch);
        let lost = match &answer {
            Ok(()) => Vec::new(),
            Err(WriteError::Partial { retry, refused }) => {
                retry.iter().copied().chain(refused.iter().map(|rejection| rejection.index)).collect()
            }
            Err(_) => (0..batch.len()).collect(),
        };
        let written =
            batch.iter().enumerate().filter(|(at, _)| !lost.contains(at)).map(|(_, event)| number(event));
        self.log.written.lock().unwrap().extend(written);
        answer
    }

    async fn close(&self) -> Result<(), senseops_core::BoxError> {
        self.log.closed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Builds a scripted sink; counts how often.
#[derive(Clone)]
pub(crate) struct Rebuilt(pub(crate) Arc<Scripted>);

impl PartialEq for Rebuilt {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[async_trait]
impl Factory<Arc<dyn Sink>> for Rebuilt {
    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        self.0.log.built.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::clone(&self.0) as Arc<dyn Sink>)
    }
}

impl IntoComponents<Arc<dyn Sink>> for Rebuilt {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

/// A source made of a function of the run's index and context.
pub(crate) struct SourceFn<F>(Arc<F>, Arc<AtomicUsize>);

impl<F> PartialEq for SourceFn<F> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

pub(crate) fn source_fn<F, Fut>(run: F) -> SourceFn<F>
where
    F: Fn(usize, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), SourceError>> + Send + 'static,
{
    SourceFn(Arc::new(run), Arc::default())
}

impl<F> Clone for SourceFn<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), Arc::clone(&self.1))
    }
}

#[async_trait]
impl<F, Fut> Source for SourceFn<F>
where
    F: Fn(usize, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), SourceError>> + Send + 'static,
{
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        let run = self.1.fetch_add(1, Ordering::Relaxed);
        (self.0)(run, cx).await
    }
}

#[async_trait]
impl<F, Fut> Factory<Box<dyn Source>> for SourceFn<F>
where
    F: Fn(usize, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), SourceError>> + Send + 'static,
{
    async fn build(&self, _build: Build) -> Result<Box<dyn Source>, BuildError> {
        Ok(Box::new(self.clone()))
    }
}

impl<F, Fut> IntoComponents<Box<dyn Source>> for SourceFn<F>
where
    F: Fn(usize, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), SourceError>> + Send + 'static,
{
    fn into_components(self) -> Result<Vec<PlannedSource>, PlanError> {
        Ok(vec![PlannedSource::single(self)])
    }
}

/// A source that emits these numbers as it stops.
pub(crate) fn last_words(numbers: std::ops::Range<i64>) -> impl IntoComponents<Box<dyn Source>> {
    source_fn(move |_, cx| {
        let numbers = numbers.clone();
        async move {
            cx.shutdown.requested().await;
            cx.emitter.emit(numbers.map(numbered).collect()).await.ignore();
            Ok(())
        }
    })
}

/// Only what comes from these.
pub(crate) fn from<const N: usize>(sources: [&str; N]) -> Only {
    Only { sources: sources.map(str::to_owned).into(), ..Only::default() }
}

/// Runs the pipeline while `work` goes on, and drains it then.
pub(crate) async fn run<Fut: Future<Output = ()>>(
    pipeline: Pipeline,
    work: impl FnOnce(Handle) -> Fut,
) -> Summary {
    let handle = pipeline.handle();
    pipeline.run_until(work(handle)).await
}

/// Emits numbered events, each as a chunk of its own.
pub(crate) async fn emit(handle: &Handle, numbers: impl IntoIterator<Item = i64>) {
    for number in numbers {
        handle.emit(vec![numbered(number)]).await.ignore();
    }
}

/// Waits until the pipeline looks as it should.
pub(crate) async fn until(handle: &Handle, done: impl Fn(&senseops_engine::View) -> bool) {
    let waiting = async {
        while !done(&handle.view()) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_hours(1), waiting).await.is_ok();
    assert!(came, "it never came to that: {:#?}", handle.view());
}
