//! A new plan on its way to the pipeline that runs, and what it came to.

use thiserror::Error;
use tokio::sync::oneshot;

use crate::plan::{OpenError, Plan, Specs};
use crate::settings::PipelineSettings;

/// How many plans may wait to be run; who sends more waits.
pub(crate) const REQUESTS: usize = 1;

/// A plan that shall be run, and who wants to know how that went.
pub(crate) struct ReloadRequest {
    pub(crate) settings: PipelineSettings,
    pub(crate) specs: Specs,
    pub(crate) answer: oneshot::Sender<Result<Reloaded, ReloadError>>,
}

/// What a new plan changed. Components are named as in the configuration: `sinks.influx.main`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Components that are new.
    pub started: Vec<String>,
    /// Components that have changed and were replaced.
    pub restarted: Vec<String>,
    /// Components that are gone.
    pub stopped: Vec<String>,
    /// How many components run on untouched.
    pub unchanged: usize,
    /// Settings that have changed and take effect at the next start of the program only.
    pub not_applied: Vec<&'static str>,
    /// What waits in the journal for sinks and relays that are gone, and how that is given up: a sentence for each.
    pub left_behind: Vec<String>,
}

/// A plan was not run; everything goes on as before.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// Parts of it cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The pipeline has ended, or is about to.
    #[error("the pipeline does not run any more")]
    Ended,
}

impl ReloadRequest {
    pub(crate) fn new(plan: Plan, answer: oneshot::Sender<Result<Reloaded, ReloadError>>) -> Self {
        let Plan { program: _, settings, shared: _, sources, relays, sinks } = plan;
        Self { settings, specs: Specs { sources, relays, sinks }, answer }
    }
}
