//! A real InfluxDB goes away under load and comes back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use senseops::{Body, Event, Fields, Kind, LabelSet, Outcome, Record, Severity, Timestamp};
use senseops_testkit::{Influxd, InfluxdOptions};
use tokio::time::{Instant, sleep};

use crate::support::{plan, run, until};

const MAX_BYTES: u64 = 64 << 20;

fn numbered(number: i64) -> Event {
    let labels = Arc::new(LabelSet::from_iter([("host", format!("sense{}", number % 10))]));
    let fields = Fields::default().with("n", number);
    let record = Record { severity: Severity::Info, message: "load".into(), fields };
    // Times of their own, so that each number is a point of its own whenever it is written.
    let base = Timestamp::now().as_nanos() / 1_000_000_000 * 1_000_000_000;
    Event::new(Kind::new("test.load"), &labels, Body::Record(record)).at(Timestamp::from_nanos(base + number))
}

/// A configuration needs a source; these tests emit themselves, as a host program would.
const IDLE_SOURCE: &str = "sources: { udp: { idle: { listen: '127.0.0.1:0', allow: [ 127.0.0.1 ] } } }\n";

/// Emits before InfluxDB is stopped, while it is away and when it is back, then asks it for everything.
async fn restarted_under_load(journal: &str, checkpoint: Outcome) {
    let mut influxd = Influxd::start(InfluxdOptions::default()).await.unwrap();
    let yaml = format!(
        "pipeline: {{ journal: {{ {journal}max_bytes: 64MiB }} }}\n{}\
         sinks: {{ influx: {{ target: {{ url: '{}', database: senseops, delivery: {{ retry: {{ max: 1s }} }} }} }} }}\n",
        IDLE_SOURCE,
        influxd.url()
    );
    let mut accepted = 0;
    let mut most_bytes = 0;
    let summary = run(plan(&yaml), async |handle| {
        let mut load = async |time: Duration| {
            let begin = Instant::now();
            while begin.elapsed() < time {
                let chunk = (accepted..accepted + 50).map(numbered).collect();
                accepted += 50;
                assert_eq!(handle.emit(chunk).await.outcome().await, checkpoint);
                most_bytes = most_bytes.max(handle.view().journal.bytes);
                sleep(Duration::from_millis(2)).await;
            }
        };
        load(Duration::from_secs(1)).await;
        influxd.stop().await;
        load(Duration::from_secs(2)).await;
        assert!(handle.view().sinks[0].lag_events > 0, "the load went on while the target was away");
        influxd.start_again().await.unwrap();
        load(Duration::from_secs(1)).await;
        until(&handle, |view| view.sinks[0].lag_events == 0).await;
    })
    .await;
    assert!(most_bytes <= MAX_BYTES, "{most_bytes}");
    let sink = &summary.view.sinks[0];
    assert_eq!((sink.refused, sink.discarded), (0, 0));
    assert!(sink.retries > 0, "{sink:?}");
    let rows =
        influxd.rows("senseops", "SELECT count(n), min(n), max(n), sum(n) FROM test_load").await.unwrap();
    let found: Vec<i64> = rows[0][1..].iter().map(|value| value.as_i64().unwrap()).collect();
    assert_eq!(found, [accepted, 0, accepted - 1, accepted * (accepted - 1) / 2]);
}

#[tokio::test]
async fn a_restarted_influxdb_misses_nothing_with_a_journal_in_memory() {
    restarted_under_load("", Outcome::Stored).await;
}

#[tokio::test]
async fn a_restarted_influxdb_misses_nothing_with_a_journal_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path: &Path = dir.path();
    restarted_under_load(&format!("path: {path:?}, "), Outcome::Stored).await;
}

#[tokio::test]
async fn of_a_mixed_chunk_only_the_point_that_influxdb_refuses_is_lost() {
    let influxd = Influxd::start(InfluxdOptions::default()).await.unwrap();
    let yaml = format!(
        "{}sinks: {{ influx: {{ target: {{ url: '{}', database: senseops }} }} }}\n",
        IDLE_SOURCE,
        influxd.url()
    );
    let conflicting = |number: i64| {
        let labels = Arc::new(LabelSet::default());
        // InfluxDB fixes the type of a field with its first point.
        let fields = match number {
            13 => Fields::default().with("n", "thirteen"),
            _ => Fields::default().with("n", number),
        };
        Event::new(Kind::new("test.mixed"), &labels, Body::Measurement(fields))
    };
    let summary = run(plan(&yaml), async |handle| {
        handle.emit(vec![conflicting(0)]).await.ignore();
        until(&handle, |view| view.sinks[0].delivered == 1).await;
        handle.emit((1..40).map(conflicting).collect()).await.ignore();
        until(&handle, |view| view.sinks[0].lag_events == 0).await;
    })
    .await;
    assert_eq!((summary.view.sinks[0].delivered, summary.view.sinks[0].refused), (39, 1));
    let rows = influxd.rows("senseops", "SELECT n FROM test_mixed").await.unwrap();
    let found: Vec<i64> = rows.iter().map(|row| row[1].as_i64().unwrap()).collect();
    assert_eq!(found, (0..40).filter(|n| *n != 13).collect::<Vec<_>>());
}
