//! What an operator writes about the servers to poll.

use std::collections::HashSet;

use senseops_core::schemars::{self, JsonSchema, Schema, SchemaGenerator};
use senseops_core::settings::{Span, Warning};
use senseops_core::{
    Build, BuildError, Kind, LabelSet, PlanError, Planned, Plugin, Schedule, Source, async_trait,
};
use senseops_net::{Endpoint, Headers, Protocol, TlsSettings};
use senseops_qlik::kinds::{engine_health, target_up};
use serde::Deserialize;

use crate::poll::Poller;
use crate::server::Server;

/// `sources.healthcheck.<name>`: Sense servers whose engine is polled.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthcheckConfig {
    /// From one poll of a server to the next; 15 s, which is how often Sense itself asks its engines.
    pub interval: Span,
    /// The longest that one poll may take, from connecting to the last byte; 5 s.
    pub timeout: Span,
    /// How to talk TLS to every server.
    pub tls: TlsSettings,
    /// Request headers for every server.
    pub headers: Headers,
    /// The servers; at least one.
    pub servers: Vec<ServerConfig>,
}

/// One Sense server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// What people call it; the label `server_name`.
    pub name: String,
    /// Where its engine listens.
    pub url: ServerUrl,
    /// What it is there for, in words of the operator; the label `server_description`.
    #[serde(default)]
    pub description: Option<String>,
    /// More labels of its events. They win over the labels that the source sets itself.
    #[serde(default)]
    pub tags: LabelSet,
    /// Differences to the TLS settings of all servers, key by key; `cert`, `key` and `passphrase` go together.
    #[serde(default)]
    pub tls: TlsSettings,
    /// More request headers; they win over those of all servers.
    #[serde(default)]
    pub headers: Headers,
    /// Where it stands in the list that the operator wrote.
    #[serde(skip)]
    pub(crate) index: usize,
}

/// The address of a server: `https://server1.company.net:4747`, with a path if a proxy in between needs one.
pub type ServerUrl = Endpoint<Engine>;

/// What is spoken with the engine of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine;

impl HealthcheckConfig {
    /// These servers, everything else as by default.
    pub fn of(servers: impl IntoIterator<Item = ServerConfig>) -> Self {
        Self { servers: servers.into_iter().collect(), ..Self::default() }
    }

    /// The names of the components of the servers, in their order. Of servers whose names give the same, those after the
    /// first are numbered, so that none changes the name of another.
    fn parts(&self) -> Vec<String> {
        let servers = self.servers.iter().enumerate();
        let wanted: Vec<String> = servers.map(|(index, server)| part_of(&server.name, index)).collect();
        let (own, mut taken) = (HashSet::<&String>::from_iter(&wanted), HashSet::new());
        let part = |part: &String| {
            if taken.insert(part.clone()) {
                return part.clone();
            }
            let numbered = (2_u32..).map(|number| format!("{part}_{number}"));
            let mut free = numbered.filter(|part| !own.contains(part) && taken.insert(part.clone()));
            free.next().unwrap_or_default()
        };
        wanted.iter().map(part).collect()
    }

    /// What is lost because the address of this server, the setting `key`, is that of plain HTTP.
    fn without_tls(&self, server: &ServerConfig, key: &str) -> impl Iterator<Item = Warning> {
        let no_tls = TlsSettings::default();
        let has_tls = self.tls != no_tls || server.tls != no_tls;
        let has_secrets = self.headers.are_confidential() || server.headers.are_confidential();
        let unused = has_tls
            .then_some("http:// goes without TLS, so the settings in tls are not used; write https://");
        let readable = has_secrets
            .then_some("http:// goes without TLS, so anyone on the way can read the headers; write https://");
        [unused, readable].into_iter().flatten().map(move |message| Warning::at(key, message))
    }
}

impl Default for HealthcheckConfig {
    fn default() -> Self {
        Self {
            interval: Span::from_secs(15),
            timeout: Span::from_secs(5),
            tls: TlsSettings::default(),
            headers: Headers::default(),
            servers: Vec::new(),
        }
    }
}

