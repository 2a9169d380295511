//! A dead letter as a line of JSON, which people read and which becomes the same event again.
//!
//! JSON has one type of number and no NaN, so what it would change is written as an object with one key:
//! `{"$uint": 7}` for an unsigned number, `{"$float": "7ff8000000000000"}` for the bits of a number that is not finite,
//! and `{"$map": {…}}` for a map whose first name begins with `$`.

use std::fmt;

use senseops_core::{
    Body, Event, EventId, Fields, Kind, LabelSet, Level, Name, Record, Severity, State, Timestamp, Value,
};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::DeadLetter;
use crate::codec::MAX_DEPTH;

const UINT: &str = "$uint";
const FLOAT: &str = "$float";
const MAP: &str = "$map";

/// A dead letter that is about to be written.
pub(super) struct Line<'a> {
    pub(super) sink: &'a str,
    pub(super) reason: &'a str,
    pub(super) refused: Timestamp,
    pub(super) event: &'a Event,
}

struct EventForm<'a>(&'a Event);

/// Fields, and how deep they are nested.
struct FieldsForm<'a>(&'a Fields, usize);

struct ValueForm<'a>(&'a Value, usize);

/// A line as it is read.
#[derive(Deserialize)]
struct Read {
    sink: String,
    reason: String,
    refused: String,
    event: ReadEvent,
}

#[derive(Deserialize)]
struct ReadEvent {
    id: String,
    time: String,
    kind: String,
    shape: String,
    labels: LabelSet,
    severity: Option<String>,
    level: Option<String>,
    #[serde(default)]
    message: String,
    fields: ReadFields,
}

struct ReadFields(Fields);

struct ReadValue(Value);

impl DeadLetter {
    /// The letter in a line that [`Line`] wrote; `None` if it was torn or changed.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let Read { sink, reason, refused, event } = serde_json::from_slice(line).ok()?;
        Some(Self { sink, reason, refused: refused.parse().ok()?, event: event.read()? })
    }
}

impl ReadEvent {
    fn read(self) -> Option<Event> {
        let Self { id, time: at, kind, shape, labels, severity, level, message, fields: ReadFields(fields) } =
            self;
        let body = match shape.as_str() {
            "measurement" => Body::Measurement(fields),
            "record" => {
                let severities =
                    [Severity::Debug, Severity::Info, Severity::Warning, Severity::Error, Severity::Fatal];
                let severity =
                    severities.into_iter().find(|one| severity.as_deref() == Some(one.as_str()))?;
                Body::Record(Record { severity, message: message.into(), fields })
            }
            "state" => {
                let levels = [Level::Ok, Level::Warning, Level::Critical, Level::Unknown];
                let level = levels.into_iter().find(|one| level.as_deref() == Some(one.as_str()))?;
                Body::State(State { level, message: message.into(), fields })
            }
            _ => return None,
        };
        let id = u128::from_str_radix(&id.replace('-', ""), 16).ok()?;
        Some(Event {
            id: EventId::from_bytes(id.to_be_bytes()),
            time: at.parse().ok()?,
            kind: Kind::intern(&kind).ok()?,
            labels: labels.into(),
            body,
        })
    }
}

impl Serialize for DeadLetter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { sink, reason, refused, event } = self;
        Line { sink, reason, refused: *refused, event }.serialize(serializer)
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("sink", self.sink)?;
        map.serialize_entry("reason", self.reason)?;
        map.serialize_entry("refused", &self.refused)?;
        map.serialize_entry("event", &EventForm(self.event))?;
        map.end()
    }
}

impl Serialize for EventForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &event.id)?;
        map.serialize_entry("time", &event.time)?;
        map.serialize_entry("kind", &event.kind)?;
        map.serialize_entry("shape", &event.shape())?;
        map.serialize_entry("labels", &*event.labels)?;
        match &event.body {
            Body::Record(record) => map.serialize_entry("severity", &record.severity)?,
            Body::State(state) => map.serialize_entry("level", &state.level)?,
            Body::Measurement(_) | _ => {}
        }
        if !event.message().is_empty() {
            map.serialize_entry("message", event.message())?;
        }
        map.serialize_entry("fields", &FieldsForm(event.fields(), 0))?;
        map.end()
    }
}

impl Serialize for FieldsForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(fields, depth) = *self;
        serializer.collect_map(fields.iter().map(|(name, value)| (name, ValueForm(value, depth))))
    }
}

impl Serialize for ValueForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value, depth) = *self;
        match value {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::UInt(value) => serializer.collect_map([(UINT, value)]),
            Value::Float(value) if value.is_finite() => serializer.serialize_f64(*value),
            Value::Float(value) => serializer.collect_map([(FLOAT, format!("{:016x}", value.to_bits()))]),
            Value::Text(value) => serializer.serialize_str(value),
            Value::List(values) if depth < MAX_DEPTH => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(&ValueForm(value, depth + 1))?;
                }
                list.end()
            }
            Value::Map(fields) if depth < MAX_DEPTH => {
                let is_ambiguous = fields.iter().next().is_some_and(|(name, _)| name.starts_with('$'));
                let form = FieldsForm(fields, depth + 1);
                if is_ambiguous { serializer.collect_map([(MAP, form)]) } else { form.serialize(serializer) }
            }
            // As in the journal: nested too deep, or a type that this program does not store yet.
            Value::List(_) | Value::Map(_) | _ => serializer.collect_str(value),
        }
    }
}

impl<'de> Deserialize<'de> for ReadFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = ReadFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ReadFields, A::Error> {
                rest_of(map, Fields::default()).map(ReadFields)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

fn rest_of<'de, A: MapAccess<'de>>(mut map: A, mut fields: Fields) -> Result<Fields, A::Error> {
    while let Some((name, ReadValue(value))) = map.next_entry::<String, _>()? {
        fields.push(Name::from(name), value);
    }
    Ok(fields)
}

impl<'de> Deserialize<'de> for ReadValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(ReadValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::UInt(value), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(ReadValue(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Some(first) = map.next_key::<String>()? else { return Ok(Value::Map(Fields::default())) };
        match first.as_str() {
            UINT => map.next_value().map(Value::UInt),
            FLOAT => {
                let bits =
                    u64::from_str_radix(&map.next_value::<String>()?, 16).map_err(de::Error::custom)?;
                Ok(Value::Float(f64::from_bits(bits)))
            }
            MAP => map.next_value().map(|ReadFields(fields)| Value::Map(fields)),
            _ => {
                let ReadValue(value) = map.next_value()?;
                rest_of(map, Fields::default().with(first, value)).map(Value::Map)
            }
        }
    }
}
