//! What is measured.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use senseops_core::BoxError;
use senseops_sim::{Amount, InfluxTarget, Mix, UserEvents, send};
use senseops_testkit::{Influxd, InfluxdOptions};
use tempfile::TempDir;
use tokio::time::sleep;

use super::estate::Estate;
use super::table::{Figure, Target};
use super::{Binaries, backlog, delivery};
use crate::program::{Ended, Sos};

/// How many different datagrams the load cycles through.
const DATAGRAMS: usize = 5_000;
/// A configuration needs a sink; this one wants nothing.
const NOWHERE: &str = "sinks: { console: { nowhere: { only: { kinds: [ none ] } } } }\n";
/// How long anything may take to be delivered after the load.
const PATIENCE: Duration = Duration::from_mins(1);

/// Eight of the health, and one that the server answers.
const POINTS_PER_POLL: f64 = 9.0;

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scenario {
    /// User events that are parsed and go nowhere.
    UdpToNowhere,
    /// User events into an InfluxDB 1.x, with the journal in memory.
    UdpToInfluxInMemory,
    /// The same with the journal on disk.
    UdpToInfluxOnDisk,
    /// User events into a target that answers 204 at once.
    UdpToNoContent,
    /// User events with the journal on disk, against the same in memory.
    JournalOnDisk,
    /// User events to a Mosquitto, at least once.
    UdpToMqtt,
    /// Numbered events while another sink is far behind.
    Backlog,
    /// A start with much to deliver.
    Recovery,
    /// Two servers polled every five seconds, from the start on.
    TwoServers,
    /// Fifty servers polled every second.
    FiftyServers,
    /// A thousand servers polled every second.
    ThousandServers,
}

/// What came of a load of datagrams.
pub(super) struct Load {
    pub(super) sent: u64,
    /// Seconds.
    pub(super) cpu: f64,
    pub(super) ended: Ended,
}

impl Scenario {
    pub(crate) const ALL: [Self; 11] = [
        Self::UdpToNowhere,
        Self::UdpToInfluxInMemory,
        Self::UdpToInfluxOnDisk,
        Self::UdpToNoContent,
        Self::JournalOnDisk,
        Self::UdpToMqtt,
        Self::Backlog,
        Self::Recovery,
        Self::TwoServers,
        Self::FiftyServers,
        Self::ThousandServers,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::UdpToNowhere => "udp to nowhere",
            Self::UdpToInfluxInMemory => "udp to influxdb, journal in memory",
            Self::UdpToInfluxOnDisk => "udp to influxdb, journal on disk",
            Self::UdpToNoContent => "udp to 204",
            Self::JournalOnDisk => "journal on disk against in memory",
            Self::UdpToMqtt => "udp to mqtt",
            Self::Backlog => "backlog",
            Self::Recovery => "recovery",
            Self::TwoServers => "2 servers",
            Self::FiftyServers => "50 servers",
            Self::ThousandServers => "1000 servers",
        }
    }

    /// Measures with this share of the full load.
    pub(super) async fn measure(self, binaries: &Binaries, share: f64) -> Result<Vec<Figure>, BoxError> {
        let Binaries { sos, sim, chaos } = binaries;
        match self {
            Self::UdpToNowhere => udp_to_nowhere(sos, share).await,
            Self::UdpToInfluxInMemory => {
                udp_to_influxdb(sos, share, "in memory", "pipeline: {}\n", Target::AtMost(10.0)).await
            }
            Self::UdpToInfluxOnDisk => {
                let dir = TempDir::with_prefix("sos-bench-journal-")?;
                let pipeline = format!("pipeline: {{ journal: {{ path: '{}' }} }}\n", dir.path().display());
                udp_to_influxdb(sos, share, "on disk", &pipeline, Target::AtMost(14.0)).await
            }
            Self::UdpToNoContent => udp_to_no_content(sos, share).await,
            Self::JournalOnDisk => delivery::journal_on_disk(sos, share).await,
            Self::UdpToMqtt => delivery::udp_to_mqtt(sos, share).await,
            Self::Backlog => backlog::cost(chaos, share).await,
            Self::Recovery => backlog::recovery(chaos, share).await,
            Self::TwoServers => two_servers(sos, sim, share).await,
            Self::FiftyServers => {
                let cpu = polling(sos, sim, 50, 60.0 * share).await?;
                Ok(vec![Figure {
                    what: "CPU, 50 servers polled every second".into(),
                    others: "Butler SOS 15.2 s",
                    ours: cpu * 60.0,
                    unit: "s per minute",
                    target: Target::AtMost(1.0),
                    remark: String::new(),
                }])
            }
            Self::ThousandServers => {
                let cpu = polling(sos, sim, 1000, 30.0 * share.max(0.3)).await?;
                Ok(vec![Figure {
                    what: "CPU, 1,000 servers polled every second".into(),
                    others: "Butler SOS polls one after another",
                    ours: cpu,
                    unit: "cores",
                    target: Target::AtMost(1.0),
                    remark: String::new(),
                }])
            }
        }
    }
}

