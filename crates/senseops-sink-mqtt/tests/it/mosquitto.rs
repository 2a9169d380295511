//! The sink and a real Mosquitto.

use senseops_core::{Batch, Body, Build, Event, Fields, WriteError, chain};
use senseops_testkit::mqtt::Publish;
use senseops_testkit::{Mosquitto, MosquittoOptions, not_run, sample};
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{LONGEST, Running, STATUS, built, number, said, with_tls};

fn event_of_bytes(number: u32, bytes: usize) -> Event {
    let mut event = sample::event(number.into());
    let fields = Fields::default().with(sample::NUMBER, number).with("text", "x".repeat(bytes));
    event.body = Body::Measurement(fields);
    event
}

#[tokio::test]
async fn births_and_wills_are_retained() {
    let broker = Mosquitto::start(MosquittoOptions::default()).await.unwrap();
    let mut live = broker.subscribe(STATUS).await.unwrap();
    let config = || json!({ "broker": broker.url() });
    let mut said = Vec::new();

    let crashed = Running::start(config()).await;
    said.push(live.next().await.unwrap().text());
    drop(crashed);
    said.push(live.next().await.unwrap().text());

    let closed = Running::start(config()).await;
    said.push(live.next().await.unwrap().text());
    let later = broker.subscribe("#").await.unwrap().next().await.unwrap();
    assert_eq!((later.text(), later.retain), ("online".into(), true));
    closed.sink.close().await.unwrap();
    drop(closed);
    let again = Running::start(config()).await;
    said.extend(live.take(2).await.unwrap().iter().map(Publish::text));
    drop(again);

    // One "offline" for the sink that was closed: its last will is void.
    assert_eq!(said, ["online", "offline", "online", "offline", "online"]);
}

#[tokio::test]
async fn without_a_status_topic_nothing_is_said() {
    let broker = Mosquitto::start(MosquittoOptions::default()).await.unwrap();
    let mut all = broker.subscribe("#").await.unwrap();
    let running = Running::start(json!({ "broker": broker.url(), "status": null, "base_topic": "" })).await;
    running.deliver(vec![sample::state(3)]).await;
    running.sink.close().await.unwrap();
    drop(running);
    let other = Running::start(json!({ "broker": broker.url(), "base_topic": "other/" })).await;
    let topics: Vec<_> = all.take(2).await.unwrap().into_iter().map(|message| message.topic).collect();
    assert_eq!(topics, ["sample/state/sample1", "other/status"]);
    drop(other);
}

#[tokio::test]
async fn qos_0_is_delivered_as_well() {
    let broker = Mosquitto::start(MosquittoOptions::default()).await.unwrap();
    let mut all = broker.subscribe("butler-sos/sample/#").await.unwrap();
    let running = Running::start(json!({ "broker": broker.url(), "qos": 0, "max_in_flight": 7 })).await;
    assert_eq!(running.deliver(sample::events(0..1000)).await, []);
    let numbers: Vec<_> = all.take(1000).await.unwrap().iter().filter_map(number).collect();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
    assert_eq!(running.reading("messages"), 1000);
}

#[tokio::test]
async fn retained_messages_are_there_for_later_subscribers() {
    let broker = Mosquitto::start(MosquittoOptions::default()).await.unwrap();
    let running = Running::start(json!({ "broker": broker.url(), "retain": true })).await;
    running.deliver(vec![sample::state(3), sample::state(6)]).await;
    let last = broker.subscribe("butler-sos/sample/#").await.unwrap().next().await.unwrap();
    assert_eq!((number(&last), last.retain), (Some(6), true));
}

