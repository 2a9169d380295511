//! Looking into a pipeline from outside.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use senseops_core::{Build, Condition, Emitter, Event, Receipt};
use senseops_journal::{Journal, ReaderWatch};
use tokio::time::Instant;

use crate::codec::Chunk;
use crate::counters::SourceCounters;
use crate::settings::Overflow;
use crate::sink::SinkSlot;
use crate::sockets::Sockets;
use crate::view::{EmbedderView, JournalView, SinkView, SourceView, View};

/// Looks into a pipeline and emits into it. Cheap to clone; stays valid after the pipeline has ended.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Parts>);

/// What a handle looks at.
pub(crate) struct Parts {
    pub(crate) opened: Instant,
    pub(crate) journal: Journal<Chunk>,
    pub(crate) sockets: Sockets,
    pub(crate) emitter: Emitter,
    pub(crate) embedder: Arc<SourceCounters>,
    pub(crate) sources: Vec<SourcePart>,
    pub(crate) sinks: Vec<SinkPart>,
}

pub(crate) struct SourcePart {
    pub(crate) build: Build,
    pub(crate) counters: Arc<SourceCounters>,
}

pub(crate) struct SinkPart {
    pub(crate) slot: Arc<SinkSlot>,
    pub(crate) reader: ReaderWatch<Chunk>,
    pub(crate) overflow: Overflow,
}

impl Handle {
    /// The pipeline at this moment.
    pub fn view(&self) -> View {
        self.0.sockets.refresh_readings();
        let status = self.0.journal.status();
        View {
            uptime: self.0.opened.elapsed(),
            journal: JournalView {
                on_disk: status.on_disk,
                outlives_the_program: status.outlives_the_program(),
                events: status.events,
                bytes: status.bytes,
                max_bytes: status.max_bytes,
                damaged: status.damaged,
                failure: status.failure,
            },
            sources: self.0.sources.iter().map(SourcePart::view).collect(),
            embedder: EmbedderView {
                emitted: value(&self.0.embedder.emitted),
                lost: value(&self.0.embedder.lost),
            },
            sinks: self.0.sinks.iter().map(SinkPart::view).collect(),
        }
    }

    /// What does not work or needs attention, each with its condition: components by name, `pipeline.journal` when its
    /// disk cannot be used, and sinks that sources wait for.
    pub fn health(&self) -> Vec<(String, Condition)> {
        let journal = self
            .0
            .journal
            .status()
            .failure
            .map(|failure| ("pipeline.journal".to_owned(), Condition::Failing(failure)));
        let sources = self
            .0
            .sources
            .iter()
            .map(|source| (source.build.component.clone(), source.build.health.condition()));
        let has_room = self.0.journal.has_room();
        let sinks = self.0.sinks.iter().map(|sink| (sink.slot.name().to_owned(), sink.condition(has_room)));
        journal
            .into_iter()
            .chain(sources)
            .chain(sinks)
            .filter(|(_, condition)| matches!(condition, Condition::Warning(_) | Condition::Failing(_)))
            .collect()
    }

    /// Emits events of the host program itself, under the labels of the pipeline.
    pub async fn emit(&self, events: Vec<Event>) -> Receipt {
        self.0.emitter.emit(events).await
    }
}

impl SourcePart {
    fn view(&self) -> SourceView {
        SourceView {
            name: self.build.component.clone(),
            condition: self.build.health.condition(),
            emitted: value(&self.counters.emitted),
            lost: value(&self.counters.lost),
            restarts: value(&self.counters.restarts),
            readings: self.build.meter.readings(),
        }
    }
}

impl SinkPart {
    /// What the sink says, unless it works and holds up the sources all the same.
    fn condition(&self, has_room: bool) -> Condition {
        let condition = self.slot.build.health.condition();
        let is_waited_for = !has_room && self.overflow == Overflow::Block && self.reader.lag().events > 0;
        if is_waited_for && matches!(condition, Condition::Ok | Condition::Starting) {
            return Condition::Warning(
                "the journal is full, and sources wait until this sink has caught up".into(),
            );
        }
        condition
    }

    fn view(&self) -> SinkView {
        let counters = &self.slot.counters;
        let lag = self.reader.lag();
        SinkView {
            name: self.slot.name().to_owned(),
            condition: self.slot.build.health.condition(),
            delivered: value(&counters.delivered),
            refused: value(&counters.refused),
            discarded: self.reader.discarded(),
            retries: value(&counters.retries),
            writes: value(&counters.writes),
            lag_events: lag.events,
            lag_age: lag.age,
            restarts: value(&counters.restarts),
            last_success: counters.last_success().map(|at| at.elapsed()),
            readings: self.slot.build.meter.readings(),
        }
    }
}

fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}
