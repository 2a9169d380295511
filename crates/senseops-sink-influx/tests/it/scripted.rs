//! What is sent, and what the sink makes of every answer.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use senseops_core::{Batch, Build, WriteError, chain};
use senseops_testkit::{Answer, HttpTarget};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::events::{delivered, sample, sink};

fn batch() -> Batch {
    Batch::from(vec![sample("third.party", 0, "load", 0.5), sample("third.party", 1, "load", 1.5)])
}

/// What the sink says of an answer to its write.
async fn said_of(answer: Answer) -> String {
    let target = HttpTarget::start().await.unwrap();
    let config = json!({ "url": target.url(), "username": "anna", "password": "canary" });
    let sink = sink(Build::detached("influx.main"), &config).await;
    target.answer_with(move |_request| answer.clone());
    let said = match sink.write(&batch()).await {
        Ok(()) => "written".to_owned(),
        Err(WriteError::Unavailable { source, retry_after }) => {
            format!("unavailable, {retry_after:?}: {}", chain(&*source))
        }
        Err(WriteError::Denied(source)) => format!("denied: {}", chain(&*source)),
        Err(WriteError::Split(source)) => format!("split: {}", chain(&*source)),
        Err(error @ WriteError::Partial { .. }) => format!("{error}"),
    };
    assert!(!said.contains("canary"));
    said.replace(&target.url(), "http://target")
}

/// What InfluxDB answers when it does not take a request.
fn refusal(status: u16, error: &str) -> Answer {
    gateway(status, error).header("x-influxdb-version", "1.6.7")
}

/// The same from something that is not InfluxDB.
fn gateway(status: u16, error: &str) -> Answer {
    Answer::status(status.try_into().unwrap()).body(json!({ "error": error }).to_string())
}

/// Half a megabyte over several lines, with what a terminal would obey.
fn flood() -> String {
    "\u{1b}[31mred\r\n".repeat(50_000)
}

#[tokio::test]
async fn a_write_is_one_request_with_the_login_in_a_header() {
    let target = HttpTarget::start().await.unwrap();
    let url = format!("{}/behind/proxy/", target.url());
    let config = json!({ "url": url, "database": "sense ops", "username": "anna", "password": "canary" });
    sink(Build::detached("influx.main"), &config).await.write(&batch()).await.unwrap();
    let requests = target.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].uri, "/behind/proxy/write?db=sense+ops&precision=ns");
    assert_eq!(requests[0].header("authorization"), Some("Basic YW5uYTpjYW5hcnk="));
    assert_eq!(requests[0].header("content-encoding"), None);
    insta::assert_snapshot!(requests[0].text(), @r"
    third_party,host=sense\ 1,user=LAB\bo\ berg load=0.5 1795186650000000000
    third_party,host=sense\ 1,user=LAB\bo\ berg load=1.5 1795186650001000000
    ");
}

#[tokio::test]
async fn a_request_is_compressed_if_wanted() {
    let target = HttpTarget::start().await.unwrap();
    let config = json!({ "url": target.url(), "gzip": "on" });
    sink(Build::detached("influx.main"), &config).await.write(&batch()).await.unwrap();
    let request = target.requests().remove(0);
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    assert_eq!(request.text().lines().count(), 2);
}

#[tokio::test]
async fn events_with_nothing_to_store_are_counted_and_not_sent() {
    let target = HttpTarget::start().await.unwrap();
    let build = Build::detached("influx.main");
    let sink = sink(build.clone(), &json!({ "url": target.url() })).await;
    let nothing = || sample("third.party", 0, "load", f64::NAN);
    sink.write(&Batch::from(vec![nothing()])).await.unwrap();
    assert_eq!(target.requests().len(), 0);
    sink.write(&Batch::from(vec![nothing(), sample("third.party", 1, "load", 1)])).await.unwrap();
    let readings: Vec<_> =
        build.meter.readings().into_iter().map(|reading| (reading.name, reading.value)).collect();
    assert_eq!(readings, [("events_without_fields", 2), ("points", 1)]);
}

