//! Which events a sink gets, and with which labels.

use std::sync::Arc;

use senseops_core::{Accepts, Batch, PlanSinks, PlanSources, sink_fn};
use senseops_engine::{Delivery, Only, Pipeline, Plan, SinkSpec, SourceSpec};

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
    let emitting = |name: &str, number: i64| SourceSpec {
        name: name.into(),
        labels: [("component", name), ("qs_env", "component")]
            .into_iter()
            .map(|(n, t)| (n, t.to_owned()))
            .collect(),
        rate_limit: None,
        components: source_fn(move |_, cx| async move {
            cx.emitter.emit(vec![numbered(number)]).await.ignore();
            cx.shutdown.requested().await;
            Ok(())
        })
        .plan_sources()
        .unwrap(),
    };
    let (lines, sink) = line_collector();
    let mut plan = Plan {
        sources: vec![emitting("udp.users", 1), emitting("udp.logs", 2)],
        sinks: vec![SinkSpec {
            name: "narrow".into(),
            only: only("udp.users"),
            delivery: Delivery::default(),
            components: sink,
        }],
        ..Plan::default()
    };
    plan.settings.labels = [("qs_env", "pipeline"), ("site", "north")].into_iter().collect();
    let pipeline = Pipeline::open(plan).await.unwrap();
    run(pipeline, async |_| tokio::time::sleep(std::time::Duration::from_secs(1)).await).await;
    assert_eq!(*lines.lock().unwrap(), ["component=udp.users,qs_env=component,site=north n=1"]);
}

fn only(source: &str) -> Only {
    Only { sources: vec![source.to_owned()], ..Only::default() }
}

fn line_collector() -> (Arc<std::sync::Mutex<Vec<String>>>, Vec<senseops_core::PlannedSink>) {
    let lines = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let sink = sink_fn(move |batch: Batch| {
        let mut lines = kept.lock().unwrap();
        lines.extend(batch.iter().map(|event| format!("{} {}", event.labels, event.fields())));
        std::future::ready(Ok(()))
    });
    (lines, sink.plan_sinks().unwrap())
}
