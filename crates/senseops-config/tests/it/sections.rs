//! Tables of the program itself.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use insta::assert_snapshot;
use senseops_config::{Loaded, Problems, Registry, load_str};
use senseops_core::PlanError;
use senseops_core::schemars::{self, JsonSchema};
use senseops_core::settings::{Secret, Warning};
use serde::Deserialize;

use crate::plugins::{registry, with};

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Door {
    width: u16,
    token: Option<Secret>,
}

impl Door {
    fn check(&self) -> Result<Vec<Warning>, PlanError> {
        if self.width > 100 {
            return Err(PlanError::at("width", "nobody is so wide"));
        }
        Ok(Vec::from_iter(self.token.as_ref().and_then(|token| token.warning("token"))))
    }
}

fn load(door: &str, variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let registry: Registry = registry().section("door", Door::check);
    let yaml = with(
        "  healthcheck: { qlik: { servers: [{ name: a, url: b }] } }\nsinks: { console: { print: {} } }",
    );
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load_str(&registry, "sos.yaml", &format!("{door}\n{yaml}"), variables)
}

fn width(door: &str, variables: &[(&str, &str)]) -> Option<u16> {
    load(door, variables).unwrap().section::<Door>().map(|door| door.width)
}

#[test]
fn a_section_is_there_if_it_was_written() {
    assert_eq!(width("", &[]), None);
    assert_eq!(width("door:", &[]), None);
    assert_eq!(width("door: {}", &[]), Some(0));
    assert_eq!(width("door: { width: 7 }", &[]), Some(7));
    assert_eq!(width("", &[("SOS_DOOR__WIDTH", "8")]), Some(8));
}

#[test]
fn what_is_wrong_with_a_section_is_told_with_its_place() {
    let mut problems = Vec::new();
    for door in
        ["door: { widht: 1 }", "door: { width: wide }", "door: [ 1 ]", "door: { width: 101 }", "dor: {}"]
    {
        problems.push(load(door, &[]).unwrap_err().to_string());
    }
    assert_snapshot!(problems.join("\n"), @r#"
    sos.yaml:1:9: door.widht: unknown key; did you mean `width`?
    sos.yaml:1:16: door.width: expected a whole number from 0 to 65535, found the text "wide"
    sos.yaml:1:7: door: expected a table with its settings; found a list; leave out the dashes
    sos.yaml:1:16: door.width: nobody is so wide
    sos.yaml:1:1: dor: unknown key; did you mean `door`?
    "#);
}

#[test]
fn what_should_be_known_about_a_section_is_a_warning() {
    let warnings = |door: &str, variables: &[(&str, &str)]| {
        let warnings = load(door, variables).unwrap().warnings;
        warnings
            .iter()
            .filter(|warning| warning.key_path.starts_with("door"))
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_snapshot!(warnings("door: { token: canary }", &[]).join("\n"), @"sos.yaml:1:16: door.token: the secret is written as text; keep it out of the file with { env: NAME } or { file: path }");
    assert_eq!(warnings("", &[("SOS_DOOR__TOKEN", "canary")]), [""; 0]);
}
