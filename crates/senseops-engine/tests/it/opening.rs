//! What cannot be opened is refused, all at once.

use std::net::UdpSocket;
use std::sync::Arc;

use senseops_core::{
    Build, BuildError, Context, PlanError, PlanSources, PlannedSource, Source, SourceError, SourceFactory,
    async_trait,
};
use senseops_engine::{Pipeline, ProbeOutcome};

use crate::support::Scripted;

/// Listens where it is told, and does nothing with it.
struct Listener(std::net::SocketAddr);

#[async_trait]
impl SourceFactory for Listener {
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

impl PlanSources for Listener {
    fn plan_sources(self) -> Result<Vec<PlannedSource>, PlanError> {
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
    let in_use = format!("open the socket: bind udp {address}: Address already in use (os error 98)");
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
            components: Listener(address).plan_sources().unwrap(),
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
