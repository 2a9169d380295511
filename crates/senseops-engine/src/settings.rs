//! What an operator decides about a pipeline; each struct is a table of the configuration file. What concerns one sink is
//! in [`senseops_core::host`].

use std::num::NonZeroU32;
use std::path::PathBuf;

use senseops_core::LabelSet;
use senseops_core::schemars::{self, JsonSchema};
use senseops_core::settings::{Size, Span};
use serde::Deserialize;

/// The `pipeline` table.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineSettings {
    /// Labels of every event, under those of its source and its origin.
    pub labels: LabelSet,
    /// The directory of what outlives the program: the journal is in `journal` below it and dead letters are in
    /// `dead-letters`, unless `journal.path` or `dead_letters.path` name another one; what components remember is in
    /// `state`. Default none.
    pub state_dir: Option<PathBuf>,
    /// Where events wait for sinks.
    pub journal: JournalSettings,
    /// Where events are kept that a target refuses for good.
    pub dead_letters: DeadLetterSettings,
    /// Measurements about the pipeline itself, `sos.self.*`, for every sink. Default none.
    pub self_metrics: Option<SelfMetrics>,
    /// How long sources may take to stop and sinks to deliver what is left. Default 10s.
    pub shutdown_timeout: Span,
}

/// The `pipeline.journal` table.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JournalSettings {
    /// The directory of the journal. Default `journal` below `pipeline.state_dir`; without that events wait in memory and
    /// are gone after a crash.
    pub path: Option<PathBuf>,
    /// How much may wait. Default 256MiB in memory, 1GiB on disk.
    pub max_bytes: Option<Size>,
    /// The longest time between accepting an event and syncing it to disk. Default 50ms. Without `path` unused.
    pub fsync: Option<Span>,
    /// Sinks with `overflow: drop_oldest` miss events that have waited for longer. Default none: only `max_bytes` counts.
    pub max_age: Option<Span>,
}

/// The `pipeline.dead_letters` table.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetterSettings {
    /// The directory. Default `dead-letters` below `pipeline.state_dir`; without that they are counted and not kept.
    pub path: Option<PathBuf>,
    /// The most that they take on disk; then the oldest are given up, and counted. Default 64MiB.
    pub max_bytes: Size,
}

/// The `pipeline.self_metrics` table.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SelfMetrics {
    /// How often the pipeline is measured. Default 1m.
    pub interval: Span,
}

/// The `rate_limit` table of a source: each of its components may emit so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How many events a second on average. A source that cannot wait loses what is more, which is counted.
    pub events_per_second: NonZeroU32,
    /// How many at once, after a quiet time. Default as many as in a second.
    #[serde(default)]
    pub burst: Option<NonZeroU32>,
}

impl Default for PipelineSettings {
    fn default() -> Self {
        Self {
            labels: LabelSet::default(),
            state_dir: None,
            journal: JournalSettings::default(),
            dead_letters: DeadLetterSettings::default(),
            self_metrics: None,
            shutdown_timeout: Span::from_secs(10),
        }
    }
}

impl Default for DeadLetterSettings {
    fn default() -> Self {
        Self { path: None, max_bytes: Size::from_mib(64) }
    }
}

impl Default for SelfMetrics {
    fn default() -> Self {
        Self { interval: Span::from_secs(60) }
    }
}

impl PipelineSettings {
    /// The settings of the journal, with the path that follows from `state_dir`.
    pub fn journal(&self) -> JournalSettings {
        let below = || Some(self.state_dir.as_ref()?.join("journal"));
        JournalSettings { path: self.journal.path.clone().or_else(below), ..self.journal.clone() }
    }

    /// The directory of what components remember, if that outlives the program.
    pub fn state(&self) -> Option<PathBuf> {
        Some(self.state_dir.as_ref()?.join("state"))
    }

    /// The directory of dead letters, if they are kept.
    pub fn dead_letters(&self) -> Option<PathBuf> {
        let below = || Some(self.state_dir.as_ref()?.join("dead-letters"));
        self.dead_letters.path.clone().or_else(below)
    }
}

impl RateLimit {
    /// How many events may come at once.
    pub fn burst(&self) -> NonZeroU32 {
        self.burst.unwrap_or(self.events_per_second)
    }
}

impl JournalSettings {
    /// How many bytes may wait.
    pub fn max_bytes(&self) -> Size {
        self.max_bytes.unwrap_or(Size::from_mib(if self.path.is_some() { 1024 } else { 256 }))
    }

    /// The longest time between accepting an event and syncing it.
    pub fn fsync(&self) -> Span {
        self.fsync.unwrap_or(Span::from_millis(50))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_outlives_the_program_is_below_the_state_directory_unless_it_has_a_path_of_its_own() {
        let mut settings = PipelineSettings::default();
        assert_eq!((settings.journal().path, settings.dead_letters()), (None, None));
        settings.state_dir = Some("state".into());
        settings.dead_letters.path = Some("letters".into());
        assert_eq!(settings.journal().path, Some("state/journal".into()));
        assert_eq!(settings.journal().max_bytes(), Size::from_mib(1024));
        assert_eq!(settings.dead_letters(), Some("letters".into()));
    }
}
