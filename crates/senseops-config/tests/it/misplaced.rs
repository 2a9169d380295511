//! The sentences that people read after a slip of the space bar, and after words of other programs.

use insta::assert_snapshot;

use crate::plugins::{loaded, problems_of, with};

const SINK: &str = "sinks: { console: { print: } }\n";

#[test]
fn a_key_that_is_indented_like_no_table() {
    assert_snapshot!(problems_of("sources:\n  udp:\n    users:\n      listen: 127.0.0.1:9997\n     allow: []\n"), @"sos.yaml:5:6: begins in column 6, but the tables around it begin their keys in column 1, 3, 5 or 7; let it begin like the other keys of its table");
    assert_snapshot!(problems_of("sources:\n  healthcheck:\n    qlik:\n      servers:\n        - name: a\n         url: b\n"), @"sos.yaml:6:10: begins in column 10, but the tables around it begin their keys in column 1, 3, 5, 7, 9 or 11; let it begin like the other keys of its table");
}

#[test]
fn a_key_below_one_that_has_a_value() {
    assert_snapshot!(problems_of("sources:\n  udp:\n    users:\n      listen: 127.0.0.1:9997\n        allow: []\n"), @"sos.yaml:5:9: begins in column 9, but the key in the line above, in column 7, has its value already; let both begin in the same column");
    assert_snapshot!(problems_of("sources:\n  healthcheck:\n    qlik:\n      servers:\n        - name: a\n            url: b\n"), @"sos.yaml:6:13: begins in column 13, but the key in the line above, in column 11, has its value already; let both begin in the same column");
}

