//! Keeping, reading and replaying dead letters.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use senseops_core::{
    Batch, Body, Event, EventId, Fields, Kind, LabelSet, Level, Record, Rejection, Severity, State,
    Timestamp, Value,
};
use senseops_journal::{Journal, Overflow};

use super::line::Line;
use super::*;
use crate::codec::{Chunk, MAX_DEPTH};
use crate::settings::{DeadLetterSettings, PipelineSettings};

const SIZE: &str = "1MiB";

async fn open(path: &Path, max_bytes: &str) -> DeadLetters {
    let dead_letters =
        DeadLetterSettings { path: Some(path.to_owned()), max_bytes: max_bytes.parse().unwrap() };
    DeadLetters::open(&PipelineSettings { dead_letters, ..PipelineSettings::default() }).await.unwrap()
}

fn numbered(number: i64) -> Event {
    let labels = Arc::new(LabelSet::from_iter([("host", "sense1")]));
    let event = Event::new(Kind::new("n"), &labels, Body::Measurement(Fields::default().with("n", number)));
    Event { id: EventId::keyed("test", &number.to_be_bytes()), ..event.at(Timestamp::from_nanos(number)) }
}

async fn keep(
    letters: &DeadLetters,
    sink: &str,
    reason: &str,
    numbers: impl IntoIterator<Item = i64>,
) -> bool {
    let batch = Batch::from(numbers.into_iter().map(numbered).collect::<Vec<_>>());
    let rejections = (0..batch.len()).map(|index| Rejection { index, reason: reason.to_owned() }).collect();
    letters.keep(sink, vec![Refused { batch, rejections }]).await
}

fn shown(path: &Path) -> Vec<i64> {
    let letters = show(path, None, usize::MAX).unwrap().entries;
    letters.iter().map(|letter| letter.event.time.as_nanos()).collect()
}

fn line_of(event: &Event) -> String {
    let line = Line { sink: "influx.main", reason: "too old", refused: Timestamp::from_nanos(1), event };
    serde_json::to_string(&line).unwrap()
}

/// Equal for equal events; one NaN does not equal another, but looks the same.
fn same(one: &Event, other: &Event) -> bool {
    format!("{one:?}") == format!("{other:?}") && line_of(one) == line_of(other)
}

#[test]
fn a_letter_is_a_line_that_people_read() {
    let labels = Arc::new(LabelSet::from_iter([("host", "sense1")]));
    let fields =
        Fields::default().with("user", "anna").with("sessions", 2).with("bytes", 7_u64).with("free", 0.5);
    let record = Record { severity: Severity::Info, message: "hello".into(), fields };
    let event = Event::new(Kind::new("qlik.user_event"), &labels, Body::Record(record));
    let event = Event {
        id: EventId::keyed("test", b"1"),
        ..event.at(Timestamp::from_nanos(1_700_000_000_000_000_001))
    };
    assert_eq!(
        line_of(&event),
        r#"{"sink":"influx.main","reason":"too old","refused":"1970-01-01T00:00:00.000000001Z","event":{"id":"b9c6f37e-aa4d-8c23-b7f2-f96be5d76ed3","time":"2023-11-14T22:13:20.000000001Z","kind":"qlik.user_event","shape":"record","labels":{"host":"sense1"},"severity":"info","message":"hello","fields":{"user":"anna","sessions":2,"bytes":{"$uint":7},"free":0.5}}}"#
    );
}

