//! Whatever was once written must be read for ever.

use std::sync::Arc;

use proptest::prelude::*;
use prost::Message;
use senseops_core::{
    Body, Chunk, Event, EventId, Fields, Kind, LabelSet, Level, Name, Record, Severity, State, Text,
    Timestamp, Value,
};

use self::message::{
    BodyMessage, ChunkMessage, EventMessage, FieldMessage, FieldsMessage, RecordMessage, StateMessage,
};
use super::*;
use crate::MAX_DEPTH;
use crate::any_event::any_event;

#[path = "message.rs"]
mod message;

const FIXTURE: &[u8] = include_bytes!("../../tests/fixtures/chunk-1.bin");

fn encoded(chunk: &Chunk) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(chunk, &mut bytes);
    bytes
}

fn error_of(message: &ChunkMessage) -> String {
    let error = decode(&message.encode_to_vec()).unwrap_err();
    error.to_string()
}

/// The events with each NaN as a text, since one NaN does not equal another.
fn comparable(chunk: &Chunk) -> (Name, Vec<Event>) {
    fn value(of: &Value) -> Value {
        match of {
            Value::Float(float) if float.is_nan() => Value::from(format!("{:x}", float.to_bits())),
            Value::List(values) => Value::List(values.iter().map(value).collect()),
            Value::Map(of) => Value::from(fields(of)),
            Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::Text(_) | _ => {
                of.clone()
            }
        }
    }
    fn fields(of: &Fields) -> Fields {
        of.iter().map(|(name, of)| (name.clone(), value(of))).collect()
    }
    let event = |event: &Event| {
        let mut event = event.clone();
        match &mut event.body {
            Body::Measurement(of)
            | Body::Record(Record { fields: of, .. })
            | Body::State(State { fields: of, .. }) => {
                *of = fields(of);
            }
            other => panic!("a shape without a test: {other:?}"),
        }
        event
    };
    (chunk.source.clone(), chunk.events.iter().map(event).collect())
}

/// Every shape, every severity and level, every type of value and its ends. It is in the fixture; what is new gets a
/// fixture of its own.
fn everything() -> Chunk {
    let labels = Arc::new(LabelSet::from_iter([("host", "sense1"), ("qs_env", "prod")]));
    let other_labels = Arc::new(LabelSet::from_iter([("host", "sense2")]));
    let no_labels = Arc::new(LabelSet::default());
    let values = || {
        Fields::default()
            .with("true", true)
            .with("false", false)
            .with("int", -7)
            .with("int_min", i64::MIN)
            .with("int_max", i64::MAX)
            .with("uint_max", u64::MAX)
            .with("zero", 0_u64)
            .with("float", 1.5)
            .with("minus_zero", -0.0)
            .with("infinite", f64::NEG_INFINITY)
            .with("nan", f64::from_bits(0x7ff8_0000_dead_beef))
            .with("text", "short")
            .with("long_text", "a text that does not fit into twenty-four bytes: äöü €")
            .with("empty_text", "")
            .with("list", vec![Value::from("a"), Value::from(2), Value::from(vec![Value::from(0.25)])])
            .with("empty_list", Vec::new())
            .with(
                "map",
                Fields::default().with("free_mb", 12.5).with("inner", Fields::default().with("deep", true)),
            )
            .with("empty_map", Fields::default())
    };
    let severities = [Severity::Debug, Severity::Info, Severity::Warning, Severity::Error, Severity::Fatal];
    let records = severities.map(|severity| {
        let fields = Fields::default().with("user_id", "anna").with("int", 1);
        Body::Record(Record { severity, message: "Überraschung".into(), fields })
    });
    let levels = [Level::Ok, Level::Warning, Level::Critical, Level::Unknown];
    let states =
        levels.map(|level| Body::State(State { level, message: Text::default(), fields: Fields::default() }));
    let bodies = [Body::Measurement(values()), Body::Measurement(Fields::default())];
    let events = bodies.into_iter().chain(records).chain(states).enumerate().map(|(index, body)| {
        let kind = match body {
            Body::Measurement(_) => Kind::new("qlik.engine.health"),
            Body::Record(_) => Kind::new("qlik.user_event"),
            Body::State(_) | _ => Kind::new("target.up"),
        };
        let labels = [&labels, &other_labels, &no_labels][index % 3];
        let id = EventId::keyed("fixture", &index.to_be_bytes());
        let time = Timestamp::from_nanos(1_700_000_000_000_000_000 + i64::try_from(index).unwrap());
        Event { id, ..Event::new(kind, labels, body).at(time) }
    });
    Chunk::new("healthcheck.qlik.server1", events.collect::<Vec<_>>())
}

