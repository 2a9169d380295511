//! Points in a form that can be compared and read.

use std::collections::BTreeMap;
use std::fmt::Write;

use senseops_core::{Event, Fields, Value};
use senseops_dialect::{FieldValue, InfluxDialect, Point};
use senseops_qlik::kinds::Field;
use senseops_testkit::line_protocol;

/// Fields with these values, each where it belongs.
pub(crate) fn fields(values: impl IntoIterator<Item = (Field, Value)>) -> Fields {
    let (mut fields, mut groups) = (Fields::default(), BTreeMap::<_, Fields>::new());
    for (field, value) in values {
        let fields = field.group().map_or(&mut fields, |group| groups.entry(group).or_default());
        fields.push(field.name(), value);
    }
    groups.into_iter().fold(fields, |fields, (group, members)| fields.with(group, members))
}

/// The points of an event, as the decoder of the line protocol would give them.
pub(crate) fn points(dialect: InfluxDialect, event: &Event) -> Vec<line_protocol::Point> {
    let mut points = Vec::new();
    dialect.points(event, &mut Point::default(), |point| points.push(decoded(point)));
    points
}

/// One line per point.
pub(crate) fn shown(points: &[line_protocol::Point]) -> String {
    let mut text = String::new();
    for point in points {
        text.push_str(&point.measurement);
        for (name, value) in &point.tags {
            write!(text, " {name}={value:?}").unwrap_or_default();
        }
        for (name, value) in &point.fields {
            write!(text, " | {name} {value:?}").unwrap_or_default();
        }
        text.push('\n');
    }
    text
}

fn decoded(point: &Point<'_>) -> line_protocol::Point {
    let tags = point.tags().iter().map(|(name, text)| (name.to_string(), text.to_string()));
    let fields: BTreeMap<_, _> =
        point.fields().iter().map(|(name, value)| (name.to_string(), value_of(value))).collect();
    line_protocol::Point {
        measurement: point.measurement().to_owned(),
        tags: tags.collect(),
        fields,
        time: None,
    }
}

fn value_of(value: &FieldValue<'_>) -> line_protocol::FieldValue {
    match value {
        FieldValue::Bool(value) => line_protocol::FieldValue::Bool(*value),
        FieldValue::Int(number) => line_protocol::FieldValue::Int(*number),
        FieldValue::Float(number) => line_protocol::FieldValue::Float(*number),
        FieldValue::Text(text) => line_protocol::FieldValue::Text(text.to_string()),
    }
}
