//! A new configuration again and again, under full load.

use std::time::Duration;

use senseops_core::BoxError;
use senseops_sim::{Amount, Mix, UserEvents, send};
use tokio::time::sleep;

use super::account::Account;
use super::lab::{Lab, RATE, Scene, influx, udp};
use super::target::Target;
use crate::program::ANY_PORT;

const RELOADS: u64 = 100;
const SHORT_RELOADS: u64 = 12;
/// From one to the next.
const INTERVAL: Duration = Duration::from_millis(500);
/// What the program logs after each.
const RELOADED: &str = "new configuration is in use";

/// Both the source that listens and the sink change each time, so both are built anew while events come and go. No
/// datagram that reached the socket is lost, and no event that waits.
pub(super) async fn under_load(lab: &Lab) -> Result<Account, BoxError> {
    let (scene, target) = (Scene::new()?, Target::start().await?);
    let reloads = lab.pick(RELOADS, SHORT_RELOADS);
    let yaml = |turn: u64| {
        let (exclude, gzip) = if turn.is_multiple_of(2) { ("a", "on") } else { ("b", "off") };
        let source = udp(ANY_PORT, &format!(", exclude: [ {{ directory: nobody, user_id: {exclude} }} ]"));
        scene.on_disk("") + &source + &influx(&target.url(), &format!(", gzip: {gzip}"), "")
    };
    let sos = scene.start(&lab.sos, &yaml(0))?;
    let datagrams: Vec<_> = UserEvents::new(7).mix(Mix::QSEOW_ONLY).take(1_000).collect();
    let time = INTERVAL * u32::try_from(reloads)? + Duration::from_secs(2);
    let load = send(&datagrams, sos.udp()?, u32::try_from(RATE)?, Amount::For(time));
    let drama = async {
        sleep(Duration::from_secs(1)).await;
        let resident = sos.resident_mib()?;
        for turn in 1..=reloads {
            scene.configure(&yaml(turn))?;
            sos.signal("HUP")?;
            // Signals that come too fast are one.
            sos.until_said(RELOADED, turn).await?;
            sleep(INTERVAL).await;
        }
        Ok::<_, BoxError>(resident)
    };
    let (sent, resident) = tokio::join!(load, drama);
    let mut account = Account { sent: sent?.datagrams, ..lab.account() };
    sos.until("all datagrams are accounted for", |status| status.datagrams() >= account.sent).await?;
    account.resident = Some((resident?, sos.resident_mib()?));
    let reloaded = sos.times_said(RELOADED);
    let ended = sos.stop()?;
    account.arrived = target.arrivals().count();
    account.duplicates = target.arrivals().duplicates();
    account.count_losses(&ended);
    account.counted += ended.sources.of("kernel_drops");
    account.balance();
    account.demand(reloaded == reloads, || format!("{reloaded} of {reloads} reloads took place"));
    let drops = ended.sources.of("kernel_drops");
    account.demand(account.counted == drops, || "events were lost after they were received".into());
    account.demand_memory(64.0);
    account.remark = format!("{reloads} reloads, {drops} datagrams dropped by the kernel");
    Ok(account)
}
