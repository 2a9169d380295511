//! What editors are told, and whether it is what the program says.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use insta::assert_snapshot;
use serde_json::Value;

use crate::plugins::registry;

fn schema() -> Value {
    serde_json::from_str(&registry().schema()).unwrap()
}

fn at(pointer: &str) -> String {
    schema().pointer(pointer).unwrap().to_string()
}

#[test]
fn a_component_has_the_keys_of_its_plugin_and_those_of_the_engine() {
    let component = "/properties/sinks/properties/influx/additionalProperties";
    let keys: Vec<String> = schema()
        .pointer(&format!("{component}/properties"))
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_snapshot!(keys.join(" "), @"database delivery enabled gzip naming only password url username version");
    assert_snapshot!(at(&format!("{component}/required")), @r#"["url","database"]"#);
    assert_snapshot!(at(&format!("{component}/properties/naming")), @r##"{"anyOf":[{"$ref":"#/$defs/Naming"},{"type":"null"}]}"##);
    assert_snapshot!(at("/$defs/Naming"), @r#"{"enum":["butler-sos","native"],"type":"string"}"#);
}

#[test]
fn values_with_units_have_a_pattern_and_defaults_are_said() {
    assert_snapshot!(at("/$defs/Duration"), @r#"{"description":"A length of time with its unit, such as 250ms, 30s, 5m, 1h 30m or 7d.","pattern":"^\\s*([0-9]+(\\.[0-9]+)?\\s*(ns|nsec|nanos|us|usec|µs|micros|ms|msec|millis|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?|M|months?|y|yrs?|years?)\\s*)+$","type":"string"}"#);
    assert_snapshot!(at("/$defs/Delivery/properties/timeout"), @r##"{"anyOf":[{"$ref":"#/$defs/Duration"},{"type":"null"}],"default":"30s","description":"The longest that one write may take. Default 30s."}"##);
}

#[test]
fn a_plugin_without_a_schema_may_have_any_key() {
    assert_snapshot!(at("/properties/sinks/properties/console/additionalProperties"), @r##"{"properties":{"delivery":{"anyOf":[{"$ref":"#/$defs/Delivery"},{"type":"null"}],"description":"How events are delivered."},"enabled":{"default":true,"description":"Whether it is there at all.","type":["boolean","null"]},"only":{"anyOf":[{"$ref":"#/$defs/Only"},{"type":"null"}],"description":"The events that it gets."}},"type":["object","null"]}"##);
}
