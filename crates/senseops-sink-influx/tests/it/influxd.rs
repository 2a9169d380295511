//! What a real InfluxDB has after the sink has written.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::sync::Arc;

use senseops_core::{Batch, Body, Build, Event, Fields, Kind, LabelSet, Sink, Timestamp};
use senseops_testkit::{Influxd, InfluxdOptions};
use serde_json::{Value, json};

use crate::events::{NOW, delivered, sample, sink};

async fn started(options: InfluxdOptions, retention: &Value) -> (Influxd, Arc<dyn Sink>) {
    let influxd = Influxd::start(options.clone()).await.unwrap();
    // The limit of a body counts it as sent.
    let gzip = if options.max_body_bytes.is_some() { "off" } else { "on" };
    let mut config = json!({ "url": influxd.url(), "gzip": gzip, "retention_policy": retention });
    if let Some((username, password)) = options.login {
        config["username"] = username.into();
        config["password"] = password.into();
    }
    let sink = sink(Build::detached("influx.main"), &config).await;
    (influxd, sink)
}

async fn indexes_refused(sink: &dyn Sink, events: Vec<Event>) -> (Vec<usize>, usize) {
    let (refused, writes) = delivered(sink, &Batch::from(events)).await;
    (refused.into_iter().map(|rejection| rejection.index).collect(), writes)
}

/// What a probe says, whichever InfluxDB 1 is installed.
async fn probed(sink: &dyn Sink) -> String {
    let said = sink.probe().await.unwrap().unwrap();
    let (product, state) = said.split_once(", ").unwrap();
    assert!(product.starts_with("InfluxDB 1."), "{product}");
    format!("InfluxDB 1.x, {state}")
}

