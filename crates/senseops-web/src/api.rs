//! What changes a running pipeline, and the journal.

use std::fmt;

use async_trait::async_trait;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use http::StatusCode;
use senseops_core::chain;
use senseops_engine::dead_letters::{ReplayError, ReplayFilter, Replayed};
use senseops_engine::{ForgetError, Reloaded};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::routes::Routes;
use crate::status::JournalStatus;

/// What only the program around a pipeline can do.
#[async_trait]
pub trait Control: Send + Sync {
    /// Reads the configuration again and runs it in place of the old one.
    ///
    /// # Errors
    /// When the new configuration cannot be used, in words for the operator. The old one goes on then.
    async fn reload(&self) -> Result<ReloadReport, String>;
}

/// The answer to `POST /api/v1/reload`: what the new configuration changed, by names such as `sinks.influx.main`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// Components that are new.
    pub started: Vec<String>,
    /// Components that have changed and were replaced.
    pub restarted: Vec<String>,
    /// Components that are gone.
    pub stopped: Vec<String>,
    /// How many components run on untouched.
    pub unchanged: usize,
    /// Settings that have changed and take effect at the next start of the program only.
    pub not_applied: Vec<String>,
    /// What works but should be known: of the configuration, and of events that wait in the journal for sinks and relays
    /// that are gone.
    pub warnings: Vec<String>,
}

/// The answer to `DELETE /api/v1/journal/cursors/NAME`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Events that waited there and are given up.
    pub events: u64,
}

/// The answer to `POST /api/v1/dead-letters/replay`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayReport {
    /// Events that were put into the journal again.
    pub events: u64,
    /// Sinks that are not there any more; what they were refused stays.
    pub absent_sinks: Vec<String>,
    /// Lines that cannot be read; they stay too.
    pub unreadable: u64,
}

/// What may be asked of a replay.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Replay {
    /// Only what was refused by this sink.
    sink: Option<String>,
}

pub(crate) async fn reload(
    State(Routes { control, .. }): State<Routes>,
) -> Result<Json<ReloadReport>, Problem> {
    let control = control.ok_or_else(|| {
        Problem::new(StatusCode::NOT_IMPLEMENTED, "this program has no configuration that it could read anew")
    })?;
    let reloaded = control.reload().await;
    reloaded.map(Json).map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error))
}

pub(crate) async fn journal(State(Routes { handle, .. }): State<Routes>) -> Json<JournalStatus> {
    Json(JournalStatus::from(handle.view().journal))
}

pub(crate) async fn forget(
    State(Routes { handle, .. }): State<Routes>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Forgotten>, Problem> {
    let Path(name) = name?;
    handle.forget(&name).map(|events| Json(Forgotten { events })).map_err(|error| {
        let status = match error {
            ForgetError::Unknown { .. } => StatusCode::NOT_FOUND,
            ForgetError::Attached { .. } => StatusCode::CONFLICT,
        };
        Problem::new(status, error.to_string())
    })
}

pub(crate) async fn replay(
    State(Routes { handle, .. }): State<Routes>,
    asked: Result<Query<Replay>, QueryRejection>,
) -> Result<Json<ReplayReport>, Problem> {
    let Query(Replay { sink }) = asked?;
    let replayed = handle.replay(ReplayFilter { sink }).await;
    replayed.map(|replayed| Json(replayed.into())).map_err(|error| {
        let is_impossible = matches!(error, ReplayError::NotKept);
        let status = if is_impossible { StatusCode::NOT_FOUND } else { StatusCode::SERVICE_UNAVAILABLE };
        Problem::new(status, chain(&error).to_string())
    })
}

impl From<Reloaded> for ReloadReport {
    fn from(reloaded: Reloaded) -> Self {
        let Reloaded { started, restarted, stopped, unchanged, not_applied, left_behind } = reloaded;
        let not_applied = not_applied.into_iter().map(Into::into).collect();
        Self { started, restarted, stopped, unchanged, not_applied, warnings: left_behind }
    }
}

impl From<Replayed> for ReplayReport {
    fn from(replayed: Replayed) -> Self {
        let Replayed { events, absent_sinks, unreadable } = replayed;
        Self { events, absent_sinks: absent_sinks.into_iter().collect(), unreadable }
    }
}

/// One line for people.
impl fmt::Display for ReloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [("started", &self.started), ("restarted", &self.restarted), ("stopped", &self.stopped)];
        for (what, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
            write!(f, "{what} {}; ", names.join(", "))?;
        }
        write!(f, "{} unchanged", self.unchanged)?;
        if !self.not_applied.is_empty() {
            write!(f, "; takes a restart of the program: {}", self.not_applied.join(", "))?;
        }
        Ok(())
    }
}