#[tokio::test]
async fn an_event_that_is_too_large_costs_only_itself() {
    let options = MosquittoOptions { max_packet_bytes: Some(2000), ..MosquittoOptions::default() };
    let broker = Mosquitto::start(options).await.unwrap();
    let mut all = broker.subscribe("butler-sos/sample/#").await.unwrap();
    let events =
        || (0..60).map(|number| event_of_bytes(number, if number == 41 { 5000 } else { 10 })).collect();

    let running = Running::start(json!({ "broker": broker.url() })).await;
    insta::assert_debug_snapshot!(running.deliver(events()).await, @r#"
    [
        (
            41,
            "the broker closes the connection over its message",
        ),
    ]
    "#);
    let mut arrived = std::collections::BTreeSet::new();
    while arrived.len() < 59 {
        arrived.extend(number(&all.next().await.unwrap()));
    }
    assert!(!arrived.contains(&41));

    // Whoever says how large a packet may be loses no connection.
    let told =
        Running::start(json!({ "broker": broker.url(), "max_packet_size": "2kB", "client_id": "told" }))
            .await;
    insta::assert_debug_snapshot!(told.deliver(events()).await, @r#"
    [
        (
            41,
            "a packet of 5219 bytes is larger than max_packet_size, 2000",
        ),
    ]
    "#);
    assert_eq!(told.reading("reconnects"), 0);
}

#[tokio::test]
async fn a_repaired_password_is_enough() {
    let login = Some(("anna".to_owned(), "canary-right".to_owned()));
    let broker = Mosquitto::start(MosquittoOptions { login, ..MosquittoOptions::default() }).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    tokio::fs::write(&file, "canary-wrong\n").await.unwrap();
    let config = || json!({ "broker": broker.url(), "username": "anna", "password": { "file": file } });

    let running = Running::start(config()).await;
    let error = timeout(LONGEST, running.sink.write(&Batch::from(vec![sample::event(1)])))
        .await
        .unwrap()
        .unwrap_err();
    assert!(matches!(error, WriteError::Denied(_)));
    let said = chain(&error).to_string().replace(&broker.address().port().to_string(), "PORT");
    insta::assert_snapshot!(said, @"target denied the write: mqtt://127.0.0.1:PORT does not authorize us; check username and password, and that the user may connect");
    // The engine builds the sink anew when this file changes.
    let noted: Vec<_> = running.build.files.noted().into_iter().map(|(path, _)| path).collect();
    assert!(noted.contains(&file), "{noted:?}");
    assert!(!format!("{:?}", running.build.health.condition()).contains("canary"));

    tokio::fs::write(&file, "canary-right\n").await.unwrap();
    let repaired = Running::start(config()).await;
    assert_eq!(repaired.deliver(sample::events(0..3)).await, []);
}

#[tokio::test]
async fn a_probe_says_what_is_there_and_disturbs_nobody() {
    let broker = Mosquitto::start(MosquittoOptions::default()).await.unwrap();
    let mut status = broker.subscribe(STATUS).await.unwrap();
    let running = Running::start(json!({ "broker": broker.url() })).await;
    running.deliver(sample::events(0..1)).await;
    let said = running.sink.probe().await.unwrap().unwrap();
    insta::assert_snapshot!(said.replace(&broker.address().port().to_string(), "PORT"), @"an MQTT broker at mqtt://127.0.0.1:PORT, without TLS");
    running.deliver(sample::events(1..2)).await;
    assert_eq!(running.reading("reconnects"), 0);
    running.sink.close().await.unwrap();
    let said: Vec<_> = status.take(2).await.unwrap().iter().map(Publish::text).collect();
    assert_eq!(said, ["online", "offline"]);
}

#[tokio::test]
async fn a_broker_that_wants_tls_is_told_apart() {
    let broker = Mosquitto::start(MosquittoOptions::default()).await.unwrap();
    let port = broker.address().port();
    let wrong =
        Running::start(json!({ "broker": format!("mqtts://localhost:{port}"), "timeout": "2s" })).await;
    insta::assert_snapshot!(said(&*wrong.sink, port).await, @"target unavailable: mqtts://localhost:PORT closed the connection before its answer was complete; check that the port is one for TLS; if it demands a client certificate, set tls.cert and tls.key");
    let build = Build::detached("mqtt.main");
    let nobody = built(&build, json!({ "broker": "mqtt://no-such-host.invalid" })).await;
    let error = nobody.probe().await.unwrap_err().to_string();
    assert!(error.starts_with("mqtt://no-such-host.invalid cannot be reached"), "{error}");
}

#[tokio::test]
async fn a_broker_may_have_an_address_of_version_6() {
    let directory = tempfile::tempdir().unwrap();
    if TcpListener::bind("[::1]:0").await.is_err() {
        not_run("this machine has no address of version 6");
        return;
    }
    for (scheme, (options, mut config)) in
        [("mqtt", (MosquittoOptions::default(), json!({}))), ("mqtts", with_tls(directory.path()))]
    {
        let broker = Mosquitto::start(options).await.unwrap();
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        config["broker"] = format!("{scheme}://{}", listener.local_addr().unwrap()).into();
        let address = broker.address();
        let mut way = JoinSet::new();
        way.spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            copy_bidirectional(&mut client, &mut TcpStream::connect(address).await.unwrap()).await
        });
        let running = Running::start(config).await;
        assert_eq!(running.deliver(sample::events(0..3)).await, []);
        assert_eq!(running.reading("messages"), 3);
    }
}
