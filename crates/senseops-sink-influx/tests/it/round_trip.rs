//! Whatever is encoded can be decoded, by a decoder that was written from the documentation.

use std::collections::BTreeMap;

use proptest::prelude::*;
use senseops_core::Timestamp;
use senseops_dialect::{FieldValue, Point};
use senseops_sink_influx::encode;
use senseops_testkit::line_protocol::{self, FieldValue as Decoded};

#[derive(Clone, Debug)]
struct Made {
    measurement: String,
    tags: BTreeMap<String, String>,
    fields: BTreeMap<String, FieldValue<'static>>,
    time: i64,
}

struct TwoNamesAlike;

/// Texts with much of what means something to the protocol.
fn text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        prop::sample::select(vec![
            "\\",
            "\"",
            ",",
            "=",
            " ",
            "\n",
            "\r",
            "\t",
            "\0",
            "#",
            "time",
            "i",
            "u",
            "true",
            "1e5",
            "ä",
            "\u{1f600}",
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,4}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = FieldValue<'static>> {
    prop_oneof![
        any::<bool>().prop_map(FieldValue::Bool),
        any::<i64>().prop_map(FieldValue::Int),
        any::<f64>().prop_map(FieldValue::Float),
        text().prop_map(|text| FieldValue::Text(text.into())),
    ]
}

fn made() -> impl Strategy<Value = Made> {
    let tags = prop::collection::btree_map(text(), text(), 0..4);
    let fields = prop::collection::btree_map(text(), value(), 0..4);
    (text(), tags, fields, any::<i64>()).prop_map(|(measurement, tags, fields, time)| Made {
        measurement,
        tags,
        fields,
        time,
    })
}

fn encoded(made: &[Made]) -> String {
    let mut lines = Vec::new();
    for made in made {
        let mut point = Point::default();
        point.start(Timestamp::from_nanos(made.time));
        for (name, text) in &made.tags {
            point.tag(name.as_str(), text.as_str());
        }
        point.measure(made.measurement.as_str());
        for (name, value) in &made.fields {
            point.field(name.as_str(), value.clone());
        }
        encode(&point, &mut lines);
    }
    String::from_utf8(lines).unwrap_or_default()
}

/// What the table in `encode.rs` promises of the point: a line, or none. `Err` when two names become the same, of which
/// it promises nothing.
fn promised(made: &Made) -> Result<Option<line_protocol::Point>, TwoNamesAlike> {
    let blanks = |text: &str| text.replace(|c: char| c.is_ascii_control(), " ");
    let name = |name: &str| blanks(&name.replace('\\', "_"));
    let key = |key: &str| if key == "time" { "time_".into() } else { name(key) };
    let measurement = match made.measurement.strip_prefix('#') {
        Some("") => String::new(),
        Some(rest) => format!("_{}", name(rest)),
        None => name(&made.measurement),
    };
    let tags: Vec<_> = made
        .tags
        .iter()
        .map(|(name, text)| (key(name), blanks(text.trim_end_matches('\\'))))
        .filter(|(name, text)| !name.is_empty() && !text.is_empty())
        .collect();
    let fields: Vec<_> = made
        .fields
        .iter()
        .filter_map(|(name, value)| {
            let value = match value {
                FieldValue::Bool(value) => Decoded::Bool(*value),
                FieldValue::Int(number) => Decoded::Int(*number),
                FieldValue::Float(number) if !number.is_finite() => return None,
                FieldValue::Float(number) => Decoded::Float(*number),
                FieldValue::Text(text) => Decoded::Text(text.to_string()),
            };
            (!name.is_empty()).then(|| (key(name), value))
        })
        .collect();
    let (tag_count, field_count) = (tags.len(), fields.len());
    let (tags, fields): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (tags.into_iter().collect(), fields.into_iter().collect());
    if tags.len() < tag_count || fields.len() < field_count {
        return Err(TwoNamesAlike);
    }
    let time = Some(made.time.clamp(i64::MIN + 2, i64::MAX - 1));
    let written = !measurement.is_empty() && !fields.is_empty();
    Ok(written.then_some(line_protocol::Point { measurement, tags, fields, time }))
}

proptest! {
    #[test]
    fn every_point_is_decoded_as_promised(made in prop::collection::vec(made(), 1..4)) {
        let promised: Result<Vec<_>, _> = made.iter().map(promised).collect();
        prop_assume!(promised.is_ok());
        let expected: Vec<_> = promised.into_iter().flatten().flatten().collect();
        let lines = encoded(&made);
        prop_assert_eq!(line_protocol::parse_body(&lines), Ok(expected), "{:?}", lines);
    }
}