#[test]
fn what_the_first_version_wrote_is_read_for_ever() {
    let chunk = decode(FIXTURE).unwrap();
    assert_eq!(comparable(&chunk), comparable(&everything()));
}

#[test]
fn the_same_chunk_is_the_same_bytes_for_ever() {
    assert_eq!(encoded(&everything()), FIXTURE);
}

#[test]
fn a_chunk_comes_back_as_it_was() {
    let chunk = everything();
    assert_eq!(comparable(&decode(&encoded(&chunk)).unwrap()), comparable(&chunk));
    let empty = Chunk::new("", []);
    assert_eq!(comparable(&decode(&encoded(&empty)).unwrap()), comparable(&empty));
}

#[test]
fn a_chunk_that_is_for_one_sink_stays_so() {
    let chunk = Chunk { target: Some("influx.main".into()), ..everything() };
    assert_eq!(decode(&encoded(&chunk)).unwrap().target.as_deref(), Some("influx.main"));
    assert_eq!(decode(FIXTURE).unwrap().target, None);
}

#[test]
fn events_of_one_origin_share_their_labels_again() {
    let chunk = decode(&encoded(&everything())).unwrap();
    assert!(Arc::ptr_eq(&chunk.events[0].labels, &chunk.events[3].labels));
    assert!(!Arc::ptr_eq(&chunk.events[0].labels, &chunk.events[1].labels));
}

#[test]
fn the_kinds_of_a_chunk_are_told_once_each() {
    assert_eq!(kinds(&everything()), ["qlik.engine.health", "qlik.user_event", "target.up"]);
}

#[test]
fn many_events_share_names_kinds_and_labels() {
    let one = everything();
    let many = Chunk { events: one.events.iter().cycle().skip(2).take(5).cloned().collect(), ..one.clone() };
    let more = Chunk { events: many.events.iter().cycle().take(50).cloned().collect(), ..one };
    // 18 bytes of identity, 9 of time, and the texts.
    assert!(encoded(&more).len() < 70 * 50, "{}", encoded(&more).len());
}

#[test]
fn what_is_nested_too_deep_is_kept_as_text() {
    let nest = |value: Value, depth: usize| (0..depth).fold(value, |value, _| Value::from(vec![value]));
    let fields = Fields::default()
        .with("fits", nest(Value::from(1), MAX_DEPTH))
        .with("deep", nest(Value::from(2), 10 * MAX_DEPTH));
    let event = Event::new(Kind::new("n"), &Arc::default(), Body::Measurement(fields.clone()));
    let chunk = decode(&encoded(&Chunk::new("s", [event]))).unwrap();
    let read = chunk.events[0].fields();
    assert_eq!(read.get("fits"), fields.get("fits"));
    assert_eq!(read.get("deep").unwrap().to_string(), fields.get("deep").unwrap().to_string());
}

#[test]
fn what_a_newer_program_wrote_is_refused_and_not_misread() {
    let chunk = ChunkMessage::decode(FIXTURE).unwrap();
    let changed = |change: &dyn Fn(&mut EventMessage)| {
        let mut chunk = chunk.clone();
        change(&mut chunk.events[2]);
        error_of(&chunk)
    };
    assert_eq!(changed(&|event| event.body = None), "no body in an event");
    assert_eq!(changed(&|event| event.kind = 99), "unknown kind 99");
    assert_eq!(changed(&|event| event.labels = 99), "unknown label set 99");
    let severity = |event: &mut EventMessage| {
        event.body = Some(BodyMessage::Record(RecordMessage { severity: 6, ..RecordMessage::default() }));
    };
    assert_eq!(changed(&severity), "unknown severity 6");
    let level = |event: &mut EventMessage| event.body = Some(BodyMessage::State(StateMessage::default()));
    assert_eq!(changed(&level), "unknown level 0");
    let value = |event: &mut EventMessage| {
        let fields = vec![FieldMessage { name: 0, value: None }];
        event.body = Some(BodyMessage::Measurement(FieldsMessage { fields }));
    };
    assert_eq!(changed(&value), "no value in an event");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunk_comes_back_as_it_was(events in proptest::collection::vec(any_event(), 0..20), source in "\\PC{0,30}") {
        let chunk = Chunk::new(source, events);
        let bytes = encoded(&chunk);
        let read = decode(&bytes).unwrap();
        prop_assert_eq!(comparable(&read), comparable(&chunk));
        // Any other reader and writer of protocol buffers has the same bytes for it.
        let message = ChunkMessage::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(message.encode_to_vec(), bytes);
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_but_never_end_the_program(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = FIXTURE.to_vec();
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        bytes.truncate(cut.index(FIXTURE.len() + 1));
        if let Ok(chunk) = decode(&bytes) {
            prop_assert!(chunk.events.len() <= bytes.len());
        }
    }
}
