//! The directory of a journal is damaged between two runs.
#![expect(clippy::disallowed_methods, reason = "a tool may wait for a disk")]

use std::fs;
use std::path::PathBuf;

use senseops_core::BoxError;
use tokio::time::sleep;

use super::account::Account;
use super::lab::{Lab, RATE, Scene, influx, numbered, settle};
use super::target::{Ruling, Target, influxdb};
use crate::program::Status;

/// The most events that are emitted together, and so the most that a damaged frame can cost.
const FRAME_EVENTS: u64 = 500;
/// How many bits are flipped.
const FLIPS: u64 = 3;
/// Small enough for several segments, each an eighth of it.
const JOURNAL: &str = "max_bytes: 32MiB";
/// More than one segment.
const ENOUGH_BYTES: u64 = 5 * 1024 * 1024;

/// What a program has left on disk for its next run.
struct Stage {
    scene: Scene,
    target: Target,
    account: Account,
}

impl Stage {
    /// Fills a journal while the target is away, and kills the program.
    async fn set(lab: &Lab) -> Result<Self, BoxError> {
        let (scene, target) = (Scene::new()?, Target::start().await?);
        target.rule(|_, _| Ruling::Refuse(influxdb(503)));
        // No longer, or the journal is full and the oldest events are given up.
        let time = lab.seconds(10, 3);
        let source = numbered(RATE, &format!(", stored: '{}', padding: 400", scene.path("stored").display()));
        let yaml = scene.on_disk(JOURNAL) + &source + &influx(&target.url(), "", "");
        let sos = scene.start(&lab.chaos, &yaml)?;
        sleep(time).await;
        sos.until("enough for two segments", |status| status.journal("disk_bytes") > ENOUGH_BYTES).await?;
        sos.kill()?;
        let stored = fs::read_to_string(scene.path("stored"))?;
        // The last line may have been cut by the kill.
        let (whole, _torn) = stored.rsplit_once('\n').ok_or("nothing was stored")?;
        let last =
            whole.lines().last().and_then(|line| line.split(' ').nth(1)).ok_or("nothing was stored")?;
        let account = Account { sent: last.parse::<u64>()? + 1, ..lab.account() };
        target.recover();
        Ok(Self { scene, target, account })
    }

    /// The segments, oldest first.
    fn segments(&self) -> Result<Vec<PathBuf>, BoxError> {
        let entries = fs::read_dir(self.scene.path("journal"))?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
        let mut segments: Vec<_> =
            paths.into_iter().filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
        segments.sort();
        Ok(segments)
    }

    /// Runs the program again, until all that it still has is delivered.
    async fn run_again(mut self, lab: &Lab) -> Result<Account, BoxError> {
        let yaml =
            self.scene.on_disk(JOURNAL) + &numbered(RATE, ", count: 0") + &influx(&self.target.url(), "", "");
        let sos = self.scene.start(&lab.chaos, &yaml)?;
        sos.until("everything is delivered", Status::is_idle).await?;
        let promised = self.account.sent;
        settle(&mut self.account, sos, &self.target)?;
        // The last moment before the kill was written but has no receipt; it may be there or not.
        let arrivals = self.target.arrivals();
        let more = arrivals.count() - arrivals.count_of(&[0..=promised - 1]);
        self.account.sent = promised + more;
        self.account.balance();
        Ok(self.account.clone())
    }
}

/// A write that was cut off by a crash leaves half a frame at the end.
pub(super) async fn torn_write(lab: &Lab) -> Result<Account, BoxError> {
    let stage = Stage::set(lab).await?;
    let newest = stage.segments()?.pop().ok_or("no segment")?;
    let mut bytes = fs::read(&newest)?;
    let half_a_frame: Vec<u8> = bytes.iter().copied().take(100).collect();
    bytes.extend(half_a_frame);
    fs::write(&newest, bytes)?;
    let mut account = stage.run_again(lab).await?;
    account.demand_all();
    Ok(account)
}

/// A few bits of the oldest segment have flipped.
pub(super) async fn flipped_bits(lab: &Lab) -> Result<Account, BoxError> {
    let stage = Stage::set(lab).await?;
    let segments = stage.segments()?;
    let oldest = segments.first().ok_or("no segment")?;
    let mut bytes = fs::read(oldest)?;
    for _ in 0..FLIPS {
        let at = fastrand::usize(..bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << fastrand::u32(..8);
        }
    }
    fs::write(oldest, bytes)?;
    let mut account = stage.run_again(lab).await?;
    let (lost, most) = (account.counted, FLIPS * FRAME_EVENTS);
    account.demand(lost > 0, || "no damage was counted".into());
    account.demand(lost <= most, || format!("{lost} events lost, more than {FLIPS} frames hold"));
    account.remark = format!("{FLIPS} bits in one of {} segments", segments.len());
    Ok(account)
}

/// Nobody knows any more how far the sink was.
pub(super) async fn cursors_deleted(lab: &Lab) -> Result<Account, BoxError> {
    let stage = Stage::set(lab).await?;
    fs::remove_file(stage.scene.path("journal/cursors"))?;
    let mut account = stage.run_again(lab).await?;
    account.demand_all();
    Ok(account)
}
