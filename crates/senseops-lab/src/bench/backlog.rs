//! What a large backlog costs, and how soon it is gone.
#![expect(clippy::disallowed_methods, reason = "a tool may wait for a disk")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use senseops_core::BoxError;
use senseops_sim::InfluxTarget;
use tempfile::TempDir;
use tokio::time::sleep;

use super::load::micros_per_event;
use super::table::Figure;
use super::{Bench, to_f64};
use crate::program::{PATIENCE, Sos};

/// How many events wait for the other sink.
const BACKLOGS: [u64; 3] = [0, 100_000, 10_000_000];
/// Events per second while the cost is measured.
const RATE: u64 = 20_000;
/// Bytes beside the number of an event that is to be recovered.
const PADDING: u64 = 400;
/// What a journal of a gibibyte holds of these.
const RECOVERED: u64 = 2_300_000;
/// How long the load runs before the cost is measured.
const WARM: Duration = Duration::from_secs(2);
/// How long it is measured.
const WINDOW: Duration = Duration::from_secs(8);

/// A journal with events that could not be delivered.
struct Backlog {
    dir: TempDir,
    events: u64,
}

impl Backlog {
    /// Emits so many events, as fast as the journal takes them, to a sink whose target is down.
    async fn build(chaos: &Path, events: u64, padding: u64) -> Result<Self, BoxError> {
        let backlog = Self { dir: TempDir::with_prefix("sos-bench-backlog-")?, events };
        let stored = backlog.dir.path().join("stored");
        let source = format!("count: {events}, padding: {padding}, stored: '{}'", stored.display());
        let sos = Sos::start(chaos, &backlog.configuration(&source, &behind("http://127.0.0.1:9")))?;
        let (began, last) = (Instant::now(), format!(" {}\n", events.saturating_sub(1)));
        while events > 0 && !fs::read_to_string(&stored).unwrap_or_default().ends_with(&last) {
            if began.elapsed() > PATIENCE {
                return Err("the backlog could not be made".into());
            }
            sleep(Duration::from_millis(200)).await;
        }
        sos.stop()?;
        Ok(backlog)
    }

    fn configuration(&self, source: &str, sinks: &str) -> String {
        format!(
            "pipeline: {{ journal: {{ path: '{}/journal', max_bytes: 8GiB }} }}\n\
             sources: {{ numbered: {{ load: {{ {source} }} }} }}\n\
             sinks: {{ influx: {{ {sinks} }} }}\n",
            self.dir.path().display()
        )
    }

    fn journal_mib(&self) -> Result<u64, BoxError> {
        let entries = fs::read_dir(self.dir.path().join("journal"))?;
        let bytes = entries.map(|entry| Ok(entry?.metadata()?.len())).sum::<std::io::Result<u64>>()?;
        Ok(bytes / (1024 * 1024))
    }
}

/// The same load with each backlog: the cost of an event must not depend on it.
pub(super) async fn cost(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let mut costs = Vec::new();
    for events in BACKLOGS.map(|events| bench.part(events)) {
        let backlog = Backlog::build(&bench.chaos, events, 0).await?;
        let target = InfluxTarget::start().await?;
        let sinks = format!(
            "{}, main: {{ url: '{}', database: senseops }}",
            behind("http://127.0.0.1:9"),
            target.url()
        );
        let source = format!("first: {events}, per_second: {RATE}");
        let sos = Sos::start(&bench.chaos, &backlog.configuration(&source, &sinks))?;
        sleep(WARM).await;
        let (cpu, points) = (sos.cpu()?, target.points());
        sleep(WINDOW.mul_f64(bench.share.max(0.2))).await;
        let (cpu, points) = (sos.cpu()? - cpu, target.points() - points);
        costs.push((backlog.events, micros_per_event(cpu, points)));
        sos.stop()?;
    }
    let least = costs.iter().map(|(_, cost)| *cost).fold(f64::MAX, f64::min);
    let most = costs.iter().map(|(_, cost)| *cost).fold(0.0, f64::max);
    let each: Vec<_> = costs.iter().map(|(events, cost)| format!("{cost:.2} µs at {events}")).collect();
    Ok(vec![
        Figure::new(
            "CPU per event while another sink is 0, 10⁵ and 10⁷ events behind: most against least",
            most / least,
            "times",
        )
        .at_most(1.3)
        .remark(each.join(", ")),
    ])
}

/// From the start of the program to a running pipeline, and on until everything is delivered.
pub(super) async fn recovery(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let backlog = Backlog::build(&bench.chaos, bench.part(RECOVERED), PADDING).await?;
    let mib = backlog.journal_mib()?;
    let target = InfluxTarget::start().await?;
    let sos = Sos::start(&bench.chaos, &backlog.configuration("count: 0", &behind(&target.url())))?;
    let opened = sos.age();
    while target.points() < backlog.events {
        if sos.age() > PATIENCE {
            return Err(format!("only {} of {} were recovered", target.points(), backlog.events).into());
        }
        sleep(Duration::from_millis(10)).await;
    }
    let (delivered, resident) = (sos.age().as_secs_f64(), sos.resident_mib()?);
    sos.stop()?;
    let rate = to_f64(backlog.events) / delivered;
    Ok(vec![
        Figure::new(
            "start with a backlog of 1 GiB, until the pipeline runs",
            opened.as_secs_f64() * 1e3,
            "ms",
        )
        .at_most(1000.0)
        .remark(format!("{} events, {mib} MiB on disk", backlog.events)),
        Figure::new("the same, until all of it is delivered", delivered, "s")
            .at_most(60.0)
            .remark(format!("{rate:.0} events/s; {resident:.0} MiB resident then")),
    ])
}

/// The sink that has the backlog. While its target is down it tries once.
fn behind(url: &str) -> String {
    format!(
        "behind: {{ url: '{url}', database: senseops, delivery: {{ retry: {{ initial: 10m, max: 10m }} }} }}"
    )
}
