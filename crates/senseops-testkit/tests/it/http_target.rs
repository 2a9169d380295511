//! The scripted HTTP target, seen from the wire.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::StatusCode;
use senseops_testkit::{Answer, HttpTarget};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const LONG: Duration = Duration::from_mins(1);

/// Posts the body on a new connection and reads until its end.
pub(crate) async fn post(address: SocketAddr, headers: &str, body: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST /write?db=a HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = String::new();
    timeout(LONG, stream.read_to_string(&mut answer)).await.unwrap()?;
    Ok(answer)
}

#[tokio::test]
async fn queued_answers_come_first_then_those_of_the_closure() {
    let target = HttpTarget::start().await.unwrap();
    target.answer_with(|request| Answer::ok(request.text()));
    target.answer_next(
        Answer::status(StatusCode::SERVICE_UNAVAILABLE).retry_after(Duration::from_secs(7)).body("busy"),
    );
    let first = post(target.address(), "", b"one").await.unwrap();
    let second = post(target.address(), "", b"two").await.unwrap();
    assert!(first.starts_with("HTTP/1.1 503 ") && first.contains("retry-after: 7\r\n"), "{first}");
    assert!(first.ends_with("busy"), "{first}");
    assert!(second.starts_with("HTTP/1.1 200 ") && second.ends_with("\r\n\r\ntwo"), "{second}");
    let requests = target.wait_for(2, LONG).await.unwrap();
    let seen: Vec<_> = requests.iter().map(|r| (r.path(), r.query(), r.text(), r.status)).collect();
    assert_eq!(
        seen,
        [
            ("/write", "db=a", "one".into(), Some(StatusCode::SERVICE_UNAVAILABLE)),
            ("/write", "db=a", "two".into(), Some(StatusCode::OK)),
        ]
    );
}

#[tokio::test]
async fn a_gzipped_body_is_recorded_as_plain_text() {
    let target = HttpTarget::start().await.unwrap();
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(b"plain").unwrap();
    let answer =
        post(target.address(), "content-encoding: gzip\r\n", &zipped.finish().unwrap()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert_eq!(target.requests()[0].text(), "plain");
}

#[tokio::test]
async fn a_cut_answer_ends_in_its_middle_and_counts_as_none() {
    let target = HttpTarget::start().await.unwrap();
    target.answer_next(Answer::ok("whole").cut());
    let answer = post(target.address(), "", b"").await.unwrap();
    assert!(answer.contains("content-length: 5\r\n") && answer.ends_with("\r\n\r\nwh"), "{answer}");
    assert_eq!(target.requests()[0].status, None);
}

#[tokio::test]
async fn a_reset_connection_gives_no_answer() {
    let target = HttpTarget::start().await.unwrap();
    target.answer_next(Answer::reset());
    let error = post(target.address(), "", b"taken").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(target.requests()[0].text(), "taken");
}

#[tokio::test]
async fn a_hanging_answer_ends_when_the_target_stops() {
    let target = HttpTarget::start().await.unwrap();
    let address = target.address();
    target.answer_next(Answer::hang());
    let stopped = async {
        target.wait_for(1, LONG).await.unwrap();
        target.stop().await.unwrap();
    };
    let (answer, ()) = tokio::join!(post(address, "", b"taken"), stopped);
    assert_eq!(answer.unwrap(), "");
}

#[tokio::test]
async fn a_stalled_answer_stays_unfinished_until_the_target_stops() {
    let target = HttpTarget::start().await.unwrap();
    let address = target.address();
    target.answer_next(Answer::ok("whole").stall());
    let stopped = async {
        target.wait_for(1, LONG).await.unwrap();
        target.stop().await.unwrap();
    };
    let (answer, ()) = tokio::join!(post(address, "", b"taken"), stopped);
    assert!(!answer.unwrap_or_default().contains("whole"));
    assert_eq!(target.requests()[0].status, None);
}

#[tokio::test]
async fn a_stopped_target_refuses_and_comes_back_on_the_same_port() {
    let target = HttpTarget::down().unwrap();
    for _ in 0..2 {
        let error = post(target.address(), "", b"").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        target.start_again().await.unwrap();
        assert!(post(target.address(), "", b"").await.unwrap().starts_with("HTTP/1.1 204 "));
        target.stop().await.unwrap();
    }
    assert_eq!(target.requests().len(), 2);
}

#[tokio::test]
async fn waiting_for_requests_that_do_not_come_tells_how_many_came() {
    let target = HttpTarget::start().await.unwrap();
    let error = target.wait_for(1, Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "only 0 requests within 1ms");
}
