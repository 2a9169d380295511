//! Sources: what emits events.

use async_trait::async_trait;
use thiserror::Error;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::settings::Span;
use crate::{BoxError, Context, Event, chain};

/// Emits events until it is told to stop.
#[async_trait]
pub trait Source: Send {
    /// Runs until `cx.shutdown` is requested, then returns `Ok` soon: the engine aborts it at the end of the
    /// shutdown time.
    ///
    /// # Errors
    /// The engine rebuilds the source and runs it again, with a delay that grows while it keeps failing. So do
    /// panics, and so does returning `Ok` without being asked to stop.
    async fn run(&mut self, cx: Context) -> Result<(), SourceError>;

    /// Tries the origin without emitting, and says in a few words what answered. `None`: nothing to try.
    ///
    /// # Errors
    /// What an operator needs to know to repair the connection.
    async fn probe(&mut self) -> Result<Option<String>, BoxError> {
        Ok(None)
    }
}

/// A source that looks at its origin from time to time; [`Periodic`] makes it a [`Source`].
#[async_trait]
pub trait Gather: Send {
    /// Looks once, and adds what was found. May be dropped at any await point, when the time is up or the program
    /// stops; what was added by then is lost.
    ///
    /// # Errors
    /// The operator is told, what was added is emitted all the same, and the next look comes as planned.
    async fn gather(&mut self, found: &mut Vec<Event>) -> Result<(), GatherError>;

    /// See [`Source::probe`].
    ///
    /// # Errors
    /// What an operator needs to know to repair the connection.
    async fn probe(&mut self) -> Result<Option<String>, BoxError> {
        Ok(None)
    }
}

/// When a [`Periodic`] source looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From the beginning of one look to the beginning of the next.
    pub interval: Span,
    /// The longest that one look may take.
    pub timeout: Span,
}

/// Runs a [`Gather`] on a schedule: at once, then in steady intervals from a random moment on, so that many sources
/// that start together do not look together.
#[derive(Debug)]
pub struct Periodic<G> {
    gather: G,
    schedule: Schedule,
}

/// A source cannot go on.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct SourceError(#[from] pub BoxError);

/// A look at the origin failed.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct GatherError(#[from] pub BoxError);

impl<G: Gather> Periodic<G> {
    /// Runs `gather` on `schedule`.
    pub fn new(gather: G, schedule: Schedule) -> Self {
        Self { gather, schedule }
    }

    async fn look(&mut self, cx: &Context) -> Vec<Event> {
        let mut found = Vec::new();
        let failure = match timeout(self.schedule.timeout.get(), self.gather.gather(&mut found)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(chain(&error).to_string()),
            Err(_elapsed) => Some(format!("no answer within {}", self.schedule.timeout)),
        };
        match failure {
            Some(reason) => cx.health.failing(reason),
            // What the gatherer itself warns of stands.
            None => cx.health.works(),
        }
        found
    }
}