async fn udp_to_nowhere(sos: &Path, share: f64) -> Result<Vec<Figure>, BoxError> {
    let load = udp_load(sos, NOWHERE, 100_000, part(1_000_000, share), |_| async { Ok(()) }).await?;
    let sources = &load.ended.sources;
    let (received, drops) = (sources.of("received"), sources.of("kernel_drops"));
    if received + drops != load.sent {
        return Err(format!("{} sent, but {received} received and {drops} dropped", load.sent).into());
    }
    Ok(vec![
        Figure {
            what: "user event UDP → parsed → nowhere, CPU per event".into(),
            others: "Vector 26 µs",
            ours: micros_per_event(load.cpu, received),
            unit: "µs",
            target: Target::AtMost(5.0),
            remark: format!(
                "{received} received + {drops} dropped by the kernel = {} sent at 100,000/s",
                load.sent
            ),
        },
        Figure {
            what: "the same: lost at 100,000/s".into(),
            others: "Vector loses 60 % at 50,000/s",
            ours: percent(drops, load.sent),
            unit: "%",
            target: Target::AtMost(0.0),
            remark: format!("receive buffer granted: {} KiB", sources.of("receive_buffer_bytes") / 1024),
        },
    ])
}

async fn udp_to_influxdb(
    sos: &Path,
    share: f64,
    journal: &str,
    pipeline: &str,
    target: Target,
) -> Result<Vec<Figure>, BoxError> {
    let influxd = Influxd::start(InfluxdOptions::default()).await?;
    let url = influxd.url();
    let yaml = format!("{pipeline}sinks: {{ influx: {{ bench: {{ url: '{url}', database: bench }} }} }}\n");
    // As much as a real InfluxDB on the other core can take.
    let stored = |sent: u64| {
        let influxd = &influxd;
        async move {
            let count = "SELECT count(userId) FROM user_events";
            until(async || {
                let rows = influxd.rows("bench", count).await.unwrap_or_default();
                rows.first().and_then(|row| row.get(1)?.as_u64()) == Some(sent)
            })
            .await
        }
    };
    let load = udp_load(sos, &yaml, 10_000, part(200_000, share), stored).await?;
    let delivered = load.ended.sinks.of("delivered");
    Ok(vec![Figure {
        what: format!("user event UDP → InfluxDB 1.x, journal {journal}, CPU of the collector per event"),
        others: "Butler SOS 400 µs, Vector 32–52 µs",
        ours: micros_per_event(load.cpu, delivered),
        unit: "µs",
        target,
        remark: format!("{delivered} of {} stored, counted by InfluxDB; 10,000/s", load.sent),
    }])
}

async fn udp_to_no_content(sos: &Path, share: f64) -> Result<Vec<Figure>, BoxError> {
    let target = InfluxTarget::start().await?;
    let yaml =
        format!("sinks: {{ influx: {{ bench: {{ url: '{}', database: senseops }} }} }}\n", target.url());
    let begin = Instant::now();
    let stored = |sent: u64| {
        let target = &target;
        async move { until(async || target.points() >= sent).await }
    };
    let load = udp_load(sos, &yaml, 100_000, part(1_000_000, share), stored).await?;
    let elapsed = begin.elapsed();
    let delivered = load.ended.sinks.of("delivered");
    Ok(vec![Figure {
        what: "user event UDP → a target that answers 204, delivered per second".into(),
        others: "Butler SOS loses above about 1,250/s",
        ours: to_f64(delivered) / (to_f64(load.sent) / 100_000.0),
        unit: "/s",
        target: Target::AtLeast(99_999.0),
        remark: format!(
            "{delivered} of {} delivered within {:.1} s; {:.2} µs CPU per event",
            load.sent,
            elapsed.as_secs_f64(),
            micros_per_event(load.cpu, delivered)
        ),
    }])
}

