//! What an operator writes about an InfluxDB.

use std::num::NonZeroU32;
use std::time::Duration;

use senseops_core::settings::{Secret, Span, Warning};
use senseops_core::{PlanError, PlannedSink, SinkConfig};
use senseops_dialect::{IncludedDocs, InfluxDialect, Naming};
use senseops_net::{TlsSettings, Url};
use serde::Deserialize;
use url::Host;

use crate::sink::InfluxFactory;

/// A database of an InfluxDB 1.x.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "RawInfluxConfig")]
pub struct InfluxConfig {
    /// Where it is, without credentials. Default `http://localhost:8086`.
    pub url: Url,
    /// Which version it is. Default 1.
    pub version: InfluxVersion,
    /// The name of the database, which is created if it does not exist. Default `senseops`.
    pub database: String,
    /// How long a database that we create keeps points. Default: for ever. An existing database stays as it is.
    pub retention_policy: Option<RetentionPolicy>,
    /// Who we are. Default: nobody.
    pub login: Option<Login>,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub enum InfluxVersion {
    /// 1.x: databases and retention policies.
    #[default]
    V1,
}

/// The retention policy of a database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionPolicy {
    /// Its name.
    pub name: String,
    /// How long points are kept; InfluxDB demands an hour at least.
    pub duration: Span,
}

/// Name and password of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// Whether requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawInfluxConfig {
    url: Url,
    version: InfluxVersion,
    /// Any text is the name of a database, but for the empty one.
    database: String,
    retention_policy: Option<RetentionPolicy>,
    /// Any text is a name, but for one with a colon.
    username: Option<String>,
    password: Option<Secret>,
    tls: TlsSettings,
    gzip: Gzip,
    naming: Naming,
    include: IncludedDocs,
    max_series: NonZeroU32,
}

/// Far more than an estate has of users and apps at once, and far less than what hurts InfluxDB.
const DEFAULT_MAX_SERIES: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

impl Default for InfluxConfig {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a constant that every test parses")]
        let url = Url::parse("http://localhost:8086").expect("a URL");
        Self {
            url,
            version: InfluxVersion::V1,
            database: "senseops".into(),
            retention_policy: None,
            login: None,
            tls: TlsSettings::default(),
            gzip: Gzip::Auto,
            naming: Naming::default(),
            include: IncludedDocs::default(),
            max_series: DEFAULT_MAX_SERIES,
        }
    }
}

impl Default for RawInfluxConfig {
    fn default() -> Self {
        let InfluxConfig {
            url,
            version,
            database,
            retention_policy,
            login: _,
            tls,
            gzip,
            naming,
            include,
            max_series,
        } = InfluxConfig::default();
        Self {
            url,
            version,
            database,
            retention_policy,
            username: None,
            password: None,
            tls,
            gzip,
            naming,
            include,
            max_series,
        }
    }
}

impl SinkConfig for InfluxConfig {
    const TYPE: &'static str = "influx";
    const ABOUT: &'static str =
        "Writes events to InfluxDB 1.x, under the names that Butler SOS dashboards know";
    const SAMPLE: &'static str = include_str!("../sample.yaml");

    fn plan(self) -> Result<Vec<PlannedSink>, PlanError> {
        self.check()?;
        Ok(vec![PlannedSink::single(InfluxFactory::new(self))])
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = self.tls.warnings("tls");
        if let Some(login) = &self.login {
            warnings.extend(login.password.warning("password"));
            if self.url.scheme() == "http" && !self.is_on_this_machine() {
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
            Gzip::Auto => !self.is_on_this_machine(),
            Gzip::On => true,
            Gzip::Off => false,
        }
    }

    fn check(&self) -> Result<(), PlanError> {
        if !matches!(self.url.scheme(), "http" | "https") {
            return Err(PlanError::at("url", format!("{:?} is neither http nor https", self.url.scheme())));
        }
        if !self.url.username().is_empty() || self.url.password().is_some() {
            return Err(PlanError::at(
                "url",
                "credentials do not belong in the url; set username and password",
            ));
        }
        if self.url.query().is_some() || self.url.fragment().is_some() {
            return Err(PlanError::at(
                "url",
                "only scheme, host, port and path; the database is set by `database`",
            ));
        }
        if self.database.is_empty() {
            return Err(PlanError::at("database", "the name of a database must not be empty"));
        }
        if self.login.as_ref().is_some_and(|login| login.username.contains(':')) {
            return Err(PlanError::at("username", "a name with a colon cannot be sent; use another user"));
        }
        match &self.retention_policy {
            Some(policy) if policy.name.is_empty() => Err(PlanError::at(
                "retention_policy.name",
                "the name of a retention policy must not be empty",
            )),
            Some(policy) if policy.duration.get() < Duration::from_hours(1) => {
                Err(PlanError::at("retention_policy.duration", "InfluxDB keeps points for one hour at least"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn is_on_this_machine(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
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

impl TryFrom<RawInfluxConfig> for InfluxConfig {
    type Error = &'static str;

    fn try_from(raw: RawInfluxConfig) -> Result<Self, &'static str> {
        let RawInfluxConfig {
            url,
            version,
            database,
            retention_policy,
            username,
            password,
            tls,
            gzip,
            naming,
            include,
            max_series,
        } = raw;
        let login = match (username, password) {
            (Some(username), Some(password)) => Some(Login { username, password }),
            (None, None) => None,
            (Some(_), None) => return Err("`username` needs `password`"),
            (None, Some(_)) => return Err("`password` needs `username`"),
        };
        Ok(Self { url, version, database, retention_policy, login, tls, gzip, naming, include, max_series })
    }
}
