//! Datagrams from the fixtures and of every generation, as they are read.

use senseops_qlik::user_event::{self, UserEventDatagram};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    id: String,
    datagram: String,
}

/// The fields that the datagram has, and after them what is derived from them.
fn described(datagram: &UserEventDatagram<'_>) -> String {
    let fields = [
        ("type", datagram.message_type.map(|known| known.as_str().into())),
        ("host", datagram.host.clone()),
        ("command", datagram.command.clone()),
        ("user_directory", datagram.user_directory.clone()),
        ("user_id", datagram.user_id.clone()),
        ("origin", datagram.origin.clone()),
        ("context", datagram.context.clone()),
        ("message", datagram.message.clone()),
        ("> app_id", datagram.app_id().map(Into::into)),
        ("> user_agent", datagram.user_agent()),
    ];
    let present = fields.into_iter().filter_map(|(name, text)| Some(format!("{name} {:?}", text?)));
    present.collect::<Vec<_>>().join(", ")
}

fn read(text: &str) -> String {
    match user_event::parse(text) {
        Ok(datagram) => described(&datagram),
        Err(malformed) => format!("refused as {}: {malformed}", malformed.as_str()),
    }
}

#[test]
fn the_fixtures_are_read_field_by_field() {
    let fixtures = include_str!("../fixtures/user-events.jsonl").lines();
    let read = fixtures.map(|line| {
        let fixture: Fixture = serde_json::from_str(line).unwrap();
        format!("{}: {}\n", fixture.id, read(&fixture.datagram))
    });
    insta::assert_snapshot!(read.collect::<String>(), @r#"
    U1: type "qseow-proxy-session", host "pro2-win1", command "Start session", user_directory "LAB", user_id "anna", origin "Not available", context "", message "Start session for user: 'LAB\\anna'. Session: '3f2c' UserAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36'", > user_agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36"
    U2: type "qseow-proxy-connection", host "pro2-win1", command "Open connection", user_directory "LAB", user_id "anna", origin "AppAccess", context "/app/1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f?reloaduri=https%3a%2f%2fsense%2fsense%2fapp", message "Web socket connection Opened for session '3f2c' with client '10.0.0.7'. UserAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 Edg/119.0.0.0'", > app_id "1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f", > user_agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 Edg/119.0.0.0"
    U3: type "qseow-proxy-connection", host "pro2-win1", command "Close connection", user_directory "LAB", user_id "bo berg", origin "AppAccess", context "/app/9f9e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f", message "Web socket connection Closed for session '3f2c'; reason: a;b;c", > app_id "9f9e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f"
    U4: type "qseow-proxy-session", host "pro2-win1", command "Stop session", user_directory "LAB", user_id "anna", origin "", context "", message "Stop session for user: 'LAB\\anna'"
    U5: type "qseow-proxy-session", host "pro2-win1", command "Start session"
    U6: refused as unknown_type: the first field is no known type
    U7: refused as empty: the datagram is empty
    U8: type "qseow-proxy-session", host "pro2-win1", command "Start session", user_directory "", user_id "", origin "Not available", context "", message "no user"
    U9: type "qseow-proxy-connection", host "pro2-win1", command "Open connection", user_directory "LAB", user_id "anna", origin "AppAccess", context "/app/1A1E4C6B-1F8B-4B1A-9D56-2A3B4C5D6E7F/hubUrl/x", message "msg UserAgent:"
    U10: type "qseow-proxy-session", host "pro2-win1", command "Start session", user_directory "LAB", user_id "testuser1", origin "Not available", context "", message "excluded user"
    U11: type "qseow-proxy-session", host "pro2-win1", command "Start session", user_directory "LAB", user_id "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu", origin "Not available", context "ctx", message "tabherenewline"
    "#);
}

#[test]
fn every_generation_of_datagrams_is_read() {
    let generations = [
        "sense1;Start session;LAB;anna",
        "/proxy-session/;sense1;Start session;LAB;anna;Not available;;Start session for user: 'LAB\\anna'",
        "/proxy-connection/;sense1;Close connection;LAB;anna;AppAccess;/hub/my/work;closed; reason: a;b",
        "/qseow-proxy-session/;sense1;Stop session;LAB;anna;;;",
        "qseow-proxy-connection//;sense1;Open connection;LAB;anna;AppAccess;;opened\r\n",
    ];
    insta::assert_snapshot!(generations.map(read).join("\n"), @r#"
    host "sense1", command "Start session", user_directory "LAB", user_id "anna"
    type "proxy-session", host "sense1", command "Start session", user_directory "LAB", user_id "anna", origin "Not available", context "", message "Start session for user: 'LAB\\anna'"
    type "proxy-connection", host "sense1", command "Close connection", user_directory "LAB", user_id "anna", origin "AppAccess", context "/hub/my/work", message "closed; reason: a;b"
    type "qseow-proxy-session", host "sense1", command "Stop session", user_directory "LAB", user_id "anna", origin "", context "", message ""
    type "qseow-proxy-connection", host "sense1", command "Open connection", user_directory "LAB", user_id "anna", origin "AppAccess", context "", message "opened"
    "#);
}
