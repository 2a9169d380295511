//! What a good poll gives, and how servers are asked.

use senseops_core::{Body, Condition, Level, Value};
use senseops_net::Url;
use senseops_qlik::AppNames;
use senseops_qlik::kinds::{engine_health, server, target_up};
use senseops_sim::{Behaviour, Certificate, SenseServer};
use senseops_testkit::context;
use serde_json::json;

use crate::support::{LONG, Site, build, config, run, unusable, url};

const SAMPLE: &str = include_str!("../fixtures/engine-12.1477-healthcheck.json");

fn sample() -> Behaviour {
    Behaviour::Body { status: 200, content_type: "application/json", bytes: SAMPLE.into() }
}

#[tokio::test]
async fn a_good_poll_gives_the_health_and_says_that_the_server_is_up() {
    let site = Site::new();
    let server = SenseServer::over_tls(&site.pki).behaviour(sample()).start().await.unwrap();
    let (events, test) = run(config(&url(&server), &site.tls()), 2).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [engine_health::KIND, target_up::KIND]);
    assert_eq!(engine_health::VERSION.text_of(events[0].fields()), Some("12.1477.0"));
    let Body::State(state) = &events[1].body else { panic!("{:?}", events[1]) };
    assert_eq!((state.level, state.message.as_str()), (Level::Ok, ""));
    assert_eq!(target_up::STATUS.of(&state.fields).and_then(Value::as_f64), Some(200.0));
    assert!(target_up::DURATION_MS.of(&state.fields).and_then(Value::as_f64).is_some_and(|took| took > 0.0));
    assert_eq!(test.cx.health.condition(), Condition::Ok);
    assert_eq!(test.cx.meter.readings(), []);
}

#[tokio::test]
async fn events_carry_the_labels_of_their_server() {
    let server = SenseServer::over_http().behaviour(sample()).start().await.unwrap();
    let configured = json!({
        "servers": [{
            "name": "Server 1",
            "url": url(&server),
            "description": "Central node",
            "tags": { "server_group": "DEV", "zone": 3 },
        }],
    });
    let (events, _test) = run(serde_json::from_value(configured).unwrap(), 2).await;
    for event in events {
        assert_eq!(
            event.labels.to_string(),
            "host=127.0.0.1,server_description=Central node,server_group=DEV,server_name=Server 1,zone=3"
        );
    }
}

#[tokio::test]
async fn a_host_is_labelled_as_the_operator_spells_it() {
    let server = SenseServer::over_http().behaviour(sample()).start().await.unwrap();
    let port = server.address().port();
    let (events, _test) = run(config(&format!("http://LocalHost:{port}"), &json!({})), 2).await;
    for event in events {
        assert_eq!(event.labels.get(server::HOST), Some("LocalHost"));
    }
}

