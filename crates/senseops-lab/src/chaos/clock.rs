//! The clock of the machine steps, in both directions.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use senseops_core::{BoxError, Timestamp};
use senseops_testkit::Recorded;
use tokio::time::sleep;

use super::account::Account;
use super::lab::{Lab, RATE, Scene, caught_up, influx, numbered, settle};
use super::target::{Line, Ruling, Target, influxdb};
use crate::machine;

/// Where Debian's libfaketime is, whatever the architecture.
const LIBRARIES: &str = "/usr/$LIB/faketime/libfaketime.so.1";
/// What the clock shows, against the true time.
const STEPS: [&str; 4] = ["+3600s", "-7200s", "+86400s", "+0s"];

const HALF_A_DAY_NANOS: i64 = 12 * 3_600 * 1_000_000_000;

/// Retries, syncs and batches go on as if nothing had happened, and no event takes the place of another.
pub(super) async fn step(lab: &Lab) -> Result<Account, BoxError> {
    if machine::find("faketime").is_none() {
        return Ok(Account::not_run("faketime is not installed"));
    }
    let (scene, target) = (Scene::new()?, Target::start().await?);
    let clock = scene.write("clock", "+0s")?;
    let mut command = Command::new(&lab.chaos);
    command
        .env("LD_PRELOAD", LIBRARIES)
        .env("FAKETIME_TIMESTAMP_FILE", clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let yaml = scene.on_disk("") + &numbered(RATE, "") + &influx(&target.url(), "", "");
    let sos = scene.start_as(command, &yaml)?;
    sleep(lab.seconds(5, 1)).await;
    let latest = Arc::new(AtomicI64::new(0));
    for (turn, offset) in STEPS.into_iter().enumerate() {
        // Each second time while the target is away, so that steps also meet a pause.
        if turn % 2 == 1 {
            target.rule(|_, _| Ruling::Refuse(influxdb(503)));
        }
        scene.write("clock", offset)?;
        // What is appended under this clock is more than was on its way.
        let due = sos.status()?.journal("appended_events") + RATE / 2;
        sleep(lab.seconds(15, 1)).await;
        sos.until("events under a new clock", |status| status.journal("appended_events") >= due).await?;
        target.rule(see(&latest));
    }
    let mut account = lab.account();
    caught_up(&mut account, &sos).await?;
    settle(&mut account, sos, &target)?;
    account.demand_all();
    let tomorrow = Timestamp::now().as_nanos() + HALF_A_DAY_NANOS;
    account.demand(latest.load(Ordering::Relaxed) > tomorrow, || "the clock has not stepped".into());
    account.remark = format!("clock at {}", STEPS.join(", "));
    Ok(account)
}

/// Takes everything, and keeps the latest time of an event.
fn see(latest: &Arc<AtomicI64>) -> impl Fn(&Recorded, &[Line<'_>]) -> Ruling + Send + Sync + 'static {
    let latest = Arc::clone(latest);
    move |_, lines| {
        let times = lines.iter().filter_map(|line| line.text.rsplit(' ').next()?.parse().ok());
        latest.fetch_max(times.max().unwrap_or(0), Ordering::Relaxed);
        Ruling::Take
    }
}
