//! No secret shows: a canary in every setting that holds one, and a look at everything that is printed, logged or
//! answered.
#![cfg(unix)]

use std::fmt::Debug;

use senseops::builtin;
use serde::de::DeserializeOwned;

use crate::launch::{ANY, Logged, config, free_tcp, http, output, sos};

const CANARY: &str = "canary";

/// Every setting of a plugin that holds a secret, and a table of the plugin with the canary in all of them.
const TABLES: [(&str, &[&str], &str); 3] = [
    (
        "healthcheck",
        &["passphrase"],
        "{ tls: { cert: a.pem, key: b.pem, passphrase: canary }, headers: { X-Site: canary, Cookie: canary }, \
         servers: [ { name: one, url: 'https://127.0.0.1:1', headers: { X-Qlik-User: canary } } ] }",
    ),
    ("influx", &["password"], "{ url: 'http://127.0.0.1:1', database: x, username: anna, password: canary }"),
    ("mqtt", &["password"], "{ broker: 'mqtt://127.0.0.1:1', username: anna, password: canary }"),
];

fn table(plugin: &str) -> &'static str {
    TABLES.iter().find(|(name, ..)| *name == plugin).unwrap().2
}

fn assert_hidden(what: &str, text: &str) {
    assert!(!text.contains(CANARY), "{what} shows a secret:\n{text}");
}

#[test]
fn every_secret_of_every_sample_is_covered_here() {
    let mut in_samples = Vec::new();
    for plugin in builtin().plugins() {
        for line in plugin.sample.lines() {
            let setting = line.trim_start().trim_start_matches('#').split_once(": {");
            if let Some((key, value)) = setting
                && value.trim_start().starts_with("env:")
                && !key.contains(' ')
            {
                in_samples.push((plugin.type_name, key));
            }
        }
    }
    in_samples.sort_unstable();
    let covered = TABLES.iter().flat_map(|(plugin, keys, _)| keys.iter().map(move |key| (*plugin, *key)));
    assert_eq!(in_samples, covered.collect::<Vec<_>>());
}

#[test]
fn configurations_do_not_show_secrets() {
    fn shown<C: DeserializeOwned + Debug>(plugin: &str) {
        let config: C = serde_saphyr::from_str(table(plugin)).unwrap();
        assert_hidden(plugin, &format!("{config:?} {config:#?}"));
    }
    shown::<senseops::sources::healthcheck::HealthcheckConfig>("healthcheck");
    shown::<senseops::sinks::influx::InfluxConfig>("influx");
    shown::<senseops::sinks::mqtt::MqttConfig>("mqtt");
    let web: senseops::web::WebConfig =
        serde_saphyr::from_str("{ token: canary, tls: { cert: a, key: b, passphrase: canary } }").unwrap();
    assert_hidden("web", &format!("{web:?}"));
}

#[test]
fn what_is_wrong_with_a_configuration_is_told_without_its_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = |spoil: &dyn Fn(&str) -> String| {
        format!(
            "web: {}\nsources: {{ healthcheck: {{ x: {} }} }}\nsinks: {{ influx: {{ x: {} }}, mqtt: {{ x: {} }} }}\n",
            spoil("{ token: canary, tls: { cert: a, key: b, passphrase: canary } }"),
            spoil(table("healthcheck")),
            spoil(table("influx")),
            spoil(table("mqtt"))
        )
    };
    let path = config(dir.path(), &yaml(&str::to_owned));
    let (code, stdout, stderr) = output(&["-vv", "check", "-c", &path]);
    assert_eq!(code, 0, "{stderr}");
    assert_hidden("check", &format!("{stdout}{stderr}"));
    let (code, stdout, _) = output(&["check", "--print-config", "-c", &path]);
    assert_eq!((code, stdout.matches("***").count()), (0, 8), "{stdout}");
    assert_hidden("--print-config", &stdout);
    // Certificates that are not there.
    let (code, stdout, stderr) = output(&["-vv", "run", "-c", &path]);
    assert_eq!(code, 4, "{stderr}");
    assert_hidden("run", &format!("{stdout}{stderr}"));

    for (from, to) in [
        (": canary", ": [ canary ]"),
        (": canary", ": { env: NAME, file: canary.txt }"),
        (": canary", ": { value: canary }"),
        ("password:", "passwort:"),
        ("127.0.0.1:1'", "anna:canary@ 127.0.0.1:1'"),
        (" }", ", password: canary, password: canary }"),
    ] {
        let path = config(dir.path(), &yaml(&|table| table.replace(from, to)));
        let (code, stdout, stderr) = output(&["check", "-c", &path]);
        assert_eq!(code, 3, "{to}: {stdout}");
        // The name of a file is no secret.
        assert_hidden(to, &stderr.replace("canary.txt", ""));
    }
}

