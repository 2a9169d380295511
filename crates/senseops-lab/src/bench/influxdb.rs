//! User events into a real InfluxDB 1.x.

use senseops_core::BoxError;
use senseops_testkit::{Influxd, InfluxdOptions, Mosquitto, MosquittoOptions};
use tokio::time::{Duration, sleep};

use super::Bench;
use super::load::{Done, Journal, Load, Loaded, Spacing};
use super::table::{Figure, Goal};

/// For how many seconds a load goes on.
const SECONDS: u64 = 5;
/// How often InfluxDB is asked how much it has: each question takes time from the same cores.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// What a journal on disk may cost beyond one in memory, in microseconds.
const DISK_MICROS: f64 = 1.0;

/// One by one, with each journal.
pub(super) async fn evenly(bench: &Bench, rate: u32) -> Result<Vec<Figure>, BoxError> {
    let goal = match rate {
        200 => Goal::AtMost(25.0),
        1_000 => Goal::AtMost(12.0),
        10_000 => Goal::AtMost(8.0),
        _ => Goal::Any,
    };
    let load = Load { rate, count: bench.part(u64::from(rate) * SECONDS), spacing: Spacing::Even };
    with_each_journal(bench, load, &format!("{rate}/s evenly spaced"), goal, false).await
}

/// The same while everything goes to an MQTT broker as well.
pub(super) async fn beside_mqtt(bench: &Bench, rate: u32) -> Result<Vec<Figure>, BoxError> {
    let load = Load { rate, count: bench.part(u64::from(rate) * SECONDS), spacing: Spacing::Even };
    let what = format!("{rate}/s evenly spaced, and to MQTT");
    with_each_journal(bench, load, &what, Goal::AtMost(25.0), true).await
}

/// What ten seconds of a large site bring, those of a millisecond together.
pub(super) async fn in_bursts(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let load = Load { rate: 10_000, count: bench.part(100_000), spacing: Spacing::Bursts };
    let mut figures = with_each_journal(bench, load, "10000/s in bursts", Goal::AtMost(10.0), false).await?;
    for (figure, most) in figures.iter_mut().zip([10.0, 14.0]) {
        figure.goal = Goal::AtMost(most);
    }
    Ok(figures)
}

async fn with_each_journal(
    bench: &Bench,
    load: Load,
    what: &str,
    goal: Goal,
    to_mqtt: bool,
) -> Result<Vec<Figure>, BoxError> {
    let influxd = Influxd::start(InfluxdOptions::default()).await?;
    let broker = if to_mqtt { Some(Mosquitto::start(MosquittoOptions::default()).await?) } else { None };
    let mut figures: Vec<Figure> = Vec::new();
    for journal in Journal::BOTH {
        let done = run(bench, load, journal, &influxd, broker.as_ref()).await?;
        let name =
            format!("user event UDP → InfluxDB 1.x, {what}, journal {}: CPU per event", journal.name());
        let goal = match figures.first() {
            None => goal.clone(),
            Some(in_memory) => Goal::AtMostMore { most: DISK_MICROS, than: in_memory.ours.clone() },
        };
        let delivered = done.delivered("influx.bench");
        let remark = format!("{delivered} of {} delivered", done.sent);
        figures.push(
            Figure::new(name, done.micros_per_event(delivered), "µs")
                .others(others(to_mqtt))
                .goal(goal)
                .remark(remark),
        );
    }
    Ok(figures)
}

/// What others need for it, whatever the rate.
fn others(to_mqtt: bool) -> &'static str {
    if to_mqtt { "Butler SOS 611 µs" } else { "Butler SOS 400 µs, Vector 32–52 µs" }
}

async fn run(
    bench: &Bench,
    load: Load,
    journal: Journal,
    influxd: &Influxd,
    broker: Option<&Mosquitto>,
) -> Result<Done, BoxError> {
    let database = journal.name().replace(' ', "_");
    let mqtt = broker
        .map_or_else(String::new, |broker| format!(", mqtt: {{ bench: {{ broker: '{}' }} }}", broker.url()));
    let sinks = format!(
        "sinks: {{ influx: {{ bench: {{ url: '{}', database: {database} }} }}{mqtt} }}\n",
        influxd.url()
    );
    let loaded = Loaded::start(bench, journal, "", &sinks)?;
    loaded.run(load, async || stored(influxd, &database).await).await
}

/// How many user events the database has.
async fn stored(influxd: &Influxd, database: &str) -> u64 {
    sleep(ASK_EVERY).await;
    let rows = influxd.rows(database, "SELECT count(userId) FROM user_events").await.unwrap_or_default();
    rows.first().and_then(|row| row.get(1)?.as_u64()).unwrap_or(0)
}
