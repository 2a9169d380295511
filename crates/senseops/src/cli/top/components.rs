//! A row for each component, and for each cursor that a component has left behind.

use senseops_web::{CursorStatus, Health, RelayStatus, SinkStatus, SourceStatus, State, Status};

use super::table::{harmless, span};

/// A component at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) state: State,
    /// The state, and why.
    pub(super) words: String,
    /// Events per second since the last picture; `None` in the first.
    pub(super) rate: Option<f64>,
    /// Events emitted or delivered.
    pub(super) events: Option<u64>,
    pub(super) lag_events: Option<u64>,
    pub(super) lag_age_seconds: Option<f64>,
    /// Events that are gone: refused, discarded, not taken.
    pub(super) gone: u64,
    pub(super) last_success_seconds: Option<f64>,
}

/// Sources, relays, sinks. `before` is an earlier status, and how many seconds ago that was.
pub(super) fn rows(status: &Status, before: Option<(&Status, f64)>) -> Vec<Row> {
    let sources = status.sources.iter().map(|source| {
        let then = before.and_then(|(before, seconds)| {
            let then = before.sources.iter().find(|then| then.name == source.name)?;
            Some((then.emitted, seconds))
        });
        Row::source(source, then)
    });
    let relays = status.relays.iter().map(|relay| {
        let then = before.and_then(|(before, seconds)| {
            let then = before.relays.iter().find(|then| then.name == relay.name)?;
            Some((then.emitted, seconds))
        });
        Row::relay(relay, then)
    });
    let sinks = status.sinks.iter().map(|sink| {
        let then = before.and_then(|(before, seconds)| {
            let then = before.sinks.iter().find(|then| then.name == sink.name)?;
            Some((then.delivered, seconds))
        });
        Row::sink(sink, then)
    });
    let gone = status.journal.cursors.iter().filter(|cursor| !cursor.attached);
    let gone = gone.map(|cursor| Row::gone(cursor, &status.program));
    sources.chain(relays).chain(sinks).chain(gone).collect()
}

impl Row {
    pub(super) const HEADER: [&str; 8] =
        ["component", ">events", ">rate/s", ">waiting", ">age", ">lost", ">last success", "state"];

    fn source(source: &SourceStatus, before: Option<(u64, f64)>) -> Self {
        Self {
            rate: before.map(|before| rate(source.emitted, before)),
            events: Some(source.emitted),
            gone: source.lost + source.rate_limited,
            ..Self::of(&source.name, &source.health)
        }
    }

    fn relay(relay: &RelayStatus, before: Option<(u64, f64)>) -> Self {
        Self {
            rate: before.map(|before| rate(relay.emitted, before)),
            events: Some(relay.emitted),
            lag_events: Some(relay.lag_events),
            lag_age_seconds: Some(relay.lag_age_seconds).filter(|_| relay.lag_events > 0),
            gone: relay.lost + relay.discarded,
            ..Self::of(&relay.name, &relay.health)
        }
    }

    fn sink(sink: &SinkStatus, before: Option<(u64, f64)>) -> Self {
        Self {
            rate: before.map(|before| rate(sink.delivered, before)),
            events: Some(sink.delivered),
            lag_events: Some(sink.lag_events),
            lag_age_seconds: Some(sink.lag_age_seconds).filter(|_| sink.lag_events > 0),
            gone: sink.refused + sink.discarded,
            last_success_seconds: sink.last_success_seconds,
            ..Self::of(&sink.name, &sink.health)
        }
    }

    fn gone(cursor: &CursorStatus, program: &str) -> Self {
        Self {
            name: cursor.name.clone(),
            state: State::Warning,
            words: format!("gone; {program} journal forget {} gives up what waits", cursor.name),
            lag_events: Some(cursor.lag_events),
            lag_age_seconds: Some(cursor.lag_age_seconds).filter(|_| cursor.lag_events > 0),
            gone: cursor.discarded,
            ..Self::default()
        }
    }

    fn of(name: &str, health: &Health) -> Self {
        let words = match health.reason.as_str() {
            "" => health.state.as_str().to_owned(),
            reason => format!("{}: {}", health.state.as_str(), harmless(reason)),
        };
        Self { name: name.to_owned(), state: health.state, words, ..Self::default() }
    }

    /// As texts, in the order of the header.
    pub(super) fn cells(self) -> [String; 8] {
        let or_nothing = |text: Option<String>| text.unwrap_or_default();
        [
            self.name,
            or_nothing(self.events.map(|events| events.to_string())),
            or_nothing(self.rate.map(|rate| format!("{rate:.0}"))),
            or_nothing(self.lag_events.map(|events| events.to_string())),
            or_nothing(self.lag_age_seconds.map(span)),
            self.gone.to_string(),
            or_nothing(self.last_success_seconds.map(|ago| format!("{} ago", span(ago)))),
            self.words,
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate to look at")]
fn rate(now: u64, (then, seconds): (u64, f64)) -> f64 {
    now.saturating_sub(then) as f64 / seconds.max(0.001)
}

#[cfg(test)]
mod tests {
    use senseops_web::JournalStatus;

    use super::*;

    #[test]
    fn rates_come_from_two_moments_and_losses_are_added_up() {
        let health = Health { state: State::Failing, reason: "refused\u{1b}[2J".into() };
        let status = |emitted, delivered| Status {
            sources: vec![SourceStatus {
                name: "udp.users".into(),
                emitted,
                lost: 1,
                rate_limited: 2,
                ..SourceStatus::default()
            }],
            sinks: vec![SinkStatus {
                name: "influx.main".into(),
                health: health.clone(),
                delivered,
                refused: 3,
                discarded: 4,
                lag_events: 5,
                lag_age_seconds: 61.0,
                last_success_seconds: Some(0.5),
                ..SinkStatus::default()
            }],
            program: "sos".into(),
            journal: JournalStatus {
                cursors: vec![
                    CursorStatus { name: "influx.main".into(), attached: true, ..CursorStatus::default() },
                    CursorStatus { name: "mqtt.old".into(), lag_events: 9, ..CursorStatus::default() },
                ],
                ..JournalStatus::default()
            },
            ..Status::default()
        };
        let cells: Vec<_> =
            rows(&status(100, 50), Some((&status(0, 30), 2.0))).into_iter().map(Row::cells).collect();
        assert_eq!(
            cells,
            [
                ["udp.users", "100", "50", "", "", "3", "", "starting"],
                ["influx.main", "50", "10", "5", "61 s", "7", "500 ms ago", "failing: refused [2J"],
                [
                    "mqtt.old",
                    "",
                    "",
                    "9",
                    "0 ms",
                    "0",
                    "",
                    "gone; sos journal forget mqtt.old gives up what waits"
                ],
            ]
        );
        assert_eq!(rows(&status(1, 1), None)[0].rate, None);
    }
}
