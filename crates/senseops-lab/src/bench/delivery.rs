//! What reliable delivery costs: the journal on disk, and acknowledgements over MQTT.

use std::path::Path;

use senseops_core::BoxError;
use senseops_sim::InfluxTarget;
use senseops_testkit::{Mosquitto, MosquittoOptions};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::scenarios::{micros_per_event, part, udp_load, until};
use super::table::{Figure, Target};

/// The rate of user events per second.
const RATE: u32 = 10_000;
/// Their number, of a full load.
const EVENTS: u64 = 200_000;

/// The same load to a target that answers at once, with the journal in memory and on disk.
pub(super) async fn journal_on_disk(sos: &Path, share: f64) -> Result<Vec<Figure>, BoxError> {
    let dir = TempDir::with_prefix("sos-bench-journal-")?;
    let on_disk = format!("pipeline: {{ journal: {{ path: '{}' }} }}\n", dir.path().display());
    let mut costs = [0.0; 2];
    for (cost, pipeline) in costs.iter_mut().zip(["pipeline: {}\n", &on_disk]) {
        let target = InfluxTarget::start().await?;
        let url = target.url();
        let yaml =
            format!("{pipeline}sinks: {{ influx: {{ bench: {{ url: '{url}', database: senseops }} }} }}\n");
        let stored = |sent: u64| {
            let target = &target;
            async move { until(async || target.points() >= sent).await }
        };
        let load = udp_load(sos, &yaml, RATE, part(EVENTS, share), stored).await?;
        *cost = micros_per_event(load.cpu, load.ended.sinks.of("delivered"));
    }
    let [memory, disk] = costs;
    Ok(vec![Figure {
        what: "CPU per event with the journal on disk, against in memory".into(),
        others: "",
        ours: disk / memory,
        unit: "times",
        target: Target::AtMost(1.5),
        remark: format!("{disk:.2} µs against {memory:.2} µs, user event UDP → 204 at {RATE}/s"),
    }])
}

/// User events to a real broker, each acknowledged. By default an event is two messages.
pub(super) async fn udp_to_mqtt(sos: &Path, share: f64) -> Result<Vec<Figure>, BoxError> {
    let broker = Mosquitto::start(MosquittoOptions::default()).await?;
    let count = part(EVENTS, share);
    let mut subscriber = broker.subscribe("qliksense/userevent").await?;
    let expected = usize::try_from(count)?;
    let mut heard = JoinSet::new();
    heard.spawn(async move { subscriber.take(expected).await.map(|messages| messages.len()) });
    let yaml = format!("sinks: {{ mqtt: {{ bench: {{ broker: '{}' }} }} }}\n", broker.url());
    let stored = |sent: u64| async move {
        let heard = heard.join_next().await.ok_or("nobody listens")???;
        if u64::try_from(heard)? == sent { Ok(()) } else { Err("events are missing".into()) }
    };
    let load = udp_load(sos, &yaml, RATE, count, stored).await?;
    let delivered = load.ended.sinks.of("delivered");
    Ok(vec![Figure {
        what: "user event UDP → MQTT, QoS 1, CPU of the collector per event".into(),
        others: "",
        ours: micros_per_event(load.cpu, delivered),
        unit: "µs",
        target: Target::AtMost(20.0),
        remark: format!("{delivered} of {} acknowledged, two messages each; {RATE}/s, Mosquitto", load.sent),
    }])
}