impl ServerConfig {
    /// A server of this name at this address, everything else as by default.
    pub fn new(name: impl Into<String>, url: ServerUrl) -> Self {
        Self {
            name: name.into(),
            url,
            description: None,
            tags: LabelSet::default(),
            tls: TlsSettings::default(),
            headers: Headers::default(),
            index: 0,
        }
    }
}

impl Protocol for Engine {
    const EXAMPLE: &'static str = "https://server1.company.net:4747";
    const NO_LOGIN: &'static str = "an address must not hold a user or password; send them as a header";
    const NO_MORE: &'static str =
        "the address has something after its path; expected https://host:port or https://host/path";
}

#[async_trait]
impl Plugin for HealthcheckConfig {
    type Component = Box<dyn Source>;

    const TYPE: &'static str = "healthcheck";
    const ABOUT: &'static str = "Polls the engine health API of Qlik Sense servers";
    const SAMPLE: &'static str = include_str!("../sample.yaml");
    const KINDS: &'static [Kind] = &[engine_health::KIND, target_up::KIND];

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        Self::json_schema(generator)
    }

    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError> {
        let [server] = self.servers.as_slice() else {
            return Err(BuildError::at(
                "servers",
                "a component polls one server, so a list has to be planned",
            ));
        };
        let schedule = Schedule { interval: self.interval, timeout: self.timeout };
        let server = Server::new(server.clone(), &self.tls, &self.headers);
        Poller::source(server, schedule, build).await
    }

    fn plan(mut self) -> Result<Vec<Planned<Box<dyn Source>>>, PlanError> {
        if self.servers.is_empty() {
            let message =
                "expected at least one server: { name: Server1, url: \"https://server1.company.net:4747\" }";
            return Err(PlanError::at("servers", message));
        }
        let parts = self.parts();
        let servers = std::mem::take(&mut self.servers).into_iter().enumerate();
        let alone = servers.map(|(index, server)| {
            let servers = vec![ServerConfig { index, ..server }];
            Self { servers, ..self.clone() }
        });
        Ok(parts.into_iter().zip(alone).map(|(part, alone)| Planned::part(part, alone)).collect())
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = self.tls.warnings("tls");
        warnings.extend(self.headers.warnings("headers"));
        let mut names = HashSet::new();
        for (index, (server, part)) in self.servers.iter().zip(self.parts()).enumerate() {
            if !names.insert(&server.name) {
                let message = format!(
                    "another server has this name too; this one is the component {part}, and events of the two are told apart by their other labels alone"
                );
                warnings.push(Warning::at(format!("servers.{index}.name"), message));
            }
            warnings.extend(server.tls.warnings(&format!("servers.{index}.tls")));
            warnings.extend(server.headers.warnings(&format!("servers.{index}.headers")));
            if !server.url.is_encrypted() {
                warnings.extend(self.without_tls(server, &format!("servers.{index}.url")));
            }
        }
        warnings
    }
}

