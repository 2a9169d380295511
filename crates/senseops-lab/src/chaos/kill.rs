//! The program is killed at random moments under load, with the journal on disk.
#![expect(clippy::disallowed_methods, reason = "a tool may wait for a disk")]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use senseops_core::BoxError;
use senseops_sim::{Amount, send};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::account::Account;
use super::arrivals::Arrivals;
use super::lab::{BACKLOG_WITHIN, Lab, RATE, Scene, free_udp_address, influx, numbered, udp};
use super::target::{NUMBERED_USER, Target};
use crate::http;
use crate::program::Sos;

/// Numbers of one life of the program begin so far above those of the life before.
const LIFE: u64 = 1_000_000_000;
const KILLS: u64 = 50;
const SHORT_KILLS: u64 = 6;
/// The shortest and the longest life, in milliseconds.
const LIVES: RangeInclusive<u64> = 100..=1_500;
/// The most datagrams that a crash may cost: a fifth of a second of load. The interval of syncs is a quarter of that, but
/// a sync takes its time on a busy disk; what the kernel holds for the socket is far less.
const LOST_PER_KILL: u64 = RATE / 5;

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
        target.pass(Duration::from_millis(fastrand::u64(LIVES))).await;
        sos.kill()?;
    }
    let promised = read_stored(&stored)?;
    let count = count_of(&promised);
    let sos = scene.start(&lab.chaos, &yaml(kills, ", count: 0"))?;
    let has_all = |arrived: u64| arrived == count;
    let all = target.until("all", BACKLOG_WITHIN, |arrivals| has_all(arrivals.count_of(&promised))).await;
    let ended = sos.stop()?;
    let arrivals = target.arrivals();
    let mut account = Account { sent: count, arrived: arrivals.count_of(&promised), ..Account::default() };
    account.duplicates = arrivals.duplicates();
    account.count_losses(&ended);
    account.demand_all();
    account.demand(all.is_ok(), || "events with the receipt `Stored` are missing".into());
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
/// moment's worth of others may be missing.
pub(super) async fn datagrams(lab: &Lab) -> Result<Account, BoxError> {
    let (scene, target, kills) = (Scene::new()?, Target::start().await?, lab.pick(KILLS, SHORT_KILLS));
    let (listen, web) = (free_udp_address()?, TcpListener::bind("127.0.0.1:0")?.local_addr()?);
    let yaml = scene.on_disk("")
        + &format!("web: {{ listen: '{web}' }}\n")
        + &udp(listen, "")
        + &influx(&target.url(), "", "");
    let mut account = Account::default();
    let mut promised = Vec::new();
    for life in 0..kills {
        let sos = scene.start(&lab.sos, &yaml)?;
        let (sent, durable) = live(sos, life, listen, web).await?;
        account.sent += sent;
        if let Some(last) = durable.checked_sub(1) {
            promised.push(life * LIFE..=life * LIFE + last);
        }
    }
    let sos = scene.start(&lab.sos, &yaml)?;
    let count = count_of(&promised);
    let is_all = |arrivals: &Arrivals| arrivals.count_of(&promised) == count;
    let all = target.until("all", BACKLOG_WITHIN, is_all).await;
    target.until_quiet().await;
    let ended = sos.stop()?;
    let arrivals = target.arrivals();
    account.arrived = arrivals.count();
    account.duplicates = arrivals.duplicates();
    account.count_losses(&ended);
    account.demand(all.is_ok(), || {
        format!("{count} events were durable, but only {} of them arrived", arrivals.count_of(&promised))
    });
    // Everything else was in memory, or in the socket, when the program was killed.
    let (lost, bound) = (account.sent.saturating_sub(account.arrived), kills * LOST_PER_KILL);
    account.counted += lost;
    account.balance();
    account.demand(lost <= bound, || format!("{lost} lost, more than {bound}"));
    account.remark =
        format!("{kills} kills; all {count} durable ones arrived; {lost} others lost, {bound} is the bound");
    Ok(account)
}

/// Sends numbered user events for a random time, then kills the program. How many were sent, and how many of these
/// were durable when it was asked last.
async fn live(sos: Sos, life: u64, listen: SocketAddr, web: SocketAddr) -> Result<(u64, u64), BoxError> {
    let before = journal_count(web, "appended_events")?;
    let time = Duration::from_millis(fastrand::u64(LIVES));
    let most = RATE * (LIVES.end() / 1_000 + 2);
    let datagrams: Vec<_> = (life * LIFE..life * LIFE + most)
        .map(|number| {
            let user = format!("{NUMBERED_USER}{number}");
            format!("/qseow-proxy-session/;host;Start session;DIR;{user};Hub;context;message").into_bytes()
        })
        .collect();
    let end = Instant::now() + time;
    let watch = async {
        let mut durable = before;
        while Instant::now() < end {
            durable = journal_count(web, "durable_events")?;
            sleep(Duration::from_millis(20)).await;
        }
        sos.kill()?;
        Ok::<_, BoxError>(durable)
    };
    let (sent, durable) =
        tokio::join!(send(&datagrams, listen, u32::try_from(RATE)?, Amount::For(time)), watch);
    Ok((sent?.datagrams, durable?.saturating_sub(before)))
}

fn count_of(numbers: &[RangeInclusive<u64>]) -> u64 {
    numbers.iter().map(|numbers| numbers.end() - numbers.start() + 1).sum()
}

/// A number of the journal in `/status`.
fn journal_count(web: SocketAddr, name: &str) -> Result<u64, BoxError> {
    let status: Value = serde_json::from_str(&http::get(&web.to_string(), "/status")?)?;
    let count = status.pointer(&format!("/journal/{name}")).and_then(Value::as_u64);
    count.ok_or_else(|| format!("/status does not tell journal.{name}").into())
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
