//! What an operator decides about a sink; each struct is a table of the configuration file.

use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::settings::{Size, Span};
use crate::{Kind, KindPattern};

/// Enough for the cost of a request not to matter.
const MAX_EVENTS: NonZeroUsize = match NonZeroUsize::new(5000) {
    Some(events) => events,
    None => NonZeroUsize::MIN,
};

/// The `delivery` table of a sink.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// It misses the oldest events, which are counted as discarded.
    #[default]
    DropOldest,
    /// Sources that can wait do, until it has caught up.
    Block,
}

/// The `only` table of a sink or relay: the events that it shall get, of those it accepts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Only {
    /// Patterns over kinds, such as `qlik.*`. Empty for all.
    pub kinds: Vec<KindPattern>,
    /// Names of sources and relays, such as `udp.users` or `udp.*`. Empty for all.
    pub sources: Vec<String>,
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
