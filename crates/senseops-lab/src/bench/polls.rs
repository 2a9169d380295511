//! Simulated Sense servers that are polled.

use std::time::Duration;

use senseops_core::BoxError;
use tokio::time::sleep;

use super::estate::Estate;
use super::table::Figure;
use super::{Bench, to_f64};
use crate::program::Sos;

/// Eight of the health, and one that the server answers.
const POINTS_PER_POLL: f64 = 9.0;
/// How long two servers are watched.
const TWO_SERVERS: Duration = Duration::from_secs(30);
/// How long many servers are watched.
const MANY_SERVERS: Duration = Duration::from_secs(20);
/// After the handshakes.
const SETTLE: Duration = Duration::from_secs(5);

/// Polled every five seconds, from the start on.
pub(super) async fn two_servers(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let estate = Estate::start(&bench.sim, 2, "5s")?;
    let program = Sos::start(&bench.sos, &estate.config)?;
    while estate.points()? == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    let first_sample = program.age();
    sleep(Duration::from_secs(2)).await;
    let (cpu, memory) = (program.cpu()?, program.resident_mib()?);
    let window = TWO_SERVERS.mul_f64(bench.share);
    sleep(window).await;
    let cpu = (program.cpu()? - cpu) / window.as_secs_f64() * 60.0;
    let resident = program.resident_mib()?;
    program.stop()?;
    Ok(vec![
        Figure::new("start to first stored health sample", first_sample.as_secs_f64() * 1e3, "ms")
            .others("Butler SOS 6.5 s")
            .at_most(200.0),
        Figure::new("CPU, 2 servers polled every 5 s", cpu, "s per minute")
            .others("Butler SOS 4.3 s")
            .at_most(0.1),
        Figure::new("resident memory, 2 servers polled, idle", resident, "MiB")
            .others("Butler SOS 200 MB, 566 MB after 3 min; Vector 31 MB")
            .at_most(25.0)
            .remark(format!("{:+.1} MiB over the last {:.0} s", resident - memory, window.as_secs_f64())),
    ])
}

pub(super) async fn fifty_servers(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let cores = polling(bench, 50).await?;
    Ok(vec![
        Figure::new("CPU, 50 servers polled every second", cores * 60.0, "s per minute")
            .others("Butler SOS 15.2 s")
            .at_most(1.0),
    ])
}

pub(super) async fn thousand_servers(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let cores = polling(bench, 1_000).await?;
    Ok(vec![
        Figure::new("CPU, 1,000 servers polled every second", cores, "cores")
            .others("Butler SOS polls one after another")
            .at_most(1.0),
    ])
}

/// The share of one core that polling so many servers every second takes.
async fn polling(bench: &Bench, servers: u32) -> Result<f64, BoxError> {
    let estate = Estate::start(&bench.sim, usize::try_from(servers)?, "1s")?;
    let program = Sos::start(&bench.sos, &estate.config)?;
    sleep(SETTLE).await;
    let (cpu, before) = (program.cpu()?, estate.points()?);
    let window = MANY_SERVERS.mul_f64(bench.share.max(0.3));
    sleep(window).await;
    let used = (program.cpu()? - cpu) / window.as_secs_f64();
    let polls = to_f64(estate.points()? - before) / POINTS_PER_POLL / window.as_secs_f64();
    program.stop()?;
    if polls < f64::from(servers) * 0.95 {
        return Err(format!("only {polls:.0} polls a second of {servers} servers").into());
    }
    Ok(used)
}
