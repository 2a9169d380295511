//! What an operator writes about an InfluxDB.

use std::num::NonZeroU32;
use std::sync::Arc;

use senseops_core::schemars::{self, JsonSchema, Schema, SchemaGenerator};
use senseops_core::settings::{Secret, Warning};
use senseops_core::{Build, BuildError, PlanError, Planned, Plugin, Sink, async_trait};
use senseops_dialect::{IncludedDocs, InfluxDialect, Naming};
use senseops_net::{Endpoint, Login, TlsSettings};
use serde::{Deserialize, Serialize};

use crate::settings::{Influx, Name, Retention, Username};

/// A database of an InfluxDB 1.x.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InfluxConfig {
    /// Where it is, without credentials. Default `http://localhost:8086`.
    pub url: Endpoint<Influx>,
    /// Which version it is. Default 1.
    #[schemars(with = "u8", range(min = 1, max = 1))]
    pub version: InfluxVersion,
    /// The name of the database, which is created if it does not exist. Default `senseops`.
    pub database: Name,
    /// How long a database that we create keeps points. Default: for ever. An existing database stays as it is.
    pub retention_policy: Option<RetentionPolicy>,
    /// The user, who needs a password. Default: nobody.
    pub username: Option<Username>,
    /// Their password.
    pub password: Option<Secret>,
    /// How to talk TLS, for a URL with `https`.
    pub tls: TlsSettings,
    /// Whether requests are compressed. Default: unless the server is on this machine.
    pub gzip: Gzip,
    /// Whose names the points get. Default: those of the newest Butler SOS.
    pub naming: Naming,
    /// Which lists of apps are written. Default: none.
    pub include: IncludedDocs,
    /// How many series each measurement may have, counted over a rolling day. Points that would begin another are
    /// refused. Default 100,000.
    pub max_series: NonZeroU32,
}

/// A version of InfluxDB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "u64", into = "u64")]
pub enum InfluxVersion {
    /// 1.x: databases and retention policies.
    #[default]
    V1,
}

/// The retention policy of a database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionPolicy {
    /// Its name.
    pub name: Name,
    /// How long points are kept.
    pub duration: Retention,
}

/// Whether requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gzip {
    /// Unless the server is on this machine.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Far more than an estate has of users and apps at once, and far less than what hurts InfluxDB.
const DEFAULT_MAX_SERIES: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

impl Default for InfluxConfig {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "constants that every test parses")]
        let (url, database) = (
            "http://localhost:8086".parse().expect("an address"),
            "senseops".to_owned().try_into().expect("a name"),
        );
        Self {
            url,
            version: InfluxVersion::V1,
            database,
            retention_policy: None,
            username: None,
            password: None,
            tls: TlsSettings::default(),
            gzip: Gzip::Auto,
            naming: Naming::default(),
            include: IncludedDocs::default(),
            max_series: DEFAULT_MAX_SERIES,
        }
    }
}

#[async_trait]
impl Plugin for InfluxConfig {
    type Component = Arc<dyn Sink>;

    const TYPE: &'static str = "influx";
    const ABOUT: &'static str =
        "Writes events to InfluxDB 1.x, under the names that Butler SOS dashboards know";
    const SAMPLE: &'static str = include_str!("../sample.yaml");

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        Self::json_schema(generator)
    }

    async fn build(&self, build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        self.sink(build).await
    }

    fn plan(self) -> Result<Vec<Planned<Arc<dyn Sink>>>, PlanError> {
        self.login()?;
        Ok(vec![Planned::single(self)])
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = self.tls.warnings("tls");
        if let Some(password) = &self.password {
            warnings.extend(password.warning("password"));
            if !self.url.is_encrypted() && !self.url.is_on_this_machine() {
                warnings.push(Warning::at(
                    "url",
                    "the password is sent unencrypted; use https if the server can",
                ));
            }
        }
        warnings
    }
}

impl InfluxConfig {
    /// How events become points.
    pub(crate) fn dialect(&self) -> InfluxDialect {
        InfluxDialect { naming: self.naming, include: self.include }
    }

    /// Whether requests are compressed.
    pub(crate) fn compresses(&self) -> bool {
        match self.gzip {
            Gzip::Auto => !self.url.is_on_this_machine(),
            Gzip::On => true,
            Gzip::Off => false,
        }
    }

    /// Who we are.
    pub(crate) fn login(&self) -> Result<Option<Login>, PlanError> {
        Login::of(self.username.as_ref().map(Username::as_str), self.password.as_ref())
    }
}

impl From<InfluxVersion> for u64 {
    fn from(version: InfluxVersion) -> Self {
        match version {
            InfluxVersion::V1 => 1,
        }
    }
}

impl TryFrom<u64> for InfluxVersion {
    type Error = String;

    fn try_from(version: u64) -> Result<Self, String> {
        match version {
            1 => Ok(Self::V1),
            2 | 3 => {
                Err(format!("InfluxDB {version} cannot be written to yet; 1 is the only version so far"))
            }
            _ => Err(format!("there is no InfluxDB {version}; 1 is the only version so far")),
        }
    }
}
