//! A broker whose behaviour is scripted.
#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "helpers of tests")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use senseops_testkit::mqtt::{Connect, Packet, Publish};
use senseops_testkit::{Reserved, TargetBehaviour};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;

use crate::support::number;

/// Code of a CONNACK: come back later; we do not want you.
const UNAVAILABLE: u8 = 3;
const NOT_AUTHORIZED: u8 = 5;

/// A broker on loopback.
pub(crate) struct Broker {
    pub(crate) address: SocketAddr,
    /// Keeps the port while the broker is down.
    _reserved: Reserved,
    seen: Arc<Mutex<Seen>>,
    /// Accepts connections and holds them; empty while the broker is down.
    serving: AsyncMutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Seen {
    behaviour: TargetBehaviour,
    connects: Vec<Connect>,
    offered: Vec<u64>,
    stored: Vec<u64>,
}

/// What becomes of a message.
enum Fate {
    Acknowledged,
    Ignored,
    HungUpOver,
}

impl Broker {
    pub(crate) async fn start(behaviour: TargetBehaviour) -> Self {
        let reserved = Reserved::tcp().unwrap();
        let address = reserved.address();
        let seen = Seen { behaviour, connects: vec![], offered: vec![], stored: vec![] };
        let (seen, serving) = (Arc::new(Mutex::new(seen)), AsyncMutex::default());
        let broker = Self { address, _reserved: reserved, seen, serving };
        broker.serve().await;
        broker
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    pub(crate) fn connects(&self) -> Vec<Connect> {
        self.see(|seen| seen.connects.clone())
    }

    pub(crate) fn offered(&self) -> Vec<u64> {
        self.see(|seen| seen.offered.clone())
    }

    pub(crate) fn stored(&self) -> Vec<u64> {
        self.see(|seen| seen.stored.clone())
    }

    /// From now on it behaves so; whether it can.
    pub(crate) async fn behave(&self, behaviour: TargetBehaviour) -> bool {
        use TargetBehaviour as To;
        if matches!(behaviour, To::AtMost(_) | To::Busy { retry_after: Some(_) }) {
            return false;
        }
        let before = self.see(|seen| std::mem::replace(&mut seen.behaviour, behaviour.clone()));
        let hangs_up = matches!(behaviour, To::Down | To::Deny | To::Busy { .. });
        if hangs_up || matches!(before, To::Down | To::Hang) {
            self.serving.lock().await.shutdown().await;
            if behaviour != To::Down {
                self.serve().await;
            }
        }
        if behaviour == To::Deny {
            // A sink that writes before it has noticed is cut off, and denied only when it comes back.
            self.comes_back().await;
        }
        true
    }

    /// Waits until somebody introduces himself again.
    async fn comes_back(&self) {
        let before = self.connects().len();
        while before > 0 && self.connects().len() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn serve(&self) {
        let listener = loop {
            match TcpListener::bind(self.address).await {
                // A process that another test starts has a copy of the old listener until it runs its own program.
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                bound => break bound.unwrap(),
            }
        };
        let seen = Arc::clone(&self.seen);
        self.serving.lock().await.spawn(async move {
            // Connections end with the listener.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(converse(stream, Arc::clone(&seen)));
            }
        });
    }

    fn see<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Ends when either side hangs up.
async fn converse(stream: TcpStream, seen: Arc<Mutex<Seen>>) {
    let mut stream = BufReader::new(stream);
    while let Ok(packet) = Packet::read(&mut stream).await {
        let answer = {
            let mut seen = seen.lock().unwrap();
            match packet {
                Packet::Connect(connect) => Some(Packet::ConnAck(seen.welcome(connect))),
                Packet::Publish(message) => match seen.fate(&message) {
                    Fate::Acknowledged => message.id.map(Packet::PubAck),
                    Fate::Ignored => None,
                    Fate::HungUpOver => return,
                },
                Packet::PingReq => Some(Packet::PingResp),
                _ => return,
            }
        };
        if let Some(answer) = answer
            && stream.write_all(&answer.to_bytes()).await.is_err()
        {
            return;
        }
    }
}

impl Seen {
    fn welcome(&mut self, connect: Connect) -> u8 {
        self.connects.push(connect);
        match self.behaviour {
            TargetBehaviour::Busy { .. } => UNAVAILABLE,
            TargetBehaviour::Deny => NOT_AUTHORIZED,
            _ => 0,
        }
    }

    fn fate(&mut self, message: &Publish) -> Fate {
        let Some(number) = number(message) else { return Fate::Acknowledged };
        self.offered.push(number);
        match &self.behaviour {
            TargetBehaviour::Hang => return Fate::Ignored,
            TargetBehaviour::LoseWrites | TargetBehaviour::RefuseAll => return Fate::HungUpOver,
            // The connection is about to end, together with the listener.
            TargetBehaviour::Busy { .. } | TargetBehaviour::Deny | TargetBehaviour::Down => {
                return Fate::HungUpOver;
            }
            TargetBehaviour::RefuseSome(numbers) if numbers.contains(&number) => return Fate::HungUpOver,
            TargetBehaviour::LoseAnswers => {
                self.stored.push(number);
                return Fate::HungUpOver;
            }
            _ => {}
        }
        self.stored.push(number);
        Fate::Acknowledged
    }
}
