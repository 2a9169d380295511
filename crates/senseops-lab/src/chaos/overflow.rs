//! An outage that is longer than the journal is large, for each way to deal with that.

use std::time::Duration;

use senseops_core::BoxError;

use super::account::Account;
use super::lab::{BACKLOG_WITHIN, Lab, RATE, Scene, influx, numbered, settle};
use super::target::{Ruling, Target, influxdb};

/// What the journal may hold: less than the events of some seconds.
const MAX_MIB: u64 = 8;
/// Bytes that each event takes beside its number.
const PADDING: &str = ", padding: 500";
/// The most that memory may grow by, in MiB: a journal in memory, and batches on their way.
const GROWTH_MIB: f64 = 48.0;
/// How much more than `max_bytes` the directory may hold: one segment that is not deleted yet, and the cursors.
const DISK_SLACK: f64 = 1.25;

/// The oldest events are dropped, and counted.
pub(super) async fn drop_oldest(lab: &Lab) -> Result<Account, BoxError> {
    let scene = Scene::new()?;
    let pipeline = scene.on_disk(&format!("max_bytes: {MAX_MIB}MiB"));
    let mut account = outage(lab, &scene, &pipeline, "drop_oldest").await?;
    account.demand(account.counted > 0, || "nothing overflowed".into());
    Ok(account)
}

/// The source waits, and nothing is lost.
pub(super) async fn block(lab: &Lab) -> Result<Account, BoxError> {
    let scene = Scene::new()?;
    let pipeline = scene.on_disk(&format!("max_bytes: {MAX_MIB}MiB"));
    let mut account = outage(lab, &scene, &pipeline, "block").await?;
    account.demand_all();
    Ok(account)
}

/// The same as on disk, in memory.
pub(super) async fn in_memory(lab: &Lab) -> Result<Account, BoxError> {
    let pipeline = format!("pipeline: {{ shutdown_timeout: 60s, journal: {{ max_bytes: {MAX_MIB}MiB }} }}\n");
    let mut account = outage(lab, &Scene::new()?, &pipeline, "drop_oldest").await?;
    account.demand(account.counted > 0, || "nothing overflowed".into());
    Ok(account)
}

async fn outage(lab: &Lab, scene: &Scene, pipeline: &str, overflow: &str) -> Result<Account, BoxError> {
    let target = Target::start().await?;
    let sink = influx(&target.url(), "", &format!(", overflow: {overflow}"));
    let sos = scene.start(&lab.chaos, &(pipeline.to_owned() + &numbered(RATE, PADDING) + &sink))?;
    target.pass(lab.seconds(10, 1)).await;
    let resident = sos.resident_mib()?;
    target.rule(|_, _| Ruling::Refuse(influxdb(503)));
    let (mut most_resident, mut most_bytes) = (resident, 0);
    let (time, look) = (lab.seconds(600, 9), Duration::from_secs(1));
    for _ in 0..time.as_secs() {
        target.pass(look).await;
        most_resident = sos.resident_mib()?.max(most_resident);
        most_bytes = scene.journal_bytes().unwrap_or(0).max(most_bytes);
    }
    target.recover();
    let before = target.arrivals().count();
    target.until("events again", BACKLOG_WITHIN, |arrivals| arrivals.count() > before + RATE).await?;
    let mut account = Account { resident: Some((resident, most_resident)), ..Account::default() };
    settle(&mut account, sos, &target)?;
    account.balance();
    account.demand_memory(GROWTH_MIB);
    let most_mib = most_bytes / (1024 * 1024);
    #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
    let holds = most_bytes as f64 <= (MAX_MIB * 1024 * 1024) as f64 * DISK_SLACK;
    account.demand(holds, || format!("{most_mib} MiB on disk, where {MAX_MIB} are allowed"));
    account.remark =
        format!("at most {most_mib} MiB on disk of {MAX_MIB}; resident is the most during the outage");
    Ok(account)
}
