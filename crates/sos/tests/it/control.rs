//! A running program from outside: reloading, looking into it, changing it, and what its service manager hears.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Instant;

use insta::assert_snapshot;
use senseops_sim::{Certificate, Pki};
use senseops_testkit::{Answer, HttpTarget};
use serde_json::Value;

use crate::launch::{ANY, Logged, Running, config, free_tcp, http, output, output_of, sos};
use crate::support::LONGEST;

/// Any port of an address that is not that of [`ANY`].
const OTHER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 0);
const LOGIN: &[u8] = b"/qseow-proxy-session/;sense1;Start session;LAB;anna;HubAccess;;hello";

/// A source at `listen`, whatever else there is.
pub(crate) fn source(listen: SocketAddr) -> String {
    format!("sources: {{ udp: {{ users: {{ listen: '{listen}', allow: [ 127.0.0.1 ] }} }} }}\n")
}

/// A pipeline that prints what comes in at `udp` and is looked into at `web`.
fn printing(web: SocketAddr, udp: SocketAddr) -> String {
    format!("web: {{ listen: '{web}' }}\n{}sinks: {{ console: {{ out: {{}} }} }}\n", source(udp))
}

/// Sends an event to the source of the program that is looked into at `web`.
pub(crate) fn send(web: SocketAddr) {
    let to = &status(web)["listeners"][0]["address"];
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(LOGIN, to.as_str().unwrap()).unwrap();
}

