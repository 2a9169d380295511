//! What goes to a broker, and who says so: the same through all connections.

use std::sync::Arc;

use senseops_core::{Counter, Gauge};
use tokio::sync::{mpsc, oneshot};

use crate::broker::Broker;
use crate::outbox::{Job, Outbox};
use crate::suspicion::Suspicion;

/// What is to be sent, and where to.
pub(crate) struct Traffic {
    pub(crate) broker: Arc<Broker>,
    pub(crate) queue: mpsc::Receiver<Order>,
    pub(crate) outbox: Outbox,
    pub(crate) suspicion: Suspicion,
    pub(crate) counters: Counters,
}

/// What the sink tells its task.
pub(crate) enum Order {
    /// Send these messages.
    Publish(Job),
    /// Take leave and stay away; then this is dropped.
    Leave(oneshot::Sender<()>),
}

/// What is counted.
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

/// The sink is closed, or gone.
pub(crate) struct Closed;

impl Traffic {
    pub(crate) fn new(broker: Arc<Broker>, queue: mpsc::Receiver<Order>, counters: Counters) -> Self {
        let suspicion = Suspicion::new(broker.max_in_flight);
        Self { broker, queue, outbox: Outbox::new(), suspicion, counters }
    }
}
