//! Events: what sources emit and sinks write.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::{EventId, Fields, Kind, LabelSet, Shape, Text, Timestamp};

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

/// The few shapes that events have.
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

/// The state that a thing is in. Which thing is told by the labels of the event.
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

    /// An estimate of the memory that the event takes. Shared labels are not counted.
    pub fn approximate_bytes(&self) -> usize {
        size_of::<Self>() + self.fields().heap_bytes() + self.message().len()
    }
}

impl Severity {
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
    fn the_estimate_counts_texts_that_do_not_fit_inline() {
        let short = login();
        let mut long = login();
        long.body = Body::Measurement(Fields::default().with("text", "x".repeat(1000)));
        assert!(short.approximate_bytes() >= size_of::<Event>());
        assert!(long.approximate_bytes() > short.approximate_bytes() + 800);
    }
}