pub(crate) fn status(web: SocketAddr) -> Value {
    let (code, body) = http(web, "GET /status", &[]);
    assert_eq!(code, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Asks again and again until the status is as it should be.
pub(crate) fn until(web: SocketAddr, done: impl Fn(&Value) -> bool) {
    let begin = Instant::now();
    while begin.elapsed() < LONGEST {
        if done(&status(web)) {
            return;
        }
    }
    panic!("it never came to that: {:#}", status(web));
}

#[test]
fn a_reload_takes_what_is_good_and_leaves_all_as_it_is_when_something_is_bad() {
    let dir = tempfile::tempdir().unwrap();
    let (web, first, second) = (free_tcp(), ANY, OTHER);
    let path = config(dir.path(), &printing(web, first));
    let mut program = Logged::start(&mut sos(&["run", "-c", &path]));
    let url = format!("http://{web}");

    let (code, stdout, _) = output(&["reload", "-c", &path]);
    assert_eq!((code, stdout.as_str()), (0, "2 unchanged\n"));

    config(dir.path(), &printing(web, second));
    let (code, stdout, _) = output(&["reload", "--url", &url]);
    assert_eq!((code, stdout.as_str()), (0, "restarted sources.udp.users; 1 unchanged\n"));
    send(web);
    until(web, |status| status["sinks"][0]["delivered"] == 1);

    config(dir.path(), &printing(web, second).replace("allow", "alow"));
    let (code, _, stderr) = output(&["reload", "--url", &url]);
    assert_eq!(code, 3);
    let stderr = stderr.replace(&path, "sos.yaml");
    assert_snapshot!(stderr, @"
    sos: sos.yaml:2:51: sources.udp.users.alow: unknown key; did you mean `allow`?
        2 | sources: { udp: { users: { listen: '127.0.0.2:0', alow: [ 127.0.0.1 ] } } }
          |                                                   ^^^^
    ");
    let logged = program.wait_for("alow").replace(&path, "sos.yaml");
    assert!(logged.contains("sos.yaml:2:"), "{logged}");
    program.wait_for("everything goes on as before");
    send(web);
    until(web, |status| status["sinks"][0]["delivered"] == 2);

    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    config(dir.path(), &printing(web, taken.local_addr().unwrap()));
    let (code, _, stderr) = output(&["reload", "--url", &url]);
    assert_eq!(code, 3);
    assert!(stderr.contains("sources.udp.users.listen: cannot listen on"), "{stderr}");
    send(web);
    until(web, |status| status["sinks"][0]["delivered"] == 3);
    assert_eq!(program.stop(), 0);
    assert!(
        program.text.contains("sos has stopped emitted=3 lost=0 refused=0 rate_limited=0"),
        "{}",
        program.text
    );
}

#[test]
fn a_hangup_reloads_and_does_not_stop() {
    let dir = tempfile::tempdir().unwrap();
    let (web, first, second) = (free_tcp(), ANY, OTHER);
    let path = config(dir.path(), &printing(web, first));
    let mut program = Logged::start(&mut sos(&["run", "-c", &path]));
    config(dir.path(), &printing(web, second));
    program.signal("HUP");
    program.wait_for("new configuration is in use");
    send(web);
    until(web, |status| status["sinks"][0]["delivered"] == 1);
    assert_eq!(program.stop(), 0);
}

#[test]
fn a_changed_file_is_reloaded_when_it_is_watched() {
    let dir = tempfile::tempdir().unwrap();
    let (web, first, second) = (free_tcp(), ANY, OTHER);
    let path = config(dir.path(), &printing(web, first));
    let mut program = Logged::start(&mut sos(&["run", "--watch", "-c", &path]));
    config(dir.path(), "sources: [");
    program.wait_for("everything goes on as before");
    config(dir.path(), &printing(web, second));
    program.wait_for("new configuration is in use");
    send(web);
    until(web, |status| status["sinks"][0]["delivered"] == 1);
}

#[test]
fn the_listener_follows_its_table() {
    let dir = tempfile::tempdir().unwrap();
    let (web, elsewhere, udp) = (free_tcp(), free_tcp(), ANY);
    let path = config(dir.path(), &printing(web, udp));
    let mut program = Logged::start(&mut sos(&["run", "-c", &path]));
    config(dir.path(), &printing(elsewhere, udp));
    assert_eq!(output(&["reload", "--url", &format!("http://{web}")]).0, 0);
    assert_eq!(http(elsewhere, "GET /livez", &[]), (200, "ok\n".to_owned()));

    // The same address, but with a token from now on.
    let guarded = printing(elsewhere, udp).replace("' }", "', token: { env: SOS_TEST_TOKEN } }");
    config(dir.path(), &guarded);
    let (code, _, stderr) = output(&["reload", "--url", &format!("http://{elsewhere}")]);
    assert_eq!(code, 3);
    assert!(stderr.contains("web.token: the environment variable SOS_TEST_TOKEN"), "{stderr}");
    let token = dir.path().join("token");
    std::fs::write(&token, "canary\n").unwrap();
    config(dir.path(), &guarded.replace("{ env: SOS_TEST_TOKEN }", &format!("{{ file: {token:?} }}")));
    assert_eq!(output(&["reload", "--url", &format!("http://{elsewhere}")]).0, 0);
    assert_eq!(http(elsewhere, "GET /status", &[]).0, 401);
    assert_eq!(http(elsewhere, "GET /status", &["Authorization: Bearer canary"]).0, 200);

    config(dir.path(), &source(udp).replace("sources", "sinks: { console: { out: {} } }\nsources"));
    let token = token.to_str().unwrap();
    assert_eq!(output(&["reload", "--url", &format!("http://{elsewhere}"), "--token-file", token]).0, 0);
    let (code, _, stderr) = output(&["reload", "--url", &format!("http://{elsewhere}")]);
    assert_eq!(code, 6);
    assert!(stderr.contains("is `sos run` running with a `web` table?"), "{stderr}");
    let (code, _, stderr) = output(&["reload", "-c", &path]);
    assert_eq!(code, 3);
    assert_snapshot!(stderr.replace(&path, "sos.yaml"), @"sos: sos.yaml has no `web` table, so a running instance cannot be asked; add one, such as `web: { listen: 127.0.0.1:8090 }`, or give --url");
    assert_eq!(program.stop(), 0);
}

#[test]
fn an_address_that_others_reach_needs_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let (port, udp) = (free_tcp().port(), ANY);
    let everywhere: SocketAddr = ([0, 0, 0, 0], port).into();
    let path = config(dir.path(), &printing(everywhere, udp));
    let (code, _, stderr) = output(&["check", "-c", &path]);
    assert_eq!(code, 3);
    let stderr = stderr.replace(&path, "sos.yaml").replace(&port.to_string(), "PORT");
    assert_snapshot!(stderr, @"
    sos.yaml:1:1: web.token: a token is needed, since other machines can reach 0.0.0.0:PORT; or listen on 127.0.0.1
        1 | web: { listen: '0.0.0.0:PORT' }
          | ^^^
    ");

    let token = dir.path().join("token");
    std::fs::write(&token, "canary\n").unwrap();
    let guarded = printing(everywhere, udp).replace("' }", &format!("', token: {{ file: {token:?} }} }}"));
    let path = config(dir.path(), &guarded);
    let mut program = Logged::start(&mut sos(&["run", "-c", &path]));
    let here: SocketAddr = ([127, 0, 0, 1], port).into();
    for (request, headers, expected) in [
        ("GET /livez", &[][..], 200),
        ("GET /readyz", &[], 200),
        ("GET /status", &[], 401),
        ("GET /metrics", &["Authorization: Bearer wrong"], 401),
        ("GET /metrics", &["Authorization: Bearer canary"], 200),
        ("GET /status", &["Authorization: Bearer canary", "Host: sos.example"], 200),
        ("POST /api/v1/reload", &[], 401),
    ] {
        assert_eq!(http(here, request, headers).0, expected, "{request} {headers:?}");
    }
    // Whoever has no token hears one word.
    assert_eq!(http(here, "GET /readyz", &[]).1, "ready\n");
    let (_, details) = http(here, "GET /readyz", &["Authorization: Bearer canary"]);
    assert!(details.contains("console.out"), "{details}");
    // The configuration says where it is and what the token is.
    assert_eq!(output(&["reload", "-c", &path]).0, 0);
    let url = format!("http://{here}");
    let (code, _, stderr) = output(&["reload", "--url", &url]);
    assert_eq!(code, 6);
    assert_snapshot!(stderr, @"sos: the token of web.token is needed; give it by --token-file, SOS_TOKEN or -c");
    let (code, _, stderr) = output_of(sos(&["journal", "show", "-c", &path]).env("SOS_TOKEN", "wrong"));
    assert_eq!(code, 6, "the files are not looked at instead");
    assert_snapshot!(stderr.replace(&here.to_string(), "ADDRESS"), @"sos: http://ADDRESS says: wrong token; the one it got is that of SOS_TOKEN");
    assert_eq!(output_of(sos(&["reload", "--url", &url]).env("SOS_TOKEN", "canary")).0, 0);
    assert_eq!(program.stop(), 0);
    assert!(!program.text.contains("canary"), "{}", program.text);
}

#[test]
fn without_a_token_web_pages_and_proxies_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let web = free_tcp();
    let path = config(dir.path(), &printing(web, ANY));
    let _program = Logged::start(&mut sos(&["run", "-c", &path]));
    for (request, header, expected) in [
        ("GET /status", "Host: localhost:8090", 200),
        ("GET /status", "Host: rebound.example", 403),
        ("GET /livez", "Host: rebound.example", 200),
        ("GET /status", "X-Forwarded-For: 1.2.3.4", 403),
        ("POST /api/v1/reload", "Via: 1.1 proxy", 403),
        ("GET /readyz", "Forwarded: for=1.2.3.4", 200),
        ("POST /api/v1/reload", "Origin: http://localhost", 403),
        ("POST /api/v1/reload", "X-Harmless: 1", 200),
        ("DELETE /api/v1/journal/cursors/x", "Origin: null", 403),
    ] {
        assert_eq!(http(web, request, &[header]).0, expected, "{request} {header}");
    }
}

#[test]
fn top_shows_every_component() {
    let dir = tempfile::tempdir().unwrap();
    let (web, udp) = (free_tcp(), ANY);
    let path = config(dir.path(), &printing(web, udp));
    let _program = Logged::start(&mut sos(&["run", "-c", &path]));
    send(web);
    until(web, |status| status["sinks"][0]["delivered"] == 1);
    let (code, stdout, _) = output(&["top", "-c", &path]);
    assert_eq!(code, 0);
    let words: Vec<Vec<&str>> = stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[1], ["udp.users", "1", "0", "0", "ok"]);
    assert_eq!(words[2][..5], ["console.out", "1", "0", "0", "0"]);
    let (code, stdout, _) = output(&["top", "--json", "--url", &format!("http://{web}")]);
    let status: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &status["sources"][0]["emitted"]), (0, &Value::from(1)));
}

