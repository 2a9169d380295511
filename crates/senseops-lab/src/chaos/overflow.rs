//! An outage that is longer than the journal is large, for each way to deal with that.

use std::time::Instant;

use senseops_core::BoxError;
use tokio::time::sleep;

use super::account::Account;
use super::lab::{Lab, RATE, Scene, influx, numbered, settle};
use super::target::{Ruling, Target, influxdb};
use crate::program::Status;

/// What the journal may hold: less than the events of some seconds.
const MAX_MIB: u64 = 8;
/// Bytes that each event takes beside its number.
const PADDING: &str = ", padding: 500";
/// The most that memory may grow by, in MiB: a journal in memory, and batches on their way.
const GROWTH_MIB: f64 = 48.0;
const MAX_BYTES: u64 = MAX_MIB * 1024 * 1024;
/// Sources that can wait do so when so much waits: a quarter stays free for those that cannot.
const FULL_BYTES: u64 = MAX_BYTES / 4 * 3;
/// How much the directory may hold: one segment more that is not deleted yet, and the cursors.
const MAX_DISK_BYTES: u64 = MAX_BYTES / 4 * 5;

/// What happens when there is no room.
#[derive(Clone, Copy)]
enum WhenFull {
    DropOldest,
    Block,
}

impl WhenFull {
    fn name(self) -> &'static str {
        match self {
            Self::DropOldest => "drop_oldest",
            Self::Block => "block",
        }
    }

    fn has_begun(self, status: &Status) -> bool {
        match self {
            Self::DropOldest => status.sinks("discarded") > 0,
            // Whichever is larger, files or an estimate of what they would take in memory.
            Self::Block => status.journal("bytes").max(status.journal("disk_bytes")) >= FULL_BYTES,
        }
    }
}

/// The oldest events are dropped, and counted.
pub(super) async fn drop_oldest(lab: &Lab) -> Result<Account, BoxError> {
    let scene = Scene::new()?;
    let pipeline = scene.on_disk(&format!("max_bytes: {MAX_MIB}MiB"));
    let mut account = outage(lab, &scene, &pipeline, WhenFull::DropOldest).await?;
    account.demand(account.counted > 0, || "nothing overflowed".into());
    Ok(account)
}

/// The source waits, and nothing is lost.
pub(super) async fn block(lab: &Lab) -> Result<Account, BoxError> {
    let scene = Scene::new()?;
    let pipeline = scene.on_disk(&format!("max_bytes: {MAX_MIB}MiB"));
    let mut account = outage(lab, &scene, &pipeline, WhenFull::Block).await?;
    account.demand_all();
    Ok(account)
}

/// The same as on disk, in memory.
pub(super) async fn in_memory(lab: &Lab) -> Result<Account, BoxError> {
    let pipeline = format!("pipeline: {{ shutdown_timeout: 10m, journal: {{ max_bytes: {MAX_MIB}MiB }} }}\n");
    let mut account = outage(lab, &Scene::new()?, &pipeline, WhenFull::DropOldest).await?;
    account.demand(account.counted > 0, || "nothing overflowed".into());
    Ok(account)
}

async fn outage(lab: &Lab, scene: &Scene, pipeline: &str, overflow: WhenFull) -> Result<Account, BoxError> {
    let target = Target::start().await?;
    let sink = influx(&target.url(), "", &format!(", overflow: {}", overflow.name()));
    let sos = scene.start(&lab.chaos, &(pipeline.to_owned() + &numbered(RATE, PADDING) + &sink))?;
    sleep(lab.seconds(10, 1)).await;
    let resident = sos.resident_mib()?;
    target.rule(|_, _| Ruling::Refuse(influxdb(503)));
    let (mut most_resident, mut most_waiting, mut most_on_disk) = (resident, 0, 0);
    let began = Instant::now();
    sos.until("the journal is full", |status| {
        most_waiting = status.journal("bytes").max(most_waiting);
        most_on_disk = status.journal("disk_bytes").max(most_on_disk);
        most_resident = sos.resident_mib().unwrap_or(f64::MAX).max(most_resident);
        began.elapsed() >= lab.seconds(600, 9) && overflow.has_begun(status)
    })
    .await?;
    target.recover();
    let before = target.arrivals().count();
    target.until("events again", |arrivals| arrivals.count() > before + RATE).await?;
    let mut account = Account { resident: Some((resident, most_resident)), ..lab.account() };
    settle(&mut account, sos, &target)?;
    account.balance();
    account.demand_memory(GROWTH_MIB);
    // On disk it is the files that are bounded; what they would take in memory is an estimate.
    let (held, may_hold) =
        if most_on_disk > 0 { (most_on_disk, MAX_DISK_BYTES) } else { (most_waiting, MAX_BYTES) };
    account.demand(held <= may_hold, || format!("{held} bytes in the journal, of {MAX_BYTES}"));
    account.remark = format!(
        "the journal held at most {} KiB, of {MAX_MIB} MiB; resident is the most during the outage",
        held / 1024
    );
    Ok(account)
}
