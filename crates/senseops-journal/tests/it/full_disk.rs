//! A disk that is really full, and one that is really read-only.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use senseops_core::Outcome;
use senseops_journal::Overflow;
use senseops_testkit::not_run;

use crate::support::{Bench, drain};

/// Where the small disk is, for the test that runs inside.
const DISK: &str = "SENSEOPS_TEST_DISK";
const DISK_BYTES: usize = 4 * 1024 * 1024;
/// So much of it belongs to somebody else.
const BALLAST_BYTES: usize = 2 * 1024 * 1024;
const CHUNK_BYTES: u64 = 10_000;

#[test]
fn a_full_and_a_read_only_disk_are_survived() {
    if !Command::new("unshare").args(["-Urm", "true"]).output().is_ok_and(|done| done.status.success()) {
        not_run("`unshare -Urm` is not permitted here, so no small disk can be mounted");
        return;
    }
    let disk = tempfile::tempdir().unwrap();
    let script = format!(r#"mount -t tmpfs -o size={DISK_BYTES} none "${DISK}" && exec "$0" "$@""#);
    let Output { status, stdout, stderr } = Command::new("unshare")
        .args(["-Urm", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "full_disk::inside", "--ignored", "--nocapture"])
        .env(DISK, disk.path())
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && stdout.contains("1 passed"), "{stdout}{stderr}");
}

#[tokio::test]
#[ignore = "runs on a small disk, which another test mounts"]
async fn inside() {
    let Some(disk) = std::env::var_os(DISK).map(PathBuf::from) else { return };
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![0; BALLAST_BYTES]).unwrap();
    let directory = tempfile::tempdir_in(&disk).unwrap();
    let max_bytes = DISK_BYTES as u64;
    let bench = Bench::open(directory, max_bytes);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    let mut accepted = Vec::new();

    append_until_held(&bench, &mut accepted).await;
    let failure = bench.journal.status().failure.unwrap_or_default();
    assert!(failure.ends_with("No space left on device (os error 28)"), "{failure}");
    assert!(bench.journal.status().bytes <= max_bytes);
    fs::remove_file(&ballast).unwrap();
    assert_is_on_disk_again(&bench, &mut accepted).await;
    assert_eq!(drain(&mut reader).await, accepted);

    // Files that are open can be written through the other mount. The next segment cannot be created.
    accepted.clear();
    mount(&["--bind"], &[bench.path(), bench.path()]);
    mount(&["-o", "remount,bind,ro"], &[bench.path()]);
    append_until_held(&bench, &mut accepted).await;
    let failure = bench.journal.status().failure.unwrap_or_default();
    assert!(failure.ends_with("Read-only file system (os error 30)"), "{failure}");
    assert!(Command::new("umount").arg(bench.path()).status().unwrap().success());
    assert_is_on_disk_again(&bench, &mut accepted).await;

    drop(reader);
    let bench = Bench::open(bench.close(), max_bytes);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    assert_eq!(drain(&mut reader).await, accepted, "what was held is found after a restart");
    assert_eq!(reader.discarded(), 0);
}

/// Appends until three were held, one after the other.
async fn append_until_held(bench: &Bench, accepted: &mut Vec<u64>) {
    let mut held = 0;
    while held < 3 {
        assert!(accepted.len() < 1000, "the disk does not fail");
        held += u64::from(append(bench, accepted).await == Outcome::Held);
    }
}

async fn append(bench: &Bench, accepted: &mut Vec<u64>) -> Outcome {
    let number = bench.journal.status().appended_events;
    let outcome = bench.append_sized(number, CHUNK_BYTES).outcome().await;
    assert_ne!(outcome, Outcome::Lost);
    accepted.push(number);
    outcome
}

async fn assert_is_on_disk_again(bench: &Bench, accepted: &mut Vec<u64>) {
    let begin = Instant::now();
    while bench.journal.status().failure.is_some() {
        assert!(begin.elapsed() < Duration::from_mins(5), "{:?}", bench.journal.status());
        std::thread::yield_now();
    }
    assert_eq!(append(bench, accepted).await, Outcome::Stored);
    let status = bench.journal.status();
    assert_eq!(status.durable_events, status.appended_events, "what was held is on disk too");
}

fn mount(options: &[&str], paths: &[&Path]) {
    assert!(Command::new("mount").args(options).args(paths).status().unwrap().success());
}
