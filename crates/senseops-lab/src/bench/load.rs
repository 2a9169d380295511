//! A load of user events on a program, and what it took.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use senseops_core::BoxError;
use senseops_sim::{Amount, Mix, UserEvents, send};
use tempfile::TempDir;
use tokio::time::sleep;

use super::{Bench, evenly, to_f64};
use crate::program::{ANY_PORT, Ended, PATIENCE, Sos, WEB};

/// How many different datagrams the load cycles through.
const DATAGRAMS: usize = 5_000;
/// User events before the measurement, so that connections, databases and buffers are there.
const WARM_UP: u32 = 200;
/// A target that has got nothing new for so long may have got all there is.
const QUIET: Duration = Duration::from_secs(1);

/// Where the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    InMemory,
    OnDisk,
}

/// How datagrams are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    /// Those of a millisecond together.
    Bursts,
    /// Each at its time.
    Even,
}

/// How many datagrams per second, and how many at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) rate: u32,
    pub(super) count: u64,
    pub(super) spacing: Spacing,
}

/// A program that listens for user events.
pub(super) struct Loaded {
    pub(super) sos: Sos,
    pub(super) listen: SocketAddr,
    /// Where the journal is, if it is on disk.
    _dir: TempDir,
}

/// What came of a load.
pub(super) struct Done {
    pub(super) sent: u64,
    /// Seconds.
    pub(super) cpu: f64,
    /// From the first datagram sent to the last event arrived.
    pub(super) took: Duration,
    pub(super) ended: Ended,
}

impl Journal {
    pub(super) const BOTH: [Self; 2] = [Self::InMemory, Self::OnDisk];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::InMemory => "in memory",
            Self::OnDisk => "on disk",
        }
    }
}

impl Loaded {
    /// Starts it with these further lines of a configuration.
    pub(super) fn start(
        bench: &Bench,
        journal: Journal,
        journal_settings: &str,
        sinks: &str,
    ) -> Result<Self, BoxError> {
        let dir = TempDir::with_prefix("sos-bench-")?;
        let state = match journal {
            Journal::InMemory => String::new(),
            Journal::OnDisk => format!("state_dir: '{}', ", dir.path().display()),
        };
        let yaml = format!(
            "{WEB}pipeline: {{ {state}journal: {{ {journal_settings} }} }}\n\
             sources: {{ udp: {{ bench: {{ listen: '{ANY_PORT}', allow: [ 127.0.0.1 ] }} }} }}\n{sinks}"
        );
        let sos = Sos::start(&bench.sos, &yaml)?;
        Ok(Self { listen: sos.udp()?, sos, _dir: dir })
    }

    /// Sends a load, waits until the target has it all or never will, and ends the program. `arrived` says how many
    /// events the target has got, those of the warm-up included.
    pub(super) async fn run(self, load: Load, arrived: impl AsyncFn() -> u64) -> Result<Done, BoxError> {
        let warm_up = Load { rate: 1_000, count: WARM_UP.into(), spacing: Spacing::Bursts };
        self.send(warm_up).await?;
        self.all_arrived(WARM_UP.into(), &arrived).await?;
        let cpu = self.sos.cpu()?;
        let began = self.send(load).await?;
        let last = self.all_arrived(u64::from(WARM_UP) + load.count, &arrived).await?;
        let cpu = self.sos.cpu()? - cpu;
        let took = last.saturating_duration_since(began);
        Ok(Done { sent: load.count, cpu, took, ended: self.sos.stop()? })
    }

    /// Sends datagrams, and says when the first was sent.
    pub(super) async fn send(&self, load: Load) -> Result<Instant, BoxError> {
        let datagrams = UserEvents::new(7).mix(Mix::QSEOW_ONLY).take(DATAGRAMS);
        match load.spacing {
            Spacing::Bursts => {
                let datagrams: Vec<_> = datagrams.collect();
                let began = Instant::now();
                send(&datagrams, self.listen, load.rate, Amount::Count(load.count)).await?;
                Ok(began)
            }
            Spacing::Even => {
                let datagrams: Vec<_> = datagrams.collect();
                let all = datagrams.iter().cycle().take(usize::try_from(load.count)?).cloned().collect();
                let sent = evenly::send(all, self.listen, load.rate).await?;
                Ok(sent.first().copied().ok_or("nothing was sent")?)
            }
        }
    }

    /// Waits until so many events have arrived, or no more can since the kernel has dropped datagrams. Tells when the
    /// last one was seen.
    async fn all_arrived(&self, sent: u64, arrived: impl AsyncFn() -> u64) -> Result<Instant, BoxError> {
        let (began, mut before, mut last) = (Instant::now(), 0, Instant::now());
        loop {
            let now = arrived().await;
            if now != before {
                (before, last) = (now, Instant::now());
            }
            if now >= sent || last.elapsed() > QUIET && self.has_settled(sent)? {
                return Ok(last);
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("{now} of {sent} events arrived within {} s", PATIENCE.as_secs()).into());
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn has_settled(&self, sent: u64) -> Result<bool, BoxError> {
        let status = self.sos.status()?;
        Ok(status.datagrams() >= sent && status.is_idle())
    }
}

impl Done {
    /// How many of the events this sink has delivered, without those of the warm-up.
    pub(super) fn delivered(&self, sink: &str) -> u64 {
        self.ended.component(sink).of("delivered").saturating_sub(WARM_UP.into())
    }

    /// How many datagrams were received, without those of the warm-up.
    pub(super) fn received(&self) -> u64 {
        self.ended.sources.of("received").saturating_sub(WARM_UP.into())
    }

    /// The CPU that each of these events took, in microseconds: those that came through, since a datagram that the
    /// kernel dropped took none.
    pub(super) fn micros_per_event(&self, events: u64) -> f64 {
        micros_per_event(self.cpu, events)
    }
}

pub(super) fn micros_per_event(cpu: f64, events: u64) -> f64 {
    cpu * 1e6 / to_f64(events.max(1))
}

pub(super) fn percent(part: u64, whole: u64) -> f64 {
    100.0 * to_f64(part) / to_f64(whole.max(1))
}
