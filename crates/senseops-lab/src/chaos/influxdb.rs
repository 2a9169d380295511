//! A real InfluxDB goes away under load and comes back.

use std::time::Duration;

use senseops_core::BoxError;
use senseops_sim::{Amount, Mix, UserEvents, send};
use senseops_testkit::{Influxd, InfluxdOptions};
use tokio::time::sleep;

use super::account::Account;
use super::lab::{Lab, RATE, Scene, caught_up, delivery, udp};
use crate::program::ANY_PORT;

/// The most that memory may grow by, in MiB.
const GROWTH_MIB: f64 = 32.0;
/// A minute of user events takes more memory than the journal does by default.
const ROOMY: &str = "pipeline: { shutdown_timeout: 10m, journal: { max_bytes: 1GiB } }\n";
/// How many different datagrams there are, which limits the series.
const DATAGRAMS: usize = 100;

/// Every user event that was received is in the database once: a point that came twice would still be one, a time
/// that was used twice would make one of two.
pub(super) async fn away(lab: &Lab) -> Result<Account, BoxError> {
    outage(lab, &Scene::new()?, ROOMY).await
}

/// The same with the journal on disk.
pub(super) async fn away_on_disk(lab: &Lab) -> Result<Account, BoxError> {
    let scene = Scene::new()?;
    let pipeline = scene.on_disk("");
    outage(lab, &scene, &pipeline).await
}

async fn outage(lab: &Lab, scene: &Scene, pipeline: &str) -> Result<Account, BoxError> {
    let mut influxd = Influxd::start(InfluxdOptions::default()).await?;
    let (warm, gone, after) = (lab.seconds(20, 3), lab.seconds(60, 5), lab.seconds(10, 1));
    let (url, delivery) = (influxd.url(), delivery(""));
    let sink = format!("sinks: {{ influx: {{ main: {{ url: '{url}', database: chaos, {delivery} }} }} }}\n");
    let sos = scene.start(&lab.sos, &(pipeline.to_owned() + &udp(ANY_PORT, "") + &sink))?;

    let datagrams: Vec<_> = UserEvents::new(7).mix(Mix::QSEOW_ONLY).take(DATAGRAMS).collect();
    let load = send(&datagrams, sos.udp()?, u32::try_from(RATE)?, Amount::For(warm + gone + after));
    let mut account = lab.account();
    let drama = async {
        sleep(warm).await;
        let resident = sos.resident_mib()?;
        influxd.kill();
        sleep(gone).await;
        influxd.start_again().await?;
        caught_up(&mut account, &sos).await?;
        Ok::<_, BoxError>(resident)
    };
    let (sent, resident) = tokio::join!(load, drama);
    let (sent, resident) = (sent?.datagrams, resident?);
    sos.until("all is delivered", |status| status.datagrams() >= sent && status.is_idle()).await?;
    // What deliveries in haste have taken from the system is given back within a moment.
    sleep(Duration::from_secs(2)).await;
    account.resident = Some((resident, sos.resident_mib()?));
    (account.sent, account.arrived) = (sent, stored(&influxd).await?);
    let lines = sos.lines();
    let ended = sos.stop()?;
    account.count_losses(&ended);
    let drops = ended.sources.of("kernel_drops");
    account.counted += drops;
    account.balance();
    account.demand(account.counted == drops, || "events were lost after they were received".into());
    account.demand_memory(GROWTH_MIB);
    account.demand(lines < 50, || format!("{lines} lines in the log"));
    account.remark =
        format!("away for {} s, {}, {drops} datagrams dropped by the kernel", gone.as_secs(), account.remark);
    Ok(account)
}

/// How many points the database has.
async fn stored(influxd: &Influxd) -> Result<u64, BoxError> {
    let rows = influxd.rows("chaos", "SELECT count(userId) FROM user_events").await?;
    Ok(rows.first().and_then(|row| row.get(1)?.as_u64()).unwrap_or(0))
}
