//! The contract of sinks, against a scripted server that answers as InfluxDB does.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::sync::Arc;

use senseops_core::{BoxError, Build, Sink, async_trait};
use senseops_testkit::line_protocol::{self, FieldValue};
use senseops_testkit::{Answer, HttpSinkHarness, Recorded, Ruling, http_sink_contract, sample};
use serde_json::json;

use crate::events::sink;

struct Influx;

#[async_trait]
impl HttpSinkHarness for Influx {
    async fn sink(&self, url: &str) -> Result<Arc<dyn Sink>, BoxError> {
        Ok(sink(Build::detached("influx.main"), &json!({ "url": url, "gzip": "on" })).await)
    }

    fn numbers(&self, request: &Recorded) -> Vec<u64> {
        if request.path() != "/write" {
            return Vec::new();
        }
        let points = line_protocol::parse_body(&request.text()).unwrap();
        points.iter().filter_map(|point| number(&point.fields[sample::NUMBER])).collect()
    }

    fn answer(&self, ruling: &Ruling) -> Answer {
        match ruling {
            Ruling::Refused(numbers) => {
                let error =
                    format!("partial write: points beyond retention policy dropped={}", numbers.len());
                let refusal = ruling.usual_answer().header("x-influxdb-version", "1.8.10");
                refusal.body(json!({ "error": error }).to_string())
            }
            Ruling::Stored | Ruling::Busy { .. } | Ruling::TooLarge | Ruling::Denied => ruling.usual_answer(),
        }
    }

    fn answer_aside(&self, request: &Recorded) -> Answer {
        match request.path() {
            "/ping" => Answer::no_content().header("x-influxdb-version", "1.8.10"),
            _ => Answer::ok(
                r#"{"results":[{"series":[{"name":"databases","columns":["name"],"values":[["senseops"]]}]}]}"#,
            ),
        }
    }

    fn stores_the_rest(&self) -> bool {
        true
    }
}

fn number(value: &FieldValue) -> Option<u64> {
    if let FieldValue::Int(number) = value { u64::try_from(*number).ok() } else { None }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_keeps_the_contract() {
    let kept = http_sink_contract(Influx).await.unwrap();
    assert_eq!(kept.untried(), [""; 0]);
}
