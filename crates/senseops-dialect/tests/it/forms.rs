//! The mechanical form, and what the operator chooses.

use std::sync::Arc;

use senseops_core::{Body, Event, Fields, Kind, LabelSet, Level, Record, Severity, State, Timestamp, Value};
use senseops_dialect::{IncludedDocs, InfluxDialect, Naming};

use crate::shown::{points, shown};

fn event(kind: &'static str, body: Body) -> Event {
    let labels = Arc::new(LabelSet::from_iter([("zone", "3"), ("host", "sense1"), ("empty", "")]));
    Event::new(Kind::new(kind), &labels, body).at(Timestamp::from_nanos(0))
}

fn written(event: &Event) -> String {
    shown(&points(InfluxDialect::default(), event))
}

fn apps() -> Event {
    let list = |texts: &[&str]| Value::List(texts.iter().map(|text| Value::from(*text)).collect());
    let apps = Fields::default()
        .with("active_docs", list(&["1", "SessionApp_2"]))
        .with("active_docs_names", list(&["Sales", "SessionApp_2"]))
        .with("loaded_docs", list(&["1"]));
    let memory = Fields::default().with("free_mb", -0.5).with("allocated_mb", f64::NAN);
    event("qlik.engine.health", Body::Measurement(Fields::default().with("apps", apps).with("mem", memory)))
}

#[test]
fn a_kind_without_a_table_keeps_its_names() {
    let disk = Fields::default().with("free_pct", 12.5).with("mounts", vec!["a".into(), 1_i64.into()]);
    let fields = Fields::default()
        .with("up", true)
        .with("large", u64::MAX)
        .with("lost", f64::INFINITY)
        .with("disk", disk)
        .with("severity", "not this one");
    let record = Record { severity: Severity::Warning, message: "it broke".into(), fields };
    insta::assert_snapshot!(written(&event("third.party", Body::Record(record))), @r#"third_party host="sense1" zone="3" | disk_free_pct Float(12.5) | disk_mounts Text("a,1") | large Int(9223372036854775807) | message Text("it broke") | severity Text("warning") | up Bool(true)"#);
}

#[test]
fn a_state_has_a_level_to_read_and_one_to_compare() {
    for (level, code) in [(Level::Ok, 0), (Level::Warning, 1), (Level::Critical, 2), (Level::Unknown, 3)] {
        let state = State { level, message: "".into(), fields: Fields::default().with("duration_ms", 1.5) };
        assert_eq!(
            written(&event("target.up", Body::State(state))),
            format!(
                "target_up host=\"sense1\" zone=\"3\" | duration_ms Float(1.5) | level Text(\"{level}\") | level_code Int({code})\n"
            )
        );
    }
}

#[test]
fn an_event_without_a_usable_field_is_no_point() {
    assert_eq!(
        written(&event("third.party", Body::Measurement(Fields::default().with("lost", f64::NAN)))),
        ""
    );
    assert_eq!(written(&event("qlik.engine.health", Body::Measurement(Fields::default()))), "");
}

#[test]
fn lists_of_apps_are_written_when_they_are_included() {
    insta::assert_snapshot!(written(&apps()), @r#"
    mem host="sense1" zone="3" | free Int(-1)
    apps host="sense1" zone="3" | active_docs Text("") | active_docs_count Int(2) | active_docs_names Text("") | active_session_docs_names Text("") | loaded_docs Text("") | loaded_docs_count Int(1) | loaded_docs_names Text("") | loaded_session_docs_names Text("")
    "#);
    let include = IncludedDocs { active_docs: true, loaded_docs: true, ..IncludedDocs::default() };
    let dialect = InfluxDialect { include, ..InfluxDialect::default() };
    insta::assert_snapshot!(shown(&points(dialect, &apps())), @r#"
    mem host="sense1" zone="3" | free Int(-1)
    apps host="sense1" zone="3" | active_docs Text("1,SessionApp_2") | active_docs_count Int(2) | active_docs_names Text("\"Sales\"") | active_session_docs_names Text("\"SessionApp_2\"") | loaded_docs Text("1") | loaded_docs_count Int(1) | loaded_docs_names Text("") | loaded_session_docs_names Text("")
    "#);
}

#[test]
fn native_naming_is_the_mechanical_form_for_every_kind() {
    let dialect = InfluxDialect { naming: Naming::Native, ..InfluxDialect::default() };
    insta::assert_snapshot!(shown(&points(dialect, &apps())), @r#"qlik_engine_health host="sense1" zone="3" | apps_active_docs Text("1,SessionApp_2") | apps_active_docs_names Text("Sales,SessionApp_2") | apps_loaded_docs Text("1") | mem_free_mb Float(-0.5)"#);
}

#[test]
fn an_event_wins_over_a_configured_label_of_the_same_name() {
    let record = Record {
        severity: Severity::Info,
        message: "".into(),
        fields: Fields::default().with("host", "pro2-win1").with("user_id", "anna"),
    };
    insta::assert_snapshot!(written(&event("qlik.user_event", Body::Record(record))), @r#"user_events host="pro2-win1" userFull="anna" userId="anna" zone="3" | userFull Text("anna") | userId Text("anna")"#);
}

#[test]
fn a_naming_is_written_as_the_product_it_comes_from() {
    let naming = |text: &str| serde_json::from_value::<Naming>(text.into());
    assert_eq!(naming("butler-sos").unwrap(), Naming::default());
    assert_eq!(naming("butler-sos-2").unwrap(), Naming::ButlerSos2);
    insta::assert_snapshot!(naming("butler").unwrap_err(), @"unknown variant `butler`, expected one of `butler-sos`, `butler-sos-9`, `butler-sos-2`, `native`");
}