#[test]
fn tap_shows_events_as_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let (web, udp) = (free_tcp(), ANY);
    let path = config(dir.path(), &printing(web, udp));
    let _program = Logged::start(&mut sos(&["run", "-c", &path]));
    let tap = |arguments: &[&str]| {
        let mut command = sos(&["tap", "-c", &path, "--count", "1"]);
        let child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        Running(child)
    };
    let mut other = tap(&["--kind", "other.*"]);
    for (arguments, expected) in
        [(&["--json"][..], "\"user_id\":\"anna\""), (&["--kind", "qlik.*"], "user_id=anna")]
    {
        let mut running = tap(arguments);
        let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
        // Nobody tells when the tap is there, so events come until one is shown.
        let line = std::thread::scope(|scope| {
            let shown = scope.spawn(|| lines.next().unwrap().unwrap());
            while !shown.is_finished() {
                send(web);
                std::thread::yield_now();
            }
            shown.join().unwrap()
        });
        assert!(line.contains("qlik.user_event") && line.contains(expected), "{line}");
        assert_eq!(running.0.wait().unwrap().code(), Some(0));
    }
    assert_eq!(other.0.try_wait().unwrap(), None);
    let (code, _, stderr) = output(&["tap", "-c", &path, "--kind", "qlik*"]);
    assert_eq!(code, 2, "{stderr}");
}

