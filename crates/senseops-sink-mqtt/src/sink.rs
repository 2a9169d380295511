//! The sink: hands the messages of a batch to the connection and waits until they are settled.

use std::sync::{Arc, Mutex, PoisonError};

use rumqttc::QoS;
use senseops_core::{
    Accepts, Background, Batch, BoxError, Build, BuildError, Counter, EventId, Rejection, Sink, WriteError,
    async_trait,
};
use senseops_dialect::{Message, MqttDialect};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::broker::{Broker, OFFLINE};
use crate::link::Link;
use crate::outbox::{Job, Key, Outgoing};
use crate::task::Task;
use crate::traffic::{Counters, Order, Traffic};
use crate::{MqttConfig, Qos};

/// How many writes wait for the connection's task to take them. The engine has one on the way unless the operator
/// allows more, and those beyond just wait a little longer.
const QUEUE_CAPACITY: usize = 4;

struct MqttSink {
    broker: Arc<Broker>,
    dialect: MqttDialect,
    qos: QoS,
    retain: bool,
    max_packet_bytes: usize,
    /// Leads to the background work; it is closed as long as there is none.
    queue: Mutex<mpsc::Sender<Order>>,
    /// For the probe, which opens a connection of its own.
    config: MqttConfig,
    build: Build,
    counters: Counters,
    events_without_message: Counter,
}

/// There is nobody who could send.
#[derive(Debug, Error)]
#[error("the connection to {0} is not being kept")]
struct NotRunning(String);

impl MqttConfig {
    /// Reads what has to be read; connects to nothing.
    pub(crate) async fn sink(&self, build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        let meter = &build.meter;
        let counters = Counters {
            messages: meter.counter("messages", "Messages that were published.", &[]),
            unacknowledged: meter.counter(
                "unacknowledged",
                "Messages that the broker had not acknowledged when the connection ended; they are sent again.",
                &[],
            ),
            reconnects: meter.counter("reconnects", "How often the broker was connected to again.", &[]),
            in_flight: meter.gauge("in_flight", "Messages that the broker has not acknowledged yet.", &[]),
        };
        Ok(Arc::new(MqttSink {
            broker: Arc::new(Broker::new(self, &build).await?.with_last_will()),
            dialect: self.dialect(),
            qos: match self.qos {
                Qos::AtMostOnce => QoS::AtMostOnce,
                Qos::AtLeastOnce => QoS::AtLeastOnce,
            },
            retain: self.retain,
            max_packet_bytes: self.max_packet_size.get(),
            queue: Mutex::new(mpsc::channel(QUEUE_CAPACITY).0),
            config: self.clone(),
            events_without_message: meter.counter(
                "events_without_message",
                "Events that have no message in this generation of topics.",
                &[],
            ),
            counters,
            build,
        }))
    }
}

#[async_trait]
impl Sink for MqttSink {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        let (messages, refused) = self.encode(batch);
        if messages.is_empty() {
            return if refused.is_empty() {
                Ok(())
            } else {
                Err(WriteError::Partial { retry: Vec::new(), refused })
            };
        }
        self.publish(messages, batch.len(), refused).await
    }

    fn background(&self) -> Option<Background> {
        let (sender, queue) = mpsc::channel(QUEUE_CAPACITY);
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = sender;
        let (broker, counters) = (Arc::clone(&self.broker), self.counters.clone());
        let traffic = Traffic::new(broker, queue, counters);
        Some(Box::pin(Task::new(traffic, self.build.health.clone()).run()))
    }

    async fn probe(&self) -> Result<Option<String>, BoxError> {
        let broker = Broker::new(&self.config, &self.build).await?.for_a_look();
        let link = Link::open(&broker).await.map_err(|lost| lost.failure)?;
        link.leave(&broker).await.map_err(|lost| lost.failure)?;
        let security = if broker.is_encrypted { "with TLS" } else { "without TLS" };
        Ok(Some(format!("an MQTT broker at {}, {security}", broker.origin)))
    }

    async fn close(&self) -> Result<(), BoxError> {
        if let Some(topic) = self.broker.status.clone() {
            let key = Key { event: EventId::new(), part: 0 };
            let mut farewell = Outgoing::new(0, key, topic, OFFLINE.into());
            farewell.retain = true;
            let publish = self.publish(vec![farewell], 1, Vec::new());
            timeout(self.broker.timeout, publish)
                .await
                .map_err(|_elapsed| self.broker.silent().failure)??;
        }
        let (reply, left) = oneshot::channel();
        if self.queue().send(Order::Leave(reply)).await.is_ok() {
            // The answer is that the sender is dropped.
            drop(timeout(self.broker.timeout, left).await);
        }
        Ok(())
    }
}

impl MqttSink {
    /// The messages of the batch, and the events that have one that is too large.
    fn encode(&self, batch: &Batch) -> (Vec<Outgoing>, Vec<Rejection>) {
        let (mut messages, mut refused) = (Vec::with_capacity(batch.len() * 2), Vec::new());
        for (index, event) in batch.iter().enumerate() {
            let first = messages.len();
            let mut largest = 0;
            self.dialect.messages(event, |Message { topic, payload }| {
                let key = Key { event: event.id, part: messages.len() - first };
                let mut message = Outgoing::new(index, key, topic, payload);
                (message.qos, message.retain) = (self.qos, self.retain);
                largest = largest.max(message.packet_bytes());
                messages.push(message);
            });
            if largest == 0 {
                self.events_without_message.add(1);
            }
            if largest > self.max_packet_bytes {
                messages.truncate(first);
                let reason = format!(
                    "a packet of {largest} bytes is larger than max_packet_size, {}",
                    self.max_packet_bytes
                );
                refused.push(Rejection { index, reason });
            }
        }
        (messages, refused)
    }

    async fn publish(
        &self,
        messages: Vec<Outgoing>,
        events: usize,
        refused: Vec<Rejection>,
    ) -> Result<(), WriteError> {
        let (job, outcome) = Job::new(messages, events, refused);
        if self.queue().send(Order::Publish(job)).await.is_err() {
            return Err(self.is_not_running());
        }
        outcome.await.unwrap_or_else(|_gone| Err(self.is_not_running()))
    }

    fn queue(&self) -> mpsc::Sender<Order> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_not_running(&self) -> WriteError {
        WriteError::unavailable(NotRunning(self.broker.origin.clone()))
    }
}