#[test]
fn a_setting_beside_its_component() {
    assert_snapshot!(problems_of(&format!("sources:\n  udp:\n    users:\n    listen: 127.0.0.1:9997\n{SINK}")), @"
    sos.yaml:3:5: sources.udp.users.listen: missing, and there is no default for it
    sos.yaml:4:5: sources.udp.listen: expected a name with settings below it; if this is a setting of `users`, indent it deeper than `users`
    ");
    assert_snapshot!(problems_of(&with("sinks:\n  influx:\n    main: { url: x, database: y }\n    delivery: { overflow: block }\n")), @"
    sos.yaml:7:5: sinks.influx.delivery.url: missing, and there is no default for it
    sos.yaml:7:5: sinks.influx.delivery: `delivery` is the name of a component here; if the setting of `influx` is meant, indent it below a name, as in sinks.influx.main.delivery
    sos.yaml:7:17: sinks.influx.delivery.overflow: unknown key; the keys here are `url`, `database`, `version`, `gzip`, `username`, `password`, `naming`, `enabled`, `only` and `delivery`
    ");
    assert_snapshot!(problems_of(&format!("sources:\n  healthcheck:\n    qlik:\n    tls: {{ ca: root.pem }}\n{SINK}")), @"
    sos.yaml:4:5: sources.healthcheck.tls: `tls` is the name of a component here; if the setting of `healthcheck` is meant, indent it below a name, as in sources.healthcheck.main.tls
    sos.yaml:4:12: sources.healthcheck.tls.ca: unknown key; the keys here are `interval`, `tls`, `servers`, `proxy`, `enabled`, `labels` and `rate_limit`
    ");
}

#[test]
fn a_table_at_the_wrong_depth() {
    assert_snapshot!(problems_of(&format!("sources:\nudp:\n  users: {{ listen: 127.0.0.1:9997 }}\n{SINK}")), @"sos.yaml:2:1: udp: `udp` is a type of source; it belongs into `sources`, indented below it");
    assert_snapshot!(problems_of("sources:\n  udp: { users: { listen: 127.0.0.1:9997 } }\n  sinks:\n    console: { print: }\n"), @"sos.yaml:3:3: sources.sinks: `sinks` is a table of its own; let it begin in column 1, without blanks before it");
    assert_snapshot!(problems_of(&with(&format!("{SINK}state_dir: /var/lib/sos\n"))), @"sos.yaml:5:1: state_dir: `state_dir` is a setting of the pipeline; it belongs into `pipeline`, indented below it");
}

#[test]
fn a_colon_without_a_blank_in_a_table_in_braces() {
    assert_snapshot!(problems_of("sources: { udp: { users: { listen: '[::]:1', labels: { group:central } } } }\n"), @"
    sos.yaml:1:19: sources.udp.users.allow: everybody may send; list who may
    sos.yaml:1:56: sources.udp.users.labels.group: a blank is missing after the colon; write `group: central`
    ");
    assert_snapshot!(problems_of("sources: { udp: { users: { listen:127.0.0.1:9997 } } }\n"), @"sos.yaml:1:28: sources.udp.users.listen: a blank is missing after the colon; write `listen: 127.0.0.1:9997`");
}

#[test]
fn a_colon_without_a_blank_in_a_line() {
    assert_snapshot!(problems_of("sources:\n  udp:\n    users:\n      listen:127.0.0.1:9997\n"), @"sos.yaml:4:7: sources.udp.users: a blank is missing after the colon; write `listen: 127.0.0.1:9997`");
    assert_snapshot!(problems_of("sources:\n  udp:\n    users:\n      listen:127.0.0.1:9997\n      allow: []\n"), @"sos.yaml:4:7: a blank is missing after the colon; write `listen: 127.0.0.1:9997`");
    assert_snapshot!(problems_of("sources:\n  healthcheck:\n    qlik:\n      servers:\n        - name:a\n          url: b\n"), @"sos.yaml:5:11: a blank is missing after the colon; write `name: a`");
    assert_snapshot!(problems_of("sources: { healthcheck: { qlik: { servers: [ 'name:Server1', 'server1:4747' ] } } }\n"), @r#"
    sos.yaml:1:46: sources.healthcheck.qlik.servers.0: expected a table, found a text; a blank is missing after the colon; write `name: Server1`
    sos.yaml:1:62: sources.healthcheck.qlik.servers.1: expected a table, found the text "server1:4747"; write keys and values, such as { key: value }
    "#);
}

#[test]
fn a_secret_without_the_blank_is_not_shown() {
    for table in [
        "{ password:canary }",
        "{ pass:canary }",
        "{ pass: canary }",
        "\n      password:canary\n      version: 1",
        "\n      password = canary",
    ] {
        let yaml = with(&format!("sinks:\n  influx:\n    main: {table}\n"));
        let shown = format!("{:#}", loaded(&yaml).unwrap_err());
        assert!(!shown.contains("canary"), "{shown}");
    }
    assert_snapshot!(problems_of(&with("sinks: { influx: { main: { url: x, database: y, password:canary } } }")), @"sos.yaml:4:49: sinks.influx.main.password: a blank is missing after the colon; write `password: …`");
}

#[test]
fn what_other_programs_call_it() {
    assert_snapshot!(problems_of(&with("sinks: { influx: { main: { host: x, db: y, user: z, pass: canary } } }")), @"
    sos.yaml:4:28: sinks.influx.main.host: unknown key; here it is called `url`
    sos.yaml:4:37: sinks.influx.main.db: unknown key; here it is called `database`
    sos.yaml:4:44: sinks.influx.main.user: unknown key; here it is called `username`
    sos.yaml:4:53: sinks.influx.main.pass: unknown key; here it is called `password`
    ");
    assert_snapshot!(problems_of(&format!("sources: {{ udp: {{ users: {{ port: 9997, whitelist: [] }} }} }}\n{SINK}")), @"
    sos.yaml:1:28: sources.udp.users.port: unknown key; the port is a part of `listen`
    sos.yaml:1:40: sources.udp.users.whitelist: unknown key; here it is called `allow`
    ");
    assert_snapshot!(problems_of("pipeline: { tags: {}, dir: /x, journal: { dir: /x, max_size: 1GiB } }"), @"
    sos.yaml:1:13: pipeline.tags: unknown key; here it is called `labels`
    sos.yaml:1:23: pipeline.dir: unknown key; here it is called `state_dir`
    sos.yaml:1:43: pipeline.journal.dir: unknown key; here it is called `path`
    sos.yaml:1:52: pipeline.journal.max_size: unknown key; here it is called `max_bytes`
    ");
}

#[test]
fn a_kind_that_nobody_emits() {
    let warned = |only: &str| {
        let yaml = with(&format!("sinks: {{ console: {{ print: {{ only: {{ kinds: {only} }} }} }} }}\n"));
        let warnings = loaded(&yaml).unwrap().warnings;
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(warned("['qlik.*', qlik.user_event, '*']"), @"");
    assert_snapshot!(warned("[qlik.userevent, server.health, 'sos.self.*']"), @"
    sos.yaml:4:46: sinks.console.print.only.kinds.0: no enabled source emits `qlik.userevent`; did you mean `qlik.user_event`?
    sos.yaml:4:62: sinks.console.print.only.kinds.1: no enabled source emits `server.health`; they emit `qlik.user_event`
    sos.yaml:4:77: sinks.console.print.only.kinds.2: nothing emits `sos.self.*` without pipeline.self_metrics
    ");
}

#[test]
fn an_equals_sign_instead_of_the_colon() {
    assert_snapshot!(problems_of("sources:\n  udp:\n    users:\n      listen = 127.0.0.1:9997\n"), @"sos.yaml:4:7: sources.udp.users: a colon and a blank belong where `=` is; write `listen: 127.0.0.1:9997`");
    let secret = problems_of(&with("sinks:\n  influx:\n    main:\n      password = canary\n"));
    assert_snapshot!(secret, @"sos.yaml:7:7: sinks.influx.main: a colon and a blank belong where `=` is; write `password: …`");
}

#[test]
fn a_scalar_where_something_else_belongs() {
    assert_snapshot!(problems_of(&with("sinks: { influx: { main: { url: x, database: y, version: '1', delivery: 5000, only: { kinds: 'qlik.*' } } } }")), @r#"
    sos.yaml:4:58: sinks.influx.main.version: expected a whole number from 0 to 255, found the text "1"; leave out the quotes
    sos.yaml:4:73: sinks.influx.main.delivery: expected a table, found the number 5000; write keys and values, such as { key: value }
    sos.yaml:4:94: sinks.influx.main.only.kinds: expected a list, found the text "qlik.*"; put a dash and a blank before each item, or all of them in brackets
    "#);
}

#[test]
fn a_variable_as_other_programs_write_it() {
    let yaml = with(
        "sinks: { influx: { main: { url: x, database: y, username: z, password: '${env:canary}' } } }\n",
    );
    let warnings = loaded(&yaml).unwrap().warnings;
    let said: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_snapshot!(said.join("\n"), @"sos.yaml:4:72: sinks.influx.main.password: `${…}` is taken for the secret itself; a variable is written { env: NAME }");
}