#[async_trait]
impl<G: Gather> Source for Periodic<G> {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        let interval = self.schedule.interval.get();
        let mut ticks = interval_at(Instant::now() + interval.mul_f64(fastrand::f64()), interval);
        // After an outage one fresh reading is worth more than a burst of stale ones.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = cx.shutdown.unless_requested(self.look(&cx)).await;
        while let Some(found) = look {
            if !found.is_empty() {
                // What was found is emitted even if a stop is requested meanwhile; it just cannot wait for room then.
                let emitted = cx.shutdown.unless_requested(cx.emitter.emit(found.clone())).await;
                emitted.unwrap_or_else(|| cx.emitter.emit_now(found)).ignore();
            }
            look = cx
                .shutdown
                .unless_requested(async {
                    ticks.tick().await;
                    self.look(&cx).await
                })
                .await;
        }
        Ok(())
    }

    async fn probe(&mut self) -> Result<Option<String>, BoxError> {
        self.gather.probe().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::host::{Intake, ShutdownTrigger};
    use crate::{Body, Build, Chunk, Condition, Emitter, Fields, Kind, LabelSet, Outcome, Receipt};

    /// Finds one event a look, and takes `takes` for it.
    struct Looks {
        takes: Duration,
        fails: bool,
        begun: Arc<AtomicUsize>,
    }

    #[async_trait]
    impl Gather for Looks {
        async fn gather(&mut self, found: &mut Vec<Event>) -> Result<(), GatherError> {
            self.begun.fetch_add(1, Ordering::Relaxed);
            found.push(Event::new(
                Kind::new("n"),
                &Arc::new(LabelSet::default()),
                Body::Measurement(Fields::default()),
            ));
            sleep(self.takes).await;
            if self.fails { Err(GatherError("half of it is missing".into())) } else { Ok(()) }
        }
    }

    #[derive(Clone, Default)]
    struct Count(Arc<AtomicUsize>);

    #[async_trait]
    impl Intake for Count {
        fn append(&self, events: Vec<Event>) -> Receipt {
            self.0.fetch_add(events.len(), Ordering::Relaxed);
            Receipt::known(Outcome::Stored)
        }

        async fn append_when_room(&self, events: Vec<Event>) -> Receipt {
            self.append(events)
        }

        async fn forward_when_room(&self, chunk: Chunk) -> Receipt {
            self.append(chunk.events.to_vec())
        }
    }

    /// Runs looks that fail after `takes`, every ten seconds with a timeout of four, for `time`: how many began, how many
    /// events were emitted, and what health says then.
    async fn looks(takes: Duration, time: Duration) -> (usize, usize, Condition) {
        run(Looks { takes, fails: true, begun: Arc::default() }, time).await
    }

    async fn run(looks: Looks, time: Duration) -> (usize, usize, Condition) {
        let begun = Arc::clone(&looks.begun);
        let (emitted, stop) = (Count::default(), ShutdownTrigger::default());
        let schedule = Schedule { interval: Span::from_secs(10), timeout: Span::from_secs(4) };
        let mut source = Periodic::new(looks, schedule);
        let build = Build::detached("test.looks");
        let cx = Context {
            build: build.clone(),
            emitter: Emitter::new(emitted.clone()),
            shutdown: stop.shutdown(),
        };
        let (ended, ()) = tokio::join!(source.run(cx), async {
            sleep(time).await;
            stop.request();
        });
        assert!(ended.is_ok());
        (begun.load(Ordering::Relaxed), emitted.0.load(Ordering::Relaxed), build.health.condition())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_look_is_at_once_and_what_a_failed_one_found_is_emitted() {
        let (begun, emitted, condition) = looks(Duration::ZERO, Duration::from_millis(1)).await;
        assert_eq!((begun, emitted), (1, 1));
        assert_eq!(condition, Condition::Failing("half of it is missing".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_succeeds_makes_the_source_healthy() {
        let looks = Looks { takes: Duration::ZERO, fails: false, begun: Arc::default() };
        assert_eq!(run(looks, Duration::from_millis(1)).await.2, Condition::Ok);
    }

    #[tokio::test(start_paused = true)]
    async fn looks_keep_their_interval_from_a_random_moment_on() {
        let (begun, _, _) = looks(Duration::from_secs(1), Duration::from_secs(100)).await;
        // The second look comes within the first interval, then one every ten seconds.
        assert!((10..=12).contains(&begun), "{begun}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_takes_too_long_is_given_up_and_reported() {
        let (begun, _, condition) = looks(Duration::from_mins(1), Duration::from_secs(30)).await;
        assert!(begun >= 2, "the next look comes all the same, {begun}");
        assert_eq!(condition, Condition::Failing("no answer within 4s".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_does_not_wait_for_a_look() {
        let begin = Instant::now();
        looks(Duration::from_secs(3), Duration::from_millis(5)).await;
        assert!(begin.elapsed() < Duration::from_secs(1));
    }
}
