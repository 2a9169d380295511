//! Values of single settings, which refuse what InfluxDB would.

use std::time::Duration;

use senseops_core::schemars::{self, JsonSchema};
use senseops_core::settings::Span;
use senseops_net::Protocol;
use serde::{Deserialize, Serialize};

/// What is spoken with InfluxDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Influx;

/// The name of a database or retention policy: any text but the empty one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Name(String);

/// The name of a user: any text without a colon, where HTTP has the password begin.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Username(String);

/// How long points are kept: an hour at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Span")]
pub struct Retention(Span);

impl Protocol for Influx {
    const EXAMPLE: &'static str = "http://influx.company.net:8086";
    const NO_LOGIN: &'static str = "credentials do not belong in the url; set username and password";
    const NO_MORE: &'static str = "only scheme, host, port and path; the database is set by `database`";
}

impl Name {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        if name.is_empty() { Err("a name must not be empty") } else { Ok(Self(name)) }
    }
}

impl Username {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Username {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        if name.contains(':') {
            Err("a name with a colon cannot be sent; use another user")
        } else {
            Ok(Self(name))
        }
    }
}

impl Retention {
    /// As the standard library's type.
    pub fn get(self) -> Duration {
        self.0.get()
    }
}

impl TryFrom<Span> for Retention {
    type Error = &'static str;

    fn try_from(span: Span) -> Result<Self, &'static str> {
        if span.get() < Duration::from_hours(1) {
            Err("InfluxDB keeps points for one hour at least")
        } else {
            Ok(Self(span))
        }
    }
}
