//! What an operator decides about a pipeline; each struct is a table of the configuration file.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use senseops_core::settings::{Size, Span};
use senseops_core::{Kind, KindPattern, LabelSet};
use serde::{Deserialize, Serialize};

/// Enough for the cost of a request not to matter.
const MAX_EVENTS: NonZeroUsize = match NonZeroUsize::new(5000) {
    Some(events) => events,
    None => NonZeroUsize::MIN,
};

/// The `pipeline` table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineSettings {
    /// Labels of every event, under those of its source and its origin.
    pub labels: LabelSet,
    /// The directory of what outlives the program, unless `journal.path` or `dead_letters.path` name another one: the
    /// journal is in `journal` below it, dead letters are in `dead-letters`. Default none.
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
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetterSettings {
    /// The directory. Default `dead-letters` below `pipeline.state_dir`; without that they are counted and not kept.
    pub path: Option<PathBuf>,
    /// The most that they take on disk; then the oldest are given up, and counted. Default 64MiB.
    pub max_bytes: Size,
}

/// The `pipeline.self_metrics` table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelfMetrics {
    /// How often the pipeline is measured. Default 1m.
    pub interval: Span,
}

/// The `rate_limit` table of a source: each of its components may emit so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How many events a second on average. A source that cannot wait loses what is more, which is counted.
    pub events_per_second: NonZeroU32,
    /// How many at once, after a quiet time. Default as many as in a second.
    #[serde(default)]
    pub burst: Option<NonZeroU32>,
}

/// The `delivery` table of a sink.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delivery {
    /// What happens when the journal is full and this sink is behind. Default `drop_oldest`.
    pub overflow: Overflow,
    /// The most events that are written at once. Default 5000.
    pub max_events: NonZeroUsize,
    /// The most memory that the events written at once take, estimated. Default 8MiB.
    pub max_bytes: Size,
    /// The longest that an event waits for others to be written with. Default 500ms.
    pub max_age: Span,
    /// How many writes run at the same time. Default 1, which keeps the order.
    pub max_in_flight: NonZeroUsize,
    /// The longest that one write may take. Default 30s.
    pub timeout: Span,
    /// How failed writes are repeated.
    pub retry: Retry,
}

/// The `delivery.retry` table of a sink.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// The pause after the first failure; it doubles with each further one. Default 500ms.
    pub initial: Span,
    /// The longest pause. Default 30s.
    pub max: Span,
    /// The pause while the target denies us. Default 60s.
    pub denied: Span,
}

/// What happens to a sink that is behind when the journal is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// It misses the oldest events, which are counted as discarded.
    #[default]
    DropOldest,
    /// Sources that can wait do, until it has caught up.
    Block,
}

/// The `only` table of a sink: the events that it shall get, of those it accepts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Only {
    /// Patterns over kinds, such as `qlik.*`. Empty for all.
    pub kinds: Vec<KindPattern>,
    /// Names of sources, such as `udp.users` or `udp.*`. Empty for all.
    pub sources: Vec<String>,
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

impl Default for Delivery {
    fn default() -> Self {
        Self {
            overflow: Overflow::DropOldest,
            max_events: MAX_EVENTS,
            max_bytes: Size::from_mib(8),
            max_age: Span::from_millis(500),
            max_in_flight: NonZeroUsize::MIN,
            timeout: Span::from_secs(30),
            retry: Retry::default(),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { initial: Span::from_millis(500), max: Span::from_secs(30), denied: Span::from_secs(60) }
    }
}

impl From<Overflow> for senseops_journal::Overflow {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::DropOldest => Self::DropOldest,
            Overflow::Block => Self::Block,
        }
    }
}

impl PipelineSettings {
    /// The settings of the journal, with the path that follows from `state_dir`.
    pub fn journal(&self) -> JournalSettings {
        let below = || Some(self.state_dir.as_ref()?.join("journal"));
        JournalSettings { path: self.journal.path.clone().or_else(below), ..self.journal.clone() }
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

impl Only {
    /// Whether events of this kind are wanted.
    pub fn kind(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|pattern| pattern.matches(kind))
    }

    /// Whether events of this source (`udp.users`) are wanted.
    pub fn source(&self, source: &str) -> bool {
        let meant = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => source.starts_with(prefix),
            None => {
                source == pattern
                    || source.strip_prefix(pattern.as_str()).is_some_and(|rest| rest.starts_with('.'))
            }
        };
        self.sources.is_empty() || self.sources.iter().any(meant)
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

    #[test]
    fn a_sink_gets_only_the_sources_that_were_named_with_their_parts() {
        let only = Only { kinds: vec![], sources: vec!["udp.*".into(), "healthcheck.qlik".into()] };
        for (source, expected) in [
            ("udp.users", true),
            ("healthcheck.qlik.server1", true),
            ("healthcheck.qlik2", false),
            ("logdb.x", false),
        ] {
            assert_eq!(only.source(source), expected, "{source}");
        }
        assert!(Only::default().source("anything"));
    }
}
