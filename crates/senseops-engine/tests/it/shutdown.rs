//! Stopping: sources first, then sinks, all within the shutdown time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use senseops_core::WriteError;
use senseops_engine::Pipeline;
use tokio::time::Instant;

use crate::support::{Scripted, emit, numbered, run, source_fn};

#[tokio::test(start_paused = true)]
async fn what_a_source_emits_while_it_stops_is_delivered_and_the_sink_is_closed() {
    let source = source_fn(|_, cx| async move {
        cx.shutdown.requested().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        cx.emitter.emit(vec![numbered(7)]).await.ignore();
        Ok(())
    });
    let sink = Arc::new(Scripted::willing());
    let pipeline =
        Pipeline::builder().source("late", source).sink("all", Arc::clone(&sink)).build().await.unwrap();
    let summary = run(pipeline, async |_| {}).await;
    assert_eq!(sink.log.written(), [7]);
    assert_eq!(sink.log.closed.load(Ordering::Relaxed), 1);
    assert_eq!(summary.aborted, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_stop_is_aborted_in_time_for_the_sinks() {
    let source = source_fn(|_, _| std::future::pending());
    let sink = Arc::new(Scripted::willing());
    let pipeline =
        Pipeline::builder().source("deaf", source).sink("all", Arc::clone(&sink)).build().await.unwrap();
    let begin = Instant::now();
    let summary = run(pipeline, async |handle| emit(&handle, 0..5).await).await;
    assert_eq!(summary.aborted, ["deaf"]);
    assert_eq!(sink.log.written(), [0, 1, 2, 3, 4]);
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_stays_down_cannot_hold_up_the_end_and_what_is_left_is_told() {
    let sink = Arc::new(Scripted::new(|_, _| Err(WriteError::unavailable("down"))));
    let pipeline = Pipeline::builder().sink("down", Arc::clone(&sink)).build().await.unwrap();
    let begin = Instant::now();
    let summary = run(pipeline, async |handle| {
        emit(&handle, 0..5).await;
        tokio::time::sleep(Duration::from_mins(5)).await;
    })
    .await;
    assert_eq!(summary.aborted, ["down"]);
    assert_eq!(summary.view.undelivered(), 5);
    assert!(begin.elapsed() < Duration::from_mins(5) + Duration::from_secs(11));
}

#[tokio::test(start_paused = true)]
async fn a_pause_between_attempts_is_cut_short_by_the_end() {
    let sink = Arc::new(Scripted::new(|attempt, _| match attempt {
        0 => Err(WriteError::Denied("not yet".into())),
        _ => Ok(()),
    }));
    let pipeline = Pipeline::builder().sink("strict", Arc::clone(&sink)).build().await.unwrap();
    let begin = Instant::now();
    let summary = run(pipeline, async |handle| {
        emit(&handle, [1]).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    })
    .await;
    assert_eq!(summary.view.undelivered(), 0);
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}
