//! Every recorded point of Butler SOS, under its generation: equal, or different for a reason that is a row of
//! `docs/compatibility.md`.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::sync::Arc;

use senseops_core::{Body, Event, Fields, LabelSet, Record, Severity, Timestamp, Value};
use senseops_dialect::{IncludedDocs, InfluxDialect, Naming};
use senseops_qlik::kinds::{Field, engine_health, server, user_event};
use senseops_testkit::line_protocol::{self, FieldValue, Point};

use crate::shown::{fields, points, shown};

const VECTORS: &str = include_str!("../fixtures/butler-sos-influx1.jsonl");

/// 2026-11-20T14:57:30Z, at which the engine of the vectors has run for 1040 days.
const NOW: Timestamp = Timestamp::from_nanos(1_795_186_650_000_000_000);

struct Vector {
    naming: Naming,
    input: serde_json::Value,
    lines: Vec<String>,
}

fn vector(id: &str, version: &str) -> Vector {
    let rows = VECTORS.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut row = rows.into_iter().find(|row| row["id"] == id && row["version"] == version).unwrap();
    let naming = match version {
        "2.1.1" => Naming::ButlerSos2,
        "9.2.0" => Naming::ButlerSos9,
        "N1" => Naming::ButlerSos,
        other => panic!("no generation wrote {other}"),
    };
    Vector {
        naming,
        input: row["input"].take(),
        lines: serde_json::from_value(row["expected"].take()).unwrap(),
    }
}

fn dialect(naming: Naming) -> InfluxDialect {
    let include = IncludedDocs { active_docs: true, loaded_docs: true, in_memory_docs: true };
    InfluxDialect { naming, include }
}

/// What was recorded, with the placeholder of the uptime filled in.
fn recorded(lines: &[String]) -> Vec<Point> {
    let uptime = "1040 days, 6h 27m 30s";
    lines
        .iter()
        .map(|line| line_protocol::parse(&line.replace("<D> days, <H>h <MM>m <SS>s", uptime)).unwrap())
        .collect()
}

/// Where an answer has what, beside the lists of apps.
const ANSWERS: &[(&str, Field)] = &[
    ("/version", engine_health::VERSION),
    ("/started", engine_health::STARTED),
    ("/mem/committed", engine_health::COMMITTED_MB),
    ("/mem/allocated", engine_health::ALLOCATED_MB),
    ("/mem/free", engine_health::FREE_MB),
    ("/cpu/total", engine_health::TOTAL_PCT),
    ("/session/active", engine_health::ACTIVE_SESSIONS),
    ("/session/total", engine_health::TOTAL_SESSIONS),
    ("/users/active", engine_health::ACTIVE_USERS),
    ("/users/total", engine_health::TOTAL_USERS),
    ("/apps/calls", engine_health::CALLS),
    ("/apps/selections", engine_health::SELECTIONS),
    ("/cache/hits", engine_health::HITS),
    ("/cache/lookups", engine_health::LOOKUPS),
    ("/cache/added", engine_health::ADDED),
    ("/cache/replaced", engine_health::REPLACED),
    ("/cache/bytes_added", engine_health::BYTES_ADDED),
    ("/saturated", engine_health::SATURATED),
];

/// The event that the healthcheck source makes of an answer.
pub(crate) fn health(answer: &serde_json::Value, labels: &[(&'static str, &str)]) -> Event {
    let mut found: Vec<(Field, Value)> = ANSWERS
        .iter()
        .filter_map(|(pointer, field)| Some((*field, scalar(answer.pointer(pointer)?))))
        .collect();
    for (pointer, docs) in [
        ("/apps/active_docs", engine_health::ACTIVE_DOCS),
        ("/apps/loaded_docs", engine_health::LOADED_DOCS),
        ("/apps/in_memory_docs", engine_health::IN_MEMORY_DOCS),
    ] {
        if let Some(ids) = answer.pointer(pointer).map(scalar) {
            found.extend([(docs.count, count(&ids)), (docs.names, names(&ids)), (docs.ids, ids)]);
        }
    }
    let labels = Arc::new(labels.iter().copied().collect::<LabelSet>());
    Event::new(engine_health::KIND, &labels, Body::Measurement(fields(found))).at(NOW)
}

fn count(ids: &Value) -> Value {
    let Value::List(ids) = ids else { panic!("{ids} is no list") };
    Value::Int(ids.len().try_into().unwrap())
}

/// The names of the apps with these ids.
fn names(ids: &Value) -> Value {
    let Value::List(ids) = ids else { panic!("{ids} is no list") };
    let name = |id: &Value| match id.as_str().unwrap() {
        "1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f" => "Sales, EMEA".into(),
        "2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f" => "HR \"core\"".into(),
        _ => id.clone(),
    };
    Value::List(ids.iter().map(name).collect())
}

fn scalar(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Bool(value) => (*value).into(),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| number.as_f64().unwrap().into(), Value::Int)
        }
        // A numeric text counts as a number.
        serde_json::Value::String(text) => {
            text.parse::<f64>().map_or_else(|_| text.as_str().into(), Value::Float)
        }
        serde_json::Value::Array(values) => Value::List(values.iter().map(scalar).collect()),
        other @ (serde_json::Value::Null | serde_json::Value::Object(_)) => panic!("no source emits {other}"),
    }
}

