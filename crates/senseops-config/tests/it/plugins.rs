//! Plugins that look like real ones, and do nothing.

#![expect(clippy::panic, reason = "helpers of tests")]
#![expect(clippy::struct_field_names, reason = "keys as users know them")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use senseops_config::{Loaded, Problems, Registry, Role, load_str};
use senseops_core::schemars::{self, JsonSchema, Schema, SchemaGenerator};
use senseops_core::settings::{Secret, Size, Span, Warning};
use senseops_core::{
    Build, BuildError, Kind, LabelSet, PlanError, Planned, Plugin, Relay, Sink, Source, async_trait,
};
use serde::Deserialize;
use url::Url;

/// Polls servers: nested tables, lists of tables, one component per server.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Poll {
    pub(crate) interval: Span,
    pub(crate) tls: Tls,
    pub(crate) servers: Vec<Server>,
    #[schemars(with = "Option<String>")]
    pub(crate) proxy: Option<Url>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    pub(crate) ca: Option<std::path::PathBuf>,
    pub(crate) verify: Option<bool>,
    pub(crate) passphrase: Option<Secret>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) tags: LabelSet,
}

/// Listens: a required key, a size, a list of texts.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    pub(crate) listen: SocketAddr,
    #[serde(default)]
    pub(crate) allow: Vec<String>,
    #[serde(default)]
    pub(crate) receive_buffer: Option<Size>,
}

/// Writes to a database: a login that must be complete, a secret, words to choose from.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    url: String,
    pub(crate) database: String,
    #[serde(default)]
    pub(crate) version: u8,
    #[serde(default)]
    pub(crate) gzip: bool,
    username: Option<String>,
    password: Option<Secret>,
    #[serde(default)]
    naming: Naming,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Naming {
    #[default]
    ButlerSos,
    Native,
}

/// A relay.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Count {
    pub(crate) every: Span,
}

/// Prints: everything has a default.
#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Print {
    pub(crate) color: bool,
}

pub(crate) fn registry() -> Registry {
    Registry::new()
        .source::<Poll>()
        .source::<Listen>()
        .relay::<Count>()
        .sink::<Database>()
        .sink::<Print>()
        .absent(Role::Sink, "nats", "nats")
}

/// Loads one file `sos.yaml` without an environment.
pub(crate) fn loaded(yaml: &str) -> Result<Loaded, Problems> {
    load_str(&registry(), "sos.yaml", yaml, [])
}

/// What is wrong with one file `sos.yaml`, each problem on its line.
pub(crate) fn problems_of(yaml: &str) -> String {
    match loaded(yaml) {
        Ok(loaded) => panic!("accepted as {:?}", loaded.plan),
        Err(problems) => problems.to_string(),
    }
}

/// A complete configuration with one more sink or other section at its end.
pub(crate) fn with(rest: &str) -> String {
    format!("sources:\n  udp:\n    users: {{ listen: 127.0.0.1:9997 }}\n{rest}")
}

impl Default for Count {
    fn default() -> Self {
        Self { every: Span::from_secs(60) }
    }
}

impl Default for Poll {
    fn default() -> Self {
        Self { interval: Span::from_secs(30), tls: Tls::default(), servers: Vec::new(), proxy: None }
    }
}

#[async_trait]
impl Plugin for Poll {
    type Component = Box<dyn Source>;

    const TYPE: &'static str = "healthcheck";
    const ABOUT: &'static str = "polls servers";
    const SAMPLE: &'static str = "interval: 30s\n";
    const KINDS: &'static [Kind] = &[Kind::new("server.health"), Kind::new("server.up")];

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        Self::json_schema(generator)
    }

    async fn build(&self, _build: Build) -> Result<Box<dyn Source>, BuildError> {
        never()
    }

    fn plan(self) -> Result<Vec<Planned<Box<dyn Source>>>, PlanError> {
        let mut names = BTreeSet::new();
        for (index, server) in self.servers.iter().enumerate() {
            if !names.insert(&server.name) {
                let message = format!("another server is called {:?}; names must differ", server.name);
                return Err(PlanError::at(format!("servers.{index}.name"), message));
            }
        }
        let alone = |server: &Server| Self { servers: vec![server.clone()], ..self.clone() };
        Ok(self.servers.iter().map(|server| Planned::part(&server.name, alone(server))).collect())
    }

    fn warnings(&self) -> Vec<Warning> {
        self.tls.passphrase.as_ref().and_then(|secret| secret.warning("tls.passphrase")).into_iter().collect()
    }
}

#[async_trait]
impl Plugin for Listen {
    type Component = Box<dyn Source>;

    const TYPE: &'static str = "udp";
    const ABOUT: &'static str = "listens";
    const SAMPLE: &'static str = "listen: 127.0.0.1:9997\n";
    const KINDS: &'static [Kind] = &[Kind::new("qlik.user_event")];

    async fn build(&self, _build: Build) -> Result<Box<dyn Source>, BuildError> {
        never()
    }

    fn warnings(&self) -> Vec<Warning> {
        let everybody = self.allow.is_empty() && !self.listen.ip().is_loopback();
        everybody.then(|| Warning::at("allow", "everybody may send; list who may")).into_iter().collect()
    }
}

#[async_trait]
impl Plugin for Count {
    type Component = Box<dyn Relay>;

    const TYPE: &'static str = "count";
    const ABOUT: &'static str = "counts events";
    const SAMPLE: &'static str = "# every: 1m\n";

    async fn build(&self, _build: Build) -> Result<Box<dyn Relay>, BuildError> {
        never()
    }
}

#[async_trait]
impl Plugin for Database {
    type Component = Arc<dyn Sink>;

    const TYPE: &'static str = "influx";
    const ABOUT: &'static str = "writes to a database";
    const SAMPLE: &'static str = "url: http://127.0.0.1:8086\n";

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        Self::json_schema(generator)
    }

    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        never()
    }

    fn plan(self) -> Result<Vec<Planned<Arc<dyn Sink>>>, PlanError> {
        if self.username.is_some() != self.password.is_some() {
            return Err(PlanError::at("", "username and password belong together; set both or none"));
        }
        Ok(vec![Planned::single(self)])
    }

    fn warnings(&self) -> Vec<Warning> {
        self.password.as_ref().and_then(|secret| secret.warning("password")).into_iter().collect()
    }
}

#[async_trait]
impl Plugin for Print {
    type Component = Arc<dyn Sink>;

    const TYPE: &'static str = "console";
    const ABOUT: &'static str = "prints";
    const SAMPLE: &'static str = "# color: false\n";

    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        never()
    }
}

/// Configuration opens nothing.
fn never<T>() -> Result<T, BuildError> {
    Err(BuildError::at("", "not built in these tests"))
}
