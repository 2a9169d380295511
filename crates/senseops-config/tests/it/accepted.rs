//! What a correct configuration becomes.

use senseops_config::{Registry, Role, load_str};

use crate::plugins::{Listen, loaded, registry, with};

const COMPLETE: &str = "
pipeline:
  labels: { qs_env: prod }
  journal:
sources:
  udp:
    users: { listen: 0.0.0.0:9997, labels: { zone: 3 } }
    off: { listen: 127.0.0.1:1, enabled: false }
  healthcheck:
    qlik:
      servers:
        - { name: Server1, url: 'https://server1:4747', tags: }
        - { name: Server2, url: 'https://server2:4747' }
sinks:
  influx:
    main:
      url: http://influx:8086
      database: senseops
      username: u
      password: canary
      only: { kinds: [qlik.*], sources: [udp.user, healthcheck.qlik.Server2] }
      delivery: { overflow: block, max_events: 100 }
  console:
    print:
";

#[test]
fn components_are_planned_in_the_order_of_the_file() {
    let plan = loaded(COMPLETE).unwrap().plan;
    let sources: Vec<(&str, usize)> =
        plan.sources.iter().map(|source| (source.name.as_str(), source.components.len())).collect();
    assert_eq!(sources, [("udp.users", 1), ("healthcheck.qlik", 2)]);
    let sinks: Vec<&str> = plan.sinks.iter().map(|sink| sink.name.as_str()).collect();
    assert_eq!(sinks, ["influx.main", "console.print"]);
}

#[test]
fn a_source_may_have_a_rate_limit_whose_burst_is_a_second_of_it() {
    let limited = "
sources: { udp: { users: { listen: 0.0.0.0:9997, rate_limit: { events_per_second: 1000 } } } }
sinks: { console: { print: } }
";
    let limit = loaded(limited).unwrap().plan.sources[0].rate_limit.unwrap();
    assert_eq!((limit.events_per_second.get(), limit.burst().get()), (1000, 1000));
    let wrong = limited.replace("1000", "0");
    let problems = loaded(&wrong).unwrap_err().to_string();
    assert!(problems.contains("sources.udp.users.rate_limit.events_per_second"), "{problems}");
}

#[test]
fn the_engine_gets_its_own_keys() {
    let plan = loaded(COMPLETE).unwrap().plan;
    assert_eq!(plan.settings.labels.to_string(), "qs_env=prod");
    assert_eq!(plan.sources[0].labels.to_string(), "zone=3");
    assert_eq!(plan.sources[0].rate_limit, None);
    assert_eq!(plan.sinks[0].delivery.max_events.get(), 100);
    assert!(plan.sinks[0].only.source("healthcheck.qlik.Server2") && !plan.sinks[0].only.source("udp.users"));
    assert!(plan.sinks[1].only.source("udp.users"));
}

#[test]
fn a_relay_is_planned_between_sources_and_sinks() {
    let relayed = "
sources: { udp: { users: { listen: 127.0.0.1:9997 } } }
relays:
  count:
    users: { every: 10s, labels: { of: users }, only: { sources: [udp.users] } }
    off: { enabled: false }
    all: { only: { kinds: [qlik.*], sources: [udp.user] } }
sinks: { console: { print: { only: { sources: [count.users] } } } }
";
    let loaded = loaded(relayed).unwrap();
    let [users, all] = loaded.plan.relays.as_slice() else { panic!("{:?}", loaded.plan) };
    assert_eq!((users.name.as_str(), all.name.as_str()), ("count.users", "count.all"));
    assert_eq!(users.labels.to_string(), "of=users");
    assert!(users.only.source("udp.users") && !users.only.source("count.all"));
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"), @"sos.yaml:7:47: relays.count.all.only.sources.0: no enabled source is called `udp.user`; did you mean `udp.users`?");
}

#[test]
fn what_works_but_should_be_known_is_a_warning() {
    let warnings: Vec<String> = loaded(COMPLETE).unwrap().warnings.iter().map(|w| format!("{w:#}")).collect();
    insta::assert_snapshot!(warnings.join("\n"), @"
    sos.yaml:7:5: sources.udp.users.allow: everybody may send; list who may
        7 |     users: { listen: 0.0.0.0:9997, labels: { zone: 3 } }
          |     ^^^^^
    sos.yaml:20:17: sinks.influx.main.password: the secret is written as text; keep it out of the file with { env: NAME } or { file: path }
       20 |       password: ***
          |                 ^^^
    sos.yaml:21:42: sinks.influx.main.only.sources.0: no enabled source is called `udp.user`; did you mean `udp.users`?
       21 |       only: { kinds: [qlik.*], sources: [udp.user, healthcheck.qlik.Server2] }
          |                                          ^^^^^^^^
    ");
}

#[test]
fn a_later_error_is_shown_where_its_setting_was_written() {
    let locator = loaded(COMPLETE).unwrap().locator;
    let shown = |component: &str, key: &str| locator.problem(component, key, "no such host").to_string();
    insta::assert_snapshot!(shown("sinks.influx.main", "url"), @"sos.yaml:17:12: sinks.influx.main.url: no such host");
    // A key that has its default, a component without a table, and what nobody wrote.
    insta::assert_snapshot!(shown("sinks.influx.main", "tls.ca"), @"sos.yaml:16:5: sinks.influx.main.tls.ca: no such host");
    insta::assert_snapshot!(shown("sources.healthcheck.qlik", "servers.1.url"), @"sos.yaml:13:33: sources.healthcheck.qlik.servers.1.url: no such host");
    insta::assert_snapshot!(shown("sinks.console.print", ""), @"sos.yaml:24:5: sinks.console.print: no such host");
    insta::assert_snapshot!(shown("pipeline.journal", "path"), @"sos.yaml:4:3: pipeline.journal.path: no such host");
    insta::assert_snapshot!(shown("web", "listen"), @"sos.yaml: web.listen: no such host");
}

#[test]
fn no_secret_can_be_printed_by_mistake() {
    let variable = ("SOS_SOURCES__HEALTHCHECK__QLIK__TLS__PASSPHRASE".to_owned(), "canary".to_owned());
    let loaded = load_str(&registry(), "sos.yaml", COMPLETE, [variable]).unwrap();
    // The password in the file earns a warning, the passphrase in the environment does not.
    assert_eq!(loaded.warnings.len(), 3);
    let printed = format!("{loaded:#?} {:?}", loaded.warnings);
    assert!(!printed.contains("canary"), "{printed}");
}

#[test]
fn aliases_and_merge_keys_work() {
    let loaded = loaded(&with(
        "sinks:\n  influx:\n    one: &one { url: x, database: y }\n    two: { <<: *one, database: z }\n",
    ))
    .unwrap();
    assert_eq!(loaded.plan.sinks.len(), 2);
}

#[test]
fn the_registry_lists_its_plugins() {
    let plugins: Vec<(Role, &str)> =
        registry().plugins().map(|plugin| (plugin.role, plugin.type_name)).collect();
    assert_eq!(
        plugins,
        [
            (Role::Source, "healthcheck"),
            (Role::Source, "udp"),
            (Role::Relay, "count"),
            (Role::Sink, "influx"),
            (Role::Sink, "console"),
        ]
    );
}

#[test]
fn two_plugins_of_one_name_are_refused() {
    let registry: Registry = registry().source::<Listen>();
    let problems = load_str(&registry, "sos.yaml", COMPLETE, []).unwrap_err();
    insta::assert_snapshot!(problems, @"sources.udp: this program has two plugins for this type of source");
}
