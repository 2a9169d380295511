//! Datagrams that nobody should send.

use std::time::Duration;

use senseops_core::BoxError;
use senseops_sim::{Amount, send};
use tokio::time::sleep;

use super::account::Account;
use super::lab::{IN_MEMORY, Lab, Scene, influx, udp};
use super::target::Target;
use crate::program::ANY_PORT;

/// The largest that UDP over IPv4 can carry.
const LARGEST_BYTES: usize = 65_507;
/// The most that memory may grow by, in MiB.
const GROWTH_MIB: f64 = 64.0;
/// What a user event begins with.
const BEGIN: &[u8] = b"/qseow-proxy-session/;";

/// Noise of any length. Half of it begins like a user event, so that it gets further.
pub(super) async fn random(lab: &Lab) -> Result<Account, BoxError> {
    let noise = |number: usize| {
        let mut bytes: Vec<u8> = if number.is_multiple_of(2) { BEGIN.to_vec() } else { Vec::new() };
        let letters = b";;;;/\\\"',= \n\r\t\0\x1b[Start Close session {}<>%&\xff\xfe\xc3\x28";
        bytes.extend((0..fastrand::usize(..1_400)).map(|_| match fastrand::u8(..4) {
            0 => fastrand::u8(..),
            _ => letters.get(fastrand::usize(..letters.len())).copied().unwrap_or_default(),
        }));
        bytes
    };
    let datagrams: Vec<_> = (0..5_000).map(noise).collect();
    attack(lab, &datagrams, lab.pick(5_000, 20_000), 100_000).await
}

/// As large as a datagram can be, each field of it included.
pub(super) async fn largest(lab: &Lab) -> Result<Account, BoxError> {
    let shapes = [";", "x", "a;", "\u{e9}"].map(|text| {
        let mut bytes = [BEGIN, b"host;Start session;DIR;"].concat();
        bytes.extend(text.bytes().cycle().take(LARGEST_BYTES - bytes.len()));
        bytes
    });
    attack(lab, &shapes, 200, lab.pick(10_000, 600)).await
}

/// Sends them, and demands that each is received, refused or dropped by the kernel, and counted as that.
async fn attack(lab: &Lab, datagrams: &[Vec<u8>], rate: u32, count: u64) -> Result<Account, BoxError> {
    let target = Target::start().await?;
    let yaml = IN_MEMORY.to_owned() + &udp(ANY_PORT, "") + &influx(&target.url(), "", "");
    let sos = Scene::new()?.start(&lab.sos, &yaml)?;
    sleep(Duration::from_secs(1)).await;
    let resident = sos.resident_mib()?;
    let sent = send(datagrams, sos.udp()?, rate, Amount::Count(count)).await?.datagrams;
    sos.until("all datagrams are accounted for", |status| status.datagrams() >= sent).await?;
    let mut account = Account { resident: Some((resident, sos.resident_mib()?)), ..lab.account() };
    let lines = sos.lines();
    let ended = sos.stop()?;
    let sources = &ended.sources;
    let (received, drops, refused) =
        (sources.of("received"), sources.of("kernel_drops"), sources.of("refused"));
    let (emitted, delivered) = (sources.of("emitted"), ended.sinks.of("delivered"));
    account.sent = sent;
    account.arrived = delivered;
    account.count_losses(&ended);
    account.counted += drops + refused;
    account.balance();
    account.demand(received + drops == sent, || format!("{received} received + {drops} dropped, of {sent}"));
    account.demand_memory(GROWTH_MIB);
    account.demand(lines < 50, || format!("{lines} lines in the log"));
    account.remark =
        format!("{emitted} were user events after all, {refused} refused, {drops} dropped by the kernel");
    Ok(account)
}
