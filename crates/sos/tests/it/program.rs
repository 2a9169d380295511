//! The program `sos` from outside: arguments, output, signals, exit codes.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use senseops_testkit::{Influxd, InfluxdOptions};

use crate::launch::{Logged, Running, config, output, sos};

#[test]
fn plugins_are_listed() {
    let (code, stdout, _) = output(&["plugins"]);
    assert_eq!(code, 0);
    assert_snapshot!(stdout, @"
    source  healthcheck   Polls the engine health API of Qlik Sense servers
    source  udp           Receives Qlik Sense user events as UDP datagrams
    sink    console       Prints events to standard output, one line each
    sink    influx        Writes events to InfluxDB 1.x, under the names that Butler SOS dashboards know
    sink    mqtt          Publishes events to an MQTT broker, under the topics that Butler SOS subscribers know
    ");
}

#[test]
fn a_sample_is_a_configuration_of_its_plugin() {
    let (code, stdout, _) = output(&["sample", "udp"]);
    assert_eq!(code, 0);
    let dir = tempfile::tempdir().unwrap();
    let path = config(dir.path(), &format!("{stdout}sinks: {{ console: {{ out: {{}} }} }}\n"));
    assert_eq!(output(&["check", "-c", &path]).0, 0, "{stdout}");
    let (code, _, stderr) = output(&["sample", "upd"]);
    assert_eq!(code, 2);
    assert_snapshot!(stderr, @r#"sos: there is no plugin "upd"; there are healthcheck, udp, console, influx, mqtt"#);
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_help_is_0() {
    assert_eq!(output(&["walk"]).0, 2);
    assert_eq!(output(&["run"]).0, 2);
    let (code, stdout, _) = output(&["--help"]);
    assert_eq!(code, 0);
    let stdout: Vec<_> = stdout.lines().map(str::trim_end).collect();
    assert_snapshot!(stdout.join("\n"), @"
    Collects operational events and delivers them where people look

    Usage: sos [OPTIONS] <COMMAND>

    Commands:
      run           Run a pipeline until SIGTERM or Ctrl-C, then deliver what is left. SIGHUP reloads
      check         Check a configuration without running it
      reload        Make a running instance read its configuration anew
      top           Show what a running instance does, live on a terminal
      tap           Show events of a running instance as they happen
      journal       Look into the journal, or give up a cursor in it
      dead-letters  Look at events that targets refused, or try them again
      demo          Run a simulated Qlik Sense estate with a live picture; needs no server, file or
                    privilege
      plugins       List the sources, relays and sinks of this build
      sample        Print a sample with every key at its default: of the whole configuration, or of one
                    plugin
      schema        Print the JSON Schema of the configuration, by which editors complete and check it
      version       Print the version
      completions   Print a completion script

    Options:
      -v, --verbose...
              Log more; twice for everything

      -q, --quiet...
              Log only warnings; twice for only errors

          --log-format <FORMAT>
              How log lines look. `RUST_LOG`, if set, chooses which ones there are

              Possible values:
              - text: For people
              - json: One JSON object a line

              [default: text]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Exit codes:
      0  done
      1  unexpected failure
      2  wrong command line
      3  wrong configuration
      4  a port, file or certificate of the configuration cannot be opened
      5  stopped with undelivered events that are lost (with a journal on disk they are kept)
      6  check --connect, or a command for a running instance: something does not answer as it should
    ");
}

#[test]
fn every_mistake_of_a_configuration_is_told_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = config(
        dir.path(),
        "sources:\n  udp:\n    users:\n      listne: 0.0.0.0:9997\nsinks:\n  influx:\n    main:\n      url: http://localhost:8086\n      database: senseops\n      delivery:\n        max_age: soon\n",
    );
    let (code, stdout, stderr) = output(&["check", "-c", &path]);
    assert_eq!((code, stdout.as_str()), (3, ""));
    assert_snapshot!(stderr.replace(&path, "sos.yaml"), @r#"
    sos.yaml:4:7: sources.udp.users.listne: unknown key; did you mean `listen`?
        4 |       listne: 0.0.0.0:9997
          |       ^^^^^^
    sos.yaml:11:18: sinks.influx.main.delivery.max_age: "soon" is not a duration such as 30s, 5m or 250ms
       11 |         max_age: soon
          |                  ^^^^
    "#);
}

#[test]
fn a_taken_port_is_exit_code_4_and_names_the_key() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let yaml = format!(
        "sources: {{ udp: {{ users: {{ listen: '{address}', allow: [ 127.0.0.1 ] }} }} }}\nsinks: {{ console: {{ out: {{}} }} }}\n"
    );
    let path = config(dir.path(), &yaml);
    let (code, _, stderr) = output(&["-q", "run", "-c", &path]);
    assert_eq!(code, 4);
    assert_snapshot!(stderr.replace(&path, "sos.yaml").replace(&address.to_string(), "ADDRESS"), @"
    sos.yaml:1:36: sources.udp.users.listen: cannot listen on ADDRESS: bind udp ADDRESS: Address already in use (os error 98)
        1 | sources: { udp: { users: { listen: 'ADDRESS', allow: [ 127.0.0.1 ] } } }
          |                                    ^^^^^^^^^^^^^^^^^
    ");
}

#[tokio::test]
async fn check_connect_tells_what_answers_and_what_does_not() {
    let influxd = Influxd::start(InfluxdOptions::default()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let yaml = format!(
        "sources: {{ udp: {{ users: {{ listen: '127.0.0.1:0', allow: [ 127.0.0.1 ] }} }} }}\n\
         sinks: {{ influx: {{ up: {{ url: '{}', database: senseops }}, down: {{ url: 'http://127.0.0.1:1', database: senseops }} }} }}\n",
        influxd.url()
    );
    let path = config(dir.path(), &yaml);
    let (code, stdout, _) =
        tokio::task::spawn_blocking(move || output(&["check", "-c", &path, "--connect"])).await.unwrap();
    assert_eq!(code, 6);
    let verdicts: Vec<(&str, &str)> = stdout
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap(), words.next().unwrap())
        })
        .collect();
    assert_eq!(
        verdicts,
        [("ok", "sources.udp.users"), ("ok", "sinks.influx.up"), ("FAILED", "sinks.influx.down")],
        "{stdout}"
    );
}

#[cfg(unix)]
#[test]
fn a_datagram_comes_out_as_json_and_sigterm_ends_the_program_well() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = "sources: { udp: { users: { listen: '127.0.0.1:0', allow: [ 127.0.0.1 ] } } }\n\
        sinks: { console: { out: { format: json } } }\n";
    let path = config(dir.path(), yaml);
    let mut command = sos(&["--log-format", "json", "run", "-c", &path]);
    let mut running = Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let mut said = |message: &str| {
        let line = log.find(|line| line.as_ref().unwrap().contains(message)).unwrap().unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()
    };
    let listen = said(r#""message":"listening""#)["fields"]["address"].as_str().unwrap().to_owned();
    said("pipeline is running");

    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"/qseow-proxy-session/;sense1;Start session;LAB;anna;HubAccess;;hello", listen).unwrap();
    let mut events = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let event: serde_json::Value = serde_json::from_str(&events.next().unwrap().unwrap()).unwrap();
    assert_eq!((&event["kind"], &event["fields"]["user_id"]), (&"qlik.user_event".into(), &"anna".into()));

    let id = running.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn the_demo_ends_by_itself_and_delivers_everything() {
    let (code, stdout, stderr) = output(&["demo", "--for", "7s", "--servers", "2"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("Server2") && stdout.contains(" 0 events are undelivered"), "{stdout}");
}

#[test]
fn a_certificate_that_cannot_be_read_is_exit_code_4_for_run_and_for_check_connect() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = "sources: { healthcheck: { qlik: { tls: { ca: missing.pem }, servers: [ { name: one, url: 'https://localhost:1' }, { name: two, url: 'https://localhost:2' } ] } } }\nsinks: { console: { out: {} } }\n";
    let path = config(dir.path(), yaml);
    let (code, _, stderr) = output(&["-q", "run", "-c", &path]);
    assert_eq!(code, 4);
    assert_snapshot!(stderr.replace(&path, "sos.yaml"), @"
    sos.yaml:1:46: sources.healthcheck.qlik.tls.ca: read missing.pem: No such file or directory (os error 2)
        1 | sources: { healthcheck: { qlik: { tls: { ca: missing.pem }, servers: [ { name: one, url: 'https://localhost:1' }, { name: two, url: 'https://localhost:2' } ] } 
          |                                              ^^^^^^^^^^^
    ");
    let (code, stdout, _) = output(&["check", "-c", &path, "--connect"]);
    assert_eq!(code, 4);
    assert!(stdout.contains(&format!("{path}:1:")), "{stdout}");
}

#[cfg(unix)]
#[test]
fn the_exit_code_tells_the_truth_when_nobody_reads() {
    let dir = tempfile::tempdir().unwrap();
    let path = config(dir.path(), "sinks: {}\n");
    let mut command = sos(&["check", "-c", &path]);
    let mut running = Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    drop((running.0.stdout.take(), running.0.stderr.take()));
    assert_eq!(running.0.wait().unwrap().code(), Some(3));
}

#[cfg(unix)]
#[test]
fn asked_twice_the_program_does_not_wait_for_a_target() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = "pipeline: { shutdown_timeout: 1m }\n\
        sources: { udp: { users: { listen: '127.0.0.1:0', allow: [ 127.0.0.1 ] } } }\n\
        sinks: { influx: { down: { url: 'http://127.0.0.1:1', database: senseops } } }\n";
    let path = config(dir.path(), yaml);
    let mut program = Logged::start(&mut sos(&["run", "-c", &path]));
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let login = b"/qseow-proxy-session/;sense1;Start session;LAB;anna;HubAccess;;hello";
    sender.send_to(login, program.udp()).unwrap();
    program.wait_for("component is failing");
    for sign in ["pipeline is draining", "asked twice"] {
        program.signal("INT");
        program.wait_for(sign);
    }
    assert_eq!(program.running.0.wait().unwrap().code(), Some(5));
}