#[tokio::test]
async fn the_request_has_the_configured_headers_and_path() {
    let server = SenseServer::over_http().behaviour(sample()).start().await.unwrap();
    let configured = json!({
        "headers": { "X-Site": "all", "X-Keep": "yes" },
        "servers": [{ "name": "a", "url": url(&server), "headers": { "x-site": "one" } }],
    });
    run(serde_json::from_value(configured).unwrap(), 2).await;
    let request = server.last_request().unwrap();
    assert_eq!(request.uri.path(), "/engine/healthcheck");
    let header = |name| request.headers.get(name).and_then(|text| text.to_str().ok()).unwrap_or_default();
    assert_eq!((header("x-site"), header("x-keep"), header("accept")), ("one", "yes", "application/json"));
    assert_eq!(header("user-agent"), concat!("senseops/", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn the_connection_is_kept_from_poll_to_poll() {
    let site = Site::new();
    let server = SenseServer::over_tls(&site.pki).start().await.unwrap();
    let configured = json!({
        "interval": "20ms",
        "tls": site.tls(),
        "servers": [{ "name": "a", "url": url(&server) }],
    });
    run(serde_json::from_value(configured).unwrap(), 10).await;
    assert!(server.requests() >= 5);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn known_app_names_come_with_the_ids() {
    let server = SenseServer::over_http().behaviour(sample()).start().await.unwrap();
    let test = context("healthcheck.test.server_1");
    let names = test.cx.shared.get::<AppNames>();
    names.replace([("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f".into(), "Sales, EMEA".into())]);
    let mut source = build(config(&url(&server), &json!({})), test.cx.build.clone()).await.unwrap();
    let stop = async {
        let events = test.collector.wait_for(2, LONG).await.unwrap();
        test.trigger.request();
        events
    };
    let (_ended, events) = tokio::join!(source.run(test.cx.clone()), stop);
    assert!(events[0].to_string().contains("active_docs_names=[Sales, EMEA]"), "{}", events[0]);
}

#[tokio::test]
async fn skipped_fields_are_counted_by_field_and_reason() {
    let bytes = r#"{ "version": "12", "started": null, "cpu": { "total": true } }"#.into();
    let odd = Behaviour::Body { status: 200, content_type: "application/json", bytes };
    let server = SenseServer::over_http().behaviour(odd).start().await.unwrap();
    let (_events, test) = run(config(&url(&server), &json!({})), 2).await;
    let readings = test.cx.meter.readings();
    let shown: Vec<_> = readings.iter().map(|r| format!("{}{{{}}} {}", r.name, r.labels, r.value)).collect();
    assert_eq!(shown.len(), 20);
    for expected in [
        "skipped_fields{field=started,reason=null} 1",
        "skipped_fields{field=cpu.total,reason=type} 1",
        "skipped_fields{field=saturated,reason=missing} 1",
    ] {
        assert!(shown.iter().any(|line| line == expected), "{expected} in {shown:?}");
    }
}

#[tokio::test]
async fn one_server_can_have_another_name_or_go_unverified() {
    let site = Site::new();
    let named = SenseServer::over_tls(&site.pki)
        .certificate(Certificate::For(vec!["qlik.local".into()]))
        .start()
        .await
        .unwrap();
    let expired = SenseServer::over_tls(&site.pki).certificate(Certificate::Expired).start().await.unwrap();
    for (server, difference) in
        [(&named, json!({ "server_name": "qlik.local" })), (&expired, json!({ "verify": "none" }))]
    {
        let configured = json!({
            "tls": site.tls(),
            "servers": [{ "name": "a", "url": url(server), "tls": difference }],
        });
        let (events, _test) = run(serde_json::from_value(configured).unwrap(), 2).await;
        assert_eq!(events[0].kind, engine_health::KIND, "{events:?}");
    }
}

#[tokio::test]
async fn a_probe_says_which_engine_answers() {
    let server = SenseServer::over_http().behaviour(sample()).start().await.unwrap();
    let test = context("probe");
    let mut source = build(config(&url(&server), &json!({})), test.cx.build.clone()).await.unwrap();
    let answer = source.probe().await.unwrap().unwrap();
    let (engine, took) = answer.rsplit_once(", ").unwrap();
    assert_eq!(engine, "Qlik Sense engine 12.1477.0, started 20240115T083000.000Z");
    assert!(took.ends_with(" ms"), "{took}");
    assert_eq!(test.collector.events(), []);

    server.behave(Behaviour::LoginPage);
    let port = Url::parse(&url(&server)).unwrap().port().unwrap().to_string();
    let refused = source.probe().await.unwrap_err().to_string().replace(&port, "PORT");
    insta::assert_snapshot!(refused, @"Server 1: http://127.0.0.1:PORT answered a web page, most likely a login page, instead of JSON; use the engine's own port (4747) with the client certificate instead of the proxy");
}

#[tokio::test]
async fn an_engine_cannot_write_to_the_terminal_of_whoever_probes_it() {
    let hostile =
        json!({ "version": "12\u{1b}[2J\r\nERROR forged", "started": "x".repeat(1000) }).to_string();
    let behaviour = Behaviour::Body { status: 200, content_type: "application/json", bytes: hostile.into() };
    let server = SenseServer::over_http().behaviour(behaviour).start().await.unwrap();
    let mut source = build(config(&url(&server), &json!({})), context("probe").cx.build).await.unwrap();
    let answer = source.probe().await.unwrap().unwrap();
    assert!(answer.starts_with("Qlik Sense engine 12 [2J ERROR forged, started xxx"), "{answer}");
    assert!(answer.chars().count() < 400, "{answer}");
}

#[tokio::test]
async fn what_cannot_be_used_is_named_with_the_table_it_was_written_in() {
    for (all, one, expected) in [
        (json!({ "ca": "/none" }), json!({}), "tls.ca"),
        (json!({ "ca": "/none" }), json!({ "server_name": "a" }), "tls.ca"),
        (json!({ "ca": "/none" }), json!({ "ca": "/neither" }), "servers.0.tls.ca"),
        (json!({ "verify": "none" }), json!({ "cert": "/none", "key": "/none" }), "servers.0.tls.cert"),
    ] {
        let configured = json!({
            "tls": all,
            "servers": [{ "name": "a", "url": "https://localhost:4747", "tls": one }],
        });
        assert_eq!(unusable(configured).await, expected, "{all} {one}");
    }
    for (all, one, expected) in [
        (json!({ "X-A": { "file": "/none" } }), json!({ "X-B": "b" }), "headers.x-a"),
        (
            json!({ "X-A": { "file": "/none" } }),
            json!({ "X-A": { "file": "/neither" } }),
            "servers.0.headers.x-a",
        ),
    ] {
        let configured = json!({
            "headers": all,
            "servers": [{ "name": "a", "url": "https://localhost:4747", "headers": one }],
        });
        assert_eq!(unusable(configured).await, expected, "{all} {one}");
    }
}
