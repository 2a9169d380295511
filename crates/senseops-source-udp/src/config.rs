//! What an operator decides about receiving datagrams.

use std::net::SocketAddr;

use senseops_core::schemars::{self, JsonSchema, Schema, SchemaGenerator};
use senseops_core::settings::{Size, Warning};
use senseops_core::{Build, BuildError, Kind, Plugin, Source, async_trait};
use senseops_qlik::kinds::user_event;
use serde::Deserialize;

use crate::source::UdpSource;
use crate::{AllowEntry, CodePage, UserPattern};

/// A socket for user events.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UdpConfig {
    /// The address to listen on. The address `0.0.0.0` or `[::]` means all of this machine.
    pub listen: SocketAddr,
    /// Who may send. Default everybody, which earns a warning; an empty list is nobody.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub allow: Option<Vec<AllowEntry>>,
    /// Users whose events are left out. Default none.
    #[serde(default)]
    pub exclude: Vec<UserPattern>,
    /// How much the system may hold while we are busy. It may grant less. Default 8MiB.
    #[serde(default = "default_receive_buffer")]
    pub receive_buffer: Size,
    /// How datagrams that are not UTF-8 are decoded. Default none: what cannot be decoded becomes U+FFFD.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub fallback_encoding: Option<CodePage>,
}

impl UdpConfig {
    /// Listens on this address, with everything else at its default.
    pub fn listen(address: SocketAddr) -> Self {
        Self {
            listen: address,
            allow: None,
            exclude: Vec::new(),
            receive_buffer: default_receive_buffer(),
            fallback_encoding: None,
        }
    }
}

#[async_trait]
impl Plugin for UdpConfig {
    type Component = Box<dyn Source>;

    const TYPE: &'static str = "udp";
    const ABOUT: &'static str = "Receives Qlik Sense user events as UDP datagrams";
    const SAMPLE: &'static str = include_str!("../sample.yaml");
    const KINDS: &'static [Kind] = &[user_event::KIND];

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        Self::json_schema(generator)
    }

    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError> {
        Ok(Box::new(UdpSource::new(self.clone(), &build)?))
    }

    fn warnings(&self) -> Vec<Warning> {
        if self.allow.is_none() { vec![Warning::at("allow", NO_ALLOW_LIST)] } else { Vec::new() }
    }
}

/// Said at start and in health.
pub(crate) const NO_ALLOW_LIST: &str =
    "no allow-list, so everybody who reaches the port can send events; list the Sense servers in allow";

const fn default_receive_buffer() -> Size {
    Size::from_mib(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<UdpConfig, String> {
        serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
    }

    fn error_of(json: &str) -> String {
        serde_json::from_str::<UdpConfig>(json).unwrap_err().to_string()
    }

    #[test]
    fn the_sample_is_the_default_with_the_required_key() {
        assert_eq!(read(UdpConfig::SAMPLE), Ok(UdpConfig::listen("0.0.0.0:9997".parse().unwrap())));
    }

    #[test]
    fn every_commented_line_of_the_sample_is_accepted() {
        let config = read(&senseops_testkit::sample::uncommented(UdpConfig::SAMPLE)).unwrap();
        assert_eq!(config.allow.unwrap().len(), 3);
        assert_eq!(config.exclude.len(), 2);
        assert_eq!(config.receive_buffer, default_receive_buffer());
        assert_eq!(config.fallback_encoding, Some("windows-1252".parse().unwrap()));
    }

    #[test]
    fn mistakes_are_explained() {
        insta::assert_snapshot!(error_of("{}"), @"missing field `listen` at line 1 column 2");
        // The configuration of the program has sentences for these two: see `senseops-config`.
        insta::assert_snapshot!(error_of(r#"{"listen": "9997"}"#), @"invalid socket address syntax at line 1 column 17");
        insta::assert_snapshot!(error_of(r#"{"listen": 9997}"#), @"invalid type: integer `9997`, expected socket address at line 1 column 15");
        insta::assert_snapshot!(error_of(r#"{"listen": "[::]:9997", "port": 1}"#), @"unknown field `port`, expected one of `listen`, `allow`, `exclude`, `receive_buffer`, `fallback_encoding` at line 1 column 30");
        insta::assert_snapshot!(error_of(r#"{"listen": "[::]:9997", "allow": ["10.0.0.0/33"]}"#), @r#""10.0.0.0/33" is not an address, a network such as 10.0.0.0/8, or a host name at line 1 column 48"#);
        insta::assert_snapshot!(error_of(r#"{"listen": "[::]:9997", "allow": ["10.0.0.256"]}"#), @r#""10.0.0.256" is not an address, a network such as 10.0.0.0/8, or a host name at line 1 column 47"#);
        insta::assert_snapshot!(error_of(r#"{"listen": "[::]:9997", "allow": ["http://sense1"]}"#), @r#""http://sense1" is not an address, a network such as 10.0.0.0/8, or a host name at line 1 column 50"#);
        insta::assert_snapshot!(error_of(r#"{"listen": "[::]:9997", "exclude": [{"user_id": "anna"}]}"#), @"missing field `directory` at line 1 column 55");
        insta::assert_snapshot!(error_of(r#"{"listen": "[::]:9997", "fallback_encoding": "cp-1252"}"#), @r#""cp-1252" is not a known code page such as windows-1252 or shift_jis at line 1 column 55"#);
        insta::assert_snapshot!(error_of(r#"{"listen": "[::]:9997", "fallback_encoding": "utf-8"}"#), @"UTF-8 is always tried first; name what else it may be, such as windows-1252 at line 1 column 53");
        insta::assert_snapshot!(error_of(r#"{"listen": "[::]:9997", "receive_buffer": 8}"#), @"invalid type: integer `8`, expected a size with its unit, such as 512MiB or 64kB at line 1 column 43");
    }

    #[test]
    fn only_a_missing_allow_list_earns_a_warning() {
        let mut config = UdpConfig::listen("127.0.0.1:9997".parse().unwrap());
        assert_eq!(config.warnings(), [Warning::at("allow", NO_ALLOW_LIST)]);
        config.allow = Some(vec!["127.0.0.1".parse().unwrap()]);
        assert_eq!(config.warnings(), []);
    }
}
