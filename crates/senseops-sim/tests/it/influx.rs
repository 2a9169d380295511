//! A target that counts.

use std::io::ErrorKind;

use senseops_sim::InfluxTarget;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one request on a connection of its own, and gives the whole answer.
async fn ask(target: &InfluxTarget, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(target.url().strip_prefix("http://").unwrap()).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: influx\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_target_counts_points_and_tells_how_many() {
    let target = InfluxTarget::start().await.unwrap();
    let answer = ask(&target, &post("/write?db=x", "a b=1\nc d=2\n")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204 No Content\r\n"), "{answer}");
    assert_eq!((target.points(), target.writes()), (2, 1));
    let get = "GET /points HTTP/1.1\r\nhost: influx\r\nconnection: close\r\n\r\n";
    assert!(ask(&target, get).await.unwrap().ends_with("\r\n\r\n2"));
}

#[tokio::test]
async fn a_target_lets_itself_be_set_up() {
    let target = InfluxTarget::start().await.unwrap();
    let answer = ask(&target, &post("/query?q=CREATE%20DATABASE%20x", "")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"results":[{"statement_id":0}]}"#), "{answer}");
    let databases = ask(&target, &post("/query", "q=SHOW+DATABASES")).await.unwrap();
    assert!(databases.contains(r#""values":[["senseops"]]"#), "{databases}");
}

#[tokio::test]
async fn a_target_that_is_away_takes_nothing() {
    let target = InfluxTarget::start().await.unwrap();
    target.go_away();
    let error = ask(&target, &post("/write?db=x", "a b=1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    target.come_back();
    assert!(ask(&target, &post("/write?db=x", "a b=1")).await.is_ok());
    assert_eq!((target.points(), target.is_up()), (1, true));
}
