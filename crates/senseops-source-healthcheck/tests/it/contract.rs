//! The contract of sources, with a simulated server as the origin.

use std::sync::Mutex;

use senseops_core::{BoxError, Build, Event, Source, Value, async_trait};
use senseops_qlik::kinds::engine_health;
use senseops_sim::{Behaviour, SenseServer};
use senseops_source_healthcheck::HealthcheckConfig;
use senseops_testkit::{Keeps, OriginBehaviour, SourceHarness, source_contract};
use serde_json::json;

use crate::support::{build, url};

struct Harness;

struct Origin {
    server: SenseServer,
    number: Mutex<u64>,
}

/// A document whose number of calls is the number of the event; that of event 0 tells nothing.
fn document(number: u64) -> Behaviour {
    let bytes = json!({ "version": "12", "apps": { "calls": number } }).to_string().into();
    Behaviour::Body { status: 200, content_type: "application/json", bytes }
}

#[async_trait]
impl SourceHarness for Harness {
    type Origin = Origin;

    #[expect(clippy::unwrap_used, reason = "a helper of a test")]
    async fn origin(&self) -> Origin {
        let server = SenseServer::over_http().behaviour(document(0)).start().await.unwrap();
        Origin { server, number: Mutex::default() }
    }

    async fn source(&self, origin: &Origin, context: Build) -> Result<Box<dyn Source>, BoxError> {
        let configured: HealthcheckConfig = serde_json::from_value(json!({
            "interval": "5ms",
            "timeout": "10s",
            "servers": [{ "name": "Server 1", "url": url(&origin.server) }],
        }))?;
        Ok(build(configured, context).await?)
    }

    #[expect(clippy::unwrap_used, reason = "a helper of a test")]
    async fn provoke(&self, origin: &Origin, number: u64) {
        *origin.number.lock().unwrap() = number;
        origin.server.behave(document(number));
    }

    fn number(&self, event: &Event) -> Option<u64> {
        let Value::Int(calls) = engine_health::CALLS.of(event.fields())? else { return None };
        u64::try_from(*calls).ok()
    }

    fn keeps(&self) -> Keeps {
        Keeps::Latest
    }

    #[expect(clippy::unwrap_used, reason = "a helper of a test")]
    async fn behave(&self, origin: &Origin, behaviour: OriginBehaviour) -> bool {
        let answer = match behaviour {
            OriginBehaviour::Answer => document(*origin.number.lock().unwrap()),
            OriginBehaviour::Down => Behaviour::Reset,
            OriginBehaviour::Hang => Behaviour::Hang,
            OriginBehaviour::Garbage => Behaviour::TooLarge(8 * 1024 * 1024),
            _ => return false,
        };
        origin.server.behave(answer);
        true
    }
}

#[tokio::test]
async fn the_contract_of_sources_is_kept() {
    let kept = source_contract(&Harness).await.unwrap();
    assert_eq!(kept.untried(), ["emits many"]);
}
