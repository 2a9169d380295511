//! Any event there can be, for tests.

use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use senseops_core::{
    Body, Event, EventId, Fields, Kind, LabelSet, Level, Record, Severity, State, Timestamp, Value,
};

pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![Just("a.b"), Just("a.c"), Just("d")].prop_map(Kind::new);
    let labels =
        btree_map(".{0,4}", ".{0,30}", 0..3).prop_map(|labels| labels.into_iter().collect::<LabelSet>());
    (any::<[u8; 16]>(), any::<i64>(), kind, labels, body()).prop_map(|(id, time, kind, labels, body)| Event {
        id: EventId::from_bytes(id),
        time: Timestamp::from_nanos(time),
        kind,
        labels: Arc::new(labels),
        body,
    })
}

fn body() -> impl Strategy<Value = Body> {
    let severity = prop::sample::select(Severity::ALL.to_vec());
    let level = prop::sample::select(Level::ALL.to_vec());
    prop_oneof![
        fields().prop_map(Body::Measurement),
        (severity, ".{0,40}", fields()).prop_map(|(severity, message, fields)| {
            Body::Record(Record { severity, message: message.into(), fields })
        }),
        (level, ".{0,40}", fields()).prop_map(|(level, message, fields)| {
            Body::State(State { level, message: message.into(), fields })
        }),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    vec((".{0,5}", value()), 0..5).prop_map(collected)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::from(f64::from_bits(bits))),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        let map = vec(("\\$?(uint|float|map|[a-e\n\"]{1,2})", inner.clone()), 0..4);
        prop_oneof![vec(inner, 0..4).prop_map(Value::from), map.prop_map(|of| Value::from(collected(of)))]
    })
}

fn collected(fields: Vec<(String, Value)>) -> Fields {
    fields.into_iter().map(|(name, value)| (name.into(), value)).collect()
}
