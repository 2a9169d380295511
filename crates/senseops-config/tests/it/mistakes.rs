//! The sentences that people read after typical mistakes with keys and values.

use insta::assert_snapshot;

use crate::plugins::{loaded, problems_of, with};

#[test]
fn a_wrong_type() {
    assert_snapshot!(problems_of(&with("sinks: { influx: { main: { url: x, database: y, version: one } } }")), @r#"sos.yaml:4:58: sinks.influx.main.version: expected a whole number from 0 to 255, found the text "one""#);
}

#[test]
fn a_number_where_text_is_expected() {
    assert_snapshot!(problems_of(&with("sinks: { influx: { main: { url: x, database: 012345 } } }")), @r#"sos.yaml:4:46: sinks.influx.main.database: expected a text, found the number 012345; put it in quotes: "012345""#);
}

#[test]
fn a_label_without_a_name() {
    assert_snapshot!(problems_of("
pipeline: { labels: { '': prod } }
sources: { udp: { users: { listen: '127.0.0.1:9997', labels: { zone: 3, ' ': x } } } }
"), @"
    sos.yaml:2:13: pipeline.labels: a label must have a name
    sos.yaml:3:54: sources.udp.users.labels: a label must have a name
    ");
}

#[test]
fn a_number_out_of_range() {
    assert_snapshot!(problems_of(&with("sinks: { influx: { main: { url: x, database: y, version: 1000 } } }")), @"sos.yaml:4:58: sinks.influx.main.version: expected a whole number from 0 to 255, found the number 1000");
}

#[test]
fn a_misspelled_key() {
    assert_snapshot!(problems_of(&with("sinks:\n  influx:\n    main:\n      url: x\n      databse: y\n")), @"sos.yaml:8:7: sinks.influx.main.databse: unknown key; did you mean `database`?");
}

#[test]
fn a_key_that_is_unlike_any_other() {
    assert_snapshot!(problems_of(&with("sinks: { console: { print: { bucket: y } } }")), @"sos.yaml:4:30: sinks.console.print.bucket: unknown key; the keys here are `color`, `enabled`, `only` and `delivery`");
}

#[test]
fn a_misspelled_key_of_the_engine() {
    assert_snapshot!(problems_of(&with("sinks: { console: { print: { delivry: {} } } }")), @"sos.yaml:4:30: sinks.console.print.delivry: unknown key; did you mean `delivery`?");
}

#[test]
fn a_missing_key() {
    assert_snapshot!(problems_of(&with("sinks: { influx: { main: { database: y } } }")), @"sos.yaml:4:20: sinks.influx.main.url: missing, and there is no default for it");
}

#[test]
fn a_required_key_without_a_value() {
    assert_snapshot!(problems_of(&with("sinks:\n  influx:\n    main:\n      database: y\n      url:\n")), @"sos.yaml:8:7: sinks.influx.main.url: has no value, and there is no default for it");
}

#[test]
fn a_duration_without_unit_and_one_that_is_none() {
    assert_snapshot!(problems_of("
sources:
  healthcheck:
    one: { interval: 30 }
    two: { interval: 2 parsecs }
    three: { interval: 0s }
"), @r#"
    sos.yaml:4:22: sources.healthcheck.one.interval: expected a duration with its unit, such as 30s, 5m or 250ms, found the number 30
    sos.yaml:5:22: sources.healthcheck.two.interval: "2 parsecs" is not a duration such as 30s, 5m or 250ms
    sos.yaml:6:24: sources.healthcheck.three.interval: a duration must be longer than zero
    "#);
}

#[test]
fn a_bad_size() {
    assert_snapshot!(problems_of("sources: { udp: { users: { listen: '[::]:9997', receive_buffer: lots } } }"), @r#"sos.yaml:1:65: sources.udp.users.receive_buffer: "lots" is not a size such as 512MiB or 64kB"#);
}

#[test]
fn a_bad_address() {
    assert_snapshot!(problems_of("sources: { udp: { users: { listen: 9997 }, more: { listen: localhost } } }"), @"
    sos.yaml:1:36: sources.udp.users.listen: expected an address with a port, such as 0.0.0.0:9997, found the number 9997; write 127.0.0.1:9997 for this machine alone, or 0.0.0.0:9997 for all
    sos.yaml:1:60: sources.udp.more.listen: expected an address with a port, such as 0.0.0.0:9997; found localhost
    ");
}

#[test]
fn a_bad_url() {
    assert_snapshot!(problems_of("
sources:
  healthcheck:
    one: { proxy: squid }
    two: { proxy: 'http://squid:port' }
    three: { proxy: 'http://user:canary@squid:port' }
"), @"
    sos.yaml:4:19: sources.healthcheck.one.proxy: expected a URL with its scheme, such as http://host:8086; found squid
    sos.yaml:5:19: sources.healthcheck.two.proxy: expected a URL such as http://host:8086, but this has an invalid port number; found 'http://squid:port'
    sos.yaml:6:21: sources.healthcheck.three.proxy: expected a URL such as http://host:8086, but this has an invalid port number; found 'http://***@squid:port'
    ");
}

#[test]
fn an_unknown_plugin() {
    assert_snapshot!(problems_of(&with("sinks: { influxdb: { main: {} }, kafka: { main: {} } }")), @"
    sos.yaml:4:10: sinks.influxdb: there is no type of sink called `influxdb`; did you mean `influx`?
    sos.yaml:4:34: sinks.kafka: there is no type of sink called `kafka`; there are `influx` and `console`
    ");
}

#[test]
fn a_plugin_that_was_left_out_when_the_program_was_built() {
    assert_snapshot!(problems_of(&with("sinks: { nats: { main: {} } }")), @"sos.yaml:4:10: sinks.nats: this program was built without `nats`; build it with the feature `nats`");
}

#[test]
fn a_relay_in_whose_table_something_is_wrong() {
    assert_snapshot!(problems_of(&with("relays: { count: { all: { delivery: {}, evry: 1m } } }\nsinks: { console: { print: } }")), @"
    sos.yaml:4:27: relays.count.all.delivery: unknown key; the keys here are `every`, `enabled`, `labels` and `only`
    sos.yaml:4:41: relays.count.all.evry: unknown key; did you mean `every`?
    ");
    assert_snapshot!(problems_of(&with("relays: { console: { all: } }\nsinks: { console: { print: } }")), @"sos.yaml:4:11: relays.console: `console` is a sink; it belongs into `sinks`");
}

#[test]
fn a_source_among_the_sinks() {
    assert_snapshot!(problems_of(&with("sinks: { udp: { users: {} } }")), @"sos.yaml:4:10: sinks.udp: `udp` is a source; it belongs into `sources`");
}

#[test]
fn yes_and_no_for_a_switch() {
    assert_snapshot!(problems_of(&with("sinks: { console: { a: { enabled: yes }, b: { color: Off } } }")), @r#"
    sos.yaml:4:35: sinks.console.a.enabled: expected true or false, found the text "yes"; write true
    sos.yaml:4:54: sinks.console.b.color: expected true or false, found the text "Off"; write false
    "#);
}

#[test]
fn a_bad_component_name() {
    assert_snapshot!(problems_of(&with("sinks: { console: { Main-Site: {} } }")), @r#"sos.yaml:4:21: sinks.console.Main-Site: "Main-Site" cannot be a name; use a to z, 0 to 9 and _ only"#);
}

#[test]
fn settings_directly_below_the_type() {
    assert_snapshot!(problems_of(&with("sinks:\n  influx:\n    url: http://influx:8086\n")), @"sos.yaml:6:5: sinks.influx.url: expected a name with settings below it; between `influx` and its settings belongs a name of your choice, as in sinks.influx.main.url");
}

#[test]
fn a_list_where_a_table_is_expected() {
    assert_snapshot!(problems_of("
sources:
  - udp
sinks:
  influx:
    main:
      - url: x
"), @"
    sos.yaml:3:3: sources: expected a table with types of sources, such as `healthcheck` and `udp`; found a list; leave out the dashes
    sos.yaml:7:7: sinks.influx.main: expected a table with its settings; found a list; leave out the dashes
    ");
    // By the order of its fields a list could pass for the table.
    assert_snapshot!(problems_of("sources: { healthcheck: { qlik: { tls: [root.pem] } } }"), @"sos.yaml:1:40: sources.healthcheck.qlik.tls: expected a table, found a list; leave out the dashes before the keys");
}

#[test]
fn a_table_where_a_list_is_expected() {
    assert_snapshot!(problems_of("
sources:
  healthcheck:
    qlik:
      servers:
        name: Server1
        url: https://server1:4747
"), @"sos.yaml:5:7: sources.healthcheck.qlik.servers: expected a list, found a table; put a dash and a blank before each item");
}

#[test]
fn a_word_that_is_not_to_choose() {
    assert_snapshot!(problems_of(&with("sinks: { influx: { main: { url: x, database: y, naming: butlersos } } }")), @"sos.yaml:4:57: sinks.influx.main.naming: `butlersos` is not `butler-sos` or `native`; did you mean `butler-sos`?");
}

#[test]
fn a_number_where_a_word_is_expected() {
    assert_snapshot!(problems_of(&with("sinks: { influx: { main: { url: x, database: y, naming: 1 } } }")), @"sos.yaml:4:57: sinks.influx.main.naming: expected `butler-sos` or `native`, found the number 1");
}

#[test]
fn values_that_contradict_each_other() {
    assert_snapshot!(problems_of(&with("sinks: { influx: { main: { url: x, database: y, username: z } } }")), @"sos.yaml:4:20: sinks.influx.main: username and password belong together; set both or none");
}

#[test]
fn a_plan_that_cannot_be_made() {
    assert_snapshot!(problems_of("
sources:
  healthcheck:
    qlik:
      servers:
        - { name: Server1, url: 'https://server1:4747' }
        - { name: Server1, url: 'https://server2:4747' }
"), @r#"sos.yaml:7:19: sources.healthcheck.qlik.servers.1.name: another server is called "Server1"; names must differ"#);
}

#[test]
fn every_mistake_in_every_server_of_a_list() {
    assert_snapshot!(problems_of("
sources:
  healthcheck:
    qlik:
      intervall: 30s
      servers:
        - { name: one }
        - { name: two, url: x, tag: { a: b } }
        - just a text
        - { name: 4, url: x }
        -
      tls: { verify: no, passphrase: { vault: x } }
"), @r#"
    sos.yaml:5:7: sources.healthcheck.qlik.intervall: unknown key; did you mean `interval`?
    sos.yaml:7:11: sources.healthcheck.qlik.servers.0.url: missing, and there is no default for it
    sos.yaml:8:32: sources.healthcheck.qlik.servers.1.tag: unknown key; did you mean `tags`?
    sos.yaml:9:11: sources.healthcheck.qlik.servers.2: expected a table, found the text "just a text"; write keys and values, such as { key: value }
    sos.yaml:10:19: sources.healthcheck.qlik.servers.3.name: expected a text, found the number 4; put it in quotes: "4"
    sos.yaml:11:10: sources.healthcheck.qlik.servers.4: expected a table, found nothing
    sos.yaml:12:22: sources.healthcheck.qlik.tls.verify: expected true or false, found the text "no"; write false
    sos.yaml:12:40: sources.healthcheck.qlik.tls.passphrase.vault: unknown key; the keys here are `env` and `file`
    "#);
}

#[test]
fn several_mistakes_in_several_components() {
    assert_snapshot!(problems_of("
pipeline: { shutdown_timout: 5s, journal: { max_bytes: big } }
sources:
  udp:
    users: { listen: '0.0.0.0:9997', alow: [], receive_buffer: 1 }
  healthcheck:
    qlik: { interval: soon, labels: [a] }
sinks:
  influx:
    main: { url: x, databse: y, gzip: 1, only: { kind: [] } }
    off: { enabled: false, url: 5 }
  console:
    print: { delivery: { max_events: 0, retry: { initial: 1 } } }
"), @r#"
    sos.yaml:2:13: pipeline.shutdown_timout: unknown key; did you mean `shutdown_timeout`?
    sos.yaml:2:56: pipeline.journal.max_bytes: "big" is not a size such as 512MiB or 64kB
    sos.yaml:5:38: sources.udp.users.alow: unknown key; did you mean `allow`?
    sos.yaml:5:64: sources.udp.users.receive_buffer: expected a size with its unit, such as 512MiB or 64kB, found the number 1
    sos.yaml:7:23: sources.healthcheck.qlik.interval: "soon" is not a duration such as 30s, 5m or 250ms
    sos.yaml:7:37: sources.healthcheck.qlik.labels: expected a map of label names to texts, found a list
    sos.yaml:10:21: sinks.influx.main.databse: unknown key; did you mean `database`?
    sos.yaml:10:39: sinks.influx.main.gzip: expected true or false, found the number 1
    sos.yaml:10:50: sinks.influx.main.only.kind: unknown key; did you mean `kinds`?
    sos.yaml:11:33: sinks.influx.off.url: expected a text, found the number 5; put it in quotes: "5"
    sos.yaml:13:38: sinks.console.print.delivery.max_events: expected a whole number above 0, found the number 0
    sos.yaml:13:59: sinks.console.print.delivery.retry.initial: expected a duration with its unit, such as 30s, 5m or 250ms, found the number 1
    "#);
}

#[test]
fn a_mistake_is_shown_in_its_line() {
    let problems =
        loaded(&with("sinks:\n  influx:\n    main:\n      databse: y # the old one\n")).unwrap_err();
    assert_snapshot!(format!("{problems:#}"), @"
    sos.yaml:6:5: sinks.influx.main.url: missing, and there is no default for it
        6 |     main:
          |     ^^^^
    sos.yaml:7:7: sinks.influx.main.databse: unknown key; did you mean `database`?
        7 |       databse: y # the old one
          |       ^^^^^^^
    ");
}

#[test]
fn a_secret_of_the_wrong_type_is_not_shown() {
    let problems = loaded(&with(
        "sinks: { influx: { main: { url: 'http://u:canary@x', database: true, password: 4711 } } }",
    ))
    .unwrap_err();
    let shown = format!("{problems:#}");
    assert!(!shown.contains("canary") && !shown.contains("4711"), "{shown}");
    assert_snapshot!(shown, @r#"
    sos.yaml:4:64: sinks.influx.main.database: expected a text, found true; put it in quotes: "true"
        4 | sinks: { influx: { main: { url: 'http://***
          |                                            ^
    sos.yaml:4:80: sinks.influx.main.password: expected a secret: { env: NAME }, { file: path } or a text (in quotes if it is all digits), found a number
        4 | sinks: { influx: { main: { url: 'http://***
          |                                            ^
    "#);
}

#[test]
fn a_login_is_not_shown_whatever_it_was_written_for() {
    let problems =
        loaded("sources:\n  udp:\n    users: { listen: 'admin:can ary@server1:4747' }\n").unwrap_err();
    let shown = format!("{problems:#}");
    assert!(!shown.contains("ary"), "{shown}");
    assert_snapshot!(shown, @"
    sos.yaml:3:22: sources.udp.users.listen: expected an address with a port, such as 0.0.0.0:9997; found '***@server1:4747'
        3 |     users: { listen: '***
          |                      ^^^^
    ");
}

#[test]
fn nothing_to_run() {
    assert_snapshot!(problems_of(""), @"
    sos.yaml: sources: no source is configured and enabled, so there would be no events
    sos.yaml: sinks: no sink is configured and enabled, so events would go nowhere
    ");
    assert_snapshot!(problems_of("# nothing yet\nsources:\nsinks:\n"), @"
    sos.yaml:2:1: sources: no source is configured and enabled, so there would be no events
    sos.yaml:3:1: sinks: no sink is configured and enabled, so events would go nowhere
    ");
    assert_snapshot!(problems_of(&with("sinks: { console: { print: { enabled: false } } }")), @"sos.yaml:4:1: sinks: no sink is configured and enabled, so events would go nowhere");
}

#[test]
fn a_section_that_does_not_exist() {
    assert_snapshot!(problems_of(&with("sink: {}\nlogging: {}\n")), @"
    sos.yaml:4:1: sink: unknown key; did you mean `sinks`?
    sos.yaml:5:1: logging: unknown key; the keys here are `pipeline`, `sources`, `relays` and `sinks`
    ");
}

#[test]
fn a_file_of_butler_sos() {
    assert_snapshot!(problems_of("Butler-SOS:\n  logLevel: info\n  anonTelemetry: true\n"), @"sos.yaml:1:1: Butler-SOS: this is a configuration file of Butler SOS, which cannot be read yet; docs/compatibility.md names the key that stands for each of its keys");
}
