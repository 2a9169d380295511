//! Looking into a pipeline from outside, and changing it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use senseops_core::host::Only;
use senseops_core::{Chunk, Condition, Event, Receipt};
use senseops_journal::ForgetError;
use tokio::sync::oneshot;

use crate::components::{RelayPart, SourcePart};
use crate::dead_letters::{ReplayError, ReplayFilter, Replayed};
use crate::parts::Parts;
use crate::plan::Plan;
use crate::process;
use crate::reload_request::{ReloadError, ReloadRequest, Reloaded};
use crate::tap::Tap;
use crate::view::{EmbedderView, JournalView, View};

/// What is late by so much makes no progress.
const STALLED: Duration = Duration::from_secs(30);

/// Looks into a pipeline, emits into it and changes it. Cheap to clone; stays valid after the pipeline has ended.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Parts>);

impl Handle {
    /// The pipeline at this moment.
    pub fn view(&self) -> View {
        self.0.sockets.refresh_readings();
        let status = self.0.journal.status();
        let components = self.0.components();
        let has_room = self.0.journal.has_room();
        View {
            program: self.0.program,
            uptime: self.0.opened.elapsed(),
            journal: JournalView::new(status, &self.0.journal_settings),
            sources: components.sources.iter().map(SourcePart::view).collect(),
            embedder: EmbedderView {
                emitted: self.0.embedder.emitted.load(Ordering::Relaxed),
                lost: self.0.embedder.lost.load(Ordering::Relaxed),
            },
            relays: components.relays.iter().map(RelayPart::view).collect(),
            sinks: components.sinks.iter().map(|part| part.view(has_room)).collect(),
            listeners: self.0.sockets.view(),
            dead_letters: self.0.dead_letters.view(),
            process: process::read(),
        }
    }

    /// What does not work or needs attention, each with its condition: components by name, `pipeline.journal` when its
    /// disk cannot be used or read, and sinks that sources wait for.
    pub fn health(&self) -> Vec<(String, Condition)> {
        let needs_attention =
            |condition: &Condition| matches!(condition, Condition::Warning(_) | Condition::Failing(_));
        self.conditions().into_iter().filter(|(_, condition)| needs_attention(condition)).collect()
    }

    /// How everything is: `pipeline.journal`, `pipeline.dead_letters`, and each component by name. The journal wants
    /// attention while it keeps events for a sink or relay that is gone.
    pub fn conditions(&self) -> Vec<(String, Condition)> {
        let status = self.0.journal.status();
        let left_behind = self.0.left_behind(&status, 1).join("; ");
        let journal = match status.failure.or(status.unreadable) {
            Some(reason) => Condition::Failing(reason),
            None if left_behind.is_empty() => Condition::Ok,
            None => Condition::Warning(left_behind),
        };
        let has_room = self.0.journal.has_room();
        let components = self.0.components();
        let sources = components.sources.iter().map(|part| (part.build.component.clone(), part.condition()));
        let relays = components.relays.iter().map(|part| (part.build.component.clone(), part.condition()));
        let sinks = components.sinks.iter();
        let sinks = sinks.map(|part| (part.slot.name().to_owned(), part.condition(has_room)));
        let dead_letters = self.0.dead_letters.condition();
        let own = [("pipeline.journal", journal), ("pipeline.dead_letters", dead_letters)];
        let own = own.into_iter().map(|(name, condition)| (name.to_owned(), condition));
        own.chain(sources).chain(relays).chain(sinks).collect()
    }

    /// Emits events of the host program itself, under the labels of the pipeline.
    pub async fn emit(&self, events: Vec<Event>) -> Receipt {
        self.0.emitters().embedder.emit(events).await
    }

    /// Runs `plan` in place of what runs now. Components that are the same in both are left alone; those that changed
    /// take over sockets and cursors in the journal. No event is lost by it; those that are being written just then
    /// may be written twice.
    ///
    /// # Errors
    /// When part of the plan cannot be opened, which changes nothing, or the pipeline has ended.
    pub async fn reload(&self, plan: Plan) -> Result<Reloaded, ReloadError> {
        let (answer, answered) = oneshot::channel();
        self.0.requests.send(ReloadRequest::new(plan, answer)).await.map_err(|_ended| ReloadError::Ended)?;
        answered.await.map_err(|_ended| ReloadError::Ended)?
    }

    /// Shows events from now on as they are emitted.
    pub fn tap(&self, only: Only) -> Tap {
        self.0.taps.tap(only)
    }

    /// Gives up the cursor of a sink or relay that is no longer there, and what waits for it: how many events that were.
    ///
    /// # Errors
    /// When there is no cursor of this name, or its component is running.
    pub fn forget(&self, name: &str) -> Result<u64, ForgetError> {
        let readers = self.0.journal.status().readers;
        self.0.journal.forget(name)?;
        Ok(readers.iter().find(|reader| reader.name == name).map_or(0, |reader| reader.lag.events))
    }

    /// Where refused events are kept, if they are.
    pub fn dead_letters(&self) -> Option<PathBuf> {
        self.0.dead_letters.path()
    }

    /// Puts events that were refused into the journal again, each for the sink that refused it: those of one sink, or
    /// of all that run. They are dead letters no longer, unless they are refused again. With a journal in memory, a
    /// crash loses them.
    ///
    /// # Errors
    /// When there are none because they are not kept, a file cannot be read or written, or the journal cannot store
    /// them. What was not put back is still a dead letter.
    pub async fn replay(&self, filter: ReplayFilter) -> Result<Replayed, ReplayError> {
        let components = self.0.components();
        let sinks = components.sinks.iter().map(|part| part.slot.name().to_owned()).collect();
        self.0.dead_letters.replay(filter, &self.0.journal, sinks).await
    }

    /// Passes on a chunk that another pipeline emitted: identities, times, labels and the source stay as they are.
    pub async fn forward(&self, chunk: Chunk) -> Receipt {
        self.0.emitters().embedder.forward(chunk).await
    }

    /// What makes no progress: sinks whose write does not end when its time is up, since it blocks its thread. Empty as
    /// long as all is well; a watchdog asks for it. A disk that hangs is a matter of health: without it all goes on in
    /// memory.
    pub fn stalled(&self) -> Vec<String> {
        let components = self.0.components();
        let sinks = components.sinks.iter().filter(|part| part.slot.progress.is_stalled(STALLED));
        sinks.map(|part| format!("sinks.{}", part.slot.name())).collect()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}