/// The name of a component is made of `[a-z0-9_]`; a name without any of those is replaced by the position.
fn part_of(name: &str, index: usize) -> String {
    let mut part = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            part.push(c.to_ascii_lowercase());
        } else if !part.is_empty() && !part.ends_with('_') {
            part.push('_');
        }
    }
    let part = part.trim_end_matches('_');
    if part.is_empty() { format!("server_{}", index + 1) } else { part.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(yaml: &str) -> Result<HealthcheckConfig, String> {
        serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
    }

    fn refused(yaml: &str) -> String {
        let error = parse(yaml).unwrap().plan().unwrap_err();
        format!("{}: {}", error.key, error.message)
    }

    #[test]
    fn the_sample_says_what_the_defaults_are() {
        let sample = parse(HealthcheckConfig::SAMPLE).unwrap();
        let server = ServerConfig::new("Server1", "https://server1.company.net:4747".parse().unwrap());
        let identity = r#"{"ca": "root.pem", "cert": "client.pem", "key": "client_key.pem"}"#;
        let expected = HealthcheckConfig {
            tls: serde_json::from_str(identity).unwrap(),
            ..HealthcheckConfig::of([server])
        };
        assert_eq!(sample, expected);
    }

    #[test]
    fn the_sample_shows_every_key_with_a_good_value() {
        let all = parse(&senseops_testkit::sample::uncommented(HealthcheckConfig::SAMPLE)).unwrap();
        assert_eq!((all.interval, all.timeout), (Span::from_secs(15), Span::from_secs(5)));
        let server = all.servers.first().unwrap();
        assert_ne!(server.tls, TlsSettings::default());
        assert_ne!(server.headers, Headers::default());
        assert!(server.description.is_some() && !server.tags.is_empty());
        assert_eq!(all.clone().plan().unwrap().len(), 1);
    }

    #[test]
    fn an_address_must_be_one() {
        let error = |text: &str| text.parse::<ServerUrl>().unwrap_err();
        insta::assert_snapshot!(error("server1.company.net:4747"), @r#""server1.company.net:4747" is not an address such as https://server1.company.net:4747"#);
        insta::assert_snapshot!(error("server1"), @r#""server1" is not an address such as https://server1.company.net:4747"#);
        insta::assert_snapshot!(error("ftp://server1"), @r#""ftp://server1" is not an address such as https://server1.company.net:4747"#);
        insta::assert_snapshot!(error("https://me:canary@server1:4747"), @"an address must not hold a user or password; send them as a header");
        insta::assert_snapshot!(error("admin:canary@server1:4747"), @"an address must not hold a user or password; send them as a header");
        insta::assert_snapshot!(error("https://server1:4747/?ticket=canary"), @"the address has something after its path; expected https://host:port or https://host/path");
    }

    #[test]
    fn every_server_is_a_component_with_a_safe_name() {
        let yaml =
            "servers:\n- { name: Server 1 (DEV), url: 'https://a' }\n- { name: 本番, url: 'https://b' }";
        let parts: Vec<_> =
            parse(yaml).unwrap().plan().unwrap().into_iter().map(|planned| planned.part).collect();
        assert_eq!(parts, [Some("server_1_dev".to_owned()), Some("server_2".to_owned())]);
    }

    #[test]
    fn servers_of_one_name_are_numbered_and_leave_the_others_theirs() {
        let names = ["Server 1", "SERVER-1", "Server 1", "Server 1 2"];
        let servers = names.map(|name| ServerConfig::new(name, "https://a".parse().unwrap()));
        let config = HealthcheckConfig::of(servers);
        let warnings = config.warnings().into_iter();
        let said: Vec<_> = warnings.map(|warning| format!("{}: {}", warning.key, warning.message)).collect();
        insta::assert_snapshot!(said.join("\n"), @"servers.2.name: another server has this name too; this one is the component server_1_4, and events of the two are told apart by their other labels alone");
        let parts: Vec<_> = config.plan().unwrap().into_iter().filter_map(|planned| planned.part).collect();
        assert_eq!(parts, ["server_1", "server_1_3", "server_1_4", "server_1_2"]);
    }

    #[test]
    fn what_cannot_be_planned_is_explained() {
        insta::assert_snapshot!(refused("interval: 30s"), @r#"servers: expected at least one server: { name: Server1, url: "https://server1.company.net:4747" }"#);
    }

    #[test]
    fn what_weakens_security_is_warned_about_for_all_and_for_one() {
        let yaml = "
headers: { Authorization: canary }
servers:
- { name: a, url: 'https://a', tls: { verify: none } }
- { name: b, url: 'https://b', headers: { X-Api-Key: canary } }";
        let config = parse(yaml).unwrap();
        let keys: Vec<_> = config.warnings().into_iter().map(|warning| warning.key).collect();
        assert_eq!(keys, ["headers.authorization", "servers.0.tls.verify", "servers.1.headers.x-api-key"]);
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn what_plain_http_makes_useless_or_readable_is_warned_about() {
        let warnings = |yaml: &str| {
            let warnings = parse(yaml).unwrap().warnings().into_iter();
            let lines = warnings.map(|warning| format!("{}: {}", warning.key, warning.message));
            lines.collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(warnings("
tls: { ca: root.pem }
servers:
- { name: a, url: 'https://a' }
- { name: b, url: 'http://b', headers: { Cookie: { env: COOKIE } } }"), @"
        servers.1.url: http:// goes without TLS, so the settings in tls are not used; write https://
        servers.1.url: http:// goes without TLS, so anyone on the way can read the headers; write https://
        ");
        assert_eq!(warnings("servers: [{ name: a, url: 'http://a', headers: { X-Site: one } }]"), "");
    }
}
