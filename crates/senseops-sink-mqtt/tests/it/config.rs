//! What operators read when something in their configuration is wrong, and that the sample says what is true.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use senseops_core::Plugin;
use senseops_core::host::IntoComponents;
use senseops_core::settings::Secret;
use senseops_sink_mqtt::MqttConfig;
use senseops_testkit::sample;

fn config(yaml: &str) -> MqttConfig {
    serde_saphyr::from_str(yaml).unwrap()
}

fn error_of(json: &str) -> String {
    match serde_json::from_str::<MqttConfig>(json) {
        Ok(config) => config
            .into_components()
            .map_or_else(|error| format!("{}: {error}", error.key), |_| "planned".into()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_sample_is_the_default() {
    assert_eq!(serde_json::from_str::<MqttConfig>("{}").unwrap(), MqttConfig::default());
    assert!(MqttConfig::SAMPLE.lines().all(|line| line.is_empty() || line.trim_start().starts_with('#')));
}

#[test]
fn every_key_of_the_sample_works() {
    let config = config(&sample::uncommented(MqttConfig::SAMPLE));
    assert_eq!(config.username.as_deref(), Some("senseops"));
    assert_eq!(config.password, Some(Secret::Env("MQTT_PASSWORD".into())));
    assert_eq!(config.client_id.as_ref().unwrap().as_str(), "sos-monitoring-main");
    assert!(config.tls.identity.is_some());
    let optional = MqttConfig {
        tls: MqttConfig::default().tls,
        username: None,
        password: None,
        client_id: None,
        ..config
    };
    assert_eq!(optional, MqttConfig::default());
}

#[test]
fn topics_can_be_switched_off() {
    let config = config("status: null\nuser_events: { everything: null, session_stop: ~ }");
    assert_eq!(config.status, None);
    let topics: Vec<_> = config.user_events.iter().map(|(name, _)| name).collect();
    assert_eq!(topics, ["session_start", "connection_open", "connection_close"]);
}

#[test]
fn mistakes_are_explained() {
    let mistakes = [
        r#"{"qos": 2}"#,
        r#"{"brokr": "x"}"#,
        r#"{"broker": "broker:1883"}"#,
        r#"{"broker": "broker"}"#,
        r#"{"broker": "mqtt:///"}"#,
        r#"{"broker": "mqtt://anna:canary@broker"}"#,
        r#"{"broker": "mqtt://broker/topic"}"#,
        r#"{"username": "anna"}"#,
        r#"{"password": {"env": "P"}}"#,
        r#"{"client_id": ""}"#,
        r#"{"max_in_flight": 0}"#,
        r#"{"max_in_flight": 70000}"#,
        r#"{"keep_alive": "20h"}"#,
        r#"{"max_packet_size": "1GiB"}"#,
        r#"{"base_topic": "a/#/"}"#,
        r#"{"status": "+"}"#,
        r#"{"user_events": {"everything": ""}}"#,
    ];
    let said: Vec<String> = mistakes.iter().map(|json| error_of(json)).collect();
    assert!(!said.concat().contains("canary"));
    insta::assert_snapshot!(said.join("\n"), @r#"
    2 is not 0 or 1 at line 1 column 10
    unknown field `brokr`, expected one of `broker`, `username`, `password`, `tls`, `client_id`, `qos`, `retain`, `keep_alive`, `timeout`, `max_in_flight`, `max_packet_size`, `naming`, `base_topic`, `status`, `user_events` at line 1 column 8
    "broker:1883" is not an address such as mqtt://broker.company.net:1883 at line 1 column 25
    "broker" is not an address such as mqtt://broker.company.net:1883 at line 1 column 20
    "mqtt:///" is not an address such as mqtt://broker.company.net:1883 at line 1 column 22
    credentials do not belong in the url; set username and password at line 1 column 39
    only scheme, host and port; topics are set by `base_topic` at line 1 column 33
    username: `username` needs `password`
    password: `password` needs `username`
    a client id must not be empty; leave it out for our own at line 1 column 17
    must be between 1 and 10000 at line 1 column 20
    must be between 1 and 10000 at line 1 column 24
    must be between one second and 18 hours at line 1 column 21
    MQTT has no packets above 256 MiB at line 1 column 27
    base_topic: nothing can be published to a topic with '#', a wildcard
    status: nothing can be published to a topic with '+', a wildcard
    user_events.everything: a topic must not be empty
    "#);
}

#[test]
fn what_weakens_security_is_warned_about() {
    let warnings = |json: &str| -> Vec<String> {
        let config: MqttConfig = serde_json::from_str(json).unwrap();
        assert!(!format!("{config:?}").contains("canary"));
        config.warnings().into_iter().map(|warning| warning.key).collect()
    };
    let text = r#"{"broker": "mqtt://127.0.0.1", "username": "anna", "password": "canary"}"#;
    assert_eq!(warnings(text), ["password"]);
    let open = r#"{"broker": "mqtt://broker", "username": "anna", "password": {"env": "P"}, "tls": {"verify": "none"}}"#;
    assert_eq!(warnings(open), ["tls.verify", "broker"]);
    let secure = r#"{"broker": "mqtts://broker", "username": "anna", "password": {"env": "P"}}"#;
    assert_eq!(warnings(secure), [""; 0]);
}
