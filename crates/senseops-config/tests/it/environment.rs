//! The environment as the strongest layer.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use insta::assert_snapshot;
use senseops_config::{Loaded, Problems, load_str};

use crate::plugins::{registry, with};

fn load_with(yaml: &str, variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load_str(&registry(), "sos.yaml", yaml, environment)
}

fn problems_of(variables: &[(&str, &str)]) -> String {
    let yaml = with(
        "  healthcheck: { qlik: { servers: [{ name: a, url: b }] } }\nsinks: { console: { print: {} } }",
    );
    load_with(&yaml, variables).unwrap_err().to_string()
}

#[test]
fn a_variable_sets_a_key_that_no_file_has() {
    let yaml = with("sinks: { influx: { main: { url: x } } }");
    assert!(load_with(&yaml, &[]).is_err());
    let loaded =
        load_with(&yaml, &[("SOS_SINKS__INFLUX__MAIN__DATABASE", "senseops"), ("HOME", "/root")]).unwrap();
    assert_eq!(loaded.plan.sinks.len(), 1);
}

#[test]
fn a_variable_is_a_text_a_number_or_a_switch_as_the_key_wants_it() {
    let yaml = with("sinks: { influx: { main: { url: x, database: y } }, console: { print: {} } }");
    let loaded = load_with(
        &yaml,
        &[
            // All digits, but the key wants a text.
            ("SOS_SINKS__INFLUX__MAIN__DATABASE", "012345"),
            ("SOS_SINKS__INFLUX__MAIN__VERSION", "2"),
            ("SOS_SINKS__INFLUX__MAIN__GZIP", "true"),
            ("SOS_SINKS__CONSOLE__PRINT__ENABLED", "false"),
            ("SOS_SINKS__INFLUX__MAIN__DELIVERY__MAX_EVENTS", "17"),
            ("SOS_SINKS__INFLUX__MAIN__DELIVERY__MAX_AGE", "7s"),
        ],
    )
    .unwrap();
    let [sink] = loaded.plan.sinks.as_slice() else { panic!("{:?}", loaded.plan.sinks) };
    assert_eq!((sink.name.as_str(), sink.delivery.max_events.get()), ("influx.main", 17));
    assert_eq!(sink.delivery.max_age.get().as_secs(), 7);
}

#[test]
fn a_whole_component_can_come_from_the_environment() {
    let loaded =
        load_with("sinks: { console: { print: } }", &[("SOS_SOURCES__UDP__USERS__LISTEN", "127.0.0.1:9997")]);
    assert_eq!(loaded.unwrap().plan.sources[0].name, "udp.users");
}

#[test]
fn a_variable_of_the_wrong_type() {
    assert_snapshot!(problems_of(&[
        ("SOS_SINKS__CONSOLE__PRINT__COLOR", "yes"),
        ("SOS_SINKS__CONSOLE__PRINT__DELIVERY__MAX_EVENTS", "many"),
        ("SOS_SINKS__CONSOLE__PRINT__DELIVERY__MAX_AGE", "5"),
        ("SOS_SINKS__CONSOLE__PRINT__DELIVERY__MAX_IN_FLIGHT", "-1"),
        ("SOS_SOURCES__UDP__USERS__ALLOW", "10.0.0.1"),
    ]), @r#"
    environment variable SOS_SOURCES__UDP__USERS__ALLOW: sources.udp.users.allow: expected a list, found the text "10.0.0.1"; this can only be set in a file, not by an environment variable
    environment variable SOS_SINKS__CONSOLE__PRINT__DELIVERY__MAX_AGE: sinks.console.print.delivery.max_age: "5" is not a duration such as 30s, 5m or 250ms
    environment variable SOS_SINKS__CONSOLE__PRINT__DELIVERY__MAX_EVENTS: sinks.console.print.delivery.max_events: expected a whole number above 0, found the text "many"
    environment variable SOS_SINKS__CONSOLE__PRINT__DELIVERY__MAX_IN_FLIGHT: sinks.console.print.delivery.max_in_flight: expected a whole number above 0, found the number -1
    environment variable SOS_SINKS__CONSOLE__PRINT__COLOR: sinks.console.print.color: expected true or false, found the text "yes"; write true
    "#);
}

#[test]
fn a_variable_for_a_key_that_does_not_exist() {
    assert_snapshot!(problems_of(&[
        ("SOS_SINKS__CONSOLE__PRINT__COLUR", "true"),
        ("SOS_SINK__CONSOLE__PRINT__COLOR", "true"),
        ("SOS_SINKS__INFLUX__MAIN__URL", "x"),
    ]), @"
    environment variable SOS_SINK__CONSOLE__PRINT__COLOR: sink: unknown key; did you mean `sinks`?
    environment variable SOS_SINKS__CONSOLE__PRINT__COLUR: sinks.console.print.colur: unknown key; did you mean `color`?
    environment variable SOS_SINKS__INFLUX__MAIN__URL: sinks.influx.main.database: missing, and there is no default for it
    ");
}

#[test]
fn a_variable_is_not_blamed_for_what_is_missing_in_a_file() {
    let yaml = with("sinks:\n  influx:\n    main: { url: x, username: y }\n");
    let problems = load_with(&yaml, &[("SOS_SINKS__INFLUX__MAIN__PASSWORD", "canary")]).unwrap_err();
    assert_snapshot!(problems, @"sos.yaml:6:5: sinks.influx.main.database: missing, and there is no default for it");
}

#[test]
fn a_variable_that_cannot_be_placed() {
    assert_snapshot!(problems_of(&[
        ("SOS_SOURCES__HEALTHCHECK__QLIK__SERVERS__0__URL", "x"),
        ("SOS_SINKS____CONSOLE", "x"),
        ("SOS_SINKS__CONSOLE__PRINT__COLOR", "true"),
        ("SOS_SINKS__CONSOLE__PRINT__COLOR__RED", "true"),
    ]), @"
    environment variable SOS_SINKS__CONSOLE__PRINT__COLOR__RED: sinks.console.print.color.red: another environment variable sets a part of this key path, or the whole of it, to a text
    environment variable SOS_SINKS____CONSOLE: sinks..console: the name has an empty key; between keys there are two underscores, as in SOS_SINKS__INFLUX__MAIN__URL
    environment variable SOS_SOURCES__HEALTHCHECK__QLIK__SERVERS__0__URL: sources.healthcheck.qlik.servers.0.url: environment variables do not reach into lists; set this in a file
    ");
}

#[test]
fn variables_without_a_key_path_are_left_to_others() {
    let yaml = with("sinks: { console: { print: {} } }");
    assert!(load_with(&yaml, &[("SOS_LOG", "debug"), ("SOS_INFLUX_TOKEN", "x"), ("SOSA__B", "y")]).is_ok());
}