#[test]
fn values_that_json_would_change_come_back_as_they_were() {
    let nest = |value: Value, depth: usize| {
        (0..depth).fold(value, |value, _| Value::Map(Fields::default().with("$map", value)))
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
    let read = DeadLetter::read(line_of(&event).as_bytes()).unwrap();
    assert_eq!(format!("{:?}", read.event), format!("{event:?}"));
    let Some(Value::Float(nan)) = read.event.fields().get("nan") else { panic!("no number") };
    assert_eq!(nan.to_bits(), 0x7ff8_0000_dead_beef);
    let Some(Value::Float(zero)) = read.event.fields().get("minus_zero") else { panic!("no number") };
    assert!(zero.is_sign_negative());
}

#[test]
fn a_line_that_was_changed_is_no_letter() {
    let line = line_of(&numbered(1));
    for (from, to) in
        [("measurement", "meal"), ("1970", "19x0"), ("\"n\":1", "\"n\":"), ("\"id\":\"", "\"id\":\"x")]
    {
        let changed = line.replacen(from, to, usize::MAX);
        assert_ne!(changed, line);
        assert_eq!(DeadLetter::read(changed.as_bytes()), None, "{changed}");
    }
    assert!(DeadLetter::read(line.as_bytes()).is_some());
}

#[tokio::test]
async fn letters_are_summed_up_by_sink_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let letters = open(dir.path(), SIZE).await;
    assert!(keep(&letters, "influx.main", "too old", 0..3).await);
    assert!(keep(&letters, "influx.main", "type conflict", 3..4).await);
    assert!(keep(&letters, "mqtt.main", "too old", 4..6).await);
    let summed: Vec<_> = list(dir.path()).unwrap().entries;
    let summed: Vec<_> = summed
        .iter()
        .map(|one| (one.sink.as_str(), one.reason.as_str(), one.events, one.first <= one.last))
        .collect();
    assert_eq!(
        summed,
        [
            ("influx.main", "too old", 3, true),
            ("influx.main", "type conflict", 1, true),
            ("mqtt.main", "too old", 2, true)
        ]
    );
    let newest = show(dir.path(), Some("influx.main"), 2).unwrap().entries;
    assert_eq!(
        newest.iter().map(|letter| letter.event.clone()).collect::<Vec<_>>(),
        [numbered(2), numbered(3)]
    );
}

#[tokio::test]
async fn a_line_torn_by_a_crash_costs_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    keep(&open(dir.path(), SIZE).await, "s", "r", [1]).await;
    let file = dir.path().join("dead-letters.jsonl");
    OpenOptions::new().append(true).open(&file).unwrap().write_all(br#"{"sink":"s","rea"#).unwrap();
    let letters = open(dir.path(), SIZE).await;
    keep(&letters, "s", "r", [2]).await;
    assert_eq!(shown(dir.path()), [1, 2]);
    assert_eq!(list(dir.path()).unwrap().unreadable, 1);
}

#[tokio::test]
async fn the_oldest_are_given_up_and_counted_when_there_is_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let letters = open(dir.path(), "16KiB").await;
    for number in 0..500 {
        assert!(keep(&letters, "s", "r", [number]).await);
    }
    let view = letters.view();
    let on_disk: u64 =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(view.bytes, on_disk);
    assert!(on_disk <= 16 * 1024, "{on_disk}");
    let left = shown(dir.path());
    assert_eq!(view.given_up + left.len() as u64, 500);
    assert!(left.len() > 30, "{}", left.len());
    let first = *left.first().unwrap();
    assert_eq!(left, (first..500).collect::<Vec<_>>());
    drop(letters);
    assert_eq!(open(dir.path(), "16KiB").await.view().bytes, on_disk);
}

#[tokio::test]
async fn what_cannot_be_kept_is_counted_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let letters = open(dir.path(), "200B").await;
    assert!(!keep(&letters, "s", "too long for the directory", [1]).await);
    let view = letters.view();
    assert_eq!((view.kept, view.not_kept), (0, 1));
    assert!(view.failure.unwrap().ends_with("an event is larger than what may be kept"));

    let nowhere = DeadLetters::open(&PipelineSettings::default()).await.unwrap();
    assert!(!keep(&nowhere, "s", "r", [1, 2]).await);
    assert_eq!((nowhere.view().not_kept, nowhere.view().failure, nowhere.path()), (2, None, None));
}

#[tokio::test]
async fn two_pipelines_cannot_use_one_directory() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path(), SIZE).await;
    let settings = PipelineSettings {
        dead_letters: DeadLetterSettings { path: Some(dir.path().into()), ..DeadLetterSettings::default() },
        ..PipelineSettings::default()
    };
    let error = DeadLetters::open(&settings).await.unwrap_err();
    assert_eq!(error.component, "pipeline.dead_letters");
}

