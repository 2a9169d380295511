//! The disk of the journal is full, or becomes read-only, under load.
//!
//! The program runs in a mount namespace of its own, where its directory is a small file system in memory.

use std::path::Path;
use std::process::Command;

use senseops_core::BoxError;
use tokio::time::sleep;

use super::account::Account;
use super::lab::{Lab, RATE, Scene, caught_up, influx, numbered, settle};
use super::target::{Ruling, Target, influxdb};
use crate::machine;
use crate::program::Sos;

/// How large the disk is. The journal may be far larger.
const DISK: &str = "8m";
/// Bytes that each event takes beside its number, so that the disk is full after a few seconds.
const PADDING: &str = ", padding: 400";
/// The most that memory may grow by while the journal is in memory, in MiB: the events of the outage, and twice as
/// much again for batches on their way.
const GROWTH_MIB: f64 = 256.0;

/// A program with a disk of its own.
struct Stage {
    target: Target,
    sos: Sos,
    disk: String,
    account: Account,
    _scene: Scene,
}

impl Stage {
    async fn set(lab: &Lab) -> Result<Self, BoxError> {
        let (scene, target) = (Scene::new()?, Target::start().await?);
        let disk = scene.path("disk");
        let pipeline = format!(
            "pipeline: {{ shutdown_timeout: 10m, journal: {{ path: '{}/journal', max_bytes: 1GiB }} }}\n",
            disk.display()
        );
        let yaml = pipeline + &numbered(RATE, PADDING) + &influx(&target.url(), "", "");
        let sos = scene.start_as(with_own_disk(&lab.chaos, &disk), &yaml)?;
        sleep(lab.seconds(5, 1)).await;
        let resident = sos.resident_mib()?;
        let account = Account { resident: Some((resident, resident)), ..lab.account() };
        Ok(Self { target, sos, disk: disk.display().to_string(), account, _scene: scene })
    }

    /// Runs a script where the program lives.
    fn within(&self, script: &str) -> Result<(), BoxError> {
        let id = self.sos.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["-U", "--preserve-credentials", "-m", "-t", &id, "sh", "-c", script, "sh", &self.disk]);
        let status = command.status()?;
        if status.success() { Ok(()) } else { Err(format!("{script}: {status}").into()) }
    }

    /// Waits until all has arrived and the journal is on disk again, and accounts for it.
    async fn end(mut self) -> Result<Account, BoxError> {
        caught_up(&mut self.account, &self.sos).await?;
        self.sos.until_said(RECOVERED, 1).await?;
        let Self { mut account, sos, target, .. } = self;
        account.resident =
            account.resident.map(|(before, _)| (before, sos.resident_mib().unwrap_or(f64::MAX)));
        let ended = settle(&mut account, sos, &target)?;
        let held = ended.sources.of("held");
        account.demand(held > 0, || "the disk never failed".into());
        account.demand_all();
        account.demand_memory(GROWTH_MIB);
        account.remark = format!("{held} events accepted in memory only");
        Ok(account)
    }
}

/// What the program logs when the disk cannot be used.
const FAILED: &str = "journal goes on in memory";
/// What the program logs when the disk can be used again.
const RECOVERED: &str = "journal is on disk again";

/// Why no program can have a disk of its own, if so.
fn obstacle() -> Option<&'static str> {
    let mut command = Command::new("unshare");
    let can = machine::answer(command.args(["-Urm", "true"])).is_some() && machine::find("nsenter").is_some();
    if can { None } else { Some("this machine gives nobody a mount namespace of his own") }
}

/// A backlog fills the disk. What does not fit is held in memory, and the disk is used again once there is room.
pub(super) async fn full(lab: &Lab) -> Result<Account, BoxError> {
    if let Some(why) = obstacle() {
        return Ok(Account::not_run(why));
    }
    let stage = Stage::set(lab).await?;
    stage.target.rule(|_, _| Ruling::Refuse(influxdb(503)));
    sleep(lab.seconds(20, 5)).await;
    stage.sos.until_said(FAILED, 1).await?;
    stage.target.recover();
    stage.end().await
}

/// Nothing can be created or replaced any more, until it can again.
pub(super) async fn read_only(lab: &Lab) -> Result<Account, BoxError> {
    if let Some(why) = obstacle() {
        return Ok(Account::not_run(why));
    }
    let stage = Stage::set(lab).await?;
    stage.target.rule(|_, _| Ruling::Refuse(influxdb(503)));
    stage.within(r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1""#)?;
    sleep(lab.seconds(20, 5)).await;
    stage.sos.until_said(FAILED, 1).await?;
    stage.within(r#"umount "$1""#)?;
    stage.target.recover();
    stage.end().await
}

/// A command that mounts a small file system there, for itself alone, and becomes the program.
fn with_own_disk(binary: &Path, disk: &Path) -> Command {
    let script = format!(r#"mkdir "$1" && mount -t tmpfs -o size={DISK} tmpfs "$1" && shift && exec "$@""#);
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", &script, "sh"]).arg(disk).arg(binary);
    command
}
