//! What targets refuse is kept, and replayed to whom it was meant for.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use senseops_core::{Batch, Event, Rejection, WriteError, sink_fn};
use senseops_engine::dead_letters::{ReplayError, ReplayFilter, list};
use senseops_engine::{Builder, Pipeline, PipelineSettings};

use crate::support::{Scripted, emit, number, numbers, run, until};

fn keeping(state_dir: &Path) -> Builder {
    let state_dir = Some(state_dir.to_owned());
    Pipeline::builder().settings(PipelineSettings { state_dir, ..PipelineSettings::default() })
}

/// Refuses odd numbers as long as it is told to.
fn picky(refuses: &Arc<AtomicBool>) -> Arc<Scripted> {
    let refuses = Arc::clone(refuses);
    Arc::new(Scripted::new(move |_, batch| {
        let odd = batch.iter().enumerate().filter(|(_, event)| number(event) % 2 == 1);
        let refused: Vec<_> = odd.map(|(index, _)| Rejection { index, reason: "odd".into() }).collect();
        if refused.is_empty() || !refuses.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(WriteError::Partial { retry: Vec::new(), refused })
        }
    }))
}

#[tokio::test]
async fn refused_events_are_kept_and_replayed_to_the_sink_that_refused_them() {
    let dir = tempfile::tempdir().unwrap();
    let refuses = Arc::new(AtomicBool::new(true));
    let (sink, other) = (picky(&refuses), Arc::new(Scripted::willing()));
    let pipeline = keeping(dir.path())
        .sink("picky", Arc::clone(&sink))
        .sink("other", Arc::clone(&other))
        .build()
        .await
        .unwrap();
    let summary = run(pipeline, async |handle| {
        emit(&handle, 0..10).await;
        until(&handle, |view| view.sinks[0].refused == 5 && view.sinks[1].delivered == 10).await;
        let letters = handle.dead_letters().unwrap();
        assert_eq!(letters, dir.path().join("dead-letters"));
        assert_eq!(list(&letters).unwrap().entries[0].events, 5);
        let said = handle.health().remove(0).1.reason().to_owned();
        assert_eq!(said, format!("the target refuses events: odd; they are kept in {}", letters.display()));

        refuses.store(false, Ordering::Relaxed);
        let replayed = handle.replay(ReplayFilter::default()).await.unwrap();
        assert_eq!(replayed.events, 5);
        until(&handle, |view| view.sinks[0].delivered == 10).await;
        assert_eq!(list(&letters).unwrap().entries, []);
    })
    .await;
    assert_eq!(summary.view.sinks[0].dead_letters, 5);
    let mut written = sink.log.written();
    written.sort_unstable();
    assert_eq!(written, (0..10).collect::<Vec<_>>());
    assert_eq!(other.log.written(), (0..10).collect::<Vec<_>>(), "it had them before");
}

#[tokio::test]
async fn a_replayed_event_is_the_same_event() {
    let dir = tempfile::tempdir().unwrap();
    let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
    let log = Arc::clone(&seen);
    let sink = sink_fn(move |batch: Batch| {
        let mut seen = log.lock().unwrap();
        let is_first = seen.is_empty();
        seen.extend(batch.iter().cloned());
        async move { if is_first { Err(WriteError::Split("at first".into())) } else { Ok(()) } }
    });
    let mut settings = PipelineSettings { state_dir: Some(dir.path().into()), ..PipelineSettings::default() };
    settings.labels.set("qs_env", "prod");
    let pipeline = Pipeline::builder().settings(settings).sink("shy", sink).build().await.unwrap();
    run(pipeline, async |handle| {
        emit(&handle, [7]).await;
        until(&handle, |view| view.sinks[0].refused == 1).await;
        handle.replay(ReplayFilter { sink: Some("shy".into()) }).await.unwrap();
        until(&handle, |view| view.sinks[0].delivered == 1).await;
    })
    .await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[1].labels.to_string(), "qs_env=prod");
}

#[tokio::test]
async fn what_is_refused_by_halving_is_kept_too_and_costs_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let sink = Arc::new(Scripted::new(|_, batch| {
        let is_poisoned = numbers(batch).iter().any(|number| [3, 77].contains(number));
        if is_poisoned { Err(WriteError::Split("type conflict".into())) } else { Ok(()) }
    }));
    let pipeline = keeping(dir.path()).sink("strict", Arc::clone(&sink)).build().await.unwrap();
    let summary = run(pipeline, async |handle| emit(&handle, 0..100).await).await;
    assert_eq!((summary.view.sinks[0].delivered, summary.view.sinks[0].dead_letters), (98, 2));
    let summed = list(&dir.path().join("dead-letters")).unwrap().entries;
    assert_eq!(summed.len(), 1);
    assert_eq!((summed[0].reason.as_str(), summed[0].events), ("type conflict", 2));
}

#[tokio::test]
async fn letters_of_a_sink_that_is_gone_stay_and_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let refuses = Arc::new(AtomicBool::new(true));
    let pipeline = keeping(dir.path()).sink("picky", picky(&refuses)).build().await.unwrap();
    run(pipeline, async |handle| emit(&handle, 0..4).await).await;

    let pipeline = keeping(dir.path()).sink("new", Arc::new(Scripted::willing())).build().await.unwrap();
    run(pipeline, async |handle| {
        let replayed = handle.replay(ReplayFilter::default()).await.unwrap();
        assert_eq!((replayed.events, replayed.absent_sinks), (0, ["picky".to_owned()].into()));
    })
    .await;
    assert_eq!(list(&dir.path().join("dead-letters")).unwrap().entries[0].events, 2);
}

#[tokio::test]
async fn without_a_directory_refused_events_are_counted_only() {
    let refuses = Arc::new(AtomicBool::new(true));
    let pipeline = Pipeline::builder().sink("picky", picky(&refuses)).build().await.unwrap();
    let summary = run(pipeline, async |handle| {
        emit(&handle, 0..4).await;
        let replayed = handle.replay(ReplayFilter::default()).await;
        assert!(matches!(replayed, Err(ReplayError::NotKept)), "{replayed:?}");
    })
    .await;
    assert_eq!((summary.view.sinks[0].refused, summary.view.sinks[0].dead_letters), (2, 0));
    assert_eq!((summary.view.dead_letters.path, summary.view.dead_letters.not_kept), (None, 2));
}

#[tokio::test]
async fn a_pipeline_that_has_ended_leaves_its_state_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let first = keeping(dir.path()).sink("all", Arc::new(Scripted::willing())).build().await.unwrap();
    let handle = first.handle();
    first.run_until(async {}).await;
    keeping(dir.path()).sink("all", Arc::new(Scripted::willing())).build().await.unwrap();
    assert!(handle.dead_letters().is_some(), "the handle of the first is still there");
}
