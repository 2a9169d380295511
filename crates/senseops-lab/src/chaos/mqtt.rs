//! A real Mosquitto is killed under load, or comes late.
//!
//! What the broker has acknowledged when it is killed has been sent to the subscriber, which reads without a pause: a
//! broker passes a message on before it acknowledges it. The way to the broker is open only while the subscriber is
//! there, so nothing arrives unseen.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use senseops_core::BoxError;
use senseops_sim::{Certificate, Pki};
use senseops_testkit::{Gate, Mosquitto, MosquittoOptions, MosquittoTls, Subscriber};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::account::Account;
use super::arrivals::Arrivals;
use super::lab::{Lab, RATE, Scene, caught_up, delivery, numbered};
use crate::program::{PATIENCE, Sos};

const KILLS: u32 = 6;
/// The most that memory may grow by while a backlog is on disk, in MiB.
const GROWTH_MIB: f64 = 64.0;
/// How many lines a program may log: each kill changes a state and changes it back.
const MOST_LINES: u64 = 80;
const TOPIC: &str = "butler-sos/chaos/#";

/// A broker, the way to it, and what arrives there.
struct Stage {
    broker: Mosquitto,
    gate: Gate,
    /// One task for each life of the broker: the numbers that arrived, in their order.
    lives: JoinSet<Vec<u64>>,
    heard: Vec<Vec<u64>>,
    /// The largest number that arrived.
    newest: Arc<AtomicU64>,
    /// Connections that were let through before the life that runs now.
    passed: u64,
    /// How often a number came after a larger one more than new connections explain.
    disorder: u64,
}

pub(super) async fn killed(lab: &Lab) -> Result<Account, BoxError> {
    killed_again_and_again(lab, MosquittoOptions::default(), "mqtt", "").await
}

pub(super) async fn killed_over_tls(lab: &Lab) -> Result<Account, BoxError> {
    let (pki, ours, theirs) = (Pki::new()?, TempDir::new()?, TempDir::new()?);
    let client = pki.write_to(ours.path())?;
    let server = pki.write_server_to(theirs.path(), &Certificate::default())?;
    let tls = MosquittoTls { ca: client.ca.clone(), cert: server.cert, key: server.key };
    let options = MosquittoOptions { tls: Some(tls), ..MosquittoOptions::default() };
    let (ca, cert, key) = (client.ca.display(), client.cert.display(), client.key.display());
    let settings = format!(", tls: {{ ca: '{ca}', cert: '{cert}', key: '{key}' }}");
    killed_again_and_again(lab, options, "mqtts", &settings).await
}

async fn killed_again_and_again(
    lab: &Lab,
    options: MosquittoOptions,
    scheme: &str,
    settings: &str,
) -> Result<Account, BoxError> {
    let mut stage = Stage::set(options).await?;
    stage.begin_life().await?;
    let (scene, yaml) = stage.configuration(scheme, settings)?;
    let sos = scene.start(&lab.chaos, &yaml)?;
    sleep(lab.seconds(10, 1)).await;
    let resident = sos.resident_mib()?;
    for _ in 0..KILLS {
        stage.until_heard(stage.newest() + 1).await?;
        sleep(lab.seconds(8, 1)).await;
        stage.broker.kill();
        stage.end_life().await?;
        sleep(lab.pick(Duration::from_secs(3), Duration::from_millis(300))).await;
        stage.broker.start_again().await?;
        stage.begin_life().await?;
    }
    stage.settle(lab.account(), sos, resident).await
}

/// The broker is down when the program starts.
pub(super) async fn late(lab: &Lab) -> Result<Account, BoxError> {
    let mut stage = Stage::set(MosquittoOptions::default()).await?;
    stage.broker.kill();
    let (scene, yaml) = stage.configuration("mqtt", "")?;
    let sos = scene.start(&lab.chaos, &yaml)?;
    sleep(lab.seconds(60, 3)).await;
    let resident = sos.resident_mib()?;
    stage.broker.start_again().await?;
    stage.begin_life().await?;
    stage.settle(lab.account(), sos, resident).await
}

