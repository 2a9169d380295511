//! What authors of plugins test with.
//!
//! * [`sink_contract`], [`http_sink_contract`], [`source_contract`] and [`relay_contract`] run a plugin through its
//!   contract.
//! * [`context`] runs a source or sink without a pipeline: a [`Collector`] keeps what it emits, [`Sockets`] lend it
//!   its sockets, a trigger stops it.
//! * [`HttpTarget`] is a target whose answers and failures are scripted.
//! * [`Influxd`] is a real InfluxDB 1.x of the test's own, [`Mosquitto`] a real MQTT broker; a [`Gate`]
//!   is a way to a server that can be shut.
//! * [`sample`] makes numbered events, so that deliveries can be counted.
//! * [`not_run`] is for a test that needs what this machine does not have; [`Reserved`] is a port for a server.
//!
//! ```
//! use std::time::Duration;
//! use senseops_testkit::{context, sample};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let test = context("demo");
//! // What a source would do:
//! test.cx.emitter.emit(vec![sample::measurement(1)]).await.ignore();
//! let events = test.collector.wait_for(1, Duration::from_secs(1)).await.unwrap();
//! assert_eq!(sample::number(&events[0]), Some(1));
//! # }
//! ```

mod addresses;
mod collector;
mod context;
mod contract;
mod gate;
mod http_client;
mod http_target;
mod influxd;
pub mod line_protocol;
mod mosquitto;
pub mod mqtt;
mod not_run;
mod relay_contract;
pub mod sample;
mod server;
mod sink_contract;
mod sockets;
mod source_contract;

pub use addresses::Reserved;
pub use collector::{Collector, TooFew};
pub use context::{TestContext, context};
pub use contract::{Broken, Kept, Skipped};
pub use gate::Gate;
pub use http_target::{Answer, HttpTarget, Recorded, TooFewRequests};
pub use influxd::{Influxd, InfluxdOptions, QueryError};
pub use mosquitto::{Mosquitto, MosquittoOptions, MosquittoTls, Subscriber};
pub use not_run::{in_ci, not_run};
pub use relay_contract::{RelayHarness, relay_contract};
pub use server::ServerError;
pub use sink_contract::{
    HttpSinkHarness, Ruling, SinkHarness, TargetBehaviour, http_sink_contract, sink_contract,
};
pub use sockets::Sockets;
pub use source_contract::{Keeps, OriginBehaviour, SourceHarness, source_contract};

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
