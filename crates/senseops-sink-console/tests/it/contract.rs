//! The contract of sinks.

use std::io::ErrorKind;
use std::sync::Arc;

use senseops_core::{BoxError, Sink, async_trait};
use senseops_sink_console::{ConsoleSink, Format};
use senseops_testkit::{SinkHarness, TargetBehaviour, sample, sink_contract};

use crate::paper::{Fault, Paper};

struct OnPaper;

#[async_trait]
impl SinkHarness for OnPaper {
    type Target = Paper;

    async fn target(&self) -> Paper {
        Paper::default()
    }

    async fn sink(&self, target: &Paper) -> Result<Arc<dyn Sink>, BoxError> {
        Ok(Arc::new(ConsoleSink::to(target.clone(), Format::Json)))
    }

    async fn stored(&self, target: &Paper) -> Vec<u64> {
        let (text, _flushes) = target.text();
        text.lines().map(number).collect()
    }

    async fn behave(&self, target: &Paper, behaviour: TargetBehaviour) -> bool {
        let fault = match behaviour {
            TargetBehaviour::Accept => Fault::None,
            TargetBehaviour::Busy { retry_after: None } => Fault::Error(ErrorKind::WouldBlock),
            TargetBehaviour::Down => Fault::Error(ErrorKind::Other),
            TargetBehaviour::Deny => Fault::Error(ErrorKind::BrokenPipe),
            TargetBehaviour::Hang => Fault::Hang,
            // A console takes whatever it is given, and does not remember what it has shown.
            TargetBehaviour::Busy { retry_after: Some(_) }
            | TargetBehaviour::RefuseSome(_)
            | TargetBehaviour::RefuseAll
            | TargetBehaviour::AtMost(_)
            | TargetBehaviour::LoseWrites
            | TargetBehaviour::LoseAnswers
            | _ => return false,
        };
        target.fail(fault);
        true
    }
}

fn number(line: &str) -> u64 {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    event.get("fields").and_then(|fields| fields.get(sample::NUMBER)?.as_u64()).unwrap()
}

#[tokio::test]
async fn the_console_keeps_the_contract_of_sinks() {
    let kept = sink_contract(&OnPaper).await.unwrap();
    insta::assert_debug_snapshot!(kept.untried(), @r#"
    [
        "retry after",
        "refuse some",
        "refuse all",
        "too large",
        "crash before store",
        "lost answer",
    ]
    "#);
}
