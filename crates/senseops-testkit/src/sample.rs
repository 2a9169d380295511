//! Numbered events, so that deliveries can be counted; and what a plugin's `sample.yaml` says.
//!
//! The number is the field [`NUMBER`], a whole number. Identity and time follow from it: the same number gives the
//! same event on every call, and no two numbers have the same time.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use senseops_core::{
    Body, Event, EventId, Fields, Kind, LabelSet, Level, Record, Severity, State, Timestamp, Value,
};

/// The field that has the number.
pub const NUMBER: &str = "n";

/// The kind of [`measurement`].
pub const MEASUREMENT: Kind = Kind::new("sample.measurement");

/// The kind of [`record`].
pub const RECORD: Kind = Kind::new("sample.record");

/// The kind of [`state`].
pub const STATE: Kind = Kind::new("sample.state");

/// 2026-01-01 00:00:00 UTC, from where on the events happen a millisecond apart.
const BEGIN_NANOS: i64 = 1_767_225_600_000_000_000;

static LABELS: LazyLock<Arc<LabelSet>> =
    LazyLock::new(|| Arc::new(LabelSet::from_iter([("host", "sample1")])));

/// A measurement, with a text field beside the number.
pub fn measurement(number: u64) -> Event {
    event_of(
        number,
        MEASUREMENT,
        Body::Measurement(fields(number).with("text", "a \"quoted\" text, with commas")),
    )
}

/// A record of severity `info`.
pub fn record(number: u64) -> Event {
    let message = format!("sample {number}").into();
    event_of(
        number,
        RECORD,
        Body::Record(Record { severity: Severity::Info, message, fields: fields(number) }),
    )
}

/// A state of level `ok`.
pub fn state(number: u64) -> Event {
    event_of(
        number,
        STATE,
        Body::State(State { level: Level::Ok, message: "".into(), fields: fields(number) }),
    )
}

/// An event of a shape that changes with the number.
pub fn event(number: u64) -> Event {
    match number % 3 {
        0 => state(number),
        1 => measurement(number),
        _ => record(number),
    }
}

/// The [`event`]s of these numbers.
pub fn events(numbers: Range<u64>) -> Vec<Event> {
    numbers.map(event).collect()
}

/// The number of a sample event; `None` for all others.
pub fn number(event: &Event) -> Option<u64> {
    let Value::Int(number) = event.fields().get(NUMBER)? else { return None };
    u64::try_from(*number).ok()
}

/// The numbers of the sample events among these, in their order.
pub fn numbers<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<u64> {
    events.into_iter().filter_map(number).collect()
}

/// A `sample.yaml` with every key in force: `#key` becomes `key` and keeps its indentation, `# text` stays a remark.
pub fn uncommented(sample: &str) -> String {
    let mut yaml = String::with_capacity(sample.len());
    for line in sample.lines() {
        let (indentation, content) = line.split_at(line.len() - line.trim_start().len());
        let key = content.strip_prefix('#').filter(|key| !key.starts_with(' '));
        yaml.extend([indentation, key.unwrap_or(content), "\n"]);
    }
    yaml
}

fn fields(number: u64) -> Fields {
    Fields::default().with(NUMBER, signed(number))
}

fn event_of(number: u64, kind: Kind, body: Body) -> Event {
    let mut event = Event::new(kind, &LABELS, body);
    event.id = EventId::keyed("sample", &number.to_be_bytes());
    event.at(Timestamp::from_nanos(BEGIN_NANOS.saturating_add(signed(number).saturating_mul(1_000_000))))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_gives_the_same_event_each_time() {
        for number in 0..6 {
            assert_eq!(event(number), event(number));
        }
        assert_eq!(numbers(&events(0..6)), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn keys_are_uncommented_and_remarks_are_not() {
        let sample = "# The interval.\n#interval: 15s\n\ntls:\n  ca: \"#1.pem\" # of the QMC\n  # Or none.\n  #verify: full\n";
        insta::assert_snapshot!(uncommented(sample), @r##"
        # The interval.
        interval: 15s

        tls:
          ca: "#1.pem" # of the QMC
          # Or none.
          verify: full
        "##);
    }

    #[test]
    fn samples_have_every_shape() {
        let lines: Vec<String> = events(0..3).iter().map(Event::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        2026-01-01T00:00:00Z sample.state{host=sample1} ok n=0
        2026-01-01T00:00:00.001Z sample.measurement{host=sample1} n=1 text=a "quoted" text, with commas
        2026-01-01T00:00:00.002Z sample.record{host=sample1} info "sample 2" n=2
        "#);
    }
}
