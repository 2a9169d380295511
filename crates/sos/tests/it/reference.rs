//! Files of `config/` that the program prints itself.

use std::path::{Path, PathBuf};

use boon::{Compiler, Schemas};
use senseops::Plugin;
use serde_json::Value;

use crate::launch::output;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

fn file(name: &str) -> String {
    String::from_utf8(std::fs::read(folder().join(name)).unwrap()).unwrap()
}

#[test]
fn the_committed_files_are_what_the_program_prints() {
    for (name, command) in [("sos.reference.yaml", "sample"), ("sos.schema.json", "schema")] {
        let (code, printed, _) = output(&[command]);
        assert_eq!(code, 0);
        assert!(
            printed == file(name),
            "config/{name} differs from `sos {command}`; run `cargo xtask reference`"
        );
    }
}

#[test]
fn the_schema_accepts_what_the_program_accepts_and_refuses_mistakes() {
    let schema: Value = serde_json::from_str(&file("sos.schema.json")).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("sos.schema.json", schema).unwrap();
    let index = compiler.compile("sos.schema.json", &mut schemas).unwrap();
    let fits = |yaml: &str| {
        let value: Value = serde_saphyr::from_str(yaml).unwrap();
        schemas.validate(&value, index).map_err(|error| format!("{error:#}"))
    };
    let everything = senseops_testkit::sample::uncommented;
    for name in ["sos.yaml", "sos.reference.yaml"] {
        assert_eq!(fits(&file(name)), Ok(()), "{name}");
    }
    for (section, name, sample) in [
        ("sources", "udp", senseops::sources::udp::UdpConfig::SAMPLE),
        ("sources", "healthcheck", senseops::sources::healthcheck::HealthcheckConfig::SAMPLE),
        ("sinks", "influx", senseops::sinks::influx::InfluxConfig::SAMPLE),
        ("sinks", "mqtt", senseops::sinks::mqtt::MqttConfig::SAMPLE),
        ("sinks", "console", senseops::sinks::console::ConsoleConfig::SAMPLE),
    ] {
        let sample = everything(sample).replace('\n', "\n      ");
        assert_eq!(fits(&format!("{section}:\n  {name}:\n    main:\n      {sample}")), Ok(()), "{name}");
    }
    for mistake in [
        "sink: {}",
        "sources: { upd: {} }",
        "sources: { udp: { Users: { listen: '[::]:1' } } }",
        "sources: { udp: { users: { allow: [] } } }",
        "sources: { healthcheck: { qlik: { interval: 15 } } }",
        "sources: { healthcheck: { qlik: { interval: soon } } }",
        "sinks: { console: { print: { only: { kind: [] } } } }",
        "sinks: { influx: { main: { password: { vault: x } } } }",
        "sinks: { mqtt: { main: { qos: 3 } } }",
        "sinks: { mqtt: { main: { broker: 'http://b' } } }",
        "sinks: { mqtt: { main: { naming: butlersos } } }",
        "pipeline: { journal: { max_bytes: 1 gig } }",
        "web: { listn: '127.0.0.1:8090' }",
    ] {
        assert!(fits(mistake).is_err(), "{mistake}");
    }
}
