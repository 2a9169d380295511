//! The launcher of InfluxDB 1.x, with the real server.

use senseops_testkit::{Influxd, InfluxdOptions, QueryError};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http_target::{LONG, post};

#[tokio::test]
async fn what_was_answered_survives_a_stop_and_a_kill() {
    let mut influxd = Influxd::start(InfluxdOptions::default()).await.unwrap();
    let url = influxd.url();
    for (restart, database) in ["one", "two", "three"].into_iter().enumerate() {
        influxd.query("", &format!("CREATE DATABASE {database}")).await.unwrap();
        if restart == 0 {
            influxd.stop().await;
        } else {
            influxd.kill();
        }
        assert!(matches!(influxd.query("", "SHOW DATABASES").await, Err(QueryError::Failed(_))));
        influxd.start_again().await.unwrap();
    }
    let databases = influxd.rows("", "SHOW DATABASES").await.unwrap();
    assert_eq!(databases, [[json!("one")], [json!("two")], [json!("three")]]);
    assert_eq!(influxd.url(), url);
}

#[tokio::test]
async fn an_administrator_is_made_when_asked_for() {
    let login = Some(("admin".to_owned(), "it's \\ a % secret".to_owned()));
    let influxd = Influxd::start(InfluxdOptions { login, ..InfluxdOptions::default() }).await.unwrap();
    let users = influxd.rows("", "SHOW USERS").await.unwrap();
    assert_eq!(users, [[json!("admin"), json!(true)]]);
}

#[tokio::test]
async fn a_refused_statement_tells_why() {
    let influxd = Influxd::start(InfluxdOptions::default()).await.unwrap();
    let error = influxd.query("", "CREATE NONSENSE").await.unwrap_err();
    assert!(matches!(error, QueryError::Refused { .. }), "{error}");
    let error = influxd.query("nowhere", "SELECT * FROM x").await.unwrap_err();
    insta::assert_snapshot!(error, @"influxd refused the query with 200 OK: database not found: nowhere");
}

#[tokio::test]
async fn limits_are_those_of_the_options() {
    let options = InfluxdOptions {
        max_body_bytes: Some(20),
        max_series_per_database: Some(1),
        ..InfluxdOptions::default()
    };
    let influxd = Influxd::start(options).await.unwrap();
    influxd.query("", "CREATE DATABASE a").await.unwrap();
    for (lines, status) in [("m,t=one n=1i 1", "204 No Content"), ("m,t=two n=1i 1", "400 Bad Request")] {
        let answer = post(influxd.address(), "", lines.as_bytes()).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{lines}: {answer}");
    }
    assert_eq!(influxd.rows("a", "SELECT n, t FROM m").await.unwrap(), [[json!(1), json!(1), json!("one")]]);

    // On a connection that stays open: one that ends takes the answer with it, since part of the body is unread.
    let mut stream = TcpStream::connect(influxd.address()).await.unwrap();
    let request = "POST /write?db=a HTTP/1.1\r\nhost: a\r\ncontent-length: 21\r\n\r\nm,t=one n=1234567i 10";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    timeout(LONG, stream.read_exact(&mut status)).await.unwrap().unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
}
