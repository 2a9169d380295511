//! The background work of the sink: the one task that owns the connection.

use std::sync::Arc;
use std::time::Duration;

use senseops_core::{BoxError, Counter, Gauge, Health};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::info;

use crate::broker::Broker;
use crate::explain::{End, Lost};
use crate::link::Link;
use crate::outbox::{Job, Outbox};
use crate::session::Session;
use crate::suspicion::Suspicion;

/// How long a broker that is not there is left alone while nobody wants to write, at first and at last. A write makes
/// us try at once, since the engine knows how long to wait between its writes.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What the task is told.
pub(crate) enum Command {
    /// Send these messages.
    Publish(Job),
    /// Take leave and stay away; then this is dropped.
    Leave(oneshot::Sender<()>),
}

/// What the task counts.
#[derive(Clone)]
pub(crate) struct Counters {
    /// Messages that the broker has acknowledged, or that were written at `QoS` 0.
    pub(crate) messages: Counter,
    /// Messages that were on the way when a connection was lost; their events come again.
    pub(crate) unacknowledged: Counter,
    /// Connections after the first.
    pub(crate) reconnects: Counter,
    /// Messages on the way now.
    pub(crate) in_flight: Gauge,
}

/// The connection and what is to be sent over it.
pub(crate) struct Task {
    pub(crate) broker: Arc<Broker>,
    pub(crate) queue: mpsc::Receiver<Command>,
    pub(crate) outbox: Outbox,
    pub(crate) suspicion: Suspicion,
    pub(crate) counters: Counters,
    health: Health,
    was_connected: bool,
    /// Whether we have said that there is no connection.
    has_complained: bool,
}

/// The sink is closed, or gone.
pub(crate) struct Closed;

impl Task {
    pub(crate) fn new(
        broker: Arc<Broker>,
        queue: mpsc::Receiver<Command>,
        counters: Counters,
        health: Health,
    ) -> Self {
        let suspicion = Suspicion::new(broker.max_in_flight);
        Self {
            broker,
            queue,
            outbox: Outbox::new(),
            suspicion,
            counters,
            health,
            was_connected: false,
            has_complained: false,
        }
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
                    match Session::new(self, link).run().await {
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
        let broker = Arc::clone(&self.broker);
        let mut opening = std::pin::pin!(Link::open(&broker));
        loop {
            tokio::select! {
                opened = &mut opening => return Ok(opened),
                command = self.queue.recv(), if self.outbox.has_room() => self.take(command)?,
            }
        }
    }

    /// Leaves the broker alone until somebody wants to write.
    async fn rest(&mut self, pause: Duration) -> Result<(), Closed> {
        match timeout(pause, self.queue.recv()).await {
            Ok(command) => self.take(command),
            Err(_elapsed) => Ok(()),
        }
    }

    fn take(&mut self, command: Option<Command>) -> Result<(), Closed> {
        match command {
            Some(Command::Publish(job)) => {
                self.outbox.push(job);
                Ok(())
            }
            Some(Command::Leave(_)) | None => Err(Closed),
        }
    }

    fn connected(&mut self) {
        if std::mem::replace(&mut self.was_connected, true) {
            self.counters.reconnects.add(1);
        } else {
            info!(broker = self.broker.origin, "connected to broker");
        }
        if std::mem::take(&mut self.has_complained) {
            self.health.ok();
        }
    }

    fn lost(&mut self, lost: &Lost) {
        let (on_the_way, only) = self.outbox.lost(lost);
        if on_the_way > 0 {
            self.suspicion.lost();
            self.counters.unacknowledged.add(on_the_way as u64);
        }
        if let Some(key) = only.filter(|_| lost.end == End::HungUp) {
            self.suspicion.strike(key);
        }
        self.counters.in_flight.set(0);
        // Not left to the writes: somebody should know before the first event is in danger.
        self.has_complained = true;
        self.health.failing(lost.failure.to_string());
    }
}
