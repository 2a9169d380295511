//! How long an event is on its way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use senseops_core::BoxError;
use senseops_testkit::{Answer, HttpTarget};
use tokio::time::sleep;

use super::load::{Journal, Loaded};
use super::table::Figure;
use super::{Bench, evenly};
use crate::program::PATIENCE;

const RATE: u32 = 1_000;
/// How long the sink waits for a batch to fill, in milliseconds.
const MAX_AGE: u32 = 10;
/// How much longer an event may take, in milliseconds.
const ADDED: u32 = 100;
/// What stands before the number of an event, in its user id.
const USER: &str = "latency-user-";

/// When each event arrived first, by its number.
type Arrivals = Arc<Mutex<Vec<Option<Instant>>>>;

/// From the datagram sent to the point arrived, with each journal.
pub(super) async fn at_1_000(bench: &Bench) -> Result<Vec<Figure>, BoxError> {
    let mut figures = Vec::new();
    for journal in Journal::BOTH {
        let latencies = latencies(bench, journal).await?;
        let name =
            format!("datagram sent → point arrived, {RATE}/s evenly spaced, journal {}", journal.name());
        for (part, which) in [(50, "median"), (99, "99th percentile")] {
            let index = latencies.len() * part / 100;
            let latency = latencies.get(index).copied().unwrap_or(Duration::MAX);
            figures.push(
                Figure::new(format!("{name}: {which}"), latency.as_secs_f64() * 1e3, "ms")
                    .at_most(f64::from(MAX_AGE + ADDED))
                    .remark(format!("delivery.max_age is {MAX_AGE} ms of it")),
            );
        }
    }
    Ok(figures)
}

/// Sorted, without those of the first second.
async fn latencies(bench: &Bench, journal: Journal) -> Result<Vec<Duration>, BoxError> {
    let count = usize::try_from(bench.part(u64::from(RATE) * 5) + u64::from(RATE))?;
    let target = HttpTarget::start().await?;
    target.keep_no_requests();
    let arrivals: Arrivals = Arc::new(Mutex::new(vec![None; count]));
    answer(&target, &arrivals);
    let sinks = format!(
        "sinks: {{ influx: {{ bench: {{ url: '{}', database: bench, naming: native, delivery: {{ max_age: {MAX_AGE}ms }} }} }} }}\n",
        target.url()
    );
    let loaded = Loaded::start(bench, journal, "", &sinks)?;
    let datagrams = (0..count)
        .map(|number| {
            format!("/qseow-proxy-session/;host;Start session;DIR;{USER}{number};Hub;context;message")
                .into_bytes()
        })
        .collect();
    let sent = evenly::send(datagrams, loaded.listen, RATE).await?;
    let began = Instant::now();
    while !lock(&arrivals).iter().all(Option::is_some) {
        if began.elapsed() > PATIENCE {
            return Err("an event did not arrive".into());
        }
        sleep(Duration::from_millis(20)).await;
    }
    loaded.sos.stop()?;
    let arrived = lock(&arrivals).clone();
    let pairs = sent.into_iter().zip(arrived).skip(usize::try_from(RATE)?);
    let mut latencies: Vec<_> =
        pairs.filter_map(|(sent, arrived)| Some(arrived?.duration_since(sent))).collect();
    latencies.sort_unstable();
    Ok(latencies)
}

/// Takes everything, and notes when.
fn answer(target: &HttpTarget, arrivals: &Arrivals) {
    let arrivals = Arc::clone(arrivals);
    target.answer_with(move |request| {
        if request.path() != "/write" {
            return Answer::ok(r#"{"results":[{"statement_id":0}]}"#);
        }
        let (now, text) = (Instant::now(), request.text());
        let mut arrivals = lock(&arrivals);
        for number in text.split(USER).skip(1).filter_map(leading_number) {
            if let Some(arrival) = arrivals.get_mut(number) {
                arrival.get_or_insert(now);
            }
        }
        Answer::no_content().header("x-influxdb-version", "1.8.10")
    });
}

fn leading_number(text: &str) -> Option<usize> {
    text.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
}

fn lock(arrivals: &Arrivals) -> std::sync::MutexGuard<'_, Vec<Option<Instant>>> {
    arrivals.lock().unwrap_or_else(PoisonError::into_inner)
}