#[test]
fn a_running_program_does_not_show_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let web = free_tcp();
    let token = dir.path().join("token");
    std::fs::write(&token, "canary\n").unwrap();
    let yaml = format!(
        "pipeline: {{ shutdown_timeout: 1s }}\nweb: {{ listen: '{web}', token: {{ file: {token:?} }} }}\n\
         sources: {{ udp: {{ x: {{ listen: '{ANY}', allow: [ 127.0.0.1 ] }} }}, healthcheck: {{ x: {} }} }}\n\
         sinks: {{ influx: {{ x: {} }}, mqtt: {{ x: {} }} }}\n",
        table("healthcheck").replace("tls: { cert: a.pem, key: b.pem, passphrase: canary }, ", ""),
        table("influx"),
        table("mqtt")
    );
    let path = config(dir.path(), &yaml);
    let mut program = Logged::start(&mut sos(&["-vv", "run", "-c", &path]));
    let datagram = b"/qseow-proxy-session/;sense1;Start session;LAB;anna;HubAccess;;hello";
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(datagram, program.udp()).unwrap();
    let failing = |text: &str, component: &str| {
        text.lines().any(|line| line.contains("component is failing") && line.contains(component))
    };
    while !["influx.x", "mqtt.x", "healthcheck.x.one"].iter().all(|name| failing(&program.text, name)) {
        program.wait_for("component is failing");
    }
    let mut answers = String::new();
    for request in
        ["GET /status", "GET /metrics", "GET /readyz", "GET /api/v1/journal", "POST /api/v1/reload", "GET /x"]
    {
        answers.push_str(&http(web, request, &["Authorization: Bearer canary"]).1);
    }
    assert!(answers.contains("influx.x") && answers.contains("mqtt.x"), "{answers}");
    assert_hidden("an answer", &answers);
    assert_hidden("a refusal", &http(web, "GET /status", &["Authorization: Bearer canary2"]).1);
    program.stop();
    assert_hidden("the log", &program.text);
}

#[test]
fn what_a_refused_datagram_says_is_logged_for_those_who_debug_only() {
    for (verbosity, is_shown) in [(None, false), (Some("-v"), true)] {
        let dir = tempfile::tempdir().unwrap();
        let yaml = format!(
            "sources: {{ udp: {{ x: {{ listen: '{ANY}', allow: [ 127.0.0.1 ] }} }} }}\nsinks: {{ console: {{ out: {{}} }} }}\n"
        );
        let path = config(dir.path(), &yaml);
        let arguments: Vec<_> = verbosity.into_iter().chain(["run", "-c", &path]).collect();
        let mut program = Logged::start(&mut sos(&arguments));
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"no user event, but a canary\n", program.udp()).unwrap();
        let line = program.wait_for("datagram refused");
        assert!(line.contains("WARN") && line.contains("component=\"udp.x\""), "{line}");
        assert!(line.contains("reason=\"unknown_type\" sender=127.0.0.1 count=1"), "{line}");
        assert_eq!(program.stop(), 0);
        assert_eq!(program.text.contains(CANARY), is_shown, "{}", program.text);
        if is_shown {
            let said = program.text.lines().find(|line| line.contains(CANARY)).unwrap();
            assert!(said.contains("DEBUG") && said.contains(r"canary\n"), "{said}");
        }
    }
}
