//! Stopping: sources first, then sinks, all within the shutdown time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use senseops_core::{Outcome, WriteError};
use senseops_engine::{Pipeline, PipelineSettings};
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

#[tokio::test]
async fn a_source_that_blocks_its_thread_cannot_hold_up_the_end() {
    #[expect(clippy::disallowed_methods, reason = "that is the mistake")]
    let source = source_fn(|_, _| async {
        std::thread::sleep(Duration::from_mins(5));
        Ok(())
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let begin = std::time::Instant::now();
    let aborted = runtime.spawn(async {
        let settings =
            PipelineSettings { shutdown_timeout: "200ms".parse().unwrap(), ..PipelineSettings::default() };
        let pipeline = Pipeline::builder().settings(settings).source("stuck", source).build().await.unwrap();
        pipeline.run_until(tokio::time::sleep(Duration::from_millis(50))).await.aborted
    });
    assert_eq!(aborted.await.unwrap(), ["stuck"]);
    assert!(begin.elapsed() < Duration::from_mins(4), "{:?}", begin.elapsed());
    runtime.shutdown_background();
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_sinks_drain_is_refused_and_counted() {
    let mut slow = Scripted::willing();
    slow.takes = Duration::from_secs(2);
    let pipeline = Pipeline::builder()
        .sink("slow", Arc::new(slow))
        .sink("fast", Arc::new(Scripted::willing()))
        .build()
        .await
        .unwrap();
    let handle = pipeline.handle();
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        handle.emit(vec![numbered(9)]).await.outcome().await
    };
    let (summary, outcome) = tokio::join!(run(pipeline, async |handle| emit(&handle, 0..5).await), late);
    assert_eq!(outcome, Outcome::Lost);
    assert_eq!((summary.view.embedder.emitted, summary.view.embedder.lost), (5, 1));
    assert!(summary.view.sinks.iter().all(|sink| sink.delivered == 5));
}
