//! The pipeline measures itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use senseops_core::{Batch, Event, Value, WriteError, sink_fn};
use senseops_engine::{Pipeline, PipelineSettings, SelfMetrics};

use crate::support::run;

fn measured(every: &str) -> PipelineSettings {
    let self_metrics = Some(SelfMetrics { interval: every.parse().unwrap() });
    PipelineSettings { self_metrics, ..PipelineSettings::default() }
}

#[tokio::test(start_paused = true)]
async fn every_sink_gets_measurements_of_the_pipeline_and_its_components() {
    let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
    let log = Arc::clone(&seen);
    let sink = sink_fn(move |batch: Batch| {
        log.lock().unwrap().extend(batch.iter().cloned());
        async { Ok(()) }
    });
    let pipeline = Pipeline::builder().settings(measured("1m")).sink("good", sink).build().await.unwrap();
    run(pipeline, async |_| tokio::time::sleep(Duration::from_secs(150)).await).await;
    let seen = seen.lock().unwrap();
    let kinds: Vec<_> = seen.iter().map(|event| (event.kind.as_str(), event.labels.to_string())).collect();
    let once = [("sos.self.pipeline", String::new()), ("sos.self.sink", "component=good".to_owned())];
    assert_eq!(kinds, [once.clone(), once].concat());
    assert_eq!(seen[3].fields().get("delivered"), Some(&Value::UInt(2)), "what was measured first");
}

#[tokio::test(start_paused = true)]
async fn a_failing_target_makes_no_more_measurements_than_a_good_one() {
    let sink = sink_fn(|_| async { Err(WriteError::unavailable("down")) });
    let pipeline = Pipeline::builder().settings(measured("10s")).sink("down", sink).build().await.unwrap();
    let summary = run(pipeline, async |handle| {
        tokio::time::sleep(Duration::from_mins(10)).await;
        assert_eq!(handle.view().sinks[0].lag_events, 2 * 59);
    })
    .await;
    assert_eq!(summary.view.embedder.emitted, 0);
}
