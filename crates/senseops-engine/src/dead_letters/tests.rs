//! Keeping, reading and replaying dead letters.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use senseops_core::{
    Batch, Body, Chunk, Condition, Event, EventId, Fields, Kind, LabelSet, Record, Rejection, Severity,
    Timestamp,
};
use senseops_journal::{Journal, Overflow};
use senseops_wire::Lossless;

use super::letter::Line;
use super::*;
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
) -> u64 {
    let batch = Batch::from(numbers.into_iter().map(numbered).collect::<Vec<_>>());
    let rejections = (0..batch.len()).map(|index| Rejection { index, reason: reason.to_owned() }).collect();
    letters.keep(sink, vec![Refused { batch, rejections }]).await
}

fn shown(path: &Path) -> Vec<i64> {
    let letters = show(path, None, usize::MAX).unwrap().entries;
    letters.iter().map(|letter| letter.event.time.as_nanos()).collect()
}

fn line_of(event: &Event) -> String {
    let line = Line {
        sink: "influx.main",
        reason: "too old",
        refused: Timestamp::from_nanos(1),
        event: Lossless(event),
    };
    serde_json::to_string(&line).unwrap()
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
    assert_eq!(keep(&letters, "influx.main", "too old", 0..3).await, 3);
    assert_eq!(keep(&letters, "influx.main", "type conflict", 3..4).await, 1);
    assert_eq!(keep(&letters, "mqtt.main", "too old", 4..6).await, 2);
    let summed: Vec<_> = list(dir.path()).unwrap().entries;
    let summed: Vec<_> = summed
        .iter()
        .map(|one| (one.sink.as_str(), one.reason.as_str(), one.events, one.first <= one.last))
        .collect();
    assert_eq!(
        summed,
        [
            ("influx.main", "too old", 3, true),
            ("mqtt.main", "too old", 2, true),
            ("influx.main", "type conflict", 1, true),
        ]
    );
    let shown = show(dir.path(), Some("influx.main"), 2).unwrap();
    assert_eq!(shown.letters, 4);
    assert_eq!(
        shown.entries.iter().map(|letter| letter.event.clone()).collect::<Vec<_>>(),
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
        assert_eq!(keep(&letters, "s", "r", [number]).await, 1);
    }
    let view = letters.view();
    let files = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap());
    let letters_only = files.filter(|file| file.file_name().to_str().unwrap().starts_with("dead-letters"));
    let on_disk: u64 = letters_only.map(|file| file.metadata().unwrap().len()).sum();
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
async fn an_event_that_is_too_large_costs_none_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let letters = open(dir.path(), "2KiB").await;
    let large =
        Event { body: Body::Measurement(Fields::default().with("n", "x".repeat(3000))), ..numbered(2) };
    let batch = Batch::from(vec![numbered(1), large, numbered(3)]);
    let rejections = (0..3).map(|index| Rejection { index, reason: "r".to_owned() }).collect();
    assert_eq!(letters.keep("s", vec![Refused { batch, rejections }]).await, 2);
    assert_eq!(shown(dir.path()), [1, 3]);
    let view = letters.view();
    assert_eq!((view.kept, view.not_kept, view.failure), (2, 1, None));
    let warning = "a refused event was longer than the 2048 bytes that are kept";
    assert_eq!(letters.condition(), Condition::Warning(warning.into()));
    let whereabouts = format!("2 of 3 are kept in {}, the others could not be", dir.path().display());
    assert_eq!(letters.whereabouts(2, 3), whereabouts);
}

#[tokio::test]
async fn what_cannot_be_kept_is_counted_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let letters = open(dir.path(), SIZE).await;
    fs::create_dir(dir.path().join("dead-letters.jsonl")).unwrap();
    assert_eq!(keep(&letters, "s", "r", [1]).await, 0);
    let view = letters.view();
    assert_eq!((view.kept, view.not_kept), (0, 1));
    assert!(view.failure.unwrap().ends_with("Is a directory (os error 21)"));

    let nowhere = DeadLetters::open(&PipelineSettings::default()).await.unwrap();
    assert_eq!(keep(&nowhere, "s", "r", [1, 2]).await, 0);
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
