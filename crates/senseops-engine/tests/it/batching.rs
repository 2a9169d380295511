//! When a batch is full, or old enough.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use senseops_engine::{Delivery, Pipeline};
use tokio::time::Instant;

use crate::support::{CHUNK_BYTES, Scripted, emit, numbered, run, until};

const THREE: NonZeroUsize = NonZeroUsize::new(3).unwrap();
const TEN: NonZeroUsize = NonZeroUsize::new(10).unwrap();

#[tokio::test(start_paused = true)]
async fn batches_hold_at_most_max_events_whatever_the_chunks() {
    let sink = Arc::new(Scripted::willing());
    let delivery = Delivery { max_events: TEN, ..Delivery::default() };
    let pipeline = Pipeline::builder().sink_with("ten", delivery, Arc::clone(&sink)).build().await.unwrap();
    run(pipeline, async |handle| {
        emit(&handle, 0..3).await;
        handle.emit((3..40).map(numbered).collect()).await.ignore();
        until(&handle, |view| view.sinks[0].delivered == 40).await;
    })
    .await;
    assert_eq!(sink.log.sizes(), [10, 10, 10, 10]);
    assert_eq!(sink.log.written(), (0..40).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn batches_hold_at_most_max_bytes_but_always_one_event() {
    let sink = Arc::new(Scripted::willing());
    let one = numbered(0).bytes() + CHUNK_BYTES / 10 + 1;
    let delivery = Delivery { max_bytes: format!("{}B", one * 4).parse().unwrap(), ..Delivery::default() };
    let tiny = Arc::new(Scripted::willing());
    let less_than_one = Delivery { max_bytes: "1B".parse().unwrap(), ..Delivery::default() };
    let pipeline = Pipeline::builder()
        .sink_with("four", delivery, Arc::clone(&sink))
        .sink_with("one", less_than_one, Arc::clone(&tiny))
        .build()
        .await
        .unwrap();
    run(pipeline, async |handle| handle.emit((0..10).map(numbered).collect()).await.ignore()).await;
    assert_eq!(sink.log.sizes(), [4, 4, 2]);
    assert_eq!(tiny.log.sizes(), [1; 10]);
}

#[tokio::test(start_paused = true)]
async fn after_a_quiet_time_an_event_goes_at_once_and_those_that_follow_wait_for_each_other() {
    let sink = Arc::new(Scripted::willing());
    let delivery = Delivery { max_age: "2s".parse().unwrap(), ..Delivery::default() };
    let pipeline =
        Pipeline::builder().sink_with("patient", delivery, Arc::clone(&sink)).build().await.unwrap();
    let begin = Instant::now();
    run(pipeline, async |handle| {
        for number in [1, 2, 3] {
            emit(&handle, [number]).await;
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
        until(&handle, |view| view.sinks[0].delivered == 3).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        emit(&handle, [4]).await;
        until(&handle, |view| view.sinks[0].delivered == 4).await;
    })
    .await;
    let attempts = sink.log.attempts();
    let seconds: Vec<_> =
        attempts.iter().map(|(at, numbers)| ((*at - begin).as_secs(), numbers.clone())).collect();
    assert_eq!(seconds, [(0, vec![1]), (2, vec![2, 3]), (7, vec![4])]);
}

#[tokio::test(start_paused = true)]
async fn writes_run_at_the_same_time_when_allowed_and_the_cursor_waits_for_the_first() {
    let mut sink = Scripted::willing();
    sink.takes = Duration::from_secs(10);
    let sink = Arc::new(sink);
    let delivery = Delivery { max_events: NonZeroUsize::MIN, max_in_flight: THREE, ..Delivery::default() };
    let pipeline = Pipeline::builder().sink_with("wide", delivery, Arc::clone(&sink)).build().await.unwrap();
    let begin = Instant::now();
    run(pipeline, async |handle| {
        emit(&handle, 0..6).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(sink.log.attempts().len(), 3);
        assert_eq!(handle.view().sinks[0].lag_events, 6);
        until(&handle, |view| view.sinks[0].delivered == 6).await;
    })
    .await;
    assert!(begin.elapsed() < Duration::from_secs(25), "two rounds of ten seconds");
}
