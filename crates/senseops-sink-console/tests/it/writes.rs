//! What is written, and what happens when it cannot be.

use std::io::ErrorKind;
use std::sync::Arc;

use senseops_core::{
    Batch, Body, Build, Event, EventId, Fields, Kind, LabelSet, Plugin, Record, Severity, Sink, Timestamp,
    WriteError, chain,
};
use senseops_sink_console::{ConsoleConfig, ConsoleSink, Format};

use crate::paper::{Fault, Paper};

fn batch() -> Batch {
    let labels = Arc::new(LabelSet::from_iter([("host", "sense1")]));
    let event = |number: i64| {
        let fields =
            Fields::default().with("user_id", "bo berg").with("number", number).with("ratio", f64::NAN);
        let record = Record { severity: Severity::Warning, message: "a\nb".into(), fields };
        let mut event = Event::new(Kind::new("demo.record"), &labels, Body::Record(record));
        event.id = EventId::keyed("test", &number.to_be_bytes());
        event.at(Timestamp::from_nanos(1_700_000_000_000_000_000 + number))
    };
    Batch::from(vec![event(1), event(2)])
}

async fn written(format: Format) -> (String, usize) {
    let paper = Paper::default();
    ConsoleSink::to(paper.clone(), format).write(&batch()).await.unwrap();
    paper.text()
}

#[tokio::test]
async fn pretty_writes_a_line_per_event_and_flushes_once() {
    let (text, flushes) = written(Format::Pretty).await;
    insta::assert_snapshot!(text, @r#"
    2023-11-14T22:13:20.000Z warning  demo.record          {host=sense1} "a\nb" user_id="bo berg" number=1 ratio=NaN
    2023-11-14T22:13:20.000Z warning  demo.record          {host=sense1} "a\nb" user_id="bo berg" number=2 ratio=NaN
    "#);
    assert_eq!(flushes, 1);
}

#[tokio::test]
async fn json_writes_an_object_per_line_with_everything_that_the_event_holds() {
    let (text, flushes) = written(Format::Json).await;
    insta::assert_snapshot!(text, @r#"
    {"id":"9688c3bc-b581-8c16-ba87-81e0ebf23b25","time":"2023-11-14T22:13:20.000000001Z","kind":"demo.record","shape":"record","labels":{"host":"sense1"},"severity":"warning","message":"a\nb","fields":{"user_id":"bo berg","number":1,"ratio":null}}
    {"id":"b324f463-fe07-8efa-b2c9-c9d5e060bbc6","time":"2023-11-14T22:13:20.000000002Z","kind":"demo.record","shape":"record","labels":{"host":"sense1"},"severity":"warning","message":"a\nb","fields":{"user_id":"bo berg","number":2,"ratio":null}}
    "#);
    assert_eq!(flushes, 1);
}

#[tokio::test]
async fn a_reader_that_is_gone_does_not_come_back_soon() {
    let paper = Paper::default();
    let sink = ConsoleSink::to(paper.clone(), Format::Json);
    paper.fail(Fault::Error(ErrorKind::BrokenPipe));
    let error = sink.write(&batch()).await.unwrap_err();
    assert!(matches!(error, WriteError::Denied(_)), "{error:?}");
    insta::assert_snapshot!(chain(&error), @"target denied the write: broken pipe");
}

#[tokio::test]
async fn a_full_disk_may_have_room_again() {
    let paper = Paper::default();
    let sink = ConsoleSink::to(paper.clone(), Format::Pretty);
    paper.fail(Fault::Error(ErrorKind::StorageFull));
    let error = sink.write(&batch()).await.unwrap_err();
    assert!(matches!(error, WriteError::Unavailable { retry_after: None, .. }), "{error:?}");
    paper.fail(Fault::None);
    sink.write(&batch()).await.unwrap();
    assert_eq!(paper.text().0.lines().count(), 2);
}

#[tokio::test]
async fn a_configuration_plans_one_sink_for_standard_output() {
    let planned = ConsoleConfig { format: Format::Json }.plan().unwrap();
    assert_eq!(planned.iter().map(|sink| sink.part.clone()).collect::<Vec<_>>(), [None]);
    let sink = planned[0].factory.build(Build::detached("console.screen")).await.unwrap();
    sink.write(&Batch::from(Vec::new())).await.unwrap();
}

#[tokio::test]
async fn a_factory_builds_again_and_again() {
    let config = ConsoleConfig::default();
    for _ in 0..2 {
        let sink = config.build(Build::detached("console.screen")).await.unwrap();
        assert!(sink.accepts().kind(Kind::new("anything.at.all")));
    }
}
