//! Events: what sources emit and sinks write.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::fields::heap_bytes_of;
use crate::{EventId, Fields, Kind, LabelSet, Text, Timestamp};

/// Something that was observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Stays the same through retries and restarts.
    pub id: EventId,
    /// When it happened, or when it was received if the origin does not say.
    pub time: Timestamp,
    /// What was observed; decides the fields.
    pub kind: Kind,
    /// What is the same for every event of the origin.
    pub labels: Arc<LabelSet>,
    /// What was observed about it.
    pub body: Body,
}

const _: () = assert!(size_of::<Event>() <= 128, "events are copied into chunks, so their size is a promise");

/// What was observed, in one of the few [`Shape`]s that events have.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Body {
    /// A sample: numbers and texts that were true at that time.
    Measurement(Fields),
    /// Something happened.
    Record(Record),
    /// A thing is in a state.
    State(State),
}

/// The shapes of events, see [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Shape {
    /// A sample.
    Measurement,
    /// Something happened.
    Record,
    /// A thing is in a state.
    State,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// How much it matters.
    pub severity: Severity,
    /// What happened, in words of the origin. May be empty.
    pub message: Text,
    /// The details.
    pub fields: Fields,
}

/// The state that a thing is in. The labels of the event say which thing.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// How bad it is.
    pub level: Level,
    /// Why, in words. May be empty.
    pub message: Text,
    /// The details.
    pub fields: Fields,
}

/// How much a record matters, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Of interest to developers.
    Debug,
    /// Worth knowing.
    Info,
    /// May need attention.
    Warning,
    /// Needs attention.
    Error,
    /// Needs attention now.
    Fatal,
}

/// How bad a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Not as it should be, but working.
    Warning,
    /// Not working.
    Critical,
    /// Nobody could tell.
    Unknown,
}

impl Event {
    /// An event of now, with a new identity.
    pub fn new(kind: Kind, labels: &Arc<LabelSet>, body: Body) -> Self {
        Self { id: EventId::new(), time: Timestamp::now(), kind, labels: Arc::clone(labels), body }
    }

    /// The event that `origin` knows under `key`, which happened at `time`. Whenever it is read again it is the same
    /// event, so `time` must be the same each time: the pipeline leaves it alone. Two events of one origin should not
    /// have one time, since targets such as InfluxDB tell points apart by it; where the origin's clock is coarse, give
    /// the nanoseconds a meaning of your own, such as the number of the row modulo a thousand.
    pub fn keyed(
        (origin, key): (&str, &[u8]),
        time: Timestamp,
        kind: Kind,
        labels: &Arc<LabelSet>,
        body: Body,
    ) -> Self {
        Self { id: EventId::keyed(origin, key), time, kind, labels: Arc::clone(labels), body }
    }

    /// The same event at another time.
    #[must_use]
    pub fn at(mut self, time: Timestamp) -> Self {
        self.time = time;
        self
    }

    /// The shape of the body.
    pub fn shape(&self) -> Shape {
        match self.body {
            Body::Measurement(_) => Shape::Measurement,
            Body::Record(_) => Shape::Record,
            Body::State(_) => Shape::State,
        }
    }

    /// The fields, whatever the shape.
    pub fn fields(&self) -> &Fields {
        match &self.body {
            Body::Measurement(fields)
            | Body::Record(Record { fields, .. })
            | Body::State(State { fields, .. }) => fields,
        }
    }

    /// The message of a record or state; empty for a measurement.
    pub fn message(&self) -> &str {
        match &self.body {
            Body::Measurement(_) => "",
            Body::Record(Record { message, .. }) | Body::State(State { message, .. }) => message,
        }
    }

    /// The memory that the event takes. Its labels are not counted, which it shares with others.
    pub fn bytes(&self) -> usize {
        let message = match &self.body {
            Body::Measurement(_) => 0,
            Body::Record(Record { message, .. }) | Body::State(State { message, .. }) => {
                heap_bytes_of(message)
            }
        };
        size_of::<Self>() + self.fields().heap_bytes() + message
    }
}

