//! Mosquitto is killed six times under load, and nothing is lost.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use senseops_testkit::{Mosquitto, MosquittoOptions, Subscriber, sample};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::support::{Running, number, with_tls};

const KILLS: u64 = 6;
/// How many messages are passed on before each kill, and how many events are written at once.
const SHARE: usize = 2000;
const BATCH: u64 = 700;

/// The way to the broker.
struct Gate {
    address: SocketAddr,
    way: watch::Sender<Way>,
    /// An answer of the broker is held back.
    holds: Arc<Notify>,
    _serving: JoinSet<()>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Nobody gets through: while the subscriber is away, it would miss what the broker takes.
    Closed,
    Open,
    /// No answer comes back, so what it acknowledges stays on its way.
    Outward,
}

impl Gate {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = watch::Sender::new(Way::Closed);
        let watched = way.subscribe();
        let holds = Arc::new(Notify::new());
        let held = Arc::clone(&holds);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                if *watched.borrow() != Way::Closed {
                    connections.spawn(pass(client, target, watched.clone(), Arc::clone(&held)));
                }
            }
        });
        Self { address, way, holds, _serving: serving }
    }
}

async fn pass(
    client: TcpStream,
    target: SocketAddr,
    mut way: watch::Receiver<Way>,
    holds: Arc<Notify>,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_broker, mut to_broker) = TcpStream::connect(target).await?.into_split();
    let answers = async {
        let mut buffer = [0; 1024];
        loop {
            let read = from_broker.read(&mut buffer).await?;
            let may_go = |way: &Way| {
                if *way == Way::Outward {
                    holds.notify_one();
                }
                *way != Way::Outward
            };
            let is_lost = way.wait_for(may_go).await.is_ok_and(|way| *way == Way::Closed);
            if read == 0 || is_lost {
                return Ok(());
            }
            to_client.write_all(&buffer[..read]).await?;
        }
    };
    tokio::select! {
        ended = answers => ended,
        copied = copy(&mut from_client, &mut to_broker) => copied.map(drop),
    }
}

/// Collects numbers until the connection is lost, and says how many there are.
async fn collect(mut subscriber: Subscriber, count: watch::Sender<usize>) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Ok(message) = subscriber.next().await {
        numbers.extend(number(&message));
        count.send_replace(numbers.len());
    }
    numbers
}

/// Kills the broker each time when it has passed on a share of the messages and others are on their way. Gives what
/// arrived between the kills.
async fn kill_again_and_again(
    mut broker: Mosquitto,
    gate: &Gate,
    all_are_written: impl Future,
) -> Vec<Vec<u64>> {
    let mut parts = Vec::new();
    let mut all_are_written = std::pin::pin!(all_are_written);
    for kill in 0..=KILLS {
        let (count, mut counted) = watch::channel(0);
        let subscriber = broker.subscribe("butler-sos/sample/#").await.unwrap();
        let mut collecting = JoinSet::new();
        collecting.spawn(collect(subscriber, count));
        gate.way.send_replace(Way::Open);
        if kill == KILLS {
            (&mut all_are_written).await;
            broker.stop().await;
        } else {
            counted.wait_for(|count| *count >= SHARE).await.unwrap();
            gate.way.send_replace(Way::Outward);
            // Only an acknowledgement that cannot arrive any more proves that a message is on its way.
            gate.holds.notified().await;
            broker.kill();
            gate.way.send_replace(Way::Closed);
            broker.start_again().await.unwrap();
        }
        parts.extend(collecting.join_all().await);
    }
    parts
}

async fn nothing_is_lost(options: MosquittoOptions, scheme: &str, mut config: Value) {
    let broker = Mosquitto::start(options).await.unwrap();
    let gate = Gate::to(broker.address()).await;
    config["broker"] = format!("{scheme}://localhost:{}", gate.address.port()).into();
    let running = Running::start(config).await;
    let is_enough = AtomicBool::new(false);
    let write = async {
        let mut written = 0;
        while !is_enough.load(Ordering::Relaxed) {
            let batch = written..written + BATCH;
            assert_eq!(running.deliver(batch.map(sample::state).collect()).await, []);
            written += BATCH;
        }
        written
    };
    let (done, is_done) = tokio::sync::oneshot::channel();
    let last_part = async {
        is_enough.store(true, Ordering::Relaxed);
        is_done.await
    };
    let (parts, written) = tokio::join!(kill_again_and_again(broker, &gate, last_part), async {
        let written = write.await;
        done.send(()).unwrap();
        written
    });
    let arrived: BTreeSet<u64> = parts.iter().flatten().copied().collect();
    let lost: Vec<u64> = (0..written).filter(|number| !arrived.contains(number)).collect();
    assert_eq!(lost, [0; 0]);
    for part in &parts {
        assert!(part.is_sorted_by(|one, next| one < next), "in order within one connection");
    }
    assert_eq!(running.reading("reconnects"), KILLS);
    assert!(running.reading("unacknowledged") >= KILLS, "each kill hit messages on their way");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_without_tls() {
    nothing_is_lost(MosquittoOptions::default(), "mqtt", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_with_client_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let (options, config) = with_tls(directory.path());
    nothing_is_lost(options, "mqtts", config).await;
}
