//! What another pipeline emitted is passed on as it is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use senseops_core::{Batch, Chunk, Event, LabelSet, Outcome, Timestamp, sink_fn};
use senseops_engine::{Delivery, Only, Overflow, Pipeline, PipelineSettings, Tapped};
use tokio::time::timeout;

use crate::support::{Scripted, from, numbered, run, source_fn, unpackable, until};

/// Two events of one moment, as another pipeline emitted them.
fn forwarded() -> Chunk {
    let labels = Arc::new(LabelSet::from_iter([("host", "sense1")]));
    let event = |number| {
        let time = Timestamp::from_nanos(1_700_000_000_000_000_000);
        Event { labels: Arc::clone(&labels), ..numbered(number) }.at(time)
    };
    Chunk::new("udp.users", [1, 2].map(event))
}

#[tokio::test(start_paused = true)]
async fn identity_time_labels_and_source_stay_whoever_forwards_and_the_forwarder_counts() {
    let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let sink = sink_fn(move |batch: Batch| {
        kept.lock().unwrap().extend(batch.iter().cloned());
        std::future::ready(Ok(()))
    });
    let (by_source, chunk) = (forwarded(), forwarded());
    let source = {
        let chunk = by_source.clone();
        source_fn(move |_, cx| {
            let chunk = chunk.clone();
            async move {
                assert_eq!(cx.emitter.forward(chunk).await.outcome().await, Outcome::Stored);
                cx.shutdown.requested().await;
                Ok(())
            }
        })
    };
    let not_named = Arc::new(Scripted::willing());
    let built = Pipeline::builder()
        .labels(LabelSet::from_iter([("env", "prod"), ("host", "centre")]))
        .source("sos.centre", source)
        .sink_with("users", from(["udp.users"]), sink)
        .sink_with("centre", from(["sos.centre", "embedder"]), Arc::clone(&not_named));
    let pipeline = built.build().await.unwrap();
    let mut tap = pipeline.handle().tap(Only { sources: vec!["udp.*".into()], ..Only::default() });
    let summary = run(pipeline, async |handle| {
        until(&handle, |view| view.sources[0].emitted == 2).await;
        assert_eq!(handle.forward(chunk.clone()).await.outcome().await, Outcome::Stored);
        let nothing = Chunk::new("udp.users", []);
        assert_eq!(handle.forward(nothing).await.outcome().await, Outcome::Stored);
    })
    .await;
    let expected: Vec<_> = by_source.events.iter().chain(&*chunk.events).cloned().collect();
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(not_named.log.sizes(), Vec::<usize>::new());
    let counted = (summary.view.sources[0].emitted, summary.view.embedder.emitted);
    assert_eq!((counted, summary.view.sinks[0].delivered), ((2, 2), 4));
    let Some(Tapped::Events { source, events }) = tap.next().await else { panic!("nothing shown") };
    assert_eq!((source.as_str(), &events[..]), ("udp.users", &expected[..2]));
}

#[tokio::test(start_paused = true)]
async fn what_is_forwarded_waits_for_room_and_is_lost_if_nobody_waits_for_it_any_longer() {
    let mut slow = Scripted::willing();
    slow.takes = Duration::from_secs(10);
    let slow = Arc::new(slow);
    let mut settings = PipelineSettings { shutdown_timeout: "1h".parse().unwrap(), ..Default::default() };
    settings.journal.max_bytes = Some("64KiB".parse().unwrap());
    let delivery = Delivery { overflow: Overflow::Block, ..Delivery::default() };
    let built = Pipeline::builder().settings(settings).sink_with("slow", delivery, Arc::clone(&slow));
    let summary = run(built.build().await.unwrap(), async |handle| {
        let chunk = |number| Chunk::new("udp.users", [unpackable(number)]);
        let mut number = 0;
        // Less than the ten seconds of a write.
        while timeout(Duration::from_secs(1), handle.forward(chunk(number))).await.is_ok() {
            number += 1;
        }
        assert_eq!((handle.view().embedder.emitted, handle.view().embedder.lost), (number.unsigned_abs(), 1));
        assert_eq!(handle.forward(chunk(number)).await.outcome().await, Outcome::Stored);
    })
    .await;
    let emitted = i64::try_from(summary.view.embedder.emitted).unwrap();
    assert_eq!(slow.log.written(), (0..emitted).collect::<Vec<_>>());
}
