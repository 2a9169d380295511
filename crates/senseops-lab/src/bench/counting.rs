//! User events to a target that takes, counts and forgets them, and to none.

use senseops_core::BoxError;
use senseops_sim::InfluxTarget;

use super::load::{Done, Journal, Load, Loaded, Spacing, percent};
use super::table::{Figure, Goal};
use super::{Bench, to_f64};

/// A configuration needs a sink; this one wants nothing.
const NOWHERE: &str = "sinks: { console: { nowhere: { only: { kinds: [ none ] } } } }\n";
/// The name of the sink that writes to the target.
const SINK: &str = "influx.bench";
/// More than must be delivered per second.
const RATE: u32 = 110_000;
/// For how long, so that the last batch, which waits for its age, weighs little.
const RATE_SECONDS: u64 = 10;

/// What a journal on disk may cost beyond one in memory, in microseconds.
const DISK_MICROS: f64 = 1.0;

/// User events that are received, parsed and passed over.
pub(super) async fn nowhere(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let load = Load { rate: 100_000, count: bench.part(500_000), spacing: Spacing::Bursts };
    // Nothing arrives anywhere, so the program is asked what it has received.
    let done = Loaded::start(bench, Journal::InMemory, "", NOWHERE)?.run(load, async || 0).await?;
    let sources = &done.ended.sources;
    let (received, drops) = (done.received(), sources.of("kernel_drops"));
    let granted = sources.of("receive_buffer_bytes") / 1024;
    Ok(vec![
        Figure::new(
            "user event UDP → parsed → nowhere: CPU per event",
            done.micros_per_event(received),
            "µs",
        )
        .others("Vector 26 µs")
        .at_most(5.0)
        .remark(format!("{received} received at 100,000/s")),
        Figure::new("the same: lost at 100,000/s", percent(drops, done.sent), "%")
            .others("Vector loses 60 % at 50,000/s")
            .goal(Goal::None)
            .remark(format!("receive buffer granted: {granted} KiB")),
    ])
}

/// As many as a large estate has at its worst, with each journal.
pub(super) async fn at_100_000(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let load = Load { rate: 100_000, count: bench.part(500_000), spacing: Spacing::Bursts };
    let mut figures: Vec<Figure> = Vec::new();
    for journal in Journal::BOTH {
        let done = run(bench, journal, load).await?;
        let goal = match figures.first() {
            None => Goal::AtMost(5.0),
            Some(in_memory) => Goal::AtMostMore { most: DISK_MICROS, than: in_memory.ours.clone() },
        };
        let delivered = done.delivered(SINK);
        let lost = done.sent.saturating_sub(delivered);
        let drops = done.ended.sources.of("kernel_drops");
        let name =
            format!("user event UDP → a target that only counts, 100000/s, journal {}", journal.name());
        figures.push(
            Figure::new(format!("{name}: CPU per event"), done.micros_per_event(delivered), "µs").goal(goal),
        );
        figures.push(
            Figure::new("the same: lost", percent(lost, done.sent), "%")
                .others("Butler SOS loses above about 1,250/s")
                .goal(Goal::None)
                .remark(format!("{lost} of {}, {drops} of them dropped by the kernel", done.sent)),
        );
    }
    Ok(figures)
}

/// How many per second are delivered when a little more than the goal is sent.
pub(super) async fn rate(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let load =
        Load { rate: RATE, count: bench.part(u64::from(RATE) * RATE_SECONDS), spacing: Spacing::Bursts };
    let done = run(bench, Journal::InMemory, load).await?;
    let delivered = done.delivered(SINK);
    Ok(vec![
        Figure::new(
            "user event UDP → a target that only counts: delivered per second, from the first sent to the last arrived",
            to_f64(delivered) / done.took.as_secs_f64(),
            "/s",
        )
        .others("Butler SOS loses above about 1,250/s")
        .goal(Goal::AtLeast(100_000.0))
        .remark(format!("{delivered} of {} sent at {RATE}/s", done.sent)),
    ])
}

/// The same load with the journal in memory and on disk, as the only difference.
pub(super) async fn disk_against_memory(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let load = Load { rate: 10_000, count: bench.part(100_000), spacing: Spacing::Bursts };
    let mut costs = Vec::new();
    for journal in Journal::BOTH {
        let done = run(bench, journal, load).await?;
        costs.push(done.micros_per_event(done.delivered(SINK)));
    }
    let [memory, disk] = costs[..] else { return Err("two journals, two costs".into()) };
    Ok(vec![
        Figure::new("CPU per event with the journal on disk, against in memory", disk / memory, "times")
            .at_most(1.5)
            .remark(format!(
                "{disk:.2} µs against {memory:.2} µs, to a target that only counts, 10000/s in bursts"
            )),
    ])
}

async fn run(bench: &Bench, journal: Journal, load: Load) -> Result<Done, BoxError> {
    let target = InfluxTarget::start().await?;
    let sinks =
        format!("sinks: {{ influx: {{ bench: {{ url: '{}', database: senseops }} }} }}\n", target.url());
    Loaded::start(bench, journal, "", &sinks)?.run(load, async || target.points()).await
}
