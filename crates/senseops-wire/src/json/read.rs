//! Reading.

use std::fmt;

use senseops_core::{
    Body, Event, EventId, Fields, Kind, LabelSet, Level, Name, Record, Severity, State, Value,
};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{FLOAT, Lossless, MAP, UINT};

/// An event as it is read.
#[derive(Deserialize)]
struct ReadEvent {
    id: String,
    time: String,
    kind: String,
    shape: String,
    labels: LabelSet,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    level: String,
    #[serde(default)]
    message: String,
    fields: ReadFields,
}

struct ReadFields(Fields);

struct ReadValue(Value);

impl<'de> Deserialize<'de> for Lossless<Event> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ReadEvent::deserialize(deserializer)?.event().map(Lossless).map_err(D::Error::custom)
    }
}

impl ReadEvent {
    fn event(self) -> Result<Event, String> {
        let Self { id, time, kind, shape, labels, severity, level, message, fields: ReadFields(fields) } =
            self;
        let message = message.into();
        let body = match shape.as_str() {
            "measurement" => Body::Measurement(fields),
            "record" => Body::Record(Record { severity: parsed_severity(&severity)?, message, fields }),
            "state" => Body::State(State { level: parsed_level(&level)?, message, fields }),
            _ => return Err(format!("an event has no shape {shape:?}")),
        };
        let id = u128::from_str_radix(&id.replace('-', ""), 16).map_err(|error| format!("id: {error}"))?;
        Ok(Event {
            id: EventId::from_bytes(id.to_be_bytes()),
            time: time.parse().map_err(|error| format!("time: {error}"))?,
            kind: Kind::intern(&kind).map_err(|error| error.to_string())?,
            labels: labels.into(),
            body,
        })
    }
}

fn parsed_severity(name: &str) -> Result<Severity, String> {
    let found = Severity::ALL.into_iter().find(|one| name == one.as_str());
    found.ok_or_else(|| format!("a record has no severity {name:?}"))
}

fn parsed_level(name: &str) -> Result<Level, String> {
    let found = Level::ALL.into_iter().find(|one| name == one.as_str());
    found.ok_or_else(|| format!("a state has no level {name:?}"))
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
        fields.push(Name::intern(&name), value);
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
        Ok(Value::from(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Some(first) = map.next_key::<String>()? else { return Ok(Value::from(Fields::default())) };
        match first.as_str() {
            UINT => map.next_value().map(Value::UInt),
            FLOAT => {
                let bits = u64::from_str_radix(&map.next_value::<String>()?, 16).map_err(A::Error::custom)?;
                Ok(Value::Float(f64::from_bits(bits)))
            }
            MAP => map.next_value().map(|ReadFields(fields)| Value::from(fields)),
            _ => {
                let ReadValue(value) = map.next_value()?;
                rest_of(map, Fields::default().with(first, value)).map(Value::from)
            }
        }
    }
}
