//! Whatever was once written must be read for ever.

use proptest::prelude::*;
use senseops_core::{Shape, Text};

use super::*;

const FIXTURE: &[u8] = include_bytes!("../../tests/fixtures/chunk-1.bin");

fn encode(chunk: &Chunk) -> Vec<u8> {
    let mut bytes = Vec::new();
    EventCodec.encode(chunk, &mut bytes);
    bytes
}

fn error_of(message: &ChunkMessage) -> String {
    let error = EventCodec.decode(&message.encode_to_vec()).unwrap_err();
    error.to_string()
}

/// The events with each NaN as a text, since one NaN does not equal another.
fn comparable(chunk: &Chunk) -> (Name, Vec<Event>) {
    fn value(of: &Value) -> Value {
        match of {
            Value::Float(float) if float.is_nan() => Value::from(format!("{:x}", float.to_bits())),
            Value::List(values) => Value::List(values.iter().map(value).collect()),
            Value::Map(of) => Value::Map(fields(of)),
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
            .with("list", vec![Value::from("a"), Value::from(2), Value::List(vec![Value::from(0.25)])])
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
    Chunk { source: "healthcheck.qlik.server1".into(), target: None, events: events.collect() }
}

#[test]
fn what_the_first_version_wrote_is_read_for_ever() {
    let chunk = EventCodec.decode(FIXTURE).unwrap();
    assert_eq!(comparable(&chunk), comparable(&everything()));
}

#[test]
fn a_chunk_comes_back_as_it_was() {
    let chunk = everything();
    assert_eq!(comparable(&EventCodec.decode(&encode(&chunk)).unwrap()), comparable(&chunk));
    let empty = Chunk { source: "".into(), target: None, events: Arc::new([]) };
    assert_eq!(comparable(&EventCodec.decode(&encode(&empty)).unwrap()), comparable(&empty));
}

#[test]
fn a_chunk_that_is_for_one_sink_stays_so() {
    let chunk = Chunk { target: Some("influx.main".into()), ..everything() };
    assert_eq!(EventCodec.decode(&encode(&chunk)).unwrap().target.as_deref(), Some("influx.main"));
    assert_eq!(EventCodec.decode(FIXTURE).unwrap().target, None);
}

#[test]
fn events_of_one_origin_share_their_labels_again() {
    let chunk = EventCodec.decode(&encode(&everything())).unwrap();
    assert!(Arc::ptr_eq(&chunk.events[0].labels, &chunk.events[3].labels));
    assert!(!Arc::ptr_eq(&chunk.events[0].labels, &chunk.events[1].labels));
}

#[test]
fn the_kinds_of_a_chunk_are_told_once_each() {
    assert_eq!(EventCodec.kinds(&everything()), ["qlik.engine.health", "qlik.user_event", "target.up"]);
}

#[test]
fn many_events_share_names_kinds_and_labels() {
    let one = everything();
    let many = Chunk { events: one.events.iter().cycle().skip(2).take(5).cloned().collect(), ..one.clone() };
    let more = Chunk { events: many.events.iter().cycle().take(50).cloned().collect(), ..one };
    // 18 bytes of identity, 9 of time, and the texts.
    assert!(encode(&more).len() < 70 * 50, "{}", encode(&more).len());
}

#[test]
fn what_is_nested_too_deep_is_kept_as_text() {
    let nest = |value: Value, depth: usize| (0..depth).fold(value, |value, _| Value::List(vec![value]));
    let fields = Fields::default()
        .with("fits", nest(Value::from(1), MAX_DEPTH))
        .with("deep", nest(Value::from(2), 10 * MAX_DEPTH));
    let event = Event::new(Kind::new("n"), &Arc::default(), Body::Measurement(fields.clone()));
    let chunk = EventCodec
        .decode(&encode(&Chunk { source: "s".into(), target: None, events: Arc::new([event]) }))
        .unwrap();
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

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::from(f64::from_bits(bits))),
        "\\PC{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-e]{1,2}", inner), 0..4).prop_map(|fields| Value::Map(
                fields.into_iter().map(|(name, value)| (name.into(), value)).collect()
            )),
        ]
    })
}

fn body() -> impl Strategy<Value = Body> {
    let fields = proptest::collection::vec(("[a-e]{1,2}", value()), 0..5)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.into(), value)).collect::<Fields>());
    let shape = prop_oneof![Just(Shape::Measurement), Just(Shape::Record), Just(Shape::State)];
    (shape, fields, "\\PC{0,40}").prop_map(|(shape, fields, message)| match shape {
        Shape::Record => Body::Record(Record { severity: Severity::Error, message: message.into(), fields }),
        Shape::State => Body::State(State { level: Level::Critical, message: message.into(), fields }),
        Shape::Measurement | _ => Body::Measurement(fields),
    })
}

fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![Just("a.b"), Just("a.c"), Just("d")].prop_map(Kind::new);
    let labels = proptest::collection::btree_map("[a-c]", "\\PC{0,30}", 0..3);
    (kind, labels, any::<i64>(), body()).prop_map(|(kind, labels, time, body)| {
        Event::new(kind, &Arc::new(labels.into_iter().collect()), body).at(Timestamp::from_nanos(time))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunk_comes_back_as_it_was(events in proptest::collection::vec(event(), 0..20), source in "\\PC{0,30}") {
        let chunk = Chunk { source: source.into(), target: None, events: events.into() };
        let read = EventCodec.decode(&encode(&chunk)).unwrap();
        prop_assert_eq!(comparable(&read), comparable(&chunk));
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
        if let Ok(chunk) = EventCodec.decode(&bytes) {
            prop_assert!(chunk.events.len() <= bytes.len());
        }
    }
}
