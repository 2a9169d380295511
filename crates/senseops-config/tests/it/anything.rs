//! Whatever is in a file, loading ends in a plan or in sentences.

use proptest::prelude::*;
use senseops_config::load_str;

use crate::plugins::{loaded, registry};

const SEED: &str = "
pipeline: { labels: { qs_env: prod }, journal: { max_bytes: 1GiB } }
sources:
  udp:
    users: { listen: 0.0.0.0:9997, allow: [10.0.0.0/8], receive_buffer: 4MiB }
  healthcheck:
    qlik:
      interval: 15s
      tls: { ca: root.pem, verify: false, passphrase: { env: PASS } }
      servers:
        - { name: Server1, url: 'https://server1:4747', tags: { a: b } }
        - { name: Server2, url: 'https://server2:4747' }
sinks:
  influx: { main: { url: 'http://influx:8086', version: 1, database: x, only: { kinds: [] } } }
  console: { print: { delivery: { overflow: block } } }
";

/// Parts that mean something to YAML or to the configuration.
const PARTS: [&str; 18] = [
    "\n",
    "  ",
    "\t",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    "&a ",
    "*a",
    "~",
    "|\n",
    "---\n",
    "enabled: ",
    "12345",
];

fn mutated() -> impl Strategy<Value = String> {
    let edit = (0..SEED.len(), 0..40_usize, prop::sample::select(&PARTS[..]));
    prop::collection::vec(edit, 1..6).prop_map(|edits| {
        edits.into_iter().fold(SEED.to_owned(), |mut yaml, (at, cut, part)| {
            let start = at.min(yaml.len());
            let end = start.saturating_add(cut).min(yaml.len());
            yaml.replace_range(start..end, part);
            yaml
        })
    })
}

/// What must hold of any outcome.
fn check(yaml: &str) -> Result<(), TestCaseError> {
    match loaded(yaml) {
        Ok(loaded) => {
            prop_assert!(!loaded.plan.sources.is_empty() && !loaded.plan.sinks.is_empty());
            let names = loaded.plan.sinks.iter().map(|sink| &sink.name);
            let names = names.chain(loaded.plan.sources.iter().map(|source| &source.name));
            for name in names {
                prop_assert!(
                    name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '.')),
                    "{}",
                    name
                );
            }
        }
        Err(problems) => {
            prop_assert!(problems.iter().next().is_some());
            let lines = yaml.split(['\n', '\r']).count();
            for problem in &problems {
                prop_assert!(!problem.message.is_empty());
                prop_assert_eq!(problem.file(), Some("sos.yaml"));
                prop_assert!(
                    problem.position().is_none_or(|at| at.line <= lines && at.column > 0),
                    "{}",
                    problem
                );
                let shown = format!("{problem:#}");
                prop_assert!(shown.len() > problem.message.len());
            }
        }
    }
    Ok(())
}

#[test]
fn the_seed_is_correct() {
    loaded(SEED).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_load_or_tell_why_not(yaml in mutated()) {
        check(&yaml)?;
    }

    #[test]
    fn arbitrary_text_loads_or_tells_why_not(yaml in "(?s).{0,200}") {
        check(&yaml)?;
    }

    #[test]
    fn arbitrary_variables_load_or_tell_why_not(name in "SOS_[A-Z_0-9]{0,40}", value in "(?s).{0,20}") {
        if let Err(problems) = load_str(&registry(), "sos.yaml", SEED, [(name.clone(), value)]) {
            for problem in &problems {
                prop_assert!(problem.to_string().contains(&name), "{}", problem);
            }
        }
    }
}
