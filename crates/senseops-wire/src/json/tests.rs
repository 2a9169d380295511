//! An event becomes the same event again, and people can read what is between.

use std::sync::Arc;

use proptest::prelude::*;
use senseops_core::{Body, Event, EventId, Fields, Kind, LabelSet, Record, Severity, Timestamp, Value};

use super::*;
use crate::MAX_DEPTH;
use crate::any_event::any_event;

fn json_of(event: &Event) -> String {
    serde_json::to_string(&Lossless(event)).unwrap()
}

fn read(json: &str) -> Result<Event, String> {
    let read: Result<Lossless<Event>, _> = serde_json::from_str(json);
    read.map(|Lossless(event)| event).map_err(|error| error.to_string())
}

fn login() -> Event {
    let labels = LabelSet::from_iter([("host", "sense1")]).into();
    let fields =
        Fields::default().with("user", "anna").with("sessions", 2).with("bytes", 7_u64).with("free", 0.5);
    let record = Record { severity: Severity::Info, message: "hello".into(), fields };
    let event = Event::new(Kind::new("qlik.user_event"), &labels, Body::Record(record));
    Event { id: EventId::keyed("test", b"1"), ..event.at(Timestamp::from_nanos(1_700_000_000_000_000_001)) }
}

#[test]
fn an_event_is_an_object_that_people_read() {
    assert_eq!(
        json_of(&login()),
        r#"{"id":"b9c6f37e-aa4d-8c23-b7f2-f96be5d76ed3","time":"2023-11-14T22:13:20.000000001Z","kind":"qlik.user_event","shape":"record","labels":{"host":"sense1"},"severity":"info","message":"hello","fields":{"user":"anna","sessions":2,"bytes":{"$uint":7},"free":0.5}}"#
    );
}

#[test]
fn values_that_json_would_change_come_back_as_they_were() {
    let nest = |value: Value, depth: usize| {
        (0..depth).fold(value, |value, _| Value::from(Fields::default().with("$map", value)))
    };
    let fields = Fields::default()
        .with("int_min", i64::MIN)
        .with("int_max", i64::MAX)
        .with("uint", 7_u64)
        .with("uint_max", u64::MAX)
        .with("whole_float", 2.0)
        .with("large_float", 1e300)
        .with("minus_zero", -0.0)
        .with("infinite", f64::NEG_INFINITY)
        .with("nan", f64::from_bits(0x7ff8_0000_dead_beef))
        .with("empty", Fields::default())
        .with("same", 1)
        .with("same", 2)
        .with("like_a_number", Fields::default().with("$uint", "text").with("b", 1))
        .with("deep", nest(Value::from(1), MAX_DEPTH));
    let event = Event::new(Kind::new("n"), &Arc::default(), Body::Measurement(fields));
    let read = read(&json_of(&event)).unwrap();
    assert_eq!(format!("{read:?}"), format!("{event:?}"));
    let Some(Value::Float(nan)) = read.fields().get("nan") else { panic!("no number") };
    assert_eq!(nan.to_bits(), 0x7ff8_0000_dead_beef);
    let Some(Value::Float(zero)) = read.fields().get("minus_zero") else { panic!("no number") };
    assert!(zero.is_sign_negative());
}

#[test]
fn what_is_no_event_is_refused_with_a_reason() {
    let json = json_of(&login());
    for (from, to, reason) in [
        ("\"record\"", "\"meal\"", r#"an event has no shape "meal""#),
        ("\"info\"", "\"bad\"", r#"a record has no severity "bad""#),
        ("\"id\":\"", "\"id\":\"x", "id: invalid digit found in string"),
        ("\"fields\":{", "\"fields\":[", "invalid type: sequence, expected fields at line 1 column 199"),
    ] {
        let changed = json.replacen(from, to, 1);
        assert_ne!(changed, json);
        assert_eq!(read(&changed).unwrap_err(), reason);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_event_comes_back_as_it_was(event in any_event()) {
        let json = json_of(&event);
        prop_assert!(!json.contains('\n'));
        let read = read(&json).unwrap();
        // One NaN does not equal another, but looks the same.
        prop_assert_eq!(format!("{read:?}"), format!("{event:?}"));
        prop_assert_eq!(json_of(&read), json);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        if let Ok(event) = read(&text) {
            prop_assert!(read(&json_of(&event)).is_ok());
        }
    }
}