async fn two_servers(sos: &Path, sim: &Path, share: f64) -> Result<Vec<Figure>, BoxError> {
    let estate = Estate::start(sim, 2, "5s")?;
    let program = Sos::start(sos, &estate.config)?;
    while estate.points()? == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    let first_sample = program.age();
    let window = Duration::from_mins(1).mul_f64(share);
    sleep(Duration::from_secs(2)).await;
    let (cpu, memory) = (program.cpu()?, program.resident_mib()?);
    sleep(window).await;
    let cpu = (program.cpu()? - cpu) / window.as_secs_f64() * 60.0;
    let grown = program.resident_mib()? - memory;
    let figures = vec![
        Figure {
            what: "start to first stored health sample".into(),
            others: "Butler SOS 6.5 s",
            ours: first_sample.as_secs_f64() * 1000.0,
            unit: "ms",
            target: Target::AtMost(200.0),
            remark: String::new(),
        },
        Figure {
            what: "CPU, 2 servers polled every 5 s".into(),
            others: "Butler SOS 4.3 s",
            ours: cpu,
            unit: "s per minute",
            target: Target::AtMost(0.1),
            remark: String::new(),
        },
        Figure {
            what: "resident memory, 2 servers polled, idle".into(),
            others: "Butler SOS 200 MB, 566 MB after 3 min; Vector 31 MB",
            ours: program.resident_mib()?,
            unit: "MiB",
            target: Target::AtMost(25.0),
            remark: format!("{grown:+.1} MiB over the last {:.0} s", window.as_secs_f64()),
        },
    ];
    program.stop()?;
    Ok(figures)
}

/// The share of one core that polling so many servers every second takes.
async fn polling(sos: &Path, sim: &Path, servers: u32, seconds: f64) -> Result<f64, BoxError> {
    let estate = Estate::start(sim, usize::try_from(servers)?, "1s")?;
    let program = Sos::start(sos, &estate.config)?;
    // Past the handshakes.
    sleep(Duration::from_secs(5)).await;
    let (cpu, before) = (program.cpu()?, estate.points()?);
    sleep(Duration::from_secs_f64(seconds)).await;
    let used = (program.cpu()? - cpu) / seconds;
    let polls = to_f64(estate.points()? - before) / POINTS_PER_POLL / seconds;
    if polls < f64::from(servers) * 0.95 {
        return Err(format!("only {polls:.0} polls a second of {servers} servers").into());
    }
    program.stop()?;
    Ok(used)
}

/// Sends user events to a program with this configuration, waits until they are `stored`, and tells what it took.
pub(super) async fn udp_load<Fut: Future<Output = Result<(), BoxError>>>(
    sos: &Path,
    yaml: &str,
    rate: u32,
    count: u64,
    stored: impl FnOnce(u64) -> Fut,
) -> Result<Load, BoxError> {
    let listen: SocketAddr = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    let source = format!("sources: {{ udp: {{ bench: {{ listen: '{listen}', allow: [ 127.0.0.1 ] }} }} }}\n");
    let datagrams: Vec<_> = UserEvents::new(7).mix(Mix::QSEOW_ONLY).take(DATAGRAMS).collect();
    let program = Sos::start(sos, &(source + yaml))?;
    let cpu = program.cpu()?;
    let sent = send(&datagrams, listen, rate, Amount::Count(count)).await?.datagrams;
    stored(sent).await?;
    // What is in the socket is read within a millisecond or two.
    sleep(Duration::from_millis(200)).await;
    let cpu = program.cpu()? - cpu;
    Ok(Load { sent, cpu, ended: program.stop()? })
}

pub(super) async fn until(done: impl AsyncFn() -> bool) -> Result<(), BoxError> {
    let begin = Instant::now();
    while !done().await {
        if begin.elapsed() > PATIENCE {
            return Err(format!("not delivered within {} s", PATIENCE.as_secs()).into());
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

pub(super) fn micros_per_event(cpu: f64, events: u64) -> f64 {
    cpu * 1e6 / to_f64(events.max(1))
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * to_f64(part) / to_f64(whole.max(1))
}

pub(super) fn part(whole: u64, share: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a small positive number"
    )]
    let part = (to_f64(whole) * share) as u64;
    part
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2⁵³")]
pub(super) fn to_f64(count: u64) -> f64 {
    count as f64
}
