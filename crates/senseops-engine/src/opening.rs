//! Opening a pipeline: its journal and directories, and every component of its plan.

use std::sync::Arc;

use senseops_core::host::ShutdownTrigger;
use senseops_core::settings::Span;
use senseops_core::{BoxError, BuildError, Chunk};
use senseops_journal::{DiskSettings, Journal, Writer};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::codec::EventCodec;
use crate::common::Common;
use crate::components::Components;
use crate::dead_letters::DeadLetters;
use crate::opener::Opener;
use crate::parts::CloseOnDrop;
use crate::pipeline::Pipeline;
use crate::plan::{ComponentError, OpenError, Plan, Specs};
use crate::reload_request::REQUESTS;
use crate::settings::JournalSettings;
use crate::sockets::Sockets;
use crate::states::States;
use crate::tap::Taps;

impl Pipeline {
    /// Opens everything that a plan names. Nothing runs and no task is spawned yet.
    ///
    /// # Errors
    /// Everything that cannot be opened, all at once.
    pub async fn open(plan: Plan) -> Result<Self, OpenError> {
        let Plan { program, settings, shared, sources, relays, sinks } = plan;
        let specs = Specs { sources, relays, sinks };
        let journal_settings = settings.journal();
        let (journal, states, dead_letters) = tokio::join!(
            open_journal(&journal_settings),
            States::open(&settings),
            DeadLetters::open(&settings)
        );
        let ((journal, writer), states, dead_letters) = match (journal, states, dead_letters) {
            (Ok(journal), Ok(states), Ok(dead_letters)) => (journal, states, dead_letters),
            (journal, states, dead_letters) => {
                let errors = [journal.err(), states.err(), dead_letters.err()];
                return Err(OpenError { errors: errors.into_iter().flatten().collect() });
            }
        };
        let opener = Opener {
            program,
            journal,
            journal_settings,
            common: Common { shared, states, sockets: Sockets::default() },
            taps: Taps::default(),
            stop_sources: ShutdownTrigger::default(),
            dead_letters,
            times: Arc::default(),
        };
        let opened = opener.open(&settings.labels, specs, &Components::default()).await?;
        // Readers get their places before anything is written, so that each sees what is stored already.
        let (components, runners) = opened.attach(&opener.journal, &opener.dead_letters);
        let embedder = Arc::default();
        let emitters = opener.emitters(&settings.labels, &embedder);
        let (requests, requested) = mpsc::channel(REQUESTS);
        let parts = Arc::new(opener.parts(components, (emitters, embedder), requests));
        let closing = CloseOnDrop(Arc::clone(&parts));
        Ok(Self { opener, settings, runners, writer, parts, requested, closing })
    }
}

/// The journal, and what writes it if it is on disk.
pub(crate) async fn open_journal(
    settings: &JournalSettings,
) -> Result<(Journal<Chunk>, Option<Writer<Chunk>>), ComponentError> {
    let max_bytes = settings.max_bytes().bytes();
    let max_age = settings.max_age.map(Span::get);
    let Some(path) = settings.path.clone() else {
        return Ok((Journal::packed_in_memory(max_bytes, EventCodec).with_max_age(max_age), None));
    };
    let disk = DiskSettings { path, max_bytes, fsync: settings.fsync().get(), max_age };
    let opened = spawn_blocking(move || Journal::open(disk, EventCodec)).await;
    let cause: BoxError = match opened {
        Ok(Ok((journal, writer))) => return Ok((journal, Some(writer))),
        Ok(Err(error)) => error.into(),
        Err(panicked) => panicked.into(),
    };
    let source = BuildError::at("path", "open the journal").because(cause);
    Err(ComponentError { component: "pipeline.journal".into(), source })
}
