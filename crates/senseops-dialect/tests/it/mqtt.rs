//! Every recorded message of Butler SOS, and the forms of our own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::sync::Arc;

use senseops_core::{
    Body, Event, EventId, Fields, Kind, LabelSet, Level, Record, Severity, State, Timestamp,
};
use senseops_dialect::{Message, MqttDialect, Naming, UserEventTopics, check_topic};
use senseops_qlik::kinds::{engine_health, server, target_up, user_event};
use serde_json::Value;

use crate::butler_sos::{LABELS, health, user_event};
use crate::shown::fields;

const VECTORS: &str = include_str!("../fixtures/butler-sos-mqtt.jsonl");

type Published = Vec<(String, String)>;

fn vector(id: &str, version: &str) -> (Value, Published) {
    let rows = VECTORS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut row = rows.into_iter().find(|row| row["id"] == id && row["version"] == version).unwrap();
    (row["input"].take(), serde_json::from_value(row["expected"].take()).unwrap())
}

fn published(dialect: &MqttDialect, event: &Event) -> Published {
    let mut published = Vec::new();
    dialect.messages(event, |Message { topic, payload }| {
        assert_eq!(check_topic(&topic), Ok(()));
        published.push((topic, String::from_utf8(payload.to_vec()).unwrap()));
    });
    published
}

fn shown(messages: &Published) -> String {
    messages.iter().flat_map(|(topic, payload)| [topic, " ", payload, "\n"]).collect()
}

fn named(naming: Naming) -> MqttDialect {
    MqttDialect { naming, ..MqttDialect::default() }
}

#[test]
fn health_is_one_message_per_value() {
    let (input, recorded) = vector("H1", "N1");
    assert_eq!(published(&MqttDialect::default(), &health(&input, LABELS)), recorded);
}

#[test]
fn version_2_knows_a_server_by_its_name_and_no_saturation() {
    let (input, recorded) = vector("H1", "N1");
    let renamed: Published = recorded
        .into_iter()
        .map(|(topic, payload)| (topic.replace("localhost", "sense_1"), payload))
        .filter(|(topic, _)| !topic.ends_with("/saturated"))
        .collect();
    let event = health(&input, &[(server::HOST, "localhost"), (server::NAME, "sense/1")]);
    assert_eq!(published(&named(Naming::ButlerSos2), &event), renamed);
}

#[test]
fn a_value_that_is_missing_costs_only_its_own_message() {
    let (mut input, recorded) = vector("H1", "N1");
    input["apps"].as_object_mut().unwrap().remove("in_memory_docs");
    input["cache"]["lookups"] = 0.into();
    let gone = |topic: &str| topic.ends_with("in_memory_docs") || topic.ends_with("hit_ratio");
    let expected: Published = recorded
        .into_iter()
        .filter(|(topic, _)| !gone(topic))
        .map(
            |(topic, payload)| {
                if topic.ends_with("lookups") { (topic, "0".into()) } else { (topic, payload) }
            },
        )
        .collect();
    assert_eq!(published(&MqttDialect::default(), &health(&input, LABELS)), expected);
}

