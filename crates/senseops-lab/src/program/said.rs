//! What a program says in its log, counted.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use serde_json::Value;

/// How many of the last lines are kept, for messages.
const TAIL_LINES: usize = 12;

/// All that was logged.
#[derive(Debug, Default)]
pub(super) struct Said {
    lines: u64,
    messages: BTreeMap<String, u64>,
    tail: VecDeque<String>,
    web: Option<SocketAddr>,
    udp: Option<SocketAddr>,
    ended: Ended,
}

/// What a source or sink said about itself at its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(BTreeMap<String, u64>);

/// What the whole program said at its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    /// All sources together.
    pub(crate) sources: Counts,
    /// All sinks together.
    pub(crate) sinks: Counts,
    /// Each by its name.
    pub(crate) components: BTreeMap<String, Counts>,
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
}

impl Said {
    pub(super) fn take(&mut self, line: &str) {
        self.lines += 1;
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
        let said: Value = serde_json::from_str(line).unwrap_or_default();
        let fields = said.get("fields").unwrap_or(&Value::Null);
        if let Some(message) = fields.get("message").and_then(Value::as_str) {
            *self.messages.entry(message.to_owned()).or_default() += 1;
            let text = |key: &str| fields.get(key).and_then(Value::as_str);
            let address = || text("address").and_then(|address| address.parse().ok());
            match message {
                "listening for http" => self.web = address(),
                "listening" if text("protocol") == Some("udp") => self.udp = address(),
                _ => {}
            }
            self.ended.take(message, fields);
        }
    }

    pub(super) fn times(&self, message: &str) -> u64 {
        self.messages.get(message).copied().unwrap_or(0)
    }

    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    pub(super) fn tail(&self) -> String {
        self.tail.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    /// Where it listens for HTTP.
    pub(super) fn web(&self) -> Option<SocketAddr> {
        self.web
    }

    /// Where a source listens for datagrams; the last one that began to.
    pub(super) fn udp(&self) -> Option<SocketAddr> {
        self.udp
    }

    pub(super) fn ended(&self) -> Ended {
        self.ended.clone()
    }
}

impl Ended {
    fn take(&mut self, message: &str, said: &Value) {
        let (role, all) = match message {
            "source has stopped" => ("source", &mut self.sources),
            "sink has stopped" => ("sink", &mut self.sinks),
            _ => return,
        };
        let name = said.get(role).and_then(Value::as_str).unwrap_or_default();
        let own = self.components.entry(name.to_owned()).or_default();
        for counts in [all, own] {
            counts.take(said);
        }
    }

    /// What the component of this name said.
    pub(crate) fn component(&self, name: &str) -> Counts {
        self.components.get(name).cloned().unwrap_or_default()
    }
}

impl Counts {
    fn take(&mut self, said: &Value) {
        for (name, value) in said.as_object().into_iter().flatten() {
            match value {
                Value::Number(number) => self.add(name, number.as_u64().unwrap_or(0)),
                // What a component counts itself: `received=5 refused{reason="empty"}=1`.
                Value::String(text) if name == "readings" => {
                    for (name, number) in text.split(' ').filter_map(|pair| pair.rsplit_once('=')) {
                        let name = name.split_once('{').map_or(name, |(name, _labels)| name);
                        self.add(name, number.parse().unwrap_or(0));
                    }
                }
                Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {}
            }
        }
    }

    fn add(&mut self, name: &str, number: u64) {
        *self.0.entry(name.to_owned()).or_default() += number;
    }

    /// The count of this name; zero if nobody counted it.
    pub(crate) fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(fields: &str) -> String {
        format!(r#"{{"level":"INFO","fields":{fields}}}"#)
    }

    #[test]
    fn components_are_counted_alone_and_together() {
        let mut log = Said::default();
        for fields in [
            r#"{"message":"listening for http","address":"127.0.0.1:4711"}"#,
            r#"{"message":"pipeline is running"}"#,
            r#"{"message":"sink has stopped","sink":"influx.a","delivered":3}"#,
            r#"{"message":"sink has stopped","sink":"influx.b","delivered":4}"#,
            r#"{"message":"source has stopped","source":"udp.a","readings":"received=5 refused{reason=\"empty\"}=1 refused{reason=\"type\"}=2"}"#,
        ] {
            log.take(&said(fields));
        }
        let ended = log.ended();
        assert_eq!((ended.sinks.of("delivered"), ended.component("influx.b").of("delivered")), (7, 4));
        assert_eq!((ended.sources.of("received"), ended.sources.of("refused")), (5, 3));
        assert_eq!((log.times("sink has stopped"), log.lines()), (2, 5));
        assert_eq!(log.web(), Some(([127, 0, 0, 1], 4711).into()));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut log = Said::default();
        (0..100).for_each(|number| log.take(&format!("line {number}")));
        assert_eq!(log.tail().lines().count(), TAIL_LINES);
        assert!(log.tail().ends_with("line 99"));
    }
}
