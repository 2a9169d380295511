//! Running one relay component: read the journal, let the relay look, emit what follows, remember where it was.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use senseops_core::host::Delivery;
use senseops_core::settings::Span;
use senseops_core::{
    Build, Chunk, Emitter, Event, Outcome, Relay, RelayError, Shutdown, StateError, Timestamp,
};
use senseops_journal::{Journal, Reader};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};
use tracing::warn;

use crate::contained::{Contained, contained, told};
use crate::counters::SourceCounters;
use crate::sink::{Collect, Collected, Reached, Through, Wanted};
use crate::supervise::{ContainedFactory, Ended, Restarts, build_anew, follow_files};
use crate::watched::Watched;

/// How often what a relay remembers is stored while events come. Its place in the journal moves then, too.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);
/// After so many failures at what follows a snapshot it looks at one event at a time.
const PATIENCE: u32 = 3;
/// How many events it emits as one chunk. All of a window together may not fit into a small journal.
const EMITTED_TOGETHER: usize = 256;
/// The key of that in the state of the component, beside keys of its own.
const KEY: &str = "engine.relay";

/// One relay component, ready to run.
pub(crate) struct RelayRunner {
    pub(crate) factory: ContainedFactory<Box<dyn Relay>>,
    pub(crate) relay: Contained<Box<dyn Relay>>,
    pub(crate) build: Build,
    pub(crate) emitter: Emitter,
    pub(crate) counters: Arc<SourceCounters>,
    pub(crate) watched: Arc<Watched>,
    pub(crate) journal: Journal<Chunk>,
    pub(crate) reader: Reader<Chunk>,
    pub(crate) wanted: Wanted,
    pub(crate) interval: Option<Span>,
}

/// What a relay knew at a place in the journal.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Saved {
    reached: Option<Reached>,
    snapshot: Option<Value>,
}

/// Events that a relay cannot look at: after some tries it looks at one event at a time, and leaves out what it fails at.
#[derive(Default)]
struct Trouble {
    /// Looks that have failed since something was saved.
    failures: u32,
    /// Which events are left out, counted from the place that was saved last.
    left_out: BTreeSet<usize>,
}

/// What is done and not saved yet.
#[derive(Default)]
struct Unsaved {
    through: Option<Through>,
    /// When it is saved.
    due: Option<Instant>,
    /// That failed, and the operator was told.
    has_failed: bool,
}

impl RelayRunner {
    /// Runs the relay until `drain` is requested and it has seen everything, or `release` is: then the rest is left to
    /// whoever reads the journal under this name next.
    pub(crate) async fn run(mut self, drain: Shutdown, release: Shutdown) {
        let mut restarts = Restarts::new();
        let mut trouble = Trouble::default();
        loop {
            self.relay = match self.run_instance(&drain, &release, &mut restarts, &mut trouble).await {
                Ended::Stopped => return,
                Ended::Replaced(relay) => relay,
                Ended::Failed(reason) => {
                    self.reader.rewind();
                    let rebuilt = restarts.rebuild(reason, &**self.factory, &self.build, &self.watched);
                    let rebuilt = release.unless_requested(drain.unless_requested(rebuilt)).await;
                    let Some(Some(relay)) = rebuilt else { return };
                    self.counters.restarts.fetch_add(1, Ordering::Relaxed);
                    relay
                }
            }
        }
    }

    async fn run_instance(
        &mut self,
        drain: &Shutdown,
        release: &Shutdown,
        restarts: &mut Restarts,
        trouble: &mut Trouble,
    ) -> Ended<Box<dyn Relay>> {
        restarts.begin();
        let reached = match self.begin().await {
            Ok(reached) => reached,
            Err(reason) => return Ended::Failed(reason),
        };
        let Self { factory, relay, build, emitter, counters, watched, journal, reader, wanted, interval } =
            self;
        let mut next = pin!(follow_files(&***factory, build, watched));
        let delivery = Delivery::default();
        let mut collect = Collect::new(wanted.clone(), &delivery).after(reached);
        let mut ticks = interval.map(ticks);
        let (unsaved, observed) = (Unsaved::default(), 0);
        let mut work = Work { relay, build, emitter, counters, journal, reached, unsaved, observed, trouble };
        let replaced = loop {
            collect.limit(if work.trouble.failures < PATIENCE {
                delivery.max_events
            } else {
                NonZeroUsize::MIN
            });
            let done = tokio::select! {
                biased;
                () = release.requested() => break None,
                // What it knows in the middle of a chunk belongs to no place where it could go on.
                () = at(work.unsaved.due), if !collect.is_inside_a_chunk() => work.save(reader).await,
                // It may have nothing to look at for long, and runs well all the same.
                () = restarts.until_well(&build.health) => Ok(()),
                () = tick(&mut ticks) => work.tick().await,
                next = &mut next => break Some(next),
                collected = collect.next(reader, drain) => match collected {
                    Some(collected) => work.observe(collected).await,
                    None => break None,
                }
            };
            if let Err(reason) = done {
                return Ended::Failed(reason);
            }
        };
        let saved = if collect.is_inside_a_chunk() { Ok(()) } else { work.save(reader).await };
        match (saved, replaced) {
            (Err(reason), _) => Ended::Failed(reason),
            (Ok(()), None) => {
                work.tell_what_is_unsaved();
                Ended::Stopped
            }
            (Ok(()), Some(relay)) => {
                // What was collected and not observed comes again.
                reader.rewind();
                Ended::Replaced(relay)
            }
        }
    }