#[test]
fn numbers_are_published_with_all_their_digits() {
    let values = [
        (engine_health::FREE_MB, 31.245_270_191_439_438.into()),
        (engine_health::TOTAL_PCT, (-3.0).into()),
        (engine_health::CALLS, 9_007_199_254_740_993_i64.into()),
        (engine_health::SELECTIONS, u64::MAX.into()),
    ];
    let event = event(engine_health::KIND, &[(server::HOST, "QLIKSRV1")], Body::Measurement(fields(values)));
    insta::assert_snapshot!(shown(&published(&MqttDialect::default(), &event)), @"
    butler-sos/QLIKSRV1/mem/free 31.245270191439438
    butler-sos/QLIKSRV1/cpu/total -3
    butler-sos/QLIKSRV1/apps/calls 9007199254740993
    butler-sos/QLIKSRV1/apps/selections 18446744073709551615
    ");
}

#[test]
fn user_events_are_those_of_each_generation() {
    let chrome: &[_] = &[
        (user_event::BROWSER_NAME, "Chrome"),
        (user_event::BROWSER_MAJOR_VERSION, "119"),
        (user_event::OS_NAME, "Windows"),
        (user_event::OS_VERSION, "NT 10.0"),
    ];
    let edge: &[_] = &[
        (user_event::APP_ID, "1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f"),
        (user_event::APP_NAME, "Sales, EMEA"),
        (user_event::BROWSER_NAME, "Microsoft Edge"),
        (user_event::BROWSER_MAJOR_VERSION, "119"),
        (user_event::OS_NAME, "Windows"),
        (user_event::OS_VERSION, "NT 10.0"),
    ];
    let unknown_app: &[_] = &[(user_event::APP_ID, "9f9e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f")];
    for (id, found) in
        [("U1", chrome), ("U2", edge), ("U3", unknown_app), ("U4", &[]), ("U8", &[]), ("U9", &[])]
    {
        for (version, naming) in [("9.2.0", Naming::ButlerSos9), ("N1", Naming::ButlerSos)] {
            let (input, recorded) = vector(id, version);
            let event = user_event(input.as_str().unwrap(), found);
            assert_eq!(published(&named(naming), &event), recorded, "{id} {version}");
        }
    }
}

/// U5: the newest generation published the text `undefined`.
#[test]
fn what_a_datagram_does_not_have_is_left_out() {
    let (input, recorded) = vector("U5", "9.2.0");
    let event = user_event(input.as_str().unwrap(), &[]);
    assert_eq!(published(&named(Naming::ButlerSos9), &event), recorded);
    insta::assert_snapshot!(shown(&published(&MqttDialect::default(), &event)), @r#"
    qliksense/userevent {"messageType":"qseow-proxy-session","host":"pro2-win1","command":"Start session","message":"","tags":{"qs_env":"dev"}}
    qliksense/userevent/session/start {"messageType":"qseow-proxy-session","host":"pro2-win1","command":"Start session","message":"","tags":{"qs_env":"dev"}}
    "#);
}

/// As under 9; the newest generation published empty text and `undefined`.
#[test]
fn a_datagram_of_one_or_two_fields_is_a_user_event() {
    let published = ["/qseow-proxy-session/", "/qseow-proxy-session/;pro2-win1"]
        .map(|datagram| shown(&published(&named(Naming::ButlerSos9), &user_event(datagram, &[]))));
    insta::assert_snapshot!(published.concat(), @r#"
    qliksense/userevent {"messageType":"qseow-proxy-session","tags":{"qs_env":"dev"}}
    qliksense/userevent {"messageType":"qseow-proxy-session","host":"pro2-win1","tags":{"qs_env":"dev"}}
    "#);
}

#[test]
fn a_topic_that_is_off_gets_nothing() {
    let event = user_event(vector("U1", "N1").0.as_str().unwrap(), &[]);
    let topics = |dialect: &MqttDialect| -> Vec<_> {
        published(dialect, &event).into_iter().map(|(topic, _)| topic).collect()
    };
    let mut dialect = MqttDialect::default();
    dialect.user_events.everything = None;
    assert_eq!(topics(&dialect), ["qliksense/userevent/session/start"]);
    dialect.user_events.session_start = None;
    assert_eq!(topics(&dialect), [""; 0]);
    let other = user_event("/qseow-proxy-session/;pro2-win1;Something else;LAB;anna;;", &[]);
    assert_eq!(published(&dialect, &other), []);
    assert_eq!(published(&MqttDialect::default(), &other).len(), 1);
}

#[test]
fn topics_are_set_one_by_one() {
    let topics: UserEventTopics =
        serde_json::from_str(r#"{ "everything": "users", "session_stop": null }"#).unwrap();
    assert_eq!(
        topics.iter().collect::<Vec<_>>(),
        [
            ("everything", "users"),
            ("session_start", "qliksense/userevent/session/start"),
            ("connection_open", "qliksense/userevent/connection/open"),
            ("connection_close", "qliksense/userevent/connection/close"),
        ]
    );
}

fn event(kind: Kind, labels: &[(&'static str, &str)], body: Body) -> Event {
    let labels = Arc::new(labels.iter().copied().collect::<LabelSet>());
    let mut event = Event::new(kind, &labels, body).at(Timestamp::from_nanos(0));
    event.id = EventId::keyed("test", b"1");
    event
}

#[test]
fn a_kind_without_a_table_is_json_below_its_name_and_what_it_is_about() {
    let state = State {
        level: Level::Ok,
        message: "".into(),
        fields: fields([(target_up::DURATION_MS, 1.5.into())]),
    };
    let labels = [(server::HOST, "sense1/#"), ("zone", "3"), (server::NAME, "Server 1")];
    insta::assert_snapshot!(shown(&published(&MqttDialect::default(), &event(target_up::KIND, &labels, Body::State(state)))), @r#"butler-sos/target/up/sense1__/Server 1 {"id":"b9c6f37e-aa4d-8c23-b7f2-f96be5d76ed3","time":"1970-01-01T00:00:00Z","kind":"target.up","shape":"state","labels":{"host":"sense1/#","server_name":"Server 1","zone":"3"},"level":"ok","fields":{"duration_ms":1.5}}"#);
    let record =
        Record { severity: Severity::Error, message: "it \"broke\"".into(), fields: Fields::default() };
    insta::assert_snapshot!(shown(&published(&MqttDialect::default(), &event(Kind::new("third.party"), &[], Body::Record(record)))), @r#"butler-sos/third/party {"id":"b9c6f37e-aa4d-8c23-b7f2-f96be5d76ed3","time":"1970-01-01T00:00:00Z","kind":"third.party","shape":"record","labels":{},"severity":"error","message":"it \"broke\"","fields":{}}"#);
}

#[test]
fn a_topic_stays_the_same_when_a_tag_is_added() {
    let topic = |labels: &[(&'static str, &str)]| {
        let event = event(Kind::new("third.party"), labels, Body::Measurement(Fields::default()));
        published(&MqttDialect::default(), &event).remove(0).0
    };
    let own = [(server::NAME, "Server 1"), (server::HOST, "QLIKSRV1")];
    assert_eq!(topic(&own), "butler-sos/third/party/QLIKSRV1/Server 1");
    let tagged = [own[0], own[1], ("qs_env", "prod"), ("a_tag", "1"), (server::DESCRIPTION, "Central node")];
    assert_eq!(topic(&tagged), topic(&own));
    assert_eq!(topic(&[("qs_env", "prod")]), "butler-sos/third/party");
    assert_eq!(
        topic(&[("component", "influx.main"), ("qs_env", "prod")]),
        "butler-sos/third/party/influx.main"
    );
}

#[test]
fn native_naming_is_the_mechanical_form_for_every_kind() {
    let record = Record {
        severity: Severity::Info,
        message: "hi".into(),
        fields: fields([(user_event::USER_ID, "anna".into())]),
    };
    let event = event(user_event::KIND, &[("qs_env", "dev")], Body::Record(record));
    let dialect = MqttDialect { base_topic: "sos/".into(), ..named(Naming::Native) };
    insta::assert_snapshot!(shown(&published(&dialect, &event)), @r#"sos/qlik/user_event {"id":"b9c6f37e-aa4d-8c23-b7f2-f96be5d76ed3","time":"1970-01-01T00:00:00Z","kind":"qlik.user_event","shape":"record","labels":{"qs_env":"dev"},"severity":"info","message":"hi","fields":{"user_id":"anna"}}"#);
}
