//! The parts of a pipeline that it shares with its handles.

use std::sync::{Arc, PoisonError, RwLock};

use senseops_core::{Chunk, Emitter};
use senseops_journal::{Journal, ReaderStatus, Status};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::components::Components;
use crate::counters::SourceCounters;
use crate::dead_letters::DeadLetters;
use crate::plan::Program;
use crate::reload_request::ReloadRequest;
use crate::settings::JournalSettings;
use crate::sockets::Sockets;
use crate::states::States;
use crate::tap::Taps;

/// What is shared: what there is, and how to have it changed.
pub(crate) struct Parts {
    pub(crate) program: Program,
    pub(crate) opened: Instant,
    pub(crate) journal: Journal<Chunk>,
    pub(crate) journal_settings: JournalSettings,
    pub(crate) sockets: Sockets,
    pub(crate) states: States,
    pub(crate) taps: Taps,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) emitters: RwLock<Emitters>,
    pub(crate) embedder: Arc<SourceCounters>,
    pub(crate) components: RwLock<Arc<Components>>,
    pub(crate) requests: mpsc::Sender<ReloadRequest>,
}

/// Where events go that come from no source.
#[derive(Clone)]
pub(crate) struct Emitters {
    /// Those of the host program.
    pub(crate) embedder: Emitter,
    /// Those of the pipeline about itself.
    pub(crate) own: Emitter,
}

/// Closes everything in any case, also while handles are kept.
pub(crate) struct CloseOnDrop(pub(crate) Arc<Parts>);

impl Parts {
    /// The emitters with the labels that the pipeline has now.
    pub(crate) fn emitters(&self) -> Emitters {
        self.emitters.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn emit_through(&self, emitters: Emitters) {
        *self.emitters.write().unwrap_or_else(PoisonError::into_inner) = emitters;
    }

    /// The components now.
    pub(crate) fn components(&self) -> Arc<Components> {
        Arc::clone(&self.components.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Of each cursor that keeps at least so many events for a sink or relay that is gone, how many those are and how
    /// they are given up.
    pub(crate) fn left_behind(&self, status: &Status, at_least: u64) -> Vec<String> {
        let program = self.program.name;
        let gone = status.readers.iter().filter(|reader| !reader.attached && reader.lag.events >= at_least);
        gone.map(|ReaderStatus { name, lag, .. }| {
            let keeps = match lag.events {
                0 => "events are kept".to_owned(),
                1 => "1 event waits".to_owned(),
                events => format!("{events} events wait"),
            };
            format!("{keeps} for {name}, which is gone; `{program} journal forget {name}` gives them up")
        })
        .collect()
    }

    pub(crate) fn replace(&self, components: Components) {
        *self.components.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(components);
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        let Parts { journal, sockets, states, dead_letters, .. } = &*self.0;
        journal.close();
        sockets.close();
        states.close();
        dead_letters.close();
    }
}