    /// Lets the instance go on where the one before was. Gives that place.
    async fn begin(&mut self) -> Result<Option<Reached>, String> {
        let Self { factory, relay, build, watched, .. } = self;
        let saved = saved(build).await?;
        let Some(snapshot) = saved.snapshot else { return Ok(saved.reached) };
        let restored = contained(|| relay.restore(snapshot).map_err(|error| told(&error))).flatten();
        if let Err(reason) = restored {
            // Nobody knows how much of it this instance has taken.
            *relay = build_anew(&***factory, build, watched).await.map_err(|error| told(&error))?;
            build.health.warning(format!("it begins anew, since it cannot go on where it was: {reason}"));
        }
        Ok(saved.reached)
    }
}

/// What was saved last. What is no such thing is as good as nothing; what cannot be read now may be read later.
async fn saved(build: &Build) -> Result<Saved, String> {
    match build.state.load(KEY).await {
        Ok(saved) => Ok(saved.unwrap_or_default()),
        Err(error @ StateError::Form { .. }) => {
            warn!(component = build.component, error = told(&error), "relay begins anew");
            Ok(Saved::default())
        }
        Err(error @ (StateError::Area { .. } | StateError::TooLarge { .. })) => Err(told(&error)),
    }
}

/// An instance at work.
struct Work<'a> {
    relay: &'a mut Contained<Box<dyn Relay>>,
    build: &'a Build,
    emitter: &'a Emitter,
    counters: &'a SourceCounters,
    journal: &'a Journal<Chunk>,
    reached: Option<Reached>,
    unsaved: Unsaved,
    /// Events that it has looked at since something was saved.
    observed: usize,
    trouble: &'a mut Trouble,
}

impl Work<'_> {
    async fn observe(&mut self, Collected { batch, through }: Collected) -> Result<(), String> {
        let first = self.observed;
        self.observed += batch.len();
        if !batch.is_empty() && !self.trouble.left_out.contains(&first) {
            if let Err(reason) = self.emit(|relay, out| relay.observe(&batch, out)).await {
                self.trouble.failures += 1;
                if self.trouble.failures > PATIENCE && batch.len() == 1 {
                    self.leave_out(first, &reason);
                }
                return Err(reason);
            }
            self.build.health.works();
        }
        self.unsaved.through = through.or(self.unsaved.through);
        self.later();
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), String> {
        self.emit(|relay, out| relay.tick(Timestamp::now(), out)).await?;
        self.build.health.works();
        Ok(())
    }

    /// The next instance does not look at this event.
    fn leave_out(&mut self, observed: usize, reason: &str) {
        warn!(component = self.build.component, reason, "relay leaves out an event that it cannot look at");
        self.trouble.left_out.insert(observed);
        self.counters.left_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Emits what the relay adds. If it fails, it looks again, and what it has added by then does not count.
    async fn emit(
        &mut self,
        look: impl FnOnce(&mut Box<dyn Relay>, &mut Vec<Event>) -> Result<(), RelayError>,
    ) -> Result<(), String> {
        let mut out = Vec::new();
        contained(|| look(self.relay, &mut out).map_err(|error| told(&error))).flatten()?;
        while !out.is_empty() {
            let rest = out.split_off(out.len().min(EMITTED_TOGETHER));
            self.emitter.emit(std::mem::replace(&mut out, rest)).await.ignore();
            self.later();
        }
        Ok(())
    }

    /// Stores what the relay knows, once what it has seen and emitted is stored, and moves on in the journal.
    async fn save(&mut self, reader: &mut Reader<Chunk>) -> Result<(), String> {
        self.unsaved.due = None;
        if self.journal.receipt().outcome_now().await != Outcome::Stored {
            // What is in memory only may be lost or come again, and must not be behind the place where it goes on.
            self.later();
            return Ok(());
        }
        let snapshot = contained(|| self.relay.snapshot().map_err(|error| told(&error))).flatten()?;
        let reached = self.unsaved.through.map(Reached::from).or(self.reached);
        if snapshot.is_some()
            && let Err(error) = self.build.state.store(KEY, &Saved { reached, snapshot }).await
        {
            self.build.health.warning(told(&error));
            self.unsaved.has_failed = true;
            self.later();
            return Ok(());
        }
        if std::mem::take(&mut self.unsaved.has_failed) {
            self.build.health.ok();
        }
        self.reached = reached;
        self.observed = 0;
        *self.trouble = Trouble::default();
        if let Some(Through { position, .. }) = self.unsaved.through.take() {
            reader.commit(position);
        }
        Ok(())
    }

    fn tell_what_is_unsaved(&self) {
        if self.unsaved.due.is_some() {
            let component = &self.build.component;
            warn!(
                component,
                "relay ends and what it knows could not be stored; events of it come again, or are missing"
            );
        }
    }

    /// There is something to save.
    fn later(&mut self) {
        self.unsaved.due.get_or_insert_with(|| Instant::now() + SAVE_INTERVAL);
    }
}

fn ticks(every: Span) -> Interval {
    let mut ticks = interval_at(Instant::now() + every.get(), every.get());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Returns at the next tick; without ticks, never.
async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => _ = ticks.tick().await,
        None => std::future::pending().await,
    }
}

/// Returns then; without a time, never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
