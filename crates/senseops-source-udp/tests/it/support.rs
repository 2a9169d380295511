//! A source that runs in a test, and senders.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use senseops_core::host::IntoComponents;
use senseops_core::{BuildError, Source};
use senseops_source_udp::UdpConfig;
use senseops_testkit::TestContext;
use tokio::task::yield_now;
use tokio::time::timeout;

/// More than anything here takes, even on a busy machine.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// Any free port of the loopback address.
pub(crate) fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Listens on loopback and lets this machine send.
pub(crate) fn local() -> UdpConfig {
    UdpConfig { allow: Some(vec!["127.0.0.1".parse().unwrap()]), ..UdpConfig::listen(loopback()) }
}

/// The source as the engine would build it.
pub(crate) async fn build(config: UdpConfig, test: &TestContext) -> Result<Box<dyn Source>, BuildError> {
    let planned = config.into_components().unwrap().pop().unwrap();
    planned.factory.build(test.cx.build.clone()).await
}

/// Runs the source while `work` goes on, then stops it.
pub(crate) async fn run_while<T>(config: UdpConfig, test: &TestContext, work: impl Future<Output = T>) -> T {
    let mut source = build(config, test).await.unwrap();
    let work = async {
        let result = work.await;
        test.trigger.request();
        result
    };
    let (stopped, result) = tokio::join!(timeout(LONG, source.run(test.cx.clone())), work);
    stopped.unwrap().unwrap();
    result
}

/// A socket that sends to the source of this test.
pub(crate) fn sender(test: &TestContext) -> UdpSocket {
    let target = test.cx.leases.udp(loopback(), 0).unwrap().socket.local_addr().unwrap();
    let sender = UdpSocket::bind(loopback()).unwrap();
    sender.connect(target).unwrap();
    sender
}

/// A good datagram that carries a number as its message.
pub(crate) fn numbered(number: u64) -> Vec<u8> {
    format!("/qseow-proxy-session/;sense1;Start session;LAB;anna;Not available;;{number}").into_bytes()
}

/// Waits until a counter of the source is at least this.
pub(crate) async fn counted(test: &TestContext, name: &str, labels: &str, least: u64) {
    let reached = || {
        let readings = test.cx.meter.readings();
        readings.iter().any(|reading| {
            reading.name == name && reading.labels.to_string() == labels && reading.value >= least
        })
    };
    timeout(LONG, async {
        while !reached() {
            yield_now().await;
        }
    })
    .await
    .unwrap();
}
