//! Publishes events to an MQTT broker, 3.1.1.
//!
//! [`MqttConfig`] is what an operator writes. An event becomes messages under the topics that subscribers know (crate
//! `senseops-dialect`). A batch is written once the broker has acknowledged each of its messages (`QoS` 1), or once
//! they are written to the socket (`QoS` 0).
//!
//! One task, the background work of the sink, owns the connection. What must hold:
//!
//! * A write is never answered before its messages are settled, and answered as soon as the connection is lost: what
//!   the broker has not acknowledged goes back to the engine, which alone repeats writes. The copies that survive a
//!   connection are those of the journal, so nothing waits in the client.
//! * Messages are sent in the order in which they came, and repeated ones come before newer ones.
//! * A write that is dropped sends nothing more. What of it is on the way already may arrive.
//! * A message over which the broker hangs up is found, and only its event is refused.
//!
//! The crate `rumqttc` connects and encodes; its own event loop is not used beyond that, since it forgets messages
//! when a connection is lost, and flushes each one on its own.
//!
//! ```
//! use senseops_core::host::IntoComponents;
//! use senseops_sink_mqtt::MqttConfig;
//!
//! let config: MqttConfig = serde_json::from_str(r#"{ "broker": "mqtts://broker.company.net", "qos": 1 }"#)?;
//! assert_eq!(config.into_components()?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod broker;
mod config;
mod explain;
mod link;
mod outbox;
mod session;
mod settings;
mod sink;
mod suspicion;
mod task;
mod traffic;

pub use config::{MqttConfig, Qos};
pub use settings::{ClientId, InFlight, KeepAlive, Mqtt, PacketSize};
