//! What a running program says about itself.

use serde_json::Value;

/// An answer of `/status`. A figure that is not in it counts as zero.
#[derive(Debug)]
pub(crate) struct Status(Value);

impl Status {
    pub(super) fn read(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text).map(Self)
    }

    /// A figure of the journal.
    pub(crate) fn journal(&self, name: &str) -> u64 {
        self.0.pointer(&format!("/journal/{name}")).and_then(Value::as_u64).unwrap_or(0)
    }

    /// A figure of all sources together, of the engine or their own.
    pub(crate) fn sources(&self, name: &str) -> u64 {
        self.components("sources").map(|source| figure(source, name)).sum()
    }

    /// A figure of all sinks together, of the engine or their own.
    pub(crate) fn sinks(&self, name: &str) -> u64 {
        self.components("sinks").map(|sink| figure(sink, name)).sum()
    }

    /// How many of all events that were ever appended are behind every sink.
    pub(crate) fn settled(&self) -> u64 {
        let furthest_behind = self.components("sinks").map(|sink| figure(sink, "lag_events")).max();
        self.journal("appended_events").saturating_sub(furthest_behind.unwrap_or(0))
    }

    /// Whether nothing waits for any sink.
    pub(crate) fn is_idle(&self) -> bool {
        self.sinks("lag_events") == 0
    }

    /// How many datagrams sources have received, or the kernel has dropped for lack of room.
    pub(crate) fn datagrams(&self) -> u64 {
        self.sources("received") + self.sources("kernel_drops")
    }

    fn components(&self, role: &str) -> impl Iterator<Item = &Value> {
        self.0.get(role).and_then(Value::as_array).into_iter().flatten()
    }
}

/// A figure of a component, by its name: a field, or the sum of what it counts itself under different labels.
fn figure(component: &Value, name: &str) -> u64 {
    if let Some(number) = component.get(name).and_then(Value::as_u64) {
        return number;
    }
    let readings = component.get("readings").and_then(Value::as_array).into_iter().flatten();
    let own = readings.filter(|reading| reading.get("name").and_then(Value::as_str) == Some(name));
    own.filter_map(|reading| reading.get("value")?.as_u64()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_wherever_they_are_and_others_are_zero() {
        let text = r#"{
            "journal": { "appended_events": 9 },
            "sources": [
                { "emitted": 4, "readings": [
                    { "name": "received", "labels": {}, "value": 5 },
                    { "name": "refused", "labels": { "reason": "empty" }, "value": 1 },
                    { "name": "refused", "labels": { "reason": "type" }, "value": 2 }
                ] },
                { "emitted": 3, "readings": [] }
            ],
            "sinks": [ { "lag_events": 2 }, { "lag_events": 5 } ]
        }"#;
        let status = Status::read(text).unwrap();
        let sources = ["emitted", "received", "refused", "unknown"].map(|name| status.sources(name));
        assert_eq!(sources, [7, 5, 3, 0]);
        assert_eq!((status.settled(), status.is_idle(), status.datagrams()), (4, false, 5));
    }
}
