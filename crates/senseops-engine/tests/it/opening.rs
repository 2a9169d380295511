//! What cannot be opened is refused, all at once.

use std::net::UdpSocket;
use std::sync::Arc;

use senseops_core::host::{IntoComponents, PlannedSource};
use senseops_core::{Build, BuildError, Context, Factory, PlanError, Source, SourceError, async_trait};
use senseops_engine::{Pipeline, ProbeOutcome};

use crate::support::Scripted;

/// Listens where it is told, and does nothing with it.
#[derive(PartialEq)]
struct Listener(std::net::SocketAddr);

#[async_trait]
impl Factory<Box<dyn Source>> for Listener {
    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError> {
        let lease = build.leases.udp(self.0, 65_536);
        let lease = lease.map_err(|error| BuildError::at("listen", "open the socket").because(error))?;
        Ok(Box::new(Idle(lease.socket)))
    }
}

struct Idle(UdpSocket);

#[async_trait]
impl Source for Idle {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        cx.shutdown.requested().await;
        Ok(())
    }

    async fn probe(&mut self) -> Result<Option<String>, senseops_core::BoxError> {
        Ok(Some(format!("listens on {}", self.0.local_addr()?)))
    }
}

impl IntoComponents<Box<dyn Source>> for Listener {
    fn into_components(self) -> Result<Vec<PlannedSource>, PlanError> {
        Ok(vec![PlannedSource::single(self)])
    }
}

#[tokio::test]
async fn every_taken_port_and_every_name_used_twice_is_told() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let sink = Arc::new(Scripted::willing());
    let refused = Pipeline::builder()
        .source("one", Listener(address))
        .source("other", Listener(address))
        .sink("all", Arc::clone(&sink))
        .sink("all", sink)
        .build()
        .await
        .unwrap_err();
    let told: Vec<String> =
        refused.errors.iter().map(|error| senseops_core::chain(error).to_string()).collect();
    let in_use = UdpSocket::bind(address).unwrap_err();
    let in_use = format!("open the socket: bind udp {address}: {in_use}");
    assert_eq!(
        told,
        [
            "sinks.all: the name is used twice".to_owned(),
            format!("sources.one: {in_use}"),
            format!("sources.other: {in_use}")
        ]
    );
    assert_eq!(refused.errors[1].source.key, "listen");
}

#[tokio::test]
async fn a_probe_tries_every_component_without_running_it() {
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plan = senseops_engine::Plan {
        sources: vec![senseops_engine::SourceSpec {
            name: "udp.users".into(),
            labels: senseops_core::LabelSet::default(),
            rate_limit: None,
            components: Listener(address).into_components().unwrap(),
        }],
        ..Default::default()
    };
    let probes = plan.probe().await;
    assert_eq!(probes[0].component, "sources.udp.users");
    match &probes[0].outcome {
        ProbeOutcome::Answered(answer) => assert_eq!(answer, &format!("listens on {address}")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_handle_that_is_kept_does_not_keep_the_port() {
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let pipeline = Pipeline::builder().source("users", Listener(address)).build().await.unwrap();
    let handle = pipeline.handle();
    pipeline.run_until(async {}).await;
    assert!(UdpSocket::bind(address).is_ok());
    assert_eq!(handle.view().sources.len(), 1);
}

#[tokio::test]
async fn a_plugin_that_panics_while_it_is_built_is_an_error() {
    let refused = Pipeline::builder().source("hasty", Hasty).build().await.unwrap_err();
    assert_eq!(refused.to_string(), "sources.hasty: the component panicked: too early");
}

#[derive(PartialEq)]
struct Hasty;

#[async_trait]
impl Factory<Box<dyn Source>> for Hasty {
    async fn build(&self, _build: Build) -> Result<Box<dyn Source>, BuildError> {
        panic!("too early")
    }
}

impl IntoComponents<Box<dyn Source>> for Hasty {
    fn into_components(self) -> Result<Vec<PlannedSource>, PlanError> {
        Ok(vec![PlannedSource::single(Self)])
    }
}
