//! What happens while a connection is open.

use std::time::Duration;

use futures::FutureExt;
use rumqttc::{Packet, Publish, QoS};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::broker::ONLINE;
use crate::explain::{End, Lost};
use crate::link::Link;
use crate::traffic::{Closed, Order, Traffic};

/// The number of the birth message; those of others are below.
const BIRTH_ID: u16 = u16::MAX;

/// How often the clocks are looked at, at most and at least.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// One connection, from the greeting to its loss.
pub(crate) struct Session<'t> {
    traffic: &'t mut Traffic,
    link: Link,
    /// Whether the broker has answered something since it let us in.
    is_proven: bool,
    last_sent: Instant,
    last_heard: Instant,
    /// Since when the broker owes acknowledgements, or since its last one if it owes more.
    unacknowledged: Option<Instant>,
    /// Since when it owes the answer to a ping, or since it said anything. It is no answer to messages: a broker may be
    /// there and take none.
    pinged: Option<Instant>,
    owes_birth: bool,
}

impl<'t> Session<'t> {
    pub(crate) fn new(traffic: &'t mut Traffic, link: Link) -> Self {
        let now = Instant::now();
        Self {
            traffic,
            link,
            is_proven: false,
            last_sent: now,
            last_heard: now,
            unacknowledged: None,
            pinged: None,
            owes_birth: false,
        }
    }

    /// Sends and receives until the connection is lost, or the sink is closed.
    pub(crate) async fn run(mut self) -> Result<Closed, Lost> {
        match self.serve().await {
            Ok(reply) => {
                // Whoever is gone before that gets our last will published, which says the same.
                drop(self.link.leave(&self.traffic.broker).await);
                drop(reply);
                Ok(Closed)
            }
            // A broker that answers nothing at all hangs up over everything, not over a message.
            Err(Lost { failure, end: End::HungUp }) if !self.is_proven => {
                Err(Lost { failure, end: End::Failed })
            }
            Err(lost) => Err(lost),
        }
    }

