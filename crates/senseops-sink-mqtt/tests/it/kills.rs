//! Mosquitto is killed six times under load, and nothing is lost.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use senseops_sim::{Certificate, Pki};
use senseops_testkit::{Mosquitto, MosquittoOptions, MosquittoTls, Subscriber, sample};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{Running, number};

const KILLS: u64 = 6;
const EVENTS: u64 = 21_000;
const BATCH: u64 = 700;

/// The way to the broker.
struct Gate {
    address: SocketAddr,
    way: watch::Sender<Way>,
    _serving: JoinSet<()>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Nobody gets through: while the subscriber is away, it would miss what the broker takes.
    Closed,
    Open,
    /// No answer comes back, so messages stay on their way.
    Outward,
}

impl Gate {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = watch::Sender::new(Way::Closed);
        let watched = way.subscribe();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                if *watched.borrow() != Way::Closed {
                    connections.spawn(pass(client, target, watched.clone()));
                }
            }
        });
        Self { address, way, _serving: serving }
    }
}

async fn pass(client: TcpStream, target: SocketAddr, mut way: watch::Receiver<Way>) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_broker, mut to_broker) = TcpStream::connect(target).await?.into_split();
    let answers = async {
        let mut buffer = [0; 1024];
        loop {
            let read = from_broker.read(&mut buffer).await?;
            let is_lost = way.wait_for(|way| *way != Way::Outward).await.is_ok_and(|way| *way == Way::Closed);
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

/// Collects numbers until the connection is lost.
async fn collect(mut subscriber: Subscriber, count: Arc<AtomicU64>) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Ok(message) = subscriber.next().await {
        numbers.extend(number(&message));
        count.store(numbers.len() as u64, Ordering::Relaxed);
    }
    numbers
}

/// Kills the broker each time when it has passed on a share of the messages and others are on their way. Gives what arrived between the kills.
async fn kill_again_and_again(
    mut broker: Mosquitto,
    gate: &Gate,
    running: &Running,
    all_are_written: impl Future,
) -> Vec<Vec<u64>> {
    let mut parts = Vec::new();
    let mut all_are_written = std::pin::pin!(all_are_written);
    for kill in 0..=KILLS {
        let count = Arc::new(AtomicU64::new(0));
        let subscriber = broker.subscribe("butler-sos/sample/#").await.unwrap();
        let mut collecting = JoinSet::new();
        collecting.spawn(collect(subscriber, Arc::clone(&count)));
        gate.way.send_replace(Way::Open);
        if kill == KILLS {
            (&mut all_are_written).await;
            broker.stop().await;
        } else {
            let share = 2000;
            while count.load(Ordering::Relaxed) < share {
                tokio::task::yield_now().await;
            }
            gate.way.send_replace(Way::Outward);
            // The answers that were through already must be in before others are stuck on their way.
            let mut acknowledged = 0;
            while running.reading("in_flight") == 0 || running.reading("messages") > acknowledged {
                acknowledged = running.reading("messages");
                sleep(Duration::from_millis(20)).await;
            }
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
    let write = async {
        for begin in (0..EVENTS).step_by(usize::try_from(BATCH).unwrap()) {
            assert_eq!(running.deliver((begin..begin + BATCH).map(sample::state).collect()).await, []);
        }
    };
    let (done, is_done) = tokio::sync::oneshot::channel();
    let (parts, ()) = tokio::join!(kill_again_and_again(broker, &gate, &running, is_done), async {
        write.await;
        done.send(()).unwrap();
    });
    let arrived: BTreeSet<u64> = parts.iter().flatten().copied().collect();
    let lost: Vec<u64> = (0..EVENTS).filter(|number| !arrived.contains(number)).collect();
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
    let pki = Pki::new().unwrap();
    let client = pki.write_to(directory.path()).unwrap();
    let server_directory = tempfile::tempdir().unwrap();
    let server = pki.write_server_to(server_directory.path(), &Certificate::default()).unwrap();
    let tls = MosquittoTls { ca: client.ca.clone(), cert: server.cert, key: server.key };
    let options = MosquittoOptions { tls: Some(tls), ..MosquittoOptions::default() };
    let config = json!({ "tls": { "ca": client.ca, "cert": client.cert, "key": client.key } });
    nothing_is_lost(options, "mqtts", config).await;
}
