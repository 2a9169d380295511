//! What the tests of this crate share.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::Duration;

use senseops_core::host::IntoComponents;
use senseops_core::{Body, Build, BuildError, Event, Source, State};
use senseops_qlik::kinds::target_up;
use senseops_sim::{PemFiles, Pki, SenseServer};
use senseops_source_healthcheck::HealthcheckConfig;
use senseops_testkit::{TestContext, context};
use serde_json::json;

pub(crate) const LONG: Duration = Duration::from_mins(1);

/// A certificate authority and the files that an administrator exports from it.
pub(crate) struct Site {
    pub(crate) pki: Pki,
    pub(crate) files: PemFiles,
    directory: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let (pki, directory) = (Pki::new().unwrap(), tempfile::tempdir().unwrap());
        let files = pki.write_to(directory.path()).unwrap();
        Self { pki, files, directory }
    }

    /// The TLS table of an operator who did everything right.
    pub(crate) fn tls(&self) -> serde_json::Value {
        json!({ "ca": self.files.ca, "cert": self.files.cert, "key": self.files.key })
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// Where a server listens, by address: the host that its certificate has to be for.
pub(crate) fn url(server: &SenseServer) -> String {
    let scheme = server.url().split(':').next().unwrap_or_default();
    format!("{scheme}://{}", server.address())
}

/// What an operator writes about one server at `url`.
pub(crate) fn config(url: &str, tls: &serde_json::Value) -> HealthcheckConfig {
    let server = json!({ "name": "Server 1", "url": url });
    serde_json::from_value(json!({ "interval": "1h", "tls": tls, "servers": [server] })).unwrap()
}

pub(crate) async fn build(config: HealthcheckConfig, build: Build) -> Result<Box<dyn Source>, BuildError> {
    let planned = config.into_components().unwrap();
    planned.first().unwrap().factory.build(build).await
}

/// The setting that keeps the first server from being built.
pub(crate) async fn unusable(configured: serde_json::Value) -> String {
    let configured = serde_json::from_value(configured).unwrap();
    build(configured, context("healthcheck.test.server_1").cx.build).await.err().unwrap().key
}

/// Runs the first server of the configuration until it has emitted `count` events.
pub(crate) async fn run(config: HealthcheckConfig, count: usize) -> (Vec<Event>, TestContext) {
    let test = context("healthcheck.test.server_1");
    let mut source = build(config, test.cx.build.clone()).await.unwrap();
    let events = {
        let running = source.run(test.cx.clone());
        let stopping = async {
            let events = test.collector.wait_for(count, LONG).await;
            test.trigger.request();
            events
        };
        let (ended, events) = tokio::join!(running, stopping);
        ended.unwrap();
        events.unwrap()
    };
    (events, test)
}

/// Polls once, and gives the state that came of it.
pub(crate) async fn state(config: HealthcheckConfig) -> State {
    let (events, _test) = run(config, 1).await;
    let event = events.into_iter().find(|event| event.kind == target_up::KIND).unwrap();
    let Body::State(state) = event.body else { unreachable!("target.up is a state") };
    state
}