#[tokio::test]
async fn values_come_back_as_they_were() {
    let (influxd, sink) = started(InfluxdOptions::default(), &Value::Null).await;
    let labels = LabelSet::from_iter([
        ("host", "sense 1"),
        ("user", "LAB\\bo berg"),
        ("path", "C:\\"),
        ("tricky", "a\\,b\\ c\\=d,\"e\" =f\\\\x"),
        ("key, = \\x", "value"),
        ("lines", "two\nlines"),
    ]);
    let fields = Fields::default()
        .with("whole", i64::MIN)
        .with("large", u64::MAX)
        .with("load", -1e-300)
        .with("huge", f64::MAX)
        .with("up", true)
        .with("text", "two\nlines, \"quoted\" C:\\temp\\")
        .with("none", "")
        .with("key, = \\x", 1)
        .with("time", 2);
    let event = Event::new(Kind::new("third.party, = x"), &Arc::new(labels), Body::Measurement(fields));
    // A line that begins where a mistake in the last one would show.
    let batch = Batch::from(vec![event.at(Timestamp::from_nanos(NOW + 1)), sample("after", 0, "load", 0.5)]);
    sink.write(&batch).await.unwrap();

    let answer = influxd.query("senseops", "SELECT * FROM \"third_party, = x\"").await.unwrap();
    let series = &answer["results"][0]["series"][0];
    let columns = series["columns"].as_array().unwrap().iter().map(|column| column.as_str().unwrap());
    let values = series["values"][0].as_array().unwrap();
    let row: Vec<_> = columns.zip(values).map(|(column, value)| format!("{column}: {value}\n")).collect();
    insta::assert_snapshot!(row.concat(), @r#"
    time: 1795186650000000001
    host: "sense 1"
    huge: 1.7976931348623157e+308
    key, = _x: 1
    key, = _x_1: "value"
    large: 9223372036854775807
    lines: "two lines"
    load: -1e-300
    none: ""
    path: "C:"
    text: "two\nlines, \"quoted\" C:\\temp\\"
    time_: 2
    tricky: "a\\,b\\ c\\=d,\"e\" =f\\\\x"
    up: true
    user: "LAB\\bo berg"
    whole: -9223372036854775808
    "#);
    let rows = influxd.rows("senseops", "SELECT load FROM after WHERE host = 'sense 1'").await.unwrap();
    assert_eq!(rows, [[json!(NOW), json!(0.5)]]);
}

#[tokio::test]
async fn writing_twice_stores_once() {
    let (influxd, sink) = started(InfluxdOptions::default(), &Value::Null).await;
    let batch = Batch::from((0..10).map(|at| sample("m", at, "load", 1)).collect::<Vec<_>>());
    sink.write(&batch).await.unwrap();
    sink.write(&batch).await.unwrap();
    assert_eq!(influxd.rows("senseops", "SELECT count(load) FROM m").await.unwrap()[0][1], 10);
}

#[tokio::test]
async fn the_database_is_created_with_its_retention_policy_and_with_a_login() {
    let login = Some(("admin".to_owned(), "pass'wörd".to_owned()));
    let retention = json!({ "name": "10 \"d\"", "duration": "10d" });
    let (influxd, sink) = started(InfluxdOptions { login, ..InfluxdOptions::default() }, &retention).await;
    assert_eq!(probed(&*sink).await, "InfluxDB 1.x, database senseops will be created");
    sink.write(&Batch::from(vec![sample("m", 0, "load", 1).at(Timestamp::now())])).await.unwrap();
    let policies = influxd.rows("senseops", "SHOW RETENTION POLICIES").await.unwrap();
    assert_eq!(policies, [[json!("10 \"d\""), json!("240h0m0s"), json!("24h0m0s"), json!(1), json!(true)]]);
    assert_eq!(probed(&*sink).await, "InfluxDB 1.x, database senseops exists");
}

#[tokio::test]
async fn a_database_that_was_dropped_is_created_again() {
    let (influxd, sink) = started(InfluxdOptions::default(), &Value::Null).await;
    let batch = Batch::from(vec![sample("m", 0, "load", 1)]);
    sink.write(&batch).await.unwrap();
    influxd.query("", "DROP DATABASE senseops").await.unwrap();
    sink.write(&batch).await.unwrap();
    assert_eq!(influxd.rows("senseops", "SELECT load FROM m").await.unwrap().len(), 1);
}

/// The answer names field and types, so two writes are enough, however many points are refused.
#[tokio::test]
async fn points_with_another_type_are_refused_and_no_others() {
    let (influxd, sink) = started(InfluxdOptions::default(), &Value::Null).await;
    sink.write(&Batch::from(vec![sample("m", -1, "load", 0.5)])).await.unwrap();
    let events = (0..100)
        .map(|at| if at % 7 == 0 { sample("m", at, "load", at) } else { sample("m", at, "load", 0.5) });
    let (refused, writes) = indexes_refused(&*sink, events.collect()).await;
    assert_eq!(refused, (0..100).step_by(7).collect::<Vec<_>>());
    assert_eq!(writes, 2);
    assert_eq!(influxd.rows("senseops", "SELECT count(load) FROM m").await.unwrap()[0][1], 86);
}

#[tokio::test]
async fn conflicts_of_several_fields_are_told_apart() {
    let (influxd, sink) = started(InfluxdOptions::default(), &Value::Null).await;
    sink.write(&Batch::from(vec![sample("m", -2, "load", 0.5), sample("n", -1, "text", "x")])).await.unwrap();
    let events = (0..20).map(|at| match at {
        3 | 11 => sample("m", at, "load", 1),
        5 | 11.. => sample("n", at, "text", true),
        _ => sample("m", at, "load", 0.5),
    });
    let (refused, _) = indexes_refused(&*sink, events.collect()).await;
    assert_eq!(refused, [3, 5].into_iter().chain(11..20).collect::<Vec<_>>());
    assert_eq!(influxd.rows("senseops", "SELECT count(load) FROM m").await.unwrap()[0][1], 10);
}

#[tokio::test]
async fn points_beyond_the_retention_policy_are_refused_and_no_others() {
    let (influxd, sink) =
        started(InfluxdOptions::default(), &json!({ "name": "day", "duration": "1d" })).await;
    let now = Timestamp::now().as_nanos();
    let event = |at: i64| {
        let age = if [2, 3, 30].contains(&at) { 30 * 24 * 3_600_000_000_000 } else { 0 };
        sample("m", 0, "load", at).at(Timestamp::from_nanos(now - age + at))
    };
    let (refused, _) = indexes_refused(&*sink, (0..40).map(event).collect()).await;
    assert_eq!(refused, [2, 3, 30]);
    assert_eq!(influxd.rows("senseops", "SELECT count(load) FROM m").await.unwrap()[0][1], 37);
}

#[tokio::test]
async fn a_line_that_cannot_be_parsed_is_refused_by_name() {
    let (influxd, sink) = started(InfluxdOptions::default(), &Value::Null).await;
    let mut events: Vec<_> = (0..50).map(|at| sample("m", at, "load", 1)).collect();
    let mut endless = sample("m", 50, "load", 1);
    endless.labels = Arc::new(LabelSet::from_iter([("text", "x".repeat(70_000))]));
    events.insert(20, endless);
    let (refused, writes) = indexes_refused(&*sink, events).await;
    assert_eq!((refused, writes), (vec![20], 1));
    assert_eq!(influxd.rows("senseops", "SELECT count(load) FROM m").await.unwrap()[0][1], 50);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved() {
    let options = InfluxdOptions { max_body_bytes: Some(2000), ..InfluxdOptions::default() };
    let (influxd, sink) = started(options, &Value::Null).await;
    let events: Vec<_> = (0..200).map(|at| sample("m", at, "load", 1)).collect();
    let (refused, writes) = indexes_refused(&*sink, events).await;
    assert_eq!(refused, Vec::<usize>::new());
    assert!(writes > 1);
    assert_eq!(influxd.rows("senseops", "SELECT count(load) FROM m").await.unwrap()[0][1], 200);
}