#[test]
fn a_listener_whose_address_is_taken_is_exit_code_4() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let path = config(dir.path(), &printing(address, ANY));
    let (code, _, stderr) = output(&["-q", "run", "-c", &path]);
    assert_eq!(code, 4);
    assert_snapshot!(stderr.replace(&path, "sos.yaml").replace(&address.to_string(), "ADDRESS"), @"
    sos.yaml:1:16: web.listen: listen on ADDRESS: Address already in use (os error 98)
        1 | web: { listen: 'ADDRESS' }
          |                ^^^^^^^^^^^^^^^^^
    ");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_of_the_listener_that_hangs_does_not_keep_the_program_from_stopping() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    assert!(Command::new("mkfifo").arg(&token).status().unwrap().success());
    let yaml = printing(free_tcp(), ANY).replacen("' }", &format!("', token: {{ file: {token:?} }} }}"), 1);
    let path = config(dir.path(), &yaml);
    let mut program = Logged::begin(&mut sos(&["run", "-c", &path]));
    // Opened for reading once somebody opens it for writing: the program hangs there.
    let _hanging = std::fs::File::options().write(true).open(&token).unwrap();
    assert_eq!(program.stop(), 0);
}

#[test]
fn the_service_manager_hears_of_start_reload_progress_and_stop() {
    use std::os::unix::net::UnixDatagram;

    let dir = tempfile::tempdir().unwrap();
    let (web, udp) = (free_tcp(), ANY);
    let path = config(dir.path(), &printing(web, udp));
    let name = dir.path().join("notify");
    let manager = UnixDatagram::bind(&name).unwrap();
    manager.set_read_timeout(Some(LONGEST)).unwrap();
    let hear = |wanted: &str| {
        let mut buffer = [0; 4096];
        loop {
            let length = manager.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.lines().any(|line| line.starts_with(wanted)) {
                return text;
            }
        }
    };
    let mut command = sos(&["run", "-c", &path]);
    command.env("NOTIFY_SOCKET", &name).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    let mut program = Logged::start(&mut command);
    hear("READY=1");
    assert_eq!(http(web, "GET /livez", &[]).0, 200);
    hear("STATUS=everything works");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    program.signal("HUP");
    let reloading = hear("RELOADING=1");
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
    hear("READY=1");
    program.signal("TERM");
    hear("STOPPING=1");
    assert_eq!(program.running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn over_tls_the_instance_is_found_by_its_configuration_or_by_its_authority() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new().unwrap();
    let server = pki.write_server_to(dir.path(), &Certificate::default()).unwrap();
    let client = pki.write_to(dir.path()).unwrap();
    let web = free_tcp();
    let yaml = |client_ca: &str| {
        let tls = format!("tls: {{ cert: {:?}, key: {:?}{client_ca} }}", server.cert, server.key);
        printing(web, ANY).replacen("' }", &format!("', {tls} }}"), 1)
    };
    let path = config(dir.path(), &yaml(""));
    let _program = Logged::start(&mut sos(&["run", "-c", &path]));
    let url = format!("https://{web}");
    let ca = server.ca.to_str().unwrap();
    assert_eq!(output(&["journal", "show", "-c", &path]).0, 0);
    assert_eq!(output(&["journal", "show", "--url", &url, "--ca", ca]).0, 0);
    let (code, _, stderr) = output(&["journal", "show", "--url", &url]);
    assert_eq!(code, 6, "{stderr}");
    assert!(stderr.contains("certificate"), "{stderr}");

    // From now on clients need a certificate, too.
    config(dir.path(), &yaml(&format!(", client_ca: {:?}", server.ca)));
    assert_eq!(output(&["reload", "--url", &url, "--ca", ca]).0, 0);
    assert_eq!(output(&["journal", "show", "-c", &path]).0, 6);
    let (cert, key) = (client.cert.to_str().unwrap(), client.key.to_str().unwrap());
    let (code, _, stderr) = output(&["journal", "show", "-c", &path, "--cert", cert, "--key", key]);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn a_certificate_that_signed_itself_is_trusted_when_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let server = Pki::new().unwrap().write_server_to(dir.path(), &Certificate::SelfSigned).unwrap();
    let web = free_tcp();
    let tls = format!("', tls: {{ cert: {:?}, key: {:?} }} }}", server.cert, server.key);
    let path = config(dir.path(), &printing(web, ANY).replacen("' }", &tls, 1));
    let _program = Logged::start(&mut sos(&["run", "-c", &path]));
    let url = format!("https://{web}");
    let (code, _, stderr) = output(&["journal", "show", "--url", &url]);
    assert_eq!(code, 6);
    assert_snapshot!(stderr.replace(&web.to_string(), "ADDRESS"), @"sos: the certificate of https://ADDRESS cannot be used: invalid peer certificate: Other(OtherError(CaUsedAsEndEntity)); give its certificate, or that of the CA which signed it, by --ca");
    let (code, _, stderr) =
        output(&["journal", "show", "--url", &url, "--ca", server.cert.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = output(&["journal", "show", "--url", &url, "--ca", server.ca.to_str().unwrap()]);
    assert_eq!(code, 6, "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_refused_is_listed_shown_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let (web, udp) = (free_tcp(), ANY);
    let target = HttpTarget::start().await.unwrap();
    let refusal = Answer::status(400.try_into().unwrap()).body(r#"{"error":"field type conflict"}"#);
    let refusal = refusal.header("x-influxdb-version", "1.8.10");
    target.answer_with(move |_request| refusal.clone());
    let state = dir.path().join("state");
    let yaml = format!(
        "pipeline: {{ state_dir: {state:?} }}\nweb: {{ listen: '{web}' }}\n{}\
         sinks: {{ influx: {{ main: {{ url: '{}', database: x }} }} }}\n",
        source(udp),
        target.url()
    );
    let path = config(dir.path(), &yaml);
    let mut program = Logged::start(&mut sos(&["run", "-c", &path]));
    send(web);
    until(web, |status| status["sinks"][0]["dead_letters"] == 1);

    let (code, stdout, _) = output(&["dead-letters", "list", "-c", &path]);
    assert_eq!(code, 0);
    let row: Vec<&str> = stdout.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..2], ["1", "influx.main"]);
    assert!(stdout.contains("field type conflict"), "{stdout}");
    let url = format!("http://{web}");
    let (code, stdout, _) = output(&["dead-letters", "show", "--url", &url]);
    assert_eq!(code, 0);
    assert!(stdout.contains("influx.main refused: ") && stdout.contains("user_id=anna"), "{stdout}");
    let (_, stdout, _) = output(&["dead-letters", "show", "--sink", "influx.other", "-c", &path]);
    assert_eq!(stdout, "there are no dead letters of influx.other\n");

    target.answer_with(|_request| Answer::no_content().header("x-influxdb-version", "1.8.10"));
    let (code, stdout, stderr) = output(&["dead-letters", "replay", "-c", &path]);
    assert_eq!((code, stdout.as_str()), (0, "1 events are tried again\n"), "{stderr}");
    until(web, |status| status["sinks"][0]["delivered"] == 1);
    let (code, stdout, _) = output(&["dead-letters", "list", "-c", &path, "--json"]);
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert_eq!(program.stop(), 0);
    assert!(program.text.contains("refused=1 dead_letters=1"), "{}", program.text);
    let (code, _, stderr) = output(&["dead-letters", "replay", "-c", &path]);
    assert_eq!(code, 6, "{stderr}");
}
