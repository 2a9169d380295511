//! A real InfluxDB goes away under load and comes back.

use std::time::{Duration, Instant};

use senseops_core::BoxError;
use senseops_sim::{Amount, Mix, UserEvents, send};
use senseops_testkit::{Influxd, InfluxdOptions};
use tokio::time::sleep;

use super::account::Account;
use super::lab::{BACKLOG_WITHIN, Lab, RATE, Scene, delivery, free_udp_address, udp};

/// The most that memory may grow by, in MiB.
const GROWTH_MIB: f64 = 32.0;
/// When no point has come for so long, there is none to come.
const QUIET: Duration = Duration::from_secs(15);
/// A minute of user events takes more memory than the journal does by default.
const ROOMY: &str = "pipeline: { shutdown_timeout: 60s, journal: { max_bytes: 1GiB } }\n";
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
    let listen = free_udp_address()?;
    let (url, delivery) = (influxd.url(), delivery(""));
    let sink = format!("sinks: {{ influx: {{ main: {{ url: '{url}', database: chaos, {delivery} }} }} }}\n");
    let sos = scene.start(&lab.sos, &(pipeline.to_owned() + &udp(listen, "") + &sink))?;

    let datagrams: Vec<_> = UserEvents::new(7).mix(Mix::QSEOW_ONLY).take(DATAGRAMS).collect();
    let load = send(&datagrams, listen, u32::try_from(RATE)?, Amount::For(warm + gone + after));
    let drama = async {
        sleep(warm).await;
        let resident = sos.resident_mib()?;
        influxd.kill();
        sleep(gone).await;
        influxd.start_again().await?;
        Ok::<_, BoxError>((resident, Instant::now()))
    };
    let (sent, drama) = tokio::join!(load, drama);
    let (sent, (resident, back)) = (sent?.datagrams, drama?);
    let (arrived, recovered) = all_stored(&influxd, sent).await?;
    let recovery = recovered.saturating_duration_since(back);
    // What deliveries in haste have taken from the system is given back within a moment.
    sleep(Duration::from_secs(2)).await;

    let mut account = Account { sent, arrived, ..Account::default() };
    account.resident = Some((resident, sos.resident_mib()?));
    let lines = sos.lines();
    let ended = sos.stop()?;
    account.count_losses(&ended);
    let drops = ended.sources.of("kernel_drops");
    account.counted += drops;
    account.balance();
    account.demand(account.counted == drops, || "events were lost after they were received".into());
    account.demand_memory(GROWTH_MIB);
    account.demand(recovery <= BACKLOG_WITHIN, || format!("{} s for the backlog", recovery.as_secs()));
    account.demand(lines < 50, || format!("{lines} lines in the log"));
    account.remark = format!(
        "away for {} s, backlog gone {} s after that, {drops} datagrams dropped by the kernel",
        gone.as_secs(),
        recovery.as_secs()
    );
    Ok(account)
}

/// Waits until all points are stored, or no more come since the kernel has dropped some. How many there are, and since
/// when.
async fn all_stored(influxd: &Influxd, sent: u64) -> Result<(u64, Instant), BoxError> {
    let (mut before, mut since) = (0, Instant::now());
    loop {
        let rows = influxd.rows("chaos", "SELECT count(userId) FROM user_events").await?;
        let stored = rows.first().and_then(|row| row.get(1)?.as_u64()).unwrap_or(0);
        if stored != before {
            (before, since) = (stored, Instant::now());
        }
        if stored >= sent || since.elapsed() > QUIET {
            return Ok((stored, since));
        }
        sleep(Duration::from_millis(200)).await;
    }
}
