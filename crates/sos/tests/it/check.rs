//! `sos check`: what is missing on this machine, and what a running instance has already.

use std::net::UdpSocket;

use insta::assert_snapshot;

use crate::launch::{Logged, config, free_tcp, output, sos};

const SINK: &str = "sinks: { console: { out: {} } }\n";

#[test]
fn what_is_missing_on_this_machine_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "no certificate").unwrap();
    let yaml = "\
pipeline: { state_dir: DIR/file/state, journal: { path: DIR/file } }
web: { listen: 127.0.0.1:1, token: { env: SOS_TEST_NOT_SET } }
sources:
  healthcheck:
    qlik:
      tls: { ca: DIR/root.pem }
      servers: [ { name: one, url: 'https://localhost:1' }, { name: two, url: 'https://localhost:2', tls: { ca: DIR/file } } ]
  udp: { users: { listen: 192.0.2.1:9997, allow: [ 127.0.0.1 ] } }
sinks:
  influx: { main: { username: sos, password: { env: SOS_TEST_NOT_SET } } }
  mqtt: { main: { username: sos, password: { file: DIR/password } } }
";
    let place = dir.path().display().to_string();
    let path = config(dir.path(), &yaml.replace("DIR", &place));
    let (code, stdout, stderr) = output(&["check", "-c", &path]);
    assert_eq!(code, 0, "{stderr}");
    let told: Vec<_> = stderr.lines().filter(|line| line.starts_with("warning")).collect();
    assert_snapshot!(told.join("\n").replace(&path, "sos.yaml").replace(&place, "DIR"), @r#"
    warning: sos.yaml:2:29: web.token: on this machine: the environment variable SOS_TEST_NOT_SET, which should hold the secret, is not set
    warning: sos.yaml:1:24: pipeline.state_dir: on this machine: cannot create DIR/file/state, since DIR/file is not a directory
    warning: sos.yaml:1:69: pipeline.journal.path: on this machine: DIR/file is not a directory
    warning: sos.yaml:6:18: sources.healthcheck.qlik.tls.ca: on this machine: read DIR/root.pem: No such file or directory (os error 2)
    warning: sos.yaml:7:113: sources.healthcheck.qlik.servers.1.tls.ca: on this machine: no certificate in DIR/file; expected a PEM file with -----BEGIN CERTIFICATE----- (export from the QMC as "Platform independent PEM-format")
    warning: sos.yaml:10:36: sinks.influx.main.password: on this machine: the environment variable SOS_TEST_NOT_SET, which should hold the secret, is not set
    warning: sos.yaml:11:34: sinks.mqtt.main.password: on this machine: read DIR/password: No such file or directory (os error 2)
    "#);
    assert_snapshot!(stdout, @"ok: 3 sources, 2 sinks, 7 warnings");
    assert!(!dir.path().join("file/state").exists());
}

#[test]
fn a_certificate_that_several_servers_share_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = format!(
        "sources: {{ healthcheck: {{ qlik: {{ tls: {{ ca: missing.pem }}, servers: [ {{ name: one, url: 'https://localhost:1' }}, {{ name: two, url: 'https://localhost:2' }} ] }} }} }}\n{SINK}"
    );
    let path = config(dir.path(), &yaml);
    let (code, stdout, _) = output(&["check", "-c", &path, "--connect"]);
    assert_eq!(code, 4);
    assert_snapshot!(stdout.replace(&path, "sos.yaml"), @"
    FAILED  sources.healthcheck.qlik  sos.yaml:1:46: sources.healthcheck.qlik.tls.ca: read missing.pem: No such file or directory (os error 2)
    ok      sinks.console.out         nothing to connect to
    ");
    let (code, stdout, stderr) = output(&["check", "-c", &path]);
    assert_eq!((code, stderr.matches("missing.pem: No such file").count()), (0, 1), "{stderr}");
    assert_snapshot!(stdout, @"ok: 2 sources, 1 sink, 1 warning");
}

#[test]
fn a_running_instance_may_have_its_journal_and_ports() {
    let dir = tempfile::tempdir().unwrap();
    let (web, udp) = (free_tcp(), UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let yaml = |listeners: &str| {
        format!(
            "pipeline: {{ state_dir: {:?} }}\n{listeners}sources: {{ udp: {{ users: {{ listen: '{udp}', allow: [ 127.0.0.1 ] }} }} }}\n{SINK}",
            dir.path().join("state")
        )
    };
    for listeners in [format!("web: {{ listen: '{web}' }}\n"), String::new()] {
        let path = config(dir.path(), &yaml(&listeners));
        let (code, stdout, _) = output(&["check", "-c", &path, "--connect"]);
        assert_eq!(code, 0, "{stdout}");
        let mut program = Logged::start(&mut sos(&["run", "-c", &path]));
        let (code, stdout, _) = output(&["check", "-c", &path, "--connect"]);
        let pid = program.running.0.id().to_string();
        assert_eq!(code, 0, "{stdout}");
        let said: Vec<_> = stdout.lines().map(|line| line.replace(&pid, "PID")).collect();
        let held = said.iter().filter(|line| line.ends_with("held by the running instance, pid PID")).count();
        assert_eq!(held, if listeners.is_empty() { 2 } else { 3 }, "{stdout}");
        program.signal("TERM");
        assert_eq!(program.running.0.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_web_port_that_somebody_else_has_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let yaml = format!(
        "web: {{ listen: '{address}' }}\nsources: {{ udp: {{ users: {{ listen: '127.0.0.1:0', allow: [ 127.0.0.1 ] }} }} }}\n{SINK}"
    );
    let path = config(dir.path(), &yaml);
    let (code, stdout, _) = output(&["check", "-c", &path, "--connect"]);
    assert_eq!(code, 4);
    let told = stdout.lines().last().unwrap().replace(&path, "sos.yaml");
    assert_snapshot!(told.replace(&address.to_string(), "ADDRESS"), @"FAILED  web                sos.yaml:1:16: web.listen: listen on ADDRESS: Address already in use (os error 98)");
}
