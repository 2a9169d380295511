//! Tests of lines for people.

use std::sync::Arc;

use senseops_core::{Kind, LabelSet, Record, State};

use super::*;

fn event(kind: &'static str, body: Body) -> Event {
    let labels = Arc::new(LabelSet::from_iter([("host", "sense1"), ("server_group", "central node")]));
    Event::new(Kind::new(kind), &labels, body).at(Timestamp::from_nanos(1_700_000_000_123_456_789))
}

fn user_event(message: &str, user: &str) -> Event {
    let fields = Fields::default().with("user_directory", "LAB").with("user_id", user);
    event(
        "qlik.user_event",
        Body::Record(Record { severity: Severity::Info, message: message.into(), fields }),
    )
}

fn plain(event: &Event) -> String {
    Pretty::plain(event).to_string()
}

#[test]
fn every_shape_reads_as_one_line_in_columns() {
    let mem = Fields::default().with("committed_mb", 412.539_062_5).with("free_mb", 28_671.0);
    let apps = Fields::default()
        .with("active_docs", vec!["1a1e4c6b".into(), "two words".into()])
        .with("calls", 48_213);
    let health = Fields::default()
        .with("version", "12.2315.0")
        .with("mem", mem)
        .with("apps", apps)
        .with("saturated", false);
    let up =
        State { level: Level::Ok, message: "".into(), fields: Fields::default().with("duration_ms", 3.25) };
    let down = State {
        level: Level::Critical,
        message: "Server2 refused the connection".into(),
        fields: Fields::default().with("reason", "refused"),
    };
    let lines = [
        event("qlik.engine.health", Body::Measurement(health)),
        event("target.up", Body::State(up)),
        event("target.up", Body::State(down)),
        user_event("Start session for user: 'LAB\\anna'", "anna"),
    ];
    insta::assert_snapshot!(lines.each_ref().map(plain).join("\n"), @r#"
    2023-11-14T22:13:20.123Z -        qlik.engine.health   {host=sense1 server_group="central node"} version=12.2315.0 mem.committed_mb=412.5390625 mem.free_mb=28671 apps.active_docs=[1a1e4c6b, "two words"] apps.calls=48213 saturated=false
    2023-11-14T22:13:20.123Z ok       target.up            {host=sense1 server_group="central node"} duration_ms=3.25
    2023-11-14T22:13:20.123Z critical target.up            {host=sense1 server_group="central node"} "Server2 refused the connection" reason=refused
    2023-11-14T22:13:20.123Z info     qlik.user_event      {host=sense1 server_group="central node"} "Start session for user: 'LAB\\anna'" user_directory=LAB user_id=anna
    "#);
}

#[test]
fn a_line_on_a_terminal_is_coloured() {
    let down = State {
        level: Level::Critical,
        message: "gone".into(),
        fields: Fields::default().with("reason", "dns"),
    };
    let event = event("target.up", Body::State(down));
    insta::assert_snapshot!(format!("{:?}", Pretty::coloured(&event).to_string()), @r#""\u{1b}[2m2023-11-14T22:13:20.123Z\u{1b}[0m \u{1b}[31mcritical\u{1b}[0m \u{1b}[1mtarget.up           \u{1b}[0m \u{1b}[2m{host=sense1 server_group=\"central node\"}\u{1b}[0m \"gone\" \u{1b}[2mreason=\u{1b}[0mdns""#);
}

#[test]
fn texts_from_outside_cannot_control_the_terminal_or_break_the_line() {
    let evil = user_event("cleared \x1b[2J\r\nforged\u{9b}31m", "an\0na\u{202e}\u{7f}\u{2028}");
    insta::assert_snapshot!(plain(&evil), @r#"2023-11-14T22:13:20.123Z info     qlik.user_event      {host=sense1 server_group="central node"} "cleared \u{1b}[2J\r\nforged\u{9b}31m" user_directory=LAB user_id="an\0na\u{202e}\u{7f}\u{2028}""#);
}

#[test]
fn texts_from_outside_cannot_look_like_another_field() {
    insta::assert_snapshot!(plain(&user_event("", "anna severity=fatal")), @r#"2023-11-14T22:13:20.123Z info     qlik.user_event      {host=sense1 server_group="central node"} user_directory=LAB user_id="anna severity=fatal""#);
    insta::assert_snapshot!(plain(&user_event("\" user_id=admin", "a,b")), @r#"2023-11-14T22:13:20.123Z info     qlik.user_event      {host=sense1 server_group="central node"} "\" user_id=admin" user_directory=LAB user_id="a,b""#);
}

#[test]
fn names_from_outside_are_escaped_too() {
    let fields = Fields::default()
        .with("a b\x1b".to_owned(), 1)
        .with("list", vec![Value::from(Fields::default().with("k=".to_owned(), ""))]);
    let labels = Arc::new(LabelSet::from_iter([("la\nbel".to_owned(), "\x1b]0;title\x07")]));
    let event = Event { labels, ..event("custom", Body::Measurement(fields)) };
    insta::assert_snapshot!(plain(&event), @r#"2023-11-14T22:13:20.123Z -        custom               {"la\nbel"="\u{1b}]0;title\u{7}"} "a b\u{1b}"=1 list=[{"k="=""}]"#);
}

#[test]
fn letters_of_any_language_and_the_backslash_of_a_user_stay_as_they_are() {
    for text in ["Ødegård", "林", "LAB\\anna", "i.jones@partner.example", "NT-10.0", "/app/1a1e?x"] {
        assert_eq!(Word(text).to_string(), text);
    }
    for (text, shown) in [("", r#""""#), ("bo berg", r#""bo berg""#), ("say \"hi\"", r#""say \"hi\"""#)] {
        assert_eq!(Word(text).to_string(), shown);
    }
}
