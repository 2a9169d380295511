//! Writing.

use senseops_core::{Body, Event, Fields, Value};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::{FLOAT, Lossless, MAP, UINT};
use crate::MAX_DEPTH;

/// Fields, and how deep they are nested.
struct FieldsForm<'a>(&'a Fields, usize);

struct ValueForm<'a>(&'a Value, usize);

impl Serialize for Lossless<&Event> {
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
            // Nested too deep, or a type that is not written yet.
            Value::List(_) | Value::Map(_) | _ => serializer.collect_str(value),
        }
    }
}