impl Severity {
    /// Every severity, least first.
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Fatal];

    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

impl Level {
    /// Every level.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Critical, Self::Unknown];

    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line: time, kind, labels in braces, then the body.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.time, self.kind)?;
        if !self.labels.is_empty() {
            write!(f, "{{{}}}", self.labels)?;
        }
        match &self.body {
            Body::Measurement(_) => {}
            Body::Record(record) => write!(f, " {}", record.severity)?,
            Body::State(state) => write!(f, " {}", state.level)?,
        }
        if !self.message().is_empty() {
            write!(f, " {:?}", self.message())?;
        }
        if !self.fields().is_empty() {
            write!(f, " {}", self.fields())?;
        }
        Ok(())
    }
}

/// A flat object: `id`, `time`, `kind`, `shape`, `labels`, then `severity` or `level`, `message`, and `fields`.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("time", &self.time)?;
        map.serialize_entry("kind", &self.kind)?;
        map.serialize_entry("shape", &self.shape())?;
        map.serialize_entry("labels", &*self.labels)?;
        match &self.body {
            Body::Measurement(_) => {}
            Body::Record(record) => map.serialize_entry("severity", &record.severity)?,
            Body::State(state) => map.serialize_entry("level", &state.level)?,
        }
        if !self.message().is_empty() {
            map.serialize_entry("message", self.message())?;
        }
        map.serialize_entry("fields", self.fields())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn login() -> Event {
        let labels = Arc::new(LabelSet::from_iter([("host", "sense1"), ("qs_env", "prod")]));
        let fields = Fields::default().with("user_id", "anna").with("sessions", 2);
        let record = Record { severity: Severity::Info, message: "hello".into(), fields };
        let mut event = Event::new(Kind::new("qlik.user_event"), &labels, Body::Record(record));
        event.id = EventId::keyed("test", b"1");
        event.at(Timestamp::from_nanos(1_700_000_000_000_000_000))
    }

    #[test]
    fn an_event_reads_as_one_line() {
        insta::assert_snapshot!(login(), @r#"2023-11-14T22:13:20Z qlik.user_event{host=sense1,qs_env=prod} info "hello" user_id=anna sessions=2"#);
    }

    #[test]
    fn an_event_as_json_is_a_flat_object() {
        insta::assert_snapshot!(serde_json::to_string(&login()).unwrap(), @r#"{"id":"b9c6f37e-aa4d-8c23-b7f2-f96be5d76ed3","time":"2023-11-14T22:13:20Z","kind":"qlik.user_event","shape":"record","labels":{"host":"sense1","qs_env":"prod"},"severity":"info","message":"hello","fields":{"user_id":"anna","sessions":2}}"#);
    }

    #[test]
    fn the_bytes_are_what_is_allocated() {
        let measurement = |fields| Event { body: Body::Measurement(fields), ..login() };
        let empty = measurement(Fields::default()).bytes();
        assert_eq!(empty, size_of::<Event>());
        let short = measurement(Fields::with_capacity(10).with("text", "inline"));
        assert_eq!(short.bytes(), empty + 10 * 40, "room counts whether it is used or not");
        let nested =
            Fields::with_capacity(1).with("list", vec![Value::from("x".repeat(100)), Value::from(1)]);
        assert_eq!(measurement(nested).bytes(), empty + 40 + 2 * 24 + 100);
    }

    #[test]
    fn a_keyed_event_is_the_same_whenever_it_is_read() {
        let read = || {
            let labels = Arc::default();
            let body = Body::Measurement(Fields::default());
            Event::keyed(("logdb", b"42"), Timestamp::from_nanos(7), Kind::new("n"), &labels, body)
        };
        assert_eq!(read(), read());
        assert!(read().id.is_keyed());
    }
}
