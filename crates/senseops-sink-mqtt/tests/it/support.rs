//! Sinks and events for the tests, and the part of the engine that calls sinks.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use senseops_core::host::IntoComponents;
use senseops_core::{Batch, Build, Event, Sink, WriteError};
use senseops_sim::{Certificate, Pki};
use senseops_sink_mqtt::MqttConfig;
use senseops_testkit::mqtt::Publish;
use senseops_testkit::{MosquittoOptions, MosquittoTls, sample};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The longest that anything may take.
pub(crate) const LONGEST: Duration = Duration::from_mins(5);

/// The topic of births and wills.
pub(crate) const STATUS: &str = "butler-sos/status";

/// A sink whose background work runs, until this is dropped.
pub(crate) struct Running {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) build: Build,
    _background: JoinSet<()>,
}

impl Running {
    pub(crate) async fn start(config: Value) -> Self {
        let build = Build::detached("mqtt.main");
        let sink = built(&build, config).await;
        let mut background = JoinSet::new();
        let work = sink.background().unwrap();
        background.spawn(async move { work.await.unwrap() });
        Self { sink, build, _background: background }
    }

    /// Writes as the engine does. Gives the numbers of refused events and why.
    pub(crate) async fn deliver(&self, events: Vec<Event>) -> Vec<(u64, String)> {
        let mut refusals = Vec::new();
        let mut batch = Batch::from(events);
        while !batch.is_empty() {
            match timeout(LONGEST, self.sink.write(&batch)).await.unwrap() {
                Ok(()) => break,
                Err(WriteError::Unavailable { .. }) => sleep(Duration::from_millis(5)).await,
                Err(WriteError::Partial { retry, refused }) => {
                    for rejection in refused {
                        let event = batch.get(rejection.index).unwrap();
                        refusals.push((sample::number(event).unwrap(), rejection.reason));
                    }
                    batch = batch.select(&retry);
                }
                Err(error) => panic!("{}", senseops_core::chain(&error)),
            }
        }
        refusals
    }

    /// The counter or gauge of this name.
    pub(crate) fn reading(&self, name: &str) -> u64 {
        let readings = self.build.meter.readings();
        readings.iter().find(|reading| reading.name == name).unwrap().value
    }
}

/// The sink that a configuration asks for, without its background work.
pub(crate) async fn built(build: &Build, config: Value) -> Arc<dyn Sink> {
    let config: MqttConfig = serde_json::from_value(config).unwrap();
    config.into_components().unwrap().remove(0).factory.build(build.clone()).await.unwrap()
}

/// The number of the sample event that a message is of; `None` for births and wills.
pub(crate) fn number(message: &Publish) -> Option<u64> {
    if message.topic == STATUS {
        return None;
    }
    let event: Value = serde_json::from_slice(&message.payload).unwrap();
    event["fields"][sample::NUMBER].as_u64()
}

/// What the write failed with, in the words an operator reads; ports are replaced.
pub(crate) async fn said(sink: &dyn Sink, port: u16) -> String {
    let error =
        timeout(LONGEST, sink.write(&Batch::from(vec![sample::event(1)]))).await.unwrap().unwrap_err();
    senseops_core::chain(&error).to_string().replace(&port.to_string(), "PORT")
}

/// A broker that demands a client certificate, and the configuration of one. Their files are in the directory.
pub(crate) fn with_tls(directory: &Path) -> (MosquittoOptions, Value) {
    let pki = Pki::new().unwrap();
    let client = pki.write_to(directory).unwrap();
    let server = pki.write_server_to(directory, &Certificate::default()).unwrap();
    let tls = MosquittoTls { ca: client.ca.clone(), cert: server.cert, key: server.key };
    let config = json!({ "tls": { "ca": client.ca, "cert": client.cert, "key": client.key } });
    (MosquittoOptions { tls: Some(tls), ..MosquittoOptions::default() }, config)
}
