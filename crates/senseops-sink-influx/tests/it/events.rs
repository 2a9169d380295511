//! Events and sinks for the tests.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::sync::Arc;

use senseops_core::host::IntoComponents;
use senseops_core::{
    Batch, Body, Build, Event, Fields, Kind, LabelSet, Rejection, Sink, Timestamp, Value, WriteError,
};
use senseops_sink_influx::InfluxConfig;

/// 2026-11-20T14:57:30Z.
pub(crate) const NOW: i64 = 1_795_186_650_000_000_000;

/// An event with one field, so many milliseconds after [`NOW`].
pub(crate) fn sample(kind: &'static str, millis: i64, name: &'static str, value: impl Into<Value>) -> Event {
    let labels = Arc::new(LabelSet::from_iter([("host", "sense 1"), ("user", "LAB\\bo berg")]));
    Event::new(Kind::new(kind), &labels, Body::Measurement(Fields::default().with(name, value)))
        .at(Timestamp::from_nanos(NOW + millis * 1_000_000))
}

/// The sink that a configuration in JSON asks for.
pub(crate) async fn sink(build: Build, config: &serde_json::Value) -> Arc<dyn Sink> {
    let config: InfluxConfig = serde_json::from_value(config.clone()).unwrap();
    config.into_components().unwrap().remove(0).factory.build(build).await.unwrap()
}

/// Writes as the engine does: halves what is refused as a whole, repeats what may come again. Gives what was refused,
/// as positions in the batch, and how many writes it took.
pub(crate) async fn delivered(sink: &dyn Sink, batch: &Batch) -> (Vec<Rejection>, usize) {
    let (mut refused, mut writes) = (Vec::new(), 0);
    let mut open: Vec<Vec<usize>> = vec![(0..batch.len()).collect()];
    while let Some(positions) = open.pop() {
        writes += 1;
        assert!(writes < 1000, "this does not end");
        match sink.write(&batch.select(&positions)).await {
            Ok(()) => {}
            Err(WriteError::Partial { retry, refused: more }) => {
                let position = |index: usize| positions[index];
                refused
                    .extend(more.into_iter().map(|each| Rejection { index: position(each.index), ..each }));
                if !retry.is_empty() {
                    open.push(retry.into_iter().map(position).collect());
                }
            }
            Err(WriteError::Split(cause)) if positions.len() == 1 => {
                refused.push(Rejection { index: positions[0], reason: cause.to_string() });
            }
            Err(WriteError::Split(_)) => {
                let (first, second) = positions.split_at(positions.len() / 2);
                open.extend([second.to_vec(), first.to_vec()]);
            }
            Err(error) => panic!("{}", senseops_core::chain(&error)),
        }
    }
    refused.sort_by_key(|rejection| rejection.index);
    (refused, writes)
}
