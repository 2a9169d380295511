//! What an event takes that waits.

use senseops_core::BoxError;
use senseops_testkit::Reserved;
use tokio::time::{Duration, sleep};

use super::load::{Journal, Load, Loaded, Spacing};
use super::table::Figure;
use super::{Bench, to_f64};

/// How many events wait.
const WAITING: [u64; 2] = [100_000, 500_000];
/// Events per second: no more than a busy machine takes without a loss.
const RATE: u32 = 25_000;
/// How many are received before memory is looked at for the first time, so that buffers are there.
const BEFORE: u64 = 1_000;
/// Memory that is needed for a moment only is given back after a moment.
const SETTLE: Duration = Duration::from_secs(1);

/// How much the program grows while events wait in memory for a target that is down.
pub(super) async fn of_waiting_events(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let mut figures = Vec::new();
    for count in WAITING {
        let count = bench.part(count);
        let nobody = Reserved::tcp()?;
        let sinks = format!(
            "sinks: {{ influx: {{ bench: {{ url: 'http://{}', database: bench }} }} }}\n",
            nobody.address()
        );
        let loaded = Loaded::start(bench, Journal::InMemory, "max_bytes: 4GiB", &sinks)?;
        let (few, before) = waiting(&loaded, BEFORE, BEFORE).await?;
        let (many, after) = waiting(&loaded, count, BEFORE + count).await?;
        loaded.sos.kill()?;
        let bytes = (after - before) * 1024.0 * 1024.0 / to_f64(many - few);
        figures.push(
            Figure::new(format!("memory of a user event that waits in memory, of {count}"), bytes, "B")
                .others("Butler SOS reached 4.1 GB in a 30 s outage at 50/s")
                .at_most(300.0)
                .remark(format!("{} more waited; resident {before:.1} → {after:.1} MiB", many - few)),
        );
    }
    Ok(figures)
}

/// Sends so many more events, so that so many have been sent at all. Tells how many wait then, and how much memory the
/// program holds.
async fn waiting(loaded: &Loaded, more: u64, all: u64) -> Result<(u64, f64), BoxError> {
    loaded.send(Load { rate: RATE, count: more, spacing: Spacing::Bursts }).await?;
    loaded.sos.until("all events wait", |status| status.datagrams() >= all).await?;
    sleep(SETTLE).await;
    Ok((loaded.sos.status()?.sinks("lag_events"), loaded.sos.resident_mib()?))
}
