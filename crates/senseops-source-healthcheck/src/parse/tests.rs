//! What becomes of good, odd and broken documents.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::value::MAX_APPS;
use super::*;

/// An answer of an engine, with values of our own.
const SAMPLE: &str = include_str!("../../tests/fixtures/engine-12.1477-healthcheck.json");

fn names() -> AppNames {
    let names = AppNames::default();
    names.replace([("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f".into(), "Sales, EMEA".into())]);
    names
}

/// The fields and skipped values of a document, one per line.
fn read(body: &[u8]) -> String {
    let health = health(body, &AppNames::default()).unwrap();
    let fields = health.fields.iter().map(|(name, value)| format!("{name} = {value:?}"));
    let skipped = health
        .skipped
        .iter()
        .map(|skipped| format!("- {}: {} {}", skipped.field, skipped.count, skipped.why.as_str()));
    fields.chain(skipped).collect::<Vec<_>>().join("\n")
}

/// The sample with the value at `pointer` replaced, or taken out.
fn changed(pointer: &str, value: Option<Json>) -> Vec<u8> {
    let mut document: Json = serde_json::from_str(SAMPLE).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(key.to_owned(), value),
        None => parent.remove(key),
    };
    serde_json::to_vec(&document).unwrap()
}

#[test]
fn every_field_of_an_engine_is_read() {
    insta::assert_snapshot!(read(SAMPLE.as_bytes()), @r#"
    version = Text("12.1477.0")
    started = Text("20240115T083000.000Z")
    mem = Map({"committed_mb": Float(412.5390625), "allocated_mb": Float(1024.75), "free_mb": Float(28671.1875)})
    cpu = Map({"total_pct": Float(7.0)})
    session = Map({"active": Int(3), "total": Int(12)})
    users = Map({"active": Int(2), "total": Int(9)})
    apps = Map({"active_docs_count": Int(1), "active_docs": List([Text("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f")]), "loaded_docs_count": Int(3), "loaded_docs": List([Text("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f"), Text("2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f"), Text("SessionApp_9f1c")]), "in_memory_docs_count": Int(4), "in_memory_docs": List([Text("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f"), Text("2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f"), Text("3c3e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f"), Text("SessionApp_9f1c")]), "calls": Int(48213), "selections": Int(917)})
    cache = Map({"hits": Int(301), "lookups": Int(420), "added": Int(119), "replaced": Int(4), "bytes_added": Int(8812034)})
    saturated = Bool(false)
    "#);
}

#[test]
fn names_of_apps_stand_beside_their_ids_when_any_are_known() {
    let health = health(SAMPLE.as_bytes(), &names()).unwrap();
    let value = |field: Field| field.of(&health.fields).unwrap();
    insta::assert_snapshot!(value(engine_health::LOADED_DOCS.names), @"[Sales, EMEA, 2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f, SessionApp_9f1c]");
    insta::assert_snapshot!(value(engine_health::LOADED_DOCS.ids), @"[1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f, 2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f, SessionApp_9f1c]");
}

#[test]
fn a_field_that_is_not_as_it_should_be_is_skipped_and_counted() {
    for (pointer, value, expected) in [
        ("/saturated", None, ("saturated", Why::Missing)),
        ("/version", Some(json!(12)), ("version", Why::Type)),
        ("/started", Some(json!("x".repeat(2000))), ("started", Why::TooLong)),
        ("/mem/free", Some(json!(null)), ("mem.free", Why::Null)),
        ("/mem/free", Some(json!("")), ("mem.free", Why::Type)),
        ("/mem/free", Some(json!("NaN")), ("mem.free", Why::Type)),
        ("/mem/free", Some(json!([1])), ("mem.free", Why::Type)),
        ("/cpu/total", Some(json!("a lot")), ("cpu.total", Why::Type)),
        ("/users/total", Some(json!(false)), ("users.total", Why::Type)),
        ("/apps/loaded_docs", Some(json!("none")), ("apps.loaded_docs", Why::Type)),
        ("/apps/calls", Some(json!({})), ("apps.calls", Why::Type)),
        ("/cache/hits", Some(json!(true)), ("cache.hits", Why::Type)),
        ("/saturated", Some(json!("yes")), ("saturated", Why::Type)),
    ] {
        let health = health(&changed(pointer, value.clone()), &AppNames::default()).unwrap();
        let skipped: Vec<_> = health.skipped.iter().map(|skipped| (skipped.field, skipped.why)).collect();
        assert_eq!(skipped, [expected], "{pointer} = {value:?}");
    }
}

#[test]
fn an_object_that_is_missing_misses_all_of_its_fields() {
    let health = health(&changed("/session", Some(json!(null))), &AppNames::default()).unwrap();
    assert_eq!(health.fields.get(engine_health::SESSION), None);
    let skipped: Vec<_> = health.skipped.iter().map(|skipped| (skipped.field, skipped.why)).collect();
    assert_eq!(skipped, [("session.active", Why::Null), ("session.total", Why::Null)]);
}

#[test]
fn numbers_are_taken_as_they_come() {
    let document = json!({
        "mem": { "comitted": 7, "allocated": "12", "free": " -0.5 " },
        "cpu": { "total": -3 },
        "session": { "active": 2.5, "total": "1e3" },
        "users": { "active": -1, "total": 4.0 },
        "cache": { "hits": -5, "bytes_added": -2_068_853_448, "added": "3", "replaced": 1e300, "lookups": -0.5 },
    });
    insta::assert_snapshot!(read(document.to_string().as_bytes()), @r#"
    mem = Map({"committed_mb": Float(7.0), "allocated_mb": Float(12.0), "free_mb": Float(-0.5)})
    cpu = Map({"total_pct": Float(-3.0)})
    session = Map({"active": Float(2.5), "total": Int(1000)})
    users = Map({"active": Int(-1), "total": Int(4)})
    cache = Map({"hits": Int(-5), "lookups": Float(-0.5), "added": Int(3), "replaced": Float(1e300), "bytes_added": Int(-2068853448)})
    - version: 1 missing
    - started: 1 missing
    - apps.active_docs: 1 missing
    - apps.loaded_docs: 1 missing
    - apps.in_memory_docs: 1 missing
    - apps.calls: 1 missing
    - apps.selections: 1 missing
    - saturated: 1 missing
    "#);
}

#[test]
fn whole_numbers_that_no_float_can_say_stay_exact() {
    let body = br#"{
        "mem": { "committed": 9007199254740993, "allocated": "-9007199254740993", "free": 9007199254740992 },
        "apps": { "calls": 9223372036854775807, "selections": 18446744073709551615 },
        "cache": { "hits": 9007199254740993, "lookups": 18446744073709551616 }
    }"#;
    let health = health(body, &AppNames::default()).unwrap();
    insta::assert_snapshot!(health.fields, @"mem={committed_mb=9007199254740993 allocated_mb=-9007199254740993 free_mb=9007199254740992} apps={calls=9223372036854775807 selections=18446744073709551615} cache={hits=9007199254740993 lookups=18446744073709552000}");
}

/// A fraction is the nearest float, to the last digit, since it is published with all of them.
#[test]
fn numbers_with_decimals_are_read_to_the_last_digit() {
    let body = br#"{"mem": {"free": 31.245270191439438, "allocated": "31.245270191439438"}}"#;
    let health = health(body, &AppNames::default()).unwrap();
    insta::assert_snapshot!(health.fields, @"mem={allocated_mb=31.245270191439438 free_mb=31.245270191439438}");
}

#[test]
fn ids_that_are_none_are_counted_and_the_others_kept() {
    let apps = json!(["a", 5, null, "b", ["c"], "", "x".repeat(2000)]);
    let health = health(&changed("/apps/active_docs", Some(apps)), &names()).unwrap();
    for field in [engine_health::ACTIVE_DOCS.ids, engine_health::ACTIVE_DOCS.names] {
        assert_eq!(field.of(&health.fields).unwrap().to_string(), "[a, b, ]");
    }
    assert_eq!(engine_health::ACTIVE_DOCS.count.of(&health.fields), Some(&7.into()));
    let field = "apps.active_docs";
    assert_eq!(
        health.skipped,
        [Skipped { field, why: Why::TooLong, count: 1 }, Skipped { field, why: Why::Type, count: 3 }]
    );
}

#[test]
fn of_a_list_beyond_all_measure_the_begin_is_kept_and_all_of_it_counted() {
    let apps = Json::from(vec!["a"; MAX_APPS + 7]);
    let health = health(&changed("/apps/loaded_docs", Some(apps)), &AppNames::default()).unwrap();
    let Some(Value::List(kept)) = engine_health::LOADED_DOCS.ids.of(&health.fields) else {
        panic!("no list")
    };
    assert_eq!(kept.len(), MAX_APPS);
    assert_eq!(engine_health::LOADED_DOCS.count.of(&health.fields), Some(&10_007.into()));
    assert_eq!(health.skipped, [Skipped { field: "apps.loaded_docs", why: Why::TooLong, count: 7 }]);
}

#[test]
fn a_number_beyond_all_measure_spoils_only_its_own_field() {
    let body = br#"{"mem": {"free": 1e999, "allocated": 7}, "apps": {"active_docs": ["a", 1e999]}, "saturated": true}"#;
    let health = health(body, &AppNames::default()).unwrap();
    let kept: Vec<_> = health.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    insta::assert_snapshot!(kept.join(" "), @"mem={allocated_mb=7} apps={active_docs_count=2 active_docs=[a]} saturated=true");
    for field in ["mem.free", "apps.active_docs"] {
        assert!(health.skipped.contains(&Skipped { field, why: Why::Type, count: 1 }), "{field}");
    }
}

#[test]
fn what_is_no_health_document_is_told_apart() {
    let refused = |body: &[u8]| health(body, &AppNames::default()).unwrap_err().to_string();
    insta::assert_snapshot!(refused(b""), @"nothing");
    insta::assert_snapshot!(refused(b"\xef\xbb\xbf\r\n <!DOCTYPE html><html>"), @"a web page, most likely a login page, instead of JSON");
    insta::assert_snapshot!(refused(&SAMPLE.as_bytes()[..200]), @"JSON that breaks off");
    insta::assert_snapshot!(refused(b"{\"version\": \"12\",\n \"cpu\": NaN}"), @"something that is not JSON");
    insta::assert_snapshot!(refused(b"{\"version\": \"\xff\"}"), @"something that is not JSON");
    insta::assert_snapshot!(refused("{\"version\":".repeat(100_000).as_bytes()), @"JSON that breaks off");
    insta::assert_snapshot!(refused("[".repeat(100_000).as_bytes()), @"JSON, but none of the fields of the health API");
    insta::assert_snapshot!(refused(b"[]"), @"JSON, but none of the fields of the health API");
    insta::assert_snapshot!(refused(b"{\"status\": \"ok\"}"), @"JSON, but none of the fields of the health API");
}

/// Any JSON, and often one with the keys that engines send.
fn arbitrary_json() -> impl Strategy<Value = Json> {
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[-0-9.e]{0,8}".prop_map(Json::from),
        ".{0,12}".prop_map(Json::from),
    ];
    let key = prop::sample::select(vec![
        "version",
        "started",
        "mem",
        "cpu",
        "session",
        "users",
        "apps",
        "cache",
        "saturated",
        "committed",
        "free",
        "total",
        "active",
        "active_docs",
        "calls",
        "hits",
        "bytes_added",
        "other",
    ]);
    scalar.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(health(&body, &names()));
    }

    #[test]
    fn cut_documents_never_panic(end in 0..SAMPLE.len(), flipped in 0..SAMPLE.len(), to in any::<u8>()) {
        let mut body = SAMPLE.as_bytes().to_vec();
        body[flipped] = to;
        drop(health(&body, &names()));
        body.truncate(end);
        drop(health(&body, &names()));
    }

    #[test]
    fn every_value_is_either_kept_or_counted(document in arbitrary_json()) {
        let Ok(health) = health(document.to_string().as_bytes(), &AppNames::default()) else { return Ok(()) };
        let grouped = GROUPS.iter().flat_map(|(_, leaves)| leaves.iter());
        for leaf in [&VERSION, &STARTED, &SATURATED].into_iter().chain(grouped) {
            let counted = health.skipped.iter().any(|skipped| skipped.field == leaf.path);
            let kept = leaf.field.of(&health.fields).is_some();
            // Of a list, some may be kept and others counted.
            let may_be_both = matches!(leaf.shape, Shape::Apps(_));
            prop_assert!(kept != counted || (may_be_both && kept), "{} in {document}", leaf.path);
        }
    }
}
