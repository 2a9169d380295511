//! The mechanical form of events that no table knows.
//!
//! The measurement is the kind with `_` for `.`, the labels are tags, and the fields keep their names: nested ones
//! are joined by `_`, lists become text with `,` between. What is said once per shape comes first: `severity` and
//! `message` of a record; `level`, `level_code` and `message` of a state.

use std::borrow::Cow;

use senseops_core::{Body, Event, Fields, Level, Value};

use crate::{FieldValue, Point, derive};

/// Writes the event into the buffer.
pub(crate) fn point<'e>(event: &'e Event, point: &mut Point<'e>) {
    point.start(event.time);
    point.measure(event.kind.as_str().replace('.', "_"));
    for (name, text) in event.labels.iter() {
        point.tag(name.as_str(), text);
    }
    match &event.body {
        Body::Record(record) => point.field("severity", text(record.severity.as_str())),
        Body::State(state) => {
            point.field("level", text(state.level.as_str()));
            point.field("level_code", FieldValue::Int(level_code(state.level)));
        }
        Body::Measurement(_) | _ => {}
    }
    if !event.message().is_empty() {
        point.field("message", text(event.message()));
    }
    flatten(None, event.fields(), point);
}

/// A number as far as a signed one reaches, a float only when it is one; `None` for a map.
fn scalar(value: &Value) -> Option<FieldValue<'_>> {
    match value {
        Value::Bool(value) => Some(FieldValue::Bool(*value)),
        Value::Int(number) => Some(FieldValue::Int(*number)),
        Value::UInt(number) => Some(FieldValue::Int(i64::try_from(*number).unwrap_or(i64::MAX))),
        Value::Float(number) => number.is_finite().then_some(FieldValue::Float(*number)),
        Value::Text(value) => Some(text(value)),
        Value::List(values) => Some(FieldValue::Text(Cow::Owned(derive::joined(values)))),
        Value::Map(_) | _ => None,
    }
}

fn flatten<'e>(prefix: Option<&str>, fields: &'e Fields, point: &mut Point<'e>) {
    for (name, value) in fields.iter() {
        let name = match prefix {
            None => Cow::Borrowed(name.as_str()),
            Some(prefix) => Cow::Owned(format!("{prefix}_{name}")),
        };
        if let Value::Map(inner) = value {
            flatten(Some(&name), inner, point);
        } else if let Some(value) = scalar(value) {
            point.field(name, value);
        }
    }
}

fn text(text: &str) -> FieldValue<'_> {
    FieldValue::Text(Cow::Borrowed(text))
}

/// The number that dashboards compare: larger is worse, except that 3 is not known.
fn level_code(level: Level) -> i64 {
    match level {
        Level::Ok => 0,
        Level::Warning => 1,
        Level::Critical => 2,
        Level::Unknown => 3,
    }
}
