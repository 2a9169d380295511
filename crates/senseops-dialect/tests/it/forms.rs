//! The mechanical form, and what the operator chooses.

use std::sync::Arc;

use senseops_core::{Body, Event, Fields, Kind, LabelSet, Level, Record, Severity, State, Timestamp, Value};
use senseops_dialect::{IncludedDocs, InfluxDialect, Naming};
use senseops_qlik::kinds::{engine_health, target_up, user_event};

use crate::shown::{fields, points, shown};

const THIRD_PARTY: Kind = Kind::new("third.party");

fn event(kind: Kind, body: Body) -> Event {
    let labels = Arc::new(LabelSet::from_iter([("zone", "3"), ("host", "sense1"), ("empty", "")]));
    Event::new(kind, &labels, body).at(Timestamp::from_nanos(0))
}

fn written(event: &Event) -> String {
    shown(&points(InfluxDialect::default(), event))
}

fn apps() -> Event {
    let list = |texts: &[&str]| Value::List(texts.iter().map(|text| Value::from(*text)).collect());
    let values = [
        (engine_health::ACTIVE_DOCS.count, 2.into()),
        (engine_health::LOADED_DOCS.count, 1.into()),
        (engine_health::ACTIVE_DOCS.ids, list(&["1", "SessionApp_2"])),
        (engine_health::ACTIVE_DOCS.names, list(&["Sales", "SessionApp_2"])),
        (engine_health::LOADED_DOCS.ids, list(&["1"])),
        (engine_health::FREE_MB, (-0.5).into()),
        (engine_health::ALLOCATED_MB, f64::NAN.into()),
    ];
    event(engine_health::KIND, Body::Measurement(fields(values)))
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
    insta::assert_snapshot!(written(&event(THIRD_PARTY, Body::Record(record))), @r#"third_party host="sense1" zone="3" | disk_free_pct Float(12.5) | disk_mounts Text("a,1") | large Int(9223372036854775807) | message Text("it broke") | severity Text("warning") | up Bool(true)"#);
}

#[test]
fn a_state_has_a_level_to_read_and_one_to_compare() {
    for (level, code) in [(Level::Ok, 0), (Level::Warning, 1), (Level::Critical, 2), (Level::Unknown, 3)] {
        let state =
            State { level, message: "".into(), fields: fields([(target_up::DURATION_MS, 1.5.into())]) };
        assert_eq!(
            written(&event(target_up::KIND, Body::State(state))),
            format!(
                "target_up host=\"sense1\" zone=\"3\" | duration_ms Float(1.5) | level Text(\"{level}\") | level_code Int({code})\n"
            )
        );
    }
}

#[test]
fn an_event_without_a_usable_field_is_no_point() {
    assert_eq!(written(&event(THIRD_PARTY, Body::Measurement(Fields::default().with("lost", f64::NAN)))), "");
    let native = InfluxDialect { naming: Naming::Native, ..InfluxDialect::default() };
    assert_eq!(points(native, &event(engine_health::KIND, Body::Measurement(Fields::default()))), []);
}

#[test]
fn lists_of_apps_are_written_when_they_are_included() {
    insta::assert_snapshot!(written(&apps()), @r#"
    sense_server host="sense1" zone="3" | uptime Text("")
    mem host="sense1" zone="3" | free Int(-1)
    apps host="sense1" zone="3" | active_docs Text("") | active_docs_count Int(2) | active_docs_names Text("") | active_session_docs_names Text("") | loaded_docs Text("") | loaded_docs_count Int(1) | loaded_docs_names Text("") | loaded_session_docs_names Text("")
    "#);
    let include = IncludedDocs { active_docs: true, loaded_docs: true, ..IncludedDocs::default() };
    let dialect = InfluxDialect { include, ..InfluxDialect::default() };
    insta::assert_snapshot!(shown(&points(dialect, &apps())), @r#"
    sense_server host="sense1" zone="3" | uptime Text("")
    mem host="sense1" zone="3" | free Int(-1)
    apps host="sense1" zone="3" | active_docs Text("1,SessionApp_2") | active_docs_count Int(2) | active_docs_names Text("\"Sales\"") | active_session_docs_names Text("\"SessionApp_2\"") | loaded_docs Text("1") | loaded_docs_count Int(1) | loaded_docs_names Text("") | loaded_session_docs_names Text("")
    "#);
}

#[test]
fn the_number_of_apps_is_that_of_the_engine_not_that_of_the_list() {
    let values = [
        (engine_health::LOADED_DOCS.count, 10_007.into()),
        (engine_health::LOADED_DOCS.ids, Value::from(vec!["1".into()])),
    ];
    insta::assert_snapshot!(written(&event(engine_health::KIND, Body::Measurement(fields(values)))), @r#"
    sense_server host="sense1" zone="3" | uptime Text("")
    apps host="sense1" zone="3" | loaded_docs Text("") | loaded_docs_count Int(10007) | loaded_docs_names Text("") | loaded_session_docs_names Text("")
    "#);
}

#[test]
fn an_engine_that_does_not_say_when_it_was_started_has_an_empty_uptime() {
    let event =
        event(engine_health::KIND, Body::Measurement(fields([(engine_health::VERSION, "12".into())])));
    for naming in [Naming::ButlerSos, Naming::ButlerSos9, Naming::ButlerSos2] {
        let point = points(InfluxDialect { naming, ..InfluxDialect::default() }, &event).remove(0);
        let named: Vec<_> = point.fields.iter().map(|(name, value)| format!("{name} {value:?}")).collect();
        assert_eq!(named, [r#"uptime Text("")"#, r#"version Text("12")"#], "{naming:?}");
    }
}

#[test]
fn numbers_lose_no_more_than_the_database_demands() {
    let values = [
        (engine_health::FREE_MB, 9_007_199_254_740_993_i64.into()),
        (engine_health::ALLOCATED_MB, (-0.5).into()),
        (engine_health::COMMITTED_MB, u64::MAX.into()),
    ];
    insta::assert_snapshot!(written(&event(engine_health::KIND, Body::Measurement(fields(values)))), @r#"
    sense_server host="sense1" zone="3" | uptime Text("")
    mem host="sense1" zone="3" | allocated Int(-1) | comitted Int(9223372036854775807) | free Int(9007199254740993)
    "#);
}

#[test]
fn native_naming_is_the_mechanical_form_for_every_kind() {
    let dialect = InfluxDialect { naming: Naming::Native, ..InfluxDialect::default() };
    insta::assert_snapshot!(shown(&points(dialect, &apps())), @r#"qlik_engine_health host="sense1" zone="3" | apps_active_docs Text("1,SessionApp_2") | apps_active_docs_count Int(2) | apps_active_docs_names Text("Sales,SessionApp_2") | apps_loaded_docs Text("1") | apps_loaded_docs_count Int(1) | mem_free_mb Float(-0.5)"#);
}

#[test]
fn an_event_wins_over_a_configured_label_of_the_same_name() {
    let record = Record {
        severity: Severity::Info,
        message: "".into(),
        fields: fields([(user_event::HOST, "pro2-win1".into()), (user_event::USER_ID, "anna".into())]),
    };
    insta::assert_snapshot!(written(&event(user_event::KIND, Body::Record(record))), @r#"user_events host="pro2-win1" userFull="anna" userId="anna" zone="3" | userFull Text("anna") | userId Text("anna")"#);
}

#[test]
fn a_naming_is_written_as_the_product_it_comes_from() {
    let naming = |text: &str| serde_json::from_value::<Naming>(text.into());
    assert_eq!(naming("butler-sos").unwrap(), Naming::default());
    assert_eq!(naming("butler-sos-2").unwrap(), Naming::ButlerSos2);
    insta::assert_snapshot!(naming("butler").unwrap_err(), @"unknown variant `butler`, expected one of `butler-sos`, `butler-sos-9`, `butler-sos-2`, `native`");
}
