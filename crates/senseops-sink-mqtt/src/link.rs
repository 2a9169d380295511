//! An open connection: packets in, packets out.

use rumqttc::{EventLoop, Packet};
use tokio::time::timeout;

use crate::broker::Broker;
use crate::explain::Lost;

/// An open connection. It is closed when dropped, and the broker then publishes our last will.
pub(crate) struct Link {
    /// Has connected us and holds the connection. Its own loop is not run: see the documentation of the crate.
    client: EventLoop,
}

impl Link {
    /// Looks the name up, connects, and introduces us.
    pub(crate) async fn open(broker: &Broker) -> Result<Self, Lost> {
        let mut client = EventLoop::new(broker.options.clone(), 1);
        client.set_network_options(broker.network.clone());
        match timeout(broker.timeout, client.poll()).await {
            // The first event of a new client is that it is connected.
            Ok(Ok(_connected)) => Ok(Self { client }),
            Ok(Err(error)) => Err(broker.refused(&error)),
            Err(_elapsed) => Err(broker.unanswered()),
        }
    }

    /// Puts a packet into the buffer, which is written to the socket when it is full.
    pub(crate) async fn send(&mut self, packet: Packet, broker: &Broker) -> Result<(), Lost> {
        match &mut self.client.network {
            Some(network) => network.write(packet).await.map_err(|error| broker.broken(&error)),
            None => Err(broker.unanswered()),
        }
    }

    /// Writes the buffer to the socket.
    pub(crate) async fn flush(&mut self, broker: &Broker) -> Result<(), Lost> {
        match &mut self.client.network {
            Some(network) => network.flush().await.map_err(|error| broker.broken(&error)),
            None => Err(broker.unanswered()),
        }
    }

    /// The next packet from the broker. May be dropped at any await point.
    pub(crate) async fn receive(&mut self, broker: &Broker) -> Result<Packet, Lost> {
        match &mut self.client.network {
            Some(network) => network.read().await.map_err(|error| broker.broken(&error)),
            None => Err(broker.unanswered()),
        }
    }

    /// Takes leave, so that our last will is void.
    pub(crate) async fn leave(mut self, broker: &Broker) -> Result<(), Lost> {
        let goodbye = async {
            self.send(Packet::Disconnect, broker).await?;
            self.flush(broker).await
        };
        timeout(broker.timeout, goodbye).await.unwrap_or_else(|_elapsed| Err(broker.unanswered()))
    }
}
