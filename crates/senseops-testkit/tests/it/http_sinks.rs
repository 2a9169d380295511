//! The suite for sinks that write over HTTP, with a small sink and real connections.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use senseops_core::{Accepts, Batch, BoxError, Sink, WriteError, async_trait};
use senseops_testkit::{Broken, HttpSinkHarness, Recorded, http_sink_contract, sample};
use tokio::net::TcpStream;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    AcksOnceSent,
    AcksEveryStatus,
    RefusesOnEveryStatus,
}

/// Posts one number per line.
struct Lines {
    address: String,
    flaw: Option<Flaw>,
}

impl Lines {
    async fn post(&self, body: String) -> Result<Response<Incoming>, BoxError> {
        let stream = TcpStream::connect(&self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let exchange = sender.send_request(Request::post("/lines").body(Full::<Bytes>::from(body))?);
        let (mut exchange, mut connection) = (std::pin::pin!(exchange), std::pin::pin!(connection));
        tokio::select! {
            biased;
            response = &mut exchange => Ok(response?),
            ended = &mut connection => {
                ended?;
                Ok(exchange.await?)
            }
        }
    }
}

#[async_trait]
impl Sink for Lines {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        let lines: Vec<String> = sample::numbers(batch.iter()).iter().map(u64::to_string).collect();
        let response = match self.post(lines.join("\n")).await {
            Ok(response) => response,
            Err(_unheard) if self.flaw == Some(Flaw::AcksOnceSent) => return Ok(()),
            Err(error) => return Err(WriteError::unavailable(error)),
        };
        let pause = response.headers().get(RETRY_AFTER).map(|pause| pause.to_str().unwrap().parse().unwrap());
        let status = response.status();
        if status.is_success() || self.flaw == Some(Flaw::AcksEveryStatus) {
            return Ok(());
        }
        let text =
            response.into_body().collect().await.map_err(|error| WriteError::unavailable(Box::new(error)))?;
        let cause: BoxError = format!("{status} {:?}", text.to_bytes()).into();
        Err(match status {
            _ if self.flaw == Some(Flaw::RefusesOnEveryStatus) => WriteError::Split(cause),
            StatusCode::UNAUTHORIZED => WriteError::Denied(cause),
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => WriteError::Split(cause),
            _ => WriteError::Unavailable { source: cause, retry_after: pause.map(Duration::from_secs) },
        })
    }
}

struct Harness(Option<Flaw>);

#[async_trait]
impl HttpSinkHarness for Harness {
    async fn sink(&self, url: &str) -> Result<Arc<dyn Sink>, BoxError> {
        let address = url.trim_start_matches("http://").to_owned();
        Ok(Arc::new(Lines { address, flaw: self.0 }))
    }

    fn numbers(&self, request: &Recorded) -> Vec<u64> {
        request.text().lines().map(|line| line.parse().unwrap()).collect()
    }
}

async fn of(flaw: Flaw) -> Broken {
    http_sink_contract(Harness(Some(flaw))).await.unwrap_err()
}

#[tokio::test]
async fn a_correct_http_sink_keeps_the_contract_in_every_scenario() {
    let kept = http_sink_contract(Harness(None)).await.unwrap();
    assert_eq!((kept.passed.len(), kept.skipped), (21, vec![]));
}

#[tokio::test]
async fn an_http_sink_that_does_not_wait_for_the_answer_is_caught() {
    insta::assert_snapshot!(of(Flaw::AcksOnceSent).await, @"
    the contract is broken
      crash before store: write returned Ok before the target had the events 1, 2, 3, 4
      lost answer: the target crashed before it answered, so write should return Unavailable, but it returned Ok
      down: write returned Ok before the target had the events 1, 2, 3
      down at start: write returned Ok before the target had the events 0, 1, 2, 3
    ");
}

#[tokio::test]
async fn an_http_sink_that_takes_every_answer_for_yes_is_caught() {
    insta::assert_snapshot!(of(Flaw::AcksEveryStatus).await, @"
    the contract is broken
      flaky: write returned Ok before the target had the events 1
      retry after: write returned Ok before the target had the events 1, 2, 3, 4
      refuse some: write returned Ok before the target had the events 1, 2, 3, 4, 5, 6, 7, 8 and 3 more
      refuse all: write returned Ok before the target had the events 1, 2, 3, 4, 5
      too large: write returned Ok before the target had the events 1, 2, 3, 4, 5, 6, 7, 8 and 15 more
      denied: write returned Ok before the target had the events 1, 2, 3, 4
    ");
}

#[tokio::test]
async fn an_http_sink_that_takes_every_no_for_ever_is_caught() {
    insta::assert_snapshot!(of(Flaw::RefusesOnEveryStatus).await, @r#"
    the contract is broken
      flaky: the target is busy, so write should return Unavailable, but it returned Split (503 Service Unavailable b"")
      retry after: the target is busy, so write should return Unavailable, but it returned Split (503 Service Unavailable b"")
      denied: the target denies us, so write should return Denied, but it returned Split (401 Unauthorized b"")
    "#);
}