#[tokio::test]
async fn a_missing_database_is_created_with_its_retention_policy() {
    let target = HttpTarget::start().await.unwrap();
    let config = json!({
        "url": target.url(), "database": "a\"b", "retention_policy": { "name": "10d", "duration": "10d" },
    });
    let sink = sink(Build::detached("influx.main"), &config).await;
    for _ in 0..2 {
        target.answer_next(refusal(404, "database not found: \"a\"b\""));
        target
            .answer_next(Answer::status(200.try_into().unwrap()).body(r#"{"results":[{"statement_id":0}]}"#));
        sink.write(&batch()).await.unwrap();
        let uris: Vec<_> =
            target.take_requests().into_iter().map(|request| request.uri.to_string()).collect();
        assert_eq!(
            uris,
            [
                "/write?db=a%22b&precision=ns",
                "/query?q=CREATE+DATABASE+%22a%5C%22b%22+WITH+DURATION+864000s+REPLICATION+1+NAME+%2210d%22",
                "/write?db=a%22b&precision=ns",
            ]
        );
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_created_is_told() {
    let target = HttpTarget::start().await.unwrap();
    let sink = sink(Build::detached("influx.main"), &json!({ "url": target.url() })).await;
    let mut said = String::new();
    for answer in [
        refusal(
            403,
            "error authorizing query: anna not authorized to execute statement 'CREATE DATABASE senseops'",
        ),
        Answer::status(200.try_into().unwrap())
            .body(r#"{"results":[{"error":"retention policy conflicts"}]}"#),
    ] {
        target.answer_next(refusal(404, "database not found: \"senseops\""));
        target.answer_next(answer);
        let error = sink.write(&batch()).await.unwrap_err();
        assert!(matches!(error, WriteError::Denied(_)));
        said += &chain(&error).to_string().replace(&target.url(), "http://target");
        said.push('\n');
    }
    insta::assert_snapshot!(said, @"
    target denied the write: http://target answered 403 Forbidden: error authorizing query: anna not authorized to execute statement 'CREATE DATABASE senseops'; the user needs the right to write to the database, and to create it if it does not exist
    target denied the write: http://target cannot create the database senseops: retention policy conflicts; create it by hand
    ");
}

#[tokio::test]
async fn a_database_that_is_missing_after_its_creation_is_told() {
    let target = HttpTarget::start().await.unwrap();
    let sink = sink(Build::detached("influx.main"), &json!({ "url": target.url() })).await;
    target.answer_with(|request| match request.path() {
        "/write" => refusal(404, "database not found: \"senseops\""),
        _ => Answer::ok(r#"{"results":[{"statement_id":0}]}"#),
    });
    let error = sink.write(&batch()).await.unwrap_err();
    assert!(matches!(error, WriteError::Denied(_)));
    let said = chain(&error).to_string().replace(&target.url(), "http://target");
    insta::assert_snapshot!(said, @"target denied the write: http://target still says that the database senseops does not exist, right after it was created; if several servers answer at this url, create it on each of them");
    assert_eq!(target.requests().len(), 3);
}

/// Sentences end up in logs, on terminals and in health reports.
#[tokio::test]
async fn what_a_target_says_is_shown_in_short_and_on_one_line() {
    let target = HttpTarget::start().await.unwrap();
    let sink = sink(Build::detached("influx.main"), &json!({ "url": target.url() })).await;
    let results = || Answer::ok(json!({ "results": [{ "error": flood() }] }).to_string());

    target.answer_next(refusal(404, "database not found: \"senseops\""));
    target.answer_next(results());
    let creation = chain(&sink.write(&batch()).await.unwrap_err()).to_string();
    target.answer_next(Answer::no_content().header("x-influxdb-version", "1.6.7"));
    target.answer_next(results());
    let list = sink.probe().await.unwrap_err().to_string();
    target.answer_next(Answer::no_content().header("x-influxdb-version", "1".repeat(10_000)));
    target.answer_next(Answer::ok(r#"{"results":[{}]}"#));
    let version = sink.probe().await.unwrap().unwrap();
    target.answer_next(refusal(400, &flood()));
    let refused = chain(&sink.write(&batch()).await.unwrap_err()).to_string();
    target.answer_next(refusal(500, &flood()));
    let busy = chain(&sink.write(&batch()).await.unwrap_err()).to_string();

    for said in [creation, list, version, refused, busy] {
        assert!(said.len() < 600 && !said.contains(char::is_control), "{said:?}");
        assert!(said.contains('…'), "{said}");
    }
}

#[tokio::test]
async fn every_answer_has_its_consequence() {
    let mut said = String::new();
    for answer in [
        Answer::status(204.try_into().unwrap()),
        Answer::status(200.try_into().unwrap()).body("<html>Please log in</html>"),
        Answer::status(302.try_into().unwrap()),
        refusal(400, "partial write: points beyond retention policy dropped=1"),
        refusal(400, "partial write: points beyond retention policy dropped=2"),
        refusal(400, "partial write: points beyond retention policy dropped=2").cut(),
        refusal(400, &"x".repeat(2 * 1024 * 1024)),
        gateway(400, "no body").header("x-influxdb-error", "unexpected EOF").body(""),
        gateway(400, "Bad Request: header field too long"),
        Answer::status(400.try_into().unwrap()).body("Client sent an HTTP request to an HTTPS server."),
        refusal(401, "authorization failed"),
        refusal(403, "\"anna\" user is not authorized to write to database \"senseops\""),
        Answer::status(404.try_into().unwrap()).body("404 page not found"),
        Answer::status(405.try_into().unwrap()),
        refusal(413, "Request Entity Too Large"),
        refusal(429, "slow down").retry_after(std::time::Duration::from_secs(7)),
        refusal(500, "timeout"),
        refusal(500, "timeout").cut(),
        Answer::status(503.try_into().unwrap()).body("busy"),
        Answer::reset(),
    ] {
        said += &said_of(answer).await;
        said.push('\n');
    }
    insta::assert_snapshot!(said, @r#"
    written
    denied: http://target answered 200 OK: <html>Please log in</html>; check that the url is that of an InfluxDB 1.x
    denied: http://target answered 302 Found; set the url to where it leads
    split: InfluxDB refused points: points beyond retention policy
    2 events refused, 0 to retry
    split: InfluxDB refused points: the answer does not tell which
    split: InfluxDB refused points: the answer does not tell which
    split: InfluxDB refused points: the answer does not tell which
    denied: http://target answered 400 Bad Request: Bad Request: header field too long; check that the url is that of an InfluxDB 1.x, with https:// if it expects TLS
    denied: http://target answered 400 Bad Request: Client sent an HTTP request to an HTTPS server.; check that the url is that of an InfluxDB 1.x, with https:// if it expects TLS
    denied: http://target answered 401 Unauthorized: authorization failed; check username and password
    denied: http://target answered 403 Forbidden: "anna" user is not authorized to write to database "senseops"; the user needs the right to write to the database, and to create it if it does not exist
    denied: http://target answered 404 Not Found: 404 page not found; check that the url is that of an InfluxDB 1.x
    denied: http://target answered 405 Method Not Allowed; check that the url is that of an InfluxDB 1.x
    split: answered 413 Payload Too Large: {"error":"Request Entity Too Large"}
    unavailable, Some(7s): answered 429 Too Many Requests: {"error":"slow down"}
    unavailable, None: answered 500 Internal Server Error: {"error":"timeout"}
    unavailable, None: answered 500 Internal Server Error
    unavailable, None: answered 503 Service Unavailable: busy
    unavailable, None: http://target closed the connection before its answer was complete; if it expects TLS, write https://
    "#);
}

/// The status is all that is needed to know what to do.
#[tokio::test]
async fn an_answer_that_never_ends_costs_only_its_words() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let sink = sink(Build::detached("influx.main"), &json!({ "url": url })).await;
    let batch = batch();
    let (written, _open) = tokio::join!(sink.write(&batch), async {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut request = [0; 4096];
        let _length = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 50\r\n\r\n{\"err").await.unwrap();
        stream
    });
    let said = chain(&written.unwrap_err()).to_string().replace(&url, "http://target");
    insta::assert_snapshot!(said, @"target denied the write: http://target answered 401 Unauthorized; check username and password");
}

/// A server that takes what it can of each request and does not say what it dropped.
#[tokio::test]
async fn halving_ends_with_exactly_the_refused_events() {
    let target = HttpTarget::start().await.unwrap();
    target.answer_with(|request| {
        let bad = request.text().lines().filter(|line| line.contains("bad")).count();
        if bad == 0 {
            Answer::no_content()
        } else {
            refusal(400, &format!("partial write: max-values-per-tag limit exceeded (1/1) dropped={bad}"))
        }
    });
    let sink = sink(Build::detached("influx.main"), &json!({ "url": target.url() })).await;
    let event = |at: i64| sample("third.party", at, if [3, 4, 99].contains(&at) { "bad" } else { "good" }, 1);
    let (refused, _) = delivered(&*sink, &Batch::from((0..100).map(event).collect::<Vec<_>>())).await;
    assert_eq!(refused.iter().map(|rejection| rejection.index).collect::<Vec<_>>(), [3, 4, 99]);
    assert_eq!(refused[0].reason, "max-values-per-tag limit exceeded (1/1)");
}

#[tokio::test]
async fn a_probe_says_what_answered() {
    let target = HttpTarget::start().await.unwrap();
    let sink =
        sink(Build::detached("influx.main"), &json!({ "url": target.url(), "database": "senseops" })).await;
    let error = sink.probe().await.unwrap_err().to_string().replace(&target.url(), "http://target");
    insta::assert_snapshot!(error, @"http://target answered 204 No Content; check that the url is that of an InfluxDB 1.x");
}