    /// Gives whom to tell that we have left.
    async fn serve(&mut self) -> Result<Option<oneshot::Sender<()>>, Lost> {
        self.greet().await?;
        let broker = &self.traffic.broker;
        let mut looks =
            interval((broker.timeout.min(broker.keep_alive) / 8).clamp(LOOK_EVERY.0, LOOK_EVERY.1));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.send_waiting().await?;
            let Self { traffic, link, .. } = self;
            tokio::select! {
                // A lost connection should be noticed before more is sent over it.
                biased;
                packet = link.receive(&traffic.broker) => {
                    let packet = packet?;
                    self.received(&packet);
                    self.receive_more()?;
                }
                order = traffic.queue.recv(), if traffic.outbox.has_room() => match order {
                    Some(Order::Publish(job)) => traffic.outbox.push(job),
                    Some(Order::Leave(reply)) => return Ok(Some(reply)),
                    None => return Ok(None),
                },
                now = looks.tick() => self.look(now).await?,
            }
        }
    }

    /// Tells everybody that we are there. After a break, something must be answered before messages go out, so that
    /// the broker is known to work.
    async fn greet(&mut self) -> Result<(), Lost> {
        if let Some(topic) = &self.traffic.broker.status {
            let mut birth = Publish::new(topic, QoS::AtLeastOnce, ONLINE);
            (birth.retain, birth.pkid) = (true, BIRTH_ID);
            self.owes_birth = true;
            self.send_now(Packet::Publish(birth)).await
        } else if self.traffic.suspicion.is_fresh() {
            self.ping().await
        } else {
            Ok(())
        }
    }

    async fn ping(&mut self) -> Result<(), Lost> {
        self.send_now(Packet::PingReq).await?;
        self.pinged = Some(self.last_sent);
        Ok(())
    }

    async fn send_now(&mut self, packet: Packet) -> Result<(), Lost> {
        let Self { traffic, link, .. } = self;
        let broker = &traffic.broker;
        let send = async {
            link.send(packet, broker).await?;
            link.flush(broker).await
        };
        timeout(broker.timeout, send).await.unwrap_or_else(|_elapsed| Err(broker.silent()))?;
        self.sent();
        Ok(())
    }

    /// Sends what waits, as far as the window is open.
    async fn send_waiting(&mut self) -> Result<(), Lost> {
        if self.traffic.suspicion.is_fresh() && !self.is_proven {
            return Ok(());
        }
        loop {
            let Self { traffic, link, .. } = self;
            let limit = traffic.broker.timeout;
            let sent = timeout(limit, send_chunk(traffic, link)).await;
            if sent.unwrap_or_else(|_elapsed| Err(self.traffic.broker.silent()))? == 0 {
                return Ok(());
            }
            self.sent();
        }
    }

    fn sent(&mut self) {
        self.last_sent = Instant::now();
        if self.owes_acknowledgement() {
            self.unacknowledged.get_or_insert(self.last_sent);
        }
    }

    fn owes_acknowledgement(&self) -> bool {
        self.owes_birth || self.traffic.outbox.in_flight() > 0
    }

    /// Takes what has come besides, without waiting.
    fn receive_more(&mut self) -> Result<(), Lost> {
        loop {
            let Self { traffic, link, .. } = self;
            let Some(packet) = link.receive(&traffic.broker).now_or_never() else { break };
            self.received(&packet?);
        }
        self.traffic.counters.in_flight.set(self.traffic.outbox.in_flight() as u64);
        Ok(())
    }

    fn received(&mut self, packet: &Packet) {
        self.is_proven = true;
        self.last_heard = Instant::now();
        self.pinged = self.pinged.and((*packet != Packet::PingResp).then_some(self.last_heard));
        // We subscribe to nothing, so nothing else is for us.
        if let Packet::PubAck(ack) = packet {
            if ack.pkid == BIRTH_ID {
                self.owes_birth = false;
            } else if self.traffic.outbox.acknowledged(ack.pkid) {
                self.traffic.suspicion.acknowledged();
                self.traffic.counters.messages.add(1);
            }
            self.unacknowledged = self.owes_acknowledgement().then_some(self.last_heard);
        }
    }

    /// Asks whether the broker is there when it was silent for long; gives up when it owes an answer for too long.
    async fn look(&mut self, now: Instant) -> Result<(), Lost> {
        let broker = &self.traffic.broker;
        let owes = [self.unacknowledged, self.pinged];
        if owes.iter().flatten().any(|since| now.duration_since(*since) >= broker.timeout) {
            return Err(broker.silent());
        }
        // Before the time is over, since the broker counts it too.
        let silent_since = self.last_sent.min(self.last_heard);
        let is_due = now.duration_since(silent_since) >= broker.keep_alive.mul_f64(0.75);
        if is_due && self.pinged.is_none() { self.ping().await } else { Ok(()) }
    }
}

/// Sends as many messages as may be on the way. Gives how many, so that the next ones can follow: at `QoS` 0 there is
/// nothing to wait for.
async fn send_chunk(traffic: &mut Traffic, link: &mut Link) -> Result<usize, Lost> {
    let window = traffic.suspicion.window();
    let mut sent = 0;
    while sent < window && traffic.outbox.in_flight() < window {
        let Some(key) = traffic.outbox.peek() else { break };
        if traffic.suspicion.is_guilty(key) {
            traffic.outbox.refuse("the broker closes the connection over its message");
            continue;
        }
        if let Some(publish) = traffic.outbox.take() {
            link.send(Packet::Publish(publish), &traffic.broker).await?;
            sent += 1;
        }
    }
    if sent > 0 {
        link.flush(&traffic.broker).await?;
        let flushed = traffic.outbox.flushed();
        traffic.counters.messages.add(flushed as u64);
        traffic.counters.in_flight.set(traffic.outbox.in_flight() as u64);
    }
    Ok(sent)
}
