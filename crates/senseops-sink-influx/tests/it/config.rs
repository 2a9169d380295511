//! What operators read when something in their configuration is wrong, and that the sample says what is true.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write;
use std::time::Duration;

use senseops_core::Plugin;
use senseops_core::host::IntoComponents;
use senseops_core::settings::Secret;
use senseops_sink_influx::{Gzip, InfluxConfig};
use senseops_testkit::sample;

fn config(yaml: &str) -> InfluxConfig {
    serde_saphyr::from_str(yaml).unwrap()
}

fn error_of(json: &str) -> String {
    match serde_json::from_str::<InfluxConfig>(json) {
        Ok(config) => config
            .into_components()
            .map_or_else(|error| format!("{}: {error}", error.key), |_| "planned".into()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_sample_is_the_default() {
    assert_eq!(serde_json::from_str::<InfluxConfig>("{}").unwrap(), InfluxConfig::default());
    assert!(InfluxConfig::SAMPLE.lines().all(|line| line.is_empty() || line.starts_with('#')));
}

#[test]
fn every_key_of_the_sample_works() {
    let config = config(&sample::uncommented(InfluxConfig::SAMPLE));
    let policy = config.retention_policy.as_ref().unwrap();
    assert_eq!((policy.name.as_str(), policy.duration.get()), ("30d", Duration::from_hours(30 * 24)));
    assert_eq!(config.username.as_ref().unwrap().as_str(), "senseops");
    assert_eq!(config.password, Some(Secret::Env("INFLUX_PASSWORD".into())));
    assert!(config.tls.identity.is_some());
    let optional = InfluxConfig {
        tls: InfluxConfig::default().tls,
        retention_policy: None,
        username: None,
        password: None,
        ..config
    };
    assert_eq!(optional, InfluxConfig::default());
}

#[test]
fn compression_is_on_or_off_in_yaml_too() {
    assert_eq!(config("gzip: on").gzip, Gzip::On);
    assert_eq!(config("gzip: off").gzip, Gzip::Off);
}

#[test]
fn mistakes_are_explained() {
    let mistakes = [
        r#"{"version": 2}"#,
        r#"{"version": 7}"#,
        r#"{"databse": "x"}"#,
        r#"{"url": "influx:8086"}"#,
        r#"{"url": "influx"}"#,
        r#"{"url": "http://anna:canary@influx:8086"}"#,
        r#"{"url": "http://influx:8086/?db=x"}"#,
        r#"{"database": ""}"#,
        r#"{"username": "anna"}"#,
        r#"{"password": {"env": "P"}}"#,
        r#"{"username": "a:b", "password": {"env": "P"}}"#,
        r#"{"retention_policy": {"name": "30d"}}"#,
        r#"{"retention_policy": {"name": "", "duration": "30d"}}"#,
        r#"{"retention_policy": {"name": "short", "duration": "30m"}}"#,
        r#"{"gzip": true}"#,
        r#"{"naming": "butler"}"#,
        r#"{"include": {"docs": true}}"#,
        r#"{"max_series": 0}"#,
    ];
    let mut sentences = String::new();
    for mistake in mistakes {
        writeln!(sentences, "{mistake}\n    {}", error_of(mistake)).unwrap();
    }
    assert!(!sentences.replace(mistakes[5], "").contains("canary"));
    insta::assert_snapshot!(sentences, @r#"
    {"version": 2}
        InfluxDB 2 cannot be written to yet; 1 is the only version so far at line 1 column 14
    {"version": 7}
        there is no InfluxDB 7; 1 is the only version so far at line 1 column 14
    {"databse": "x"}
        unknown field `databse`, expected one of `url`, `version`, `database`, `retention_policy`, `username`, `password`, `tls`, `gzip`, `naming`, `include`, `max_series` at line 1 column 10
    {"url": "influx:8086"}
        "influx:8086" is not an address such as http://influx.company.net:8086 at line 1 column 22
    {"url": "influx"}
        "influx" is not an address such as http://influx.company.net:8086 at line 1 column 17
    {"url": "http://anna:canary@influx:8086"}
        credentials do not belong in the url; set username and password at line 1 column 41
    {"url": "http://influx:8086/?db=x"}
        only scheme, host, port and path; the database is set by `database` at line 1 column 35
    {"database": ""}
        a name must not be empty at line 1 column 16
    {"username": "anna"}
        username: `username` needs `password`
    {"password": {"env": "P"}}
        password: `password` needs `username`
    {"username": "a:b", "password": {"env": "P"}}
        a name with a colon cannot be sent; use another user at line 1 column 18
    {"retention_policy": {"name": "30d"}}
        missing field `duration` at line 1 column 36
    {"retention_policy": {"name": "", "duration": "30d"}}
        a name must not be empty at line 1 column 32
    {"retention_policy": {"name": "short", "duration": "30m"}}
        InfluxDB keeps points for one hour at least at line 1 column 57
    {"gzip": true}
        expected value at line 1 column 10
    {"naming": "butler"}
        unknown variant `butler`, expected one of `butler-sos`, `butler-sos-9`, `butler-sos-2`, `native` at line 1 column 19
    {"include": {"docs": true}}
        unknown field `docs`, expected one of `active_docs`, `loaded_docs`, `in_memory_docs` at line 1 column 19
    {"max_series": 0}
        invalid value: integer `0`, expected a nonzero u32 at line 1 column 16
    "#);
}

#[test]
fn what_is_insecure_is_warned_about() {
    let insecure = config("url: http://influx:8086\nusername: anna\npassword: canary\ntls: { verify: none }");
    let warnings: Vec<_> = insecure.warnings().into_iter().map(|warning| warning.key).collect();
    assert_eq!(warnings, ["tls.verify", "password", "url"]);
    let secure = config("url: https://influx:8086\nusername: anna\npassword: { env: P }");
    assert_eq!(secure.warnings(), []);
}

#[test]
fn a_password_is_never_shown() {
    let config = config("username: anna\npassword: canary");
    assert!(!format!("{config:?}").contains("canary"));
}
