//! The program is killed at random moments under load, with the journal on disk.
#![expect(clippy::disallowed_methods, reason = "a tool may wait for a disk")]

use std::fs;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use senseops_core::BoxError;
use senseops_sim::{Amount, send};
use tokio::select;
use tokio::time::sleep;

use super::account::Account;
use super::lab::{Lab, RATE, Scene, influx, numbered, udp};
use super::target::{NUMBERED_USER, Target};
use crate::program::{ANY_PORT, Sos, Status};

/// Numbers of one life of the program begin so far above those of the life before.
const LIFE: u64 = 1_000_000_000;
const KILLS: u64 = 50;
const SHORT_KILLS: u64 = 6;
/// The shortest and the longest life, in milliseconds.
const LIVES: RangeInclusive<u64> = 100..=1_500;
/// What each kill may cost, in milliseconds of the load: 50 wait for their sync, `journal.fsync` where it is not set, and 64
/// are in the socket when nobody has looked.
const MILLIS_PER_KILL: u64 = 50 + 64;
const PER_KILL: u64 = RATE * MILLIS_PER_KILL / 1_000;
/// How often a life is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A source writes down which numbers had the receipt `Stored`. All of them must arrive.
pub(super) async fn numbered_source(lab: &Lab) -> Result<Account, BoxError> {
    let (scene, target, kills) = (Scene::new()?, Target::start().await?, lab.pick(KILLS, SHORT_KILLS));
    let stored = scene.path("stored");
    let yaml = |life: u64, more: &str| {
        let source = format!(", first: {}, stored: '{}'{more}", life * LIFE, stored.display());
        scene.on_disk("") + &numbered(RATE, &source) + &influx(&target.url(), "", "")
    };
    for life in 0..kills {
        let sos = scene.start(&lab.chaos, &yaml(life, ""))?;
        if life == 0 {
            // On a slow disk none might come so far.
            sos.until("something is durable", |status| status.journal("durable_events") > 0).await?;
        }
        sleep(Duration::from_millis(fastrand::u64(LIVES))).await;
        sos.kill()?;
    }
    let promised = read_stored(&stored)?;
    let count = count_of(&promised);
    let sos = scene.start(&lab.chaos, &yaml(kills, ", count: 0"))?;
    sos.until("everything is delivered", Status::is_idle).await?;
    let ended = sos.stop()?;
    let arrivals = target.arrivals();
    let mut account = Account { sent: count, arrived: arrivals.count_of(&promised), ..lab.account() };
    account.duplicates = arrivals.duplicates();
    account.count_losses(&ended);
    account.demand_all();
    let unpromised = arrivals.count() - account.arrived;
    account.remark = format!("{kills} kills; {unpromised} more arrived without a receipt");
    Ok(account)
}

/// Ranges of numbers, of whole lines.
fn read_stored(path: &Path) -> Result<Vec<RangeInclusive<u64>>, BoxError> {
    let text = fs::read_to_string(path)?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _torn)| whole);
    let range = |line: &str| {
        let (first, last) = line.split_once(' ').ok_or("a line of another form")?;
        Ok(first.parse()?..=last.parse()?)
    };
    whole.lines().map(range).collect()
}

/// User events have no receipts. All before the watermark that `/status` showed last must arrive, and no more than a
/// moment's worth of others may be missing, which nobody counts.
pub(super) async fn datagrams(lab: &Lab) -> Result<Account, BoxError> {
    let (scene, target, kills) = (Scene::new()?, Target::start().await?, lab.pick(KILLS, SHORT_KILLS));
    // What the first life is given is where all of them listen, since senders do not change.
    let mut listen = ANY_PORT;
    let yaml = |listen| scene.on_disk("") + &udp(listen, "") + &influx(&target.url(), "", "");
    let mut account = lab.account();
    let mut promised = Vec::new();
    for life in 0..kills {
        let sos = scene.start(&lab.sos, &yaml(listen))?;
        listen = sos.udp()?;
        let Life { sent, durable, dropped } = live(sos, life, listen).await?;
        account.sent += sent;
        account.counted += dropped;
        // On a machine that does other things a sync takes its time.
        account.may_miss += if lab.is_short() { 10 * PER_KILL } else { PER_KILL };
        if let Some(last) = durable.checked_sub(1) {
            promised.push(life * LIFE..=life * LIFE + last);
        }
    }
    let sos = scene.start(&lab.sos, &yaml(listen))?;
    sos.until("everything is delivered", Status::is_idle).await?;
    let ended = sos.stop()?;
    let (arrivals, durable) = (target.arrivals(), count_of(&promised));
    account.arrived = arrivals.count();
    account.duplicates = arrivals.duplicates();
    account.count_losses(&ended);
    let kept = arrivals.count_of(&promised);
    account.demand(kept == durable, || {
        format!("{durable} events were durable, but only {kept} of them arrived")
    });
    account.balance();
    let bound = account.may_miss;
    account.remark =
        format!("{kills} kills; all {durable} durable ones arrived; {bound} others may be missing");
    Ok(account)
}

/// What came of one life of the program.
struct Life {
    sent: u64,
    /// How many of these were durable when it was asked last.
    durable: u64,
    /// How many of these the kernel has dropped by then.
    dropped: u64,
}

/// Sends numbered user events for a random time, then kills the program.
async fn live(sos: Sos, life: u64, listen: SocketAddr) -> Result<Life, BoxError> {
    let before = sos.status()?.journal("appended_events");
    let time = Duration::from_millis(fastrand::u64(LIVES));
    let most = RATE * (LIVES.end() / 1_000 + 2);
    let datagrams: Vec<_> = (life * LIFE..life * LIFE + most)
        .map(|number| {
            let user = format!("{NUMBERED_USER}{number}");
            format!("/qseow-proxy-session/;host;Start session;DIR;{user};Hub;context;message").into_bytes()
        })
        .collect();
    let mut send = pin!(send(&datagrams, listen, u32::try_from(RATE)?, Amount::For(time)));
    let (mut durable, mut dropped) = (before, 0);
    let sent = loop {
        select! {
            sent = &mut send => break sent?.datagrams,
            () = sleep(LOOK_EVERY) => {
                let status = sos.status()?;
                (durable, dropped) = (status.journal("durable_events"), status.sources("kernel_drops"));
            }
        }
    };
    sos.kill()?;
    Ok(Life { sent, durable: durable.saturating_sub(before), dropped })
}

fn count_of(numbers: &[RangeInclusive<u64>]) -> u64 {
    numbers.iter().map(|numbers| numbers.end() - numbers.start() + 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_by_the_kill_promises_nothing() {
        let scene = Scene::new().unwrap();
        let path = scene.write("stored", "0 49\n50 99\n1000000000 10000").unwrap();
        assert_eq!(read_stored(&path).unwrap(), [0..=49, 50..=99]);
        assert_eq!(count_of(&[0..=49, 50..=99]), 100);
    }
}
