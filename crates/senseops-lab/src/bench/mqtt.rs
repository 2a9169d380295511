//! User events to a real MQTT broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use senseops_core::BoxError;
use senseops_testkit::{Mosquitto, MosquittoOptions};
use tokio::task::JoinSet;

use super::Bench;
use super::load::{Journal, Load, Loaded, Spacing};
use super::table::Figure;

/// Each acknowledged. By default an event is two messages.
pub(super) async fn acknowledged(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let broker = Mosquitto::start(MosquittoOptions::default()).await?;
    let mut subscriber = broker.subscribe("qliksense/userevent").await?;
    let heard = Arc::new(AtomicU64::new(0));
    let mut listening = JoinSet::new();
    let count = Arc::clone(&heard);
    listening.spawn(async move {
        while subscriber.next().await.is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let sinks = format!("sinks: {{ mqtt: {{ bench: {{ broker: '{}' }} }} }}\n", broker.url());
    let load = Load { rate: 10_000, count: bench.part(100_000), spacing: Spacing::Bursts };
    let loaded = Loaded::start(bench, Journal::InMemory, "", &sinks)?;
    let done = loaded.run(load, async || heard.load(Ordering::Relaxed)).await?;
    let delivered = done.delivered("mqtt.bench");
    Ok(vec![
        Figure::new("user event UDP → MQTT, QoS 1: CPU per event", done.micros_per_event(delivered), "µs")
            .at_most(20.0)
            .remark(format!(
                "{delivered} of {} acknowledged, two messages each; {}/s in bursts",
                done.sent, load.rate
            )),
    ])
}