impl Stage {
    async fn set(options: MosquittoOptions) -> Result<Self, BoxError> {
        let broker = Mosquitto::start(options).await?;
        let gate = Gate::to(broker.address()).await?;
        let (lives, heard, newest) = (JoinSet::new(), Vec::new(), Arc::default());
        Ok(Self { broker, gate, lives, heard, newest, passed: 0, disorder: 0 })
    }

    fn configuration(&self, scheme: &str, settings: &str) -> Result<(Scene, String), BoxError> {
        let (scene, port) = (Scene::new()?, self.gate.address().port());
        let (delivery, pipeline, source) = (delivery(""), scene.on_disk(""), numbered(RATE, ""));
        let broker = format!("broker: '{scheme}://localhost:{port}'");
        let sink =
            format!("sinks: {{ mqtt: {{ main: {{ {broker}, naming: native{settings}, {delivery} }} }} }}\n");
        Ok((scene, pipeline + &source + &sink))
    }

    /// Listens, then opens the way.
    async fn begin_life(&mut self) -> io::Result<()> {
        let subscriber = self.broker.subscribe(TOPIC).await?;
        self.lives.spawn(listen(subscriber, Arc::clone(&self.newest)));
        self.passed = self.gate.passed();
        self.gate.open();
        Ok(())
    }

    /// The broker is gone: shuts the way, and collects what arrived.
    async fn end_life(&mut self) -> Result<(), BoxError> {
        self.gate.shut();
        let heard = self.lives.join_next().await.ok_or("nobody listens")??;
        let connections = self.gate.passed() - self.passed;
        let steps_back = heard.iter().zip(heard.iter().skip(1)).filter(|(one, next)| next < one).count();
        self.disorder += u64::try_from(steps_back)?.saturating_sub(connections.saturating_sub(1));
        self.heard.push(heard);
        Ok(())
    }

    /// The largest number that arrived.
    fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }

    /// Waits until this number has arrived.
    async fn until_heard(&self, number: u64) -> Result<(), BoxError> {
        let began = Instant::now();
        while self.newest() < number {
            if began.elapsed() > PATIENCE {
                return Err(format!("the broker did not get number {number}").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Stops the program once all that waited is delivered, and accounts for it.
    async fn settle(mut self, mut account: Account, sos: Sos, resident: f64) -> Result<Account, BoxError> {
        caught_up(&mut account, &sos).await?;
        account.resident = Some((resident, sos.resident_mib()?));
        let lines = sos.lines();
        account.demand(lines < MOST_LINES, || format!("{lines} lines in the log"));
        let ended = sos.stop()?;
        // The newest comes last, so all others are there or lost.
        self.until_heard(ended.sources.of("emitted").saturating_sub(1)).await?;
        self.broker.stop().await;
        self.end_life().await?;
        let mut arrivals = Arrivals::default();
        self.heard.iter().flatten().for_each(|number| arrivals.add(*number));
        account.sent = ended.sources.of("emitted");
        account.arrived = arrivals.count();
        account.duplicates = arrivals.duplicates();
        account.count_losses(&ended);
        account.demand_all();
        account.demand_memory(GROWTH_MIB);
        let disorder = self.disorder;
        account.demand(disorder == 0, || format!("{disorder} times out of order within a connection"));
        Ok(account)
    }
}

/// What comes until the broker is gone.
async fn listen(mut subscriber: Subscriber, newest: Arc<AtomicU64>) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Ok(message) = subscriber.next().await {
        let text = message.text();
        let number = text
            .split_once("\"n\":")
            .map(|(_, rest)| rest.trim_end_matches(|char: char| !char.is_ascii_digit()));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            newest.fetch_max(number, Ordering::Relaxed);
            numbers.push(number);
        }
    }
    numbers
}
