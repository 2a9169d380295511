//! A small pipeline, and requests to its router and its listener.
#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use senseops_core::host::ShutdownTrigger;
use senseops_core::settings::Span;
use senseops_core::{Accepts, Batch, Body as EventBody, Event, Fields, Kind, LabelSet, Sink, WriteError};
use senseops_engine::{Handle, Pipeline, PipelineSettings};
use senseops_web::{Control, ReloadReport, Web, WebConfig, router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::ServiceExt;

/// The longest that anything in these tests may take.
const LONG: Duration = Duration::from_secs(20);

/// A sink that has nothing to write, or refuses to.
pub(crate) struct Target {
    pub(crate) is_down: bool,
}

#[async_trait]
impl Sink for Target {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, _batch: &Batch) -> Result<(), WriteError> {
        if self.is_down {
            Err(WriteError::Unavailable { source: "connection \"refused\"\n".into(), retry_after: None })
        } else {
            Ok(())
        }
    }
}

/// Runs a pipeline of one sink that works and one that does not, while `work` goes on.
pub(crate) async fn with_pipeline(work: impl AsyncFnOnce(Handle)) {
    // What the one that is down was not given is of no interest.
    let settings =
        PipelineSettings { shutdown_timeout: Span::from_millis(100), ..PipelineSettings::default() };
    let pipeline = Pipeline::builder()
        .settings(settings)
        .sink("well", Arc::new(Target { is_down: false }))
        .sink("down", Arc::new(Target { is_down: true }))
        .build()
        .await
        .unwrap();
    let handle = pipeline.handle();
    pipeline.run_until(work(handle)).await;
}

pub(crate) fn event(number: i64) -> Event {
    let labels = Arc::new(LabelSet::from_iter([("host", "sense1")]));
    Event::new(Kind::new("test.number"), &labels, EventBody::Measurement(Fields::default().with("n", number)))
}

/// Waits until a view of the pipeline is as it should be.
pub(crate) async fn until(handle: &Handle, done: impl Fn(&senseops_engine::View) -> bool) {
    while !done(&handle.view()) {
        tokio::task::yield_now().await;
    }
}

/// A program that reloads well, or badly.
pub(crate) struct Program(pub(crate) Result<ReloadReport, String>);

#[async_trait]
impl Control for Program {
    async fn reload(&self) -> Result<ReloadReport, String> {
        self.0.clone()
    }
}

pub(crate) fn controlled(handle: &Handle, reload: Result<ReloadReport, String>) -> Router {
    router(handle.clone(), Some(Arc::new(Program(reload))))
}

pub(crate) async fn send(router: &Router, method: &str, path: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

/// The status and the body as text.
pub(crate) async fn ask(router: &Router, method: &str, path: &str) -> (u16, String) {
    let response = send(router, method, path).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Runs a pipeline that is looked into at a free port of this machine, under the `web` table of this YAML.
pub(crate) async fn with_listener(yaml: &str, work: impl AsyncFnOnce(SocketAddr, Handle)) {
    let config: WebConfig = serde_saphyr::from_str(yaml).unwrap();
    let free = WebConfig { listen: "127.0.0.1:0".parse().unwrap(), ..config };
    with_pipeline(async |handle| {
        let web = Web::bind(&free).await.unwrap();
        let (address, stop) = (web.local_addr(), ShutdownTrigger::default());
        let control = Program(Err("sos.yaml:1:1: x: unknown key".into()));
        let serving = web.serve(handle.clone(), Some(Arc::new(control)), stop.shutdown());
        tokio::join!(serving, async {
            work(address, handle).await;
            stop.request();
        });
    })
    .await;
}

/// What is answered to these bytes, but for the date and the difference between line breaks.
pub(crate) async fn answer(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Bytes of ours that were never read turn the end into a reset.
    let ended = timeout(LONG, stream.read_to_end(&mut answer)).await.expect("the connection ends");
    assert!(ended.is_ok() || !answer.is_empty(), "{ended:?}");
    let answer = String::from_utf8(answer).unwrap().replace("\r\n", "\n");
    answer.split_inclusive('\n').filter(|line| !line.starts_with("date: ")).collect()
}
