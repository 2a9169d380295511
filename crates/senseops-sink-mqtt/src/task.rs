//! The background work of the sink: the one task that owns the connection.

use std::sync::Arc;
use std::time::Duration;

use senseops_core::{BoxError, Health};
use tokio::time::timeout;
use tracing::info;

use crate::explain::{End, Lost};
use crate::link::Link;
use crate::session::Session;
use crate::traffic::{Closed, Order, Traffic};

/// How long a broker that is not there is left alone while nobody wants to write, at first and at last. A write makes
/// us try at once, since the engine knows how long to wait between its writes.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Keeps a connection open, and sends over it.
pub(crate) struct Task {
    traffic: Traffic,
    health: Health,
    was_connected: bool,
    /// Whether we have said that there is no connection.
    has_complained: bool,
}

impl Task {
    pub(crate) fn new(traffic: Traffic, health: Health) -> Self {
        Self { traffic, health, was_connected: false, has_complained: false }
    }

    /// Keeps the connection and sends what comes, until the sink is closed. Never ends by itself.
    pub(crate) async fn run(mut self) -> Result<(), BoxError> {
        let Closed = self.work().await;
        std::future::pending().await
    }

    async fn work(&mut self) -> Closed {
        let mut pause = PAUSES.0;
        loop {
            let opened = match self.open().await {
                Ok(opened) => opened,
                Err(closed) => return closed,
            };
            let lost = match opened {
                Ok(link) => {
                    pause = PAUSES.0;
                    self.connected();
                    match Session::new(&mut self.traffic, link).run().await {
                        Ok(closed) => return closed,
                        Err(lost) => lost,
                    }
                }
                Err(lost) => lost,
            };
            self.lost(&lost);
            if let Err(closed) = self.rest(pause).await {
                return closed;
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Opens a connection; writes that come meanwhile wait for it.
    async fn open(&mut self) -> Result<Result<Link, Lost>, Closed> {
        let broker = Arc::clone(&self.traffic.broker);
        let mut opening = std::pin::pin!(Link::open(&broker));
        loop {
            tokio::select! {
                opened = &mut opening => return Ok(opened),
                order = self.traffic.queue.recv(), if self.traffic.outbox.has_room() => self.take(order)?,
            }
        }
    }

    /// Leaves the broker alone until somebody wants to write.
    async fn rest(&mut self, pause: Duration) -> Result<(), Closed> {
        match timeout(pause, self.traffic.queue.recv()).await {
            Ok(order) => self.take(order),
            Err(_elapsed) => Ok(()),
        }
    }

    fn take(&mut self, order: Option<Order>) -> Result<(), Closed> {
        match order {
            Some(Order::Publish(job)) => {
                self.traffic.outbox.push(job);
                Ok(())
            }
            Some(Order::Leave(_)) | None => Err(Closed),
        }
    }

    fn connected(&mut self) {
        if std::mem::replace(&mut self.was_connected, true) {
            self.traffic.counters.reconnects.add(1);
        } else {
            info!(broker = self.traffic.broker.origin, "connected to broker");
        }
        if std::mem::take(&mut self.has_complained) {
            self.health.ok();
        }
    }

    fn lost(&mut self, lost: &Lost) {
        let (on_the_way, only) = self.traffic.outbox.lost(lost);
        if on_the_way > 0 {
            self.traffic.suspicion.lost();
            self.traffic.counters.unacknowledged.add(on_the_way as u64);
        }
        if let Some(key) = only.filter(|_| lost.end == End::HungUp) {
            self.traffic.suspicion.strike(key);
        }
        self.traffic.counters.in_flight.set(0);
        // Not left to the writes: somebody should know before the first event is in danger.
        self.has_complained = true;
        self.health.failing(lost.failure.to_string());
    }
}