#[tokio::test]
async fn a_replay_takes_what_has_a_sink_and_leaves_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let letters = open(dir.path(), SIZE).await;
    for (sink, number) in [("here", 1), ("gone", 2), ("here", 3), ("other", 4)] {
        keep(&letters, sink, "r", [number]).await;
    }
    let file = dir.path().join("dead-letters.jsonl");
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b"garbage\n").unwrap();
    let journal: Journal<Chunk> = Journal::in_memory(1 << 20);
    let mut reader = journal.reader("here", Overflow::DropOldest);
    let sinks = HashSet::from(["here".to_owned(), "other".to_owned()]);

    let only = ReplayFilter { sink: Some("here".into()) };
    let replayed = letters.replay(only, &journal, sinks.clone()).await.unwrap();
    assert_eq!(replayed, Replayed { events: 2, absent_sinks: [].into(), unreadable: 1 });
    let chunk = reader.try_next().unwrap().chunk;
    assert_eq!(chunk.target.as_deref(), Some("here"));
    assert_eq!(chunk.events.to_vec(), [numbered(1), numbered(3)], "as they were");
    assert_eq!(shown(dir.path()), [2, 4]);

    let replayed = letters.replay(ReplayFilter::default(), &journal, sinks).await.unwrap();
    assert_eq!(replayed, Replayed { events: 1, absent_sinks: ["gone".to_owned()].into(), unreadable: 1 });
    assert_eq!(shown(dir.path()), [2]);
    keep(&letters, "here", "r", [5]).await;
    assert_eq!(shown(dir.path()), [2, 5]);
}

#[tokio::test]
async fn what_the_journal_does_not_store_stays() {
    let dir = tempfile::tempdir().unwrap();
    let letters = open(dir.path(), SIZE).await;
    keep(&letters, "here", "r", [1]).await;
    let journal: Journal<Chunk> = Journal::in_memory(1 << 20);
    journal.close();
    let replayed = letters.replay(ReplayFilter::default(), &journal, ["here".to_owned()].into()).await;
    assert!(matches!(replayed, Err(ReplayError::Journal)), "{replayed:?}");
    assert_eq!(shown(dir.path()), [1]);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::from(f64::from_bits(bits))),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        let map = proptest::collection::vec(("\\$?(uint|float|map|[a-e\n\"]{1,2})", inner.clone()), 0..4);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            map.prop_map(|of| Value::Map(of.into_iter().map(|(name, value)| (name.into(), value)).collect())),
        ]
    })
}

fn event() -> impl Strategy<Value = Event> {
    let fields = proptest::collection::vec((".{0,5}", value()), 0..5)
        .prop_map(|of| of.into_iter().map(|(name, value)| (name.into(), value)).collect::<Fields>());
    let labels = proptest::collection::btree_map(".{0,4}", ".{0,10}", 0..3);
    (fields, labels, any::<i64>(), ".{0,10}", 0..3, any::<[u8; 16]>()).prop_map(
        |(fields, labels, time, message, shape, id)| {
            let body = match shape {
                0 => Body::Measurement(fields),
                1 => Body::Record(Record { severity: Severity::Fatal, message: message.into(), fields }),
                _ => Body::State(State { level: Level::Unknown, message: message.into(), fields }),
            };
            let event = Event::new(Kind::new("a.b"), &Arc::new(labels.into_iter().collect()), body);
            Event { id: EventId::from_bytes(id), ..event.at(Timestamp::from_nanos(time)) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_event_comes_back_as_it_was(event in event()) {
        let line = line_of(&event);
        prop_assert!(!line.contains('\n'));
        let letter = DeadLetter::read(line.as_bytes());
        prop_assert!(letter.is_some_and(|letter| same(&letter.event, &event)), "{line}");
    }

    #[test]
    fn any_line_is_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let letter = DeadLetter::read(&line);
        prop_assert!(letter.is_none_or(|letter| DeadLetter::read(line_of(&letter.event).as_bytes()).is_some()));
    }
}
