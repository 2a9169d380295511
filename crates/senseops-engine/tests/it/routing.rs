//! Which events a sink gets, and with which labels.

use std::sync::Arc;

use senseops_core::host::IntoComponents;
use senseops_core::{Accepts, Batch, Sink, sink_fn};
use senseops_engine::{Only, Pipeline, SourceOptions};

use crate::support::{Scripted, emit, numbered, run, source_fn};

#[tokio::test(start_paused = true)]
async fn a_sink_gets_only_what_it_accepts_and_its_cursor_moves_over_the_rest() {
    let mut picky = Scripted::willing();
    picky.accepts = Accepts::kinds(["qlik.*"]);
    let picky = Arc::new(picky);
    let pipeline = Pipeline::builder().sink("picky", Arc::clone(&picky)).build().await.unwrap();
    let summary = run(pipeline, async |handle| emit(&handle, 0..5).await).await;
    assert_eq!(picky.log.sizes(), Vec::<usize>::new());
    assert_eq!(summary.view.undelivered(), 0);
}

#[tokio::test(start_paused = true)]
async fn only_narrows_a_sink_to_sources_and_labels_are_merged_under_those_of_the_origin() {
    let emitting = |number: i64| {
        source_fn(move |_, cx| async move {
            cx.emitter.emit(vec![numbered(number)]).await.ignore();
            cx.shutdown.requested().await;
            Ok(())
        })
    };
    let labelled = |name: &str| {
        let labels = [("component", name), ("qs_env", "component")].into_iter().collect();
        SourceOptions { labels, ..SourceOptions::default() }
    };
    let (lines, sink) = line_collector();
    let pipeline = Pipeline::builder()
        .labels([("qs_env", "pipeline"), ("site", "north")].into_iter().collect())
        .source_with("udp.users", labelled("udp.users"), emitting(1))
        .source_with("udp.logs", labelled("udp.logs"), emitting(2))
        .sink_with("narrow", only("udp.users"), sink)
        .build()
        .await
        .unwrap();
    run(pipeline, async |_| tokio::time::sleep(std::time::Duration::from_secs(1)).await).await;
    assert_eq!(*lines.lock().unwrap(), ["component=udp.users,qs_env=component,site=north n=1"]);
}

fn only(source: &str) -> Only {
    Only { sources: vec![source.to_owned()], ..Only::default() }
}

fn line_collector() -> (Arc<std::sync::Mutex<Vec<String>>>, impl IntoComponents<Arc<dyn Sink>>) {
    let lines = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let sink = sink_fn(move |batch: Batch| {
        let mut lines = kept.lock().unwrap();
        lines.extend(batch.iter().map(|event| format!("{} {}", event.labels, event.fields())));
        std::future::ready(Ok(()))
    });
    (lines, sink)
}
