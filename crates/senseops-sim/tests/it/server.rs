//! The behaviours of a server, as a client meets them.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use senseops_sim::{Behaviour, Clock, Load, Pki, SenseServer};
use tokio::time::timeout;

use crate::client::Client;

async fn plain() -> SenseServer {
    SenseServer::over_http().start().await.unwrap()
}

#[tokio::test]
async fn a_healthy_server_answers_with_its_load_on_one_connection() {
    let load = Load::new(7, 3);
    let server = SenseServer::over_http()
        .name("central")
        .load(load.clone(), Clock::starting_at(3600, 0.0))
        .start()
        .await
        .unwrap();
    let mut client = Client::connect_plain(&server).await.unwrap();
    for path in ["/engine/healthcheck", "/engine/healthcheck/"] {
        let answer = client.ask("GET", path).await.unwrap();
        assert_eq!(answer.body, load.body(3600), "{path}");
        assert!(answer.head.contains("content-type: application/json\r\n"), "{}", answer.head);
    }
    assert_eq!((server.requests(), server.connections()), (2, 1));
    assert_eq!(server.name(), "central");
}

#[tokio::test]
async fn a_server_remembers_what_it_was_asked_last() {
    let server = plain().await;
    assert!(server.last_request().is_none());
    Client::connect_plain(&server).await.unwrap().health().await.unwrap();
    let head = server.last_request().unwrap();
    assert_eq!((head.method.as_str(), head.uri.path()), ("GET", "/engine/healthcheck"));
    assert_eq!(head.headers.get("x-who").unwrap(), "test");
}

#[tokio::test]
async fn a_server_behaves_anew_from_the_next_request_on() {
    let server = plain().await;
    let mut client = Client::connect_plain(&server).await.unwrap();
    let mut seen = Vec::new();
    for behaviour in [
        Behaviour::Body { status: 503, content_type: "text/plain", bytes: Bytes::from_static(b"busy") },
        Behaviour::LoginPage,
        Behaviour::Redirect,
        Behaviour::Healthy,
    ] {
        server.behave(behaviour);
        let head = client.health().await.unwrap().head.to_lowercase();
        seen.extend(head.lines().filter(|line| !line.starts_with("date")).map(str::to_owned));
    }
    assert_eq!(server.connections(), 1);
    seen.retain(|line| !line.starts_with("content-length"));
    insta::assert_snapshot!(seen.join("\n"), @"
    http/1.1 503 service unavailable
    content-type: text/plain

    http/1.1 200 ok
    content-type: text/html; charset=utf-8

    http/1.1 302 found
    content-type: text/html
    location: /login/

    http/1.1 200 ok
    content-type: application/json
    ");
}

#[tokio::test]
async fn cut_json_is_the_first_half() {
    let load = Load::new(1, 1);
    let server = SenseServer::over_http()
        .load(load.clone(), Clock::starting_at(0, 0.0))
        .behaviour(Behaviour::CutJson)
        .start()
        .await
        .unwrap();
    let body = Client::connect_plain(&server).await.unwrap().health().await.unwrap().body;
    assert!(load.body(0).starts_with(&body) && body.len() == load.body(0).len() / 2);
    assert!(serde_json::from_slice::<serde_json::Value>(&body).is_err());
}

#[tokio::test]
async fn a_body_may_be_larger_than_anybody_reads() {
    let server = plain().await;
    server.behave(Behaviour::TooLarge(u64::MAX));
    let mut client = Client::connect_plain(&server).await.unwrap();
    client.send("GET", "/engine/healthcheck").await.unwrap();
    let answer = client.read_up_to(1 << 20).await.unwrap();
    assert_eq!(answer.len(), 1 << 20);
    let head = String::from_utf8_lossy(&answer);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("transfer-encoding: chunked\r\n"));
}

#[tokio::test]
async fn a_large_body_ends_where_it_was_told_to() {
    let server = SenseServer::over_http().behaviour(Behaviour::TooLarge(40_000)).start().await.unwrap();
    let mut client = Client::connect_plain(&server).await.unwrap();
    client.send_last("GET", "/engine/healthcheck").await.unwrap();
    let answer = String::from_utf8(client.read_up_to(u64::MAX).await.unwrap()).unwrap();
    let (_head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.matches(' ').count(), 40_000);
    assert!(body.ends_with("\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn a_server_closes_or_resets_the_connection_instead_of_answering() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new().unwrap();
    let files = pki.write_to(dir.path()).unwrap();
    let server = SenseServer::over_tls(&pki).start().await.unwrap();
    for (behaviour, expected) in
        [(Behaviour::Close, ErrorKind::UnexpectedEof), (Behaviour::Reset, ErrorKind::ConnectionReset)]
    {
        let mut client = Client::connect(&server, &files).await.unwrap();
        client.health().await.unwrap();
        server.behave(behaviour.clone());
        assert_eq!(client.health().await.err().unwrap().kind(), expected, "{behaviour:?}");
        server.behave(Behaviour::Healthy);
    }
}

#[tokio::test]
async fn a_hanging_server_never_answers() {
    let server = plain().await;
    server.behave(Behaviour::Hang);
    let mut client = Client::connect_plain(&server).await.unwrap();
    assert!(timeout(Duration::from_millis(100), client.health()).await.is_err());
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn there_is_one_path_and_one_method() {
    let server = plain().await;
    let mut client = Client::connect_plain(&server).await.unwrap();
    for (method, path, status) in
        [("GET", "/", "404"), ("GET", "/engine/healthcheck/x", "404"), ("POST", "/engine/healthcheck", "405")]
    {
        let head = client.ask(method, path).await.unwrap().head;
        assert_eq!(head.split(' ').nth(1), Some(status), "{method} {path}");
    }
}

#[tokio::test]
async fn dropping_a_server_closes_its_port_and_its_connections() {
    let server = plain().await;
    let mut client = Client::connect_plain(&server).await.unwrap();
    client.health().await.unwrap();
    let address = server.address();
    drop(server);
    assert_eq!(client.read_up_to(1).await.unwrap(), b"");
    assert_eq!(
        tokio::net::TcpStream::connect(address).await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
}
