//! The contract of sinks, against a scripted broker.

use std::sync::Arc;

use senseops_core::{BoxError, Build, Sink, async_trait};
use senseops_testkit::{SinkHarness, TargetBehaviour, sink_contract};
use serde_json::json;

use crate::broker::Broker;
use crate::support::built;

struct Mqtt;

#[async_trait]
impl SinkHarness for Mqtt {
    type Target = Broker;

    async fn target(&self) -> Broker {
        Broker::start(TargetBehaviour::Accept).await
    }

    async fn sink(&self, target: &Broker) -> Result<Arc<dyn Sink>, BoxError> {
        Ok(built(&Build::detached("mqtt.main"), json!({ "broker": target.url(), "timeout": "20s" })).await)
    }

    async fn stored(&self, target: &Broker) -> Vec<u64> {
        target.stored()
    }

    async fn behave(&self, target: &Broker, behaviour: TargetBehaviour) -> bool {
        target.behave(behaviour).await
    }

    async fn offered(&self, target: &Broker) -> Option<Vec<u64>> {
        Some(target.offered())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_keeps_the_contract() {
    let kept = sink_contract(&Mqtt).await.unwrap();
    // A broker has no way to ask for a pause, and sees messages, not batches.
    assert_eq!(kept.untried(), ["retry after", "too large"]);
}