pub(crate) const LABELS: &[(&str, &str)] = &[
    (server::HOST, "localhost"),
    (server::DESCRIPTION, "Central node"),
    ("server_group", "DEV"),
    (server::NAME, "Server 1"),
];

/// The event that the UDP source makes of a datagram; the app and browser fields are given.
pub(crate) fn user_event(datagram: &str, found: &[(Field, &str)]) -> Event {
    let names = [
        user_event::MESSAGE_TYPE,
        user_event::HOST,
        user_event::COMMAND,
        user_event::USER_DIRECTORY,
        user_event::USER_ID,
        user_event::ORIGIN,
        user_event::CONTEXT,
    ];
    let mut parts = datagram.splitn(8, ';').map(|part| part.replace(|c: char| c.is_control(), ""));
    let mut fields = Fields::default();
    for (field, part) in names.into_iter().zip(&mut parts) {
        let part: String = part.chars().take(100).collect();
        let is_type = field == user_event::MESSAGE_TYPE;
        fields.push(field.name(), if is_type { part.replace('/', "").to_lowercase() } else { part });
    }
    for (field, text) in found {
        fields.push(field.name(), *text);
    }
    let record =
        Record { severity: Severity::Info, message: parts.next().unwrap_or_default().into(), fields };
    let labels = Arc::new(LabelSet::from_iter([("qs_env", "dev")]));
    Event::new(user_event::KIND, &labels, Body::Record(record)).at(NOW)
}

#[track_caller]
fn assert_equal(ours: &[Point], recorded: &[Point]) {
    assert_eq!(shown(ours), shown(recorded));
}

#[test]
fn health_points_are_those_of_each_generation() {
    for (id, version) in
        [("H1", "9.2.0"), ("H1", "N1"), ("H2", "N1"), ("H3", "N1"), ("H4", "N1"), ("H9", "N1")]
    {
        let vector = vector(id, version);
        let event = health(&vector.input, LABELS);
        assert_equal(&points(dialect(vector.naming), &event), &recorded(&vector.lines));
    }
}

#[test]
fn version_2_knows_a_server_by_its_name_alone() {
    let vector = vector("H1", "2.1.1");
    let event = health(&vector.input, &[(server::HOST, "pro2-win1.lab"), (server::NAME, "sense1")]);
    assert_equal(&points(dialect(vector.naming), &event), &recorded(&vector.lines));
}

#[test]
fn version_2_keeps_tags_that_it_could_not_have() {
    let event = health(&vector("H1", "2.1.1").input, &[(server::NAME, "sense1"), ("zone", "3")]);
    let tags: Vec<_> =
        points(dialect(Naming::ButlerSos2), &event).into_iter().map(|point| point.tags).collect();
    assert!(
        tags.iter().all(|tags| tags["host"] == "sense1" && tags["zone"] == "3" && tags.len() == 2),
        "{tags:?}"
    );
}

