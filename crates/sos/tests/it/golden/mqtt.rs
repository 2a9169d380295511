//! On MQTT: what a subscriber of a real broker gets, bytes as they are.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use senseops_testkit::{Mosquitto, MosquittoOptions};

use super::Row;

const VECTORS: &str = include_str!("../../../../senseops-dialect/tests/fixtures/butler-sos-mqtt.jsonl");

/// Of our own: whether the sink is there, and how the server is.
const NOT_RECORDED: [&str; 2] = ["butler-sos/status", "butler-sos/target/"];

type Message = (String, String);

/// What was published until the sink took leave.
async fn published(row: &Row<Message>) -> Vec<Message> {
    let broker = Mosquitto::start(MosquittoOptions::default()).await.unwrap();
    let mut subscriber = broker.subscribe("#").await.unwrap();
    let sink = format!(
        "sinks: {{ mqtt: {{ target: {{ broker: '{}', naming: {} }} }} }}\n",
        broker.url(),
        row.naming()
    );
    if row.id.starts_with('H') {
        row.poll(&sink).await;
    } else {
        row.receive(&sink).await;
    }
    let mut messages = Vec::new();
    loop {
        let message = subscriber.next().await.unwrap();
        let text = message.text();
        if message.topic == "butler-sos/status" && text == "offline" {
            return messages;
        }
        if !NOT_RECORDED.iter().any(|ours| message.topic.starts_with(ours)) {
            messages.push((message.topic, text));
        }
    }
}

async fn differences(prefix: char) -> (usize, String) {
    let (mut count, mut different) = (0, BTreeMap::new());
    for row in Row::<Message>::all(VECTORS, prefix) {
        let ours = published(&row).await;
        if row.expected != ours {
            row.assert_explained("MQTT: ");
            different.insert(format!("{} {}", row.id, row.version), ours);
        }
        count += 1;
    }
    let listed = different.iter().flat_map(|(name, messages)| {
        let messages = messages.iter().map(|(topic, payload)| format!("    {topic} {payload}"));
        std::iter::once(name.clone()).chain(messages)
    });
    (count, listed.collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn health_rows_are_equal_or_explained() {
    let (count, different) = differences('H').await;
    assert_eq!(count, 1);
    assert_eq!(different, "");
}

#[tokio::test]
async fn user_event_rows_are_equal_or_explained() {
    let (count, different) = differences('U').await;
    assert_eq!(count, 22);
    assert_snapshot!(different, @r#"
    U11 9.2.0
        qliksense/userevent {"messageType":"qseow-proxy-session","host":"pro2-win1","command":"Start session","userDir":"LAB","userId":"uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu","origin":"Not available","context":"ctx","tags":{"qs_env":"dev"}}
        qliksense/userevent/session/start {"messageType":"qseow-proxy-session","host":"pro2-win1","command":"Start session","userDir":"LAB","userId":"uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu","origin":"Not available","context":"ctx","tags":{"qs_env":"dev"}}
    U5 N1
        qliksense/userevent {"messageType":"qseow-proxy-session","host":"pro2-win1","command":"Start session","message":"","tags":{"qs_env":"dev"}}
        qliksense/userevent/session/start {"messageType":"qseow-proxy-session","host":"pro2-win1","command":"Start session","message":"","tags":{"qs_env":"dev"}}
    "#);
}
