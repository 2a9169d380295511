//! Plugins that look like real ones, and do nothing.

#![expect(clippy::panic, reason = "helpers of tests")]
#![expect(dead_code, reason = "what is read is what matters, not what would be done with it")]
#![expect(clippy::struct_field_names, reason = "keys as users know them")]

use std::collections::BTreeSet;
use std::net::SocketAddr;

use senseops_config::{Loaded, Problems, Registry, load_str};
use senseops_core::settings::{Secret, Size, Span, Warning};
use senseops_core::{
    Build, BuildError, LabelSet, PlanError, PlannedSink, PlannedSource, Sink, SinkConfig, SinkFactory,
    Source, SourceConfig, SourceFactory, async_trait,
};
use serde::Deserialize;
use url::Url;

/// Polls servers: nested tables, lists of tables, one component per server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Poll {
    pub(crate) interval: Span,
    pub(crate) tls: Tls,
    pub(crate) servers: Vec<Server>,
    pub(crate) proxy: Option<Url>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    pub(crate) ca: Option<std::path::PathBuf>,
    pub(crate) verify: Option<bool>,
    pub(crate) passphrase: Option<Secret>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) tags: LabelSet,
}

/// Listens: a required key, a size, a list of texts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    pub(crate) listen: SocketAddr,
    #[serde(default)]
    pub(crate) allow: Vec<String>,
    #[serde(default)]
    pub(crate) receive_buffer: Option<Size>,
}

/// Writes to a database: a login that must be complete, a secret, words to choose from.
#[derive(Debug, Deserialize)]
#[serde(try_from = "RawDatabase")]
pub(crate) struct Database {
    pub(crate) database: String,
    pub(crate) version: u8,
    pub(crate) gzip: bool,
    password: Option<Secret>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDatabase {
    url: String,
    database: String,
    #[serde(default)]
    version: u8,
    #[serde(default)]
    gzip: bool,
    username: Option<String>,
    password: Option<Secret>,
    #[serde(default)]
    naming: Naming,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Naming {
    #[default]
    ButlerSos,
    Native,
}

/// Prints: everything has a default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Print {
    pub(crate) color: bool,
}

pub(crate) fn registry() -> Registry {
    Registry::new().source::<Poll>().source::<Listen>().sink::<Database>().sink::<Print>()
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

impl Default for Poll {
    fn default() -> Self {
        Self { interval: Span::from_secs(30), tls: Tls::default(), servers: Vec::new(), proxy: None }
    }
}

impl TryFrom<RawDatabase> for Database {
    type Error = &'static str;

    fn try_from(raw: RawDatabase) -> Result<Self, Self::Error> {
        if raw.username.is_some() != raw.password.is_some() {
            return Err("username and password belong together; set both or none");
        }
        assert!(!raw.url.is_empty() || raw.naming == Naming::default());
        Ok(Self { database: raw.database, version: raw.version, gzip: raw.gzip, password: raw.password })
    }
}

impl SourceConfig for Poll {
    const TYPE: &'static str = "healthcheck";
    const ABOUT: &'static str = "polls servers";
    const SAMPLE: &'static str = "interval: 30s\n";

    fn plan(self) -> Result<Vec<PlannedSource>, PlanError> {
        let mut names = BTreeSet::new();
        for (index, server) in self.servers.iter().enumerate() {
            if !names.insert(&server.name) {
                let message = format!("another server is called {:?}; names must differ", server.name);
                return Err(PlanError::at(format!("servers.{index}.name"), message));
            }
        }
        Ok(self.servers.iter().map(|server| PlannedSource::part(&server.name, Never)).collect())
    }

    fn warnings(&self) -> Vec<Warning> {
        self.tls.passphrase.as_ref().and_then(|secret| secret.warning("tls.passphrase")).into_iter().collect()
    }
}

impl SourceConfig for Listen {
    const TYPE: &'static str = "udp";
    const ABOUT: &'static str = "listens";
    const SAMPLE: &'static str = "listen: 127.0.0.1:9997\n";

    fn plan(self) -> Result<Vec<PlannedSource>, PlanError> {
        Ok(vec![PlannedSource::single(Never)])
    }

    fn warnings(&self) -> Vec<Warning> {
        let everybody = self.allow.is_empty() && !self.listen.ip().is_loopback();
        everybody.then(|| Warning::at("allow", "everybody may send; list who may")).into_iter().collect()
    }
}

impl SinkConfig for Database {
    const TYPE: &'static str = "influx";
    const ABOUT: &'static str = "writes to a database";
    const SAMPLE: &'static str = "url: http://127.0.0.1:8086\n";

    fn plan(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(Never)])
    }

    fn warnings(&self) -> Vec<Warning> {
        self.password.as_ref().and_then(|secret| secret.warning("password")).into_iter().collect()
    }
}

impl SinkConfig for Print {
    const TYPE: &'static str = "console";
    const ABOUT: &'static str = "prints";
    const SAMPLE: &'static str = "# color: false\n";

    fn plan(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(Never)])
    }
}

/// Is never built: configuration opens nothing.
#[derive(PartialEq)]
struct Never;

#[async_trait]
impl SourceFactory for Never {
    async fn build(&self, _build: Build) -> Result<Box<dyn Source>, BuildError> {
        Err(BuildError::at("", "not built in these tests"))
    }
}

#[async_trait]
impl SinkFactory for Never {
    async fn build(&self, _build: Build) -> Result<std::sync::Arc<dyn Sink>, BuildError> {
        Err(BuildError::at("", "not built in these tests"))
    }
}
