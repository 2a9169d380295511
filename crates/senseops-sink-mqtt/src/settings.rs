//! Values of single settings, which refuse what MQTT or a broker would.

use std::time::Duration;

use senseops_core::schemars::{self, JsonSchema};
use senseops_core::settings::{Size, Span};
use senseops_net::Protocol;
use serde::{Deserialize, Serialize};

/// What is spoken with a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mqtt;

/// The name of a connection: any text but the empty one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct ClientId(String);

/// How many messages may wait for their acknowledgement: 1 to 10,000; 500 unless set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "u64")]
pub struct InFlight(u16);

/// How long a connection may be silent: one second to 18 hours; 30 seconds unless set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Span")]
pub struct KeepAlive(Span);

/// The size of a packet: up to 256 MiB; 1 MiB unless set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Size")]
pub struct PacketSize(Size);

impl Protocol for Mqtt {
    const PLAIN: &'static str = "mqtt";
    const ENCRYPTED: &'static str = "mqtts";
    const TAKES_PATH: bool = false;
    const EXAMPLE: &'static str = "mqtt://broker.company.net:1883";
    const NO_LOGIN: &'static str = "credentials do not belong in the url; set username and password";
    const NO_MORE: &'static str = "only scheme, host and port; topics are set by `base_topic`";
}

impl ClientId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ClientId {
    type Error = &'static str;

    fn try_from(id: String) -> Result<Self, &'static str> {
        if id.is_empty() {
            Err("a client id must not be empty; leave it out for our own")
        } else {
            Ok(Self(id))
        }
    }
}

impl InFlight {
    /// The most: numbers of messages must not come round again.
    const MOST: u16 = 10_000;

    /// As a number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u64> for InFlight {
    type Error = String;

    fn try_from(messages: u64) -> Result<Self, String> {
        let messages = u16::try_from(messages).ok().filter(|messages| (1..=Self::MOST).contains(messages));
        messages.map(Self).ok_or_else(|| format!("must be between 1 and {}", Self::MOST))
    }
}

impl Default for InFlight {
    fn default() -> Self {
        Self(500)
    }
}

impl KeepAlive {
    /// The longest that MQTT can say.
    const LONGEST: Duration = Duration::from_secs(u16::MAX as u64);

    /// As the standard library's type.
    pub fn get(self) -> Duration {
        self.0.get()
    }
}

impl TryFrom<Span> for KeepAlive {
    type Error = &'static str;

    fn try_from(span: Span) -> Result<Self, &'static str> {
        if (Duration::from_secs(1)..=Self::LONGEST).contains(&span.get()) {
            Ok(Self(span))
        } else {
            Err("must be between one second and 18 hours")
        }
    }
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self(Span::from_secs(30))
    }
}

impl PacketSize {
    /// The largest packet that MQTT can say, in bytes.
    const LARGEST: u64 = 268_435_460;

    /// The number of bytes.
    pub fn get(self) -> usize {
        self.0.get()
    }
}

impl TryFrom<Size> for PacketSize {
    type Error = &'static str;

    fn try_from(size: Size) -> Result<Self, &'static str> {
        if size.bytes() > Self::LARGEST { Err("MQTT has no packets above 256 MiB") } else { Ok(Self(size)) }
    }
}

impl Default for PacketSize {
    fn default() -> Self {
        Self(Size::from_mib(1))
    }
}