/// H5 and H6: one missing value cost the original the whole sample.
#[test]
fn a_missing_value_costs_only_itself() {
    let complete = recorded(&vector("H1", "N1").lines);
    let incomplete = vector("H5", "N1");
    let expected: Vec<_> = complete
        .iter()
        .filter(|point| !["cache", "saturated"].contains(&point.measurement.as_str()))
        .cloned()
        .collect();
    assert_equal(&points(dialect(Naming::ButlerSos), &health(&incomplete.input, LABELS)), &expected);
    assert_equal(&recorded(&incomplete.lines), &[]);

    let incomplete = vector("H6", "N1");
    let mut expected = complete;
    for point in &mut expected {
        point.fields.retain(|name, _| !name.starts_with("in_memory"));
    }
    assert_equal(&points(dialect(Naming::ButlerSos), &health(&incomplete.input, LABELS)), &expected);
    assert_equal(&recorded(&incomplete.lines), &[]);
}

/// H10: the original wrote the text `undefined`, which no server takes.
#[test]
fn what_no_server_takes_is_not_written() {
    let vector = vector("H10", "N1");
    let (refused, taken): (Vec<_>, Vec<_>) =
        vector.lines.into_iter().partition(|line| line.contains("undefined"));
    assert_eq!(refused.len(), 1);
    assert_equal(&points(dialect(vector.naming), &health(&vector.input, LABELS)), &recorded(&taken));
}

#[test]
fn user_events_are_those_of_each_generation() {
    let chrome = [
        (user_event::BROWSER_NAME, "Chrome"),
        (user_event::BROWSER_MAJOR_VERSION, "119"),
        (user_event::OS_NAME, "Windows"),
        (user_event::OS_VERSION, "NT 10.0"),
    ];
    let edge = [
        (user_event::APP_ID, "1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f"),
        (user_event::APP_NAME, "Sales, EMEA"),
        (user_event::BROWSER_NAME, "Microsoft Edge"),
        (user_event::BROWSER_MAJOR_VERSION, "119"),
        (user_event::OS_NAME, "Windows"),
        (user_event::OS_VERSION, "NT 10.0"),
    ];
    let unknown_app = [(user_event::APP_ID, "9f9e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f")];
    let found: [(&str, &[(Field, &str)]); 4] =
        [("U1", &chrome), ("U2", &edge), ("U3", &unknown_app), ("U9", &[])];
    for (id, found) in found {
        for version in ["9.2.0", "N1"] {
            let vector = vector(id, version);
            let event = user_event(vector.input.as_str().unwrap(), found);
            assert_equal(&points(dialect(vector.naming), &event), &recorded(&vector.lines));
        }
    }
    // The older generation did not remove control characters, so no server took what it wrote.
    let vector = vector("U11", "N1");
    let event = user_event(vector.input.as_str().unwrap(), &[]);
    assert_equal(&points(dialect(vector.naming), &event), &recorded(&vector.lines));
}

/// U4, U5, U8: the newest generation drops these, and no server took what the older one wrote.
#[test]
fn a_user_event_is_stored_without_the_tags_it_has_no_text_for() {
    for naming in [Naming::ButlerSos, Naming::ButlerSos9] {
        let stored = ["U4", "U5", "U8"].map(|id| {
            let event = user_event(vector(id, "N1").input.as_str().unwrap(), &[]);
            shown(&points(dialect(naming), &event))
        });
        insta::allow_duplicates! {
            insta::assert_snapshot!(stored.concat(), @r#"
            user_events event_action="Stop session" host="pro2-win1" qs_env="dev" userDirectory="LAB" userFull="LAB\\anna" userId="anna" | userFull Text("LAB\\anna") | userId Text("anna")
            user_events event_action="Start session" host="pro2-win1" qs_env="dev" | userId Text("")
            user_events event_action="Start session" host="pro2-win1" origin="Not available" qs_env="dev" | userId Text("")
            "#);
        }
    }
    for id in ["U4", "U5", "U8"] {
        assert_equal(&recorded(&vector(id, "N1").lines), &[]);
        let lines = vector(id, "9.2.0").lines;
        assert!(lines.iter().all(|line| line_protocol::parse(line).is_err()), "{lines:?}");
    }
}

#[test]
fn a_user_without_directory_is_known_by_the_id_alone() {
    let event = user_event("/qseow-proxy-session/;pro2-win1;Start session;;anna;HubAccess;", &[]);
    let point = points(dialect(Naming::ButlerSos), &event).remove(0);
    assert_eq!(point.fields["userFull"], FieldValue::Text("anna".into()));
    assert_eq!(point.tags.get("userDirectory"), None);
}
