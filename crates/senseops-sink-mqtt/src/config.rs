//! What an operator writes about an MQTT broker.

use std::net::IpAddr;
use std::time::Duration;

use senseops_core::settings::{Secret, Size, Span, Warning};
use senseops_core::{PlanError, PlannedSink, SinkConfig};
use senseops_dialect::{MqttDialect, Naming, UserEventTopics, check_topic};
use senseops_net::{TlsSettings, Url};
use serde::Deserialize;
use url::Host;

use crate::sink::MqttFactory;

/// How many messages may wait for their acknowledgement at most: their numbers must not come round again.
const MOST_IN_FLIGHT: u16 = 10_000;

/// The longest that MQTT can say, in seconds.
const LONGEST_KEEP_ALIVE: Duration = Duration::from_secs(u16::MAX as u64);

/// The largest packet that MQTT can say, in bytes.
const LARGEST_PACKET: u64 = 268_435_460;

/// A broker that speaks MQTT 3.1.1.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "RawMqttConfig")]
pub struct MqttConfig {
    /// Where it is, without credentials: `mqtt://host:1883`, or `mqtts://host:8883` for TLS. Default
    /// `mqtt://localhost:1883`.
    pub broker: Url,
    /// Who we are. Default: nobody.
    pub login: Option<Login>,
    /// How to talk TLS, for `mqtts`.
    pub tls: TlsSettings,
    /// The name of our connection, of which the broker allows one. Default: made of the names of this machine and of
    /// the component.
    pub client_id: Option<String>,
    /// When a message is delivered. Default 1.
    pub qos: Qos,
    /// Whether the broker keeps the last message of each topic for later subscribers. Default: no.
    pub retain: bool,
    /// How long the connection may be silent before we ask whether the broker is there. Default 30 seconds.
    pub keep_alive: Span,
    /// How long the broker may take to answer anything. Default 10 seconds.
    pub timeout: Span,
    /// How many messages may wait for their acknowledgement. Default 500.
    pub max_in_flight: u16,
    /// The largest packet that the broker takes; events that need a larger one are refused. Default 1 MiB.
    pub max_packet_size: Size,
    /// Whose topics and payloads the messages get. Default: those of the newest Butler SOS.
    pub naming: Naming,
    /// What all topics but those of user events begin with. Default `butler-sos/`.
    pub base_topic: String,
    /// Where it is published whether we are there: the topic after the base topic; `None` for nowhere. Default
    /// `status`.
    pub status: Option<String>,
    /// The topics of user events. Default: those of the newest Butler SOS.
    pub user_events: UserEventTopics,
}

/// When a message is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub enum Qos {
    /// Once it is written to the socket: it is lost if the connection is.
    AtMostOnce,
    /// Once the broker has acknowledged it.
    #[default]
    AtLeastOnce,
}

/// Name and password of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawMqttConfig {
    broker: Url,
    /// Any text is a name.
    username: Option<String>,
    password: Option<Secret>,
    tls: TlsSettings,
    /// Any text is a client id, but for the empty one.
    client_id: Option<String>,
    qos: Qos,
    retain: bool,
    keep_alive: Span,
    timeout: Span,
    max_in_flight: u16,
    max_packet_size: Size,
    naming: Naming,
    /// The begin of topics.
    base_topic: String,
    /// The end of a topic.
    status: Option<String>,
    user_events: UserEventTopics,
}

impl Default for MqttConfig {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a constant that every test parses")]
        let broker = Url::parse("mqtt://localhost:1883").expect("a URL");
        let MqttDialect { naming, base_topic, user_events } = MqttDialect::default();
        Self {
            broker,
            login: None,
            tls: TlsSettings::default(),
            client_id: None,
            qos: Qos::default(),
            retain: false,
            keep_alive: Span::from_secs(30),
            timeout: Span::from_secs(10),
            max_in_flight: 500,
            max_packet_size: Size::from_mib(1),
            naming,
            base_topic,
            status: Some("status".into()),
            user_events,
        }
    }
}

impl Default for RawMqttConfig {
    fn default() -> Self {
        let config = MqttConfig::default();
        Self {
            broker: config.broker,
            username: None,
            password: None,
            tls: config.tls,
            client_id: config.client_id,
            qos: config.qos,
            retain: config.retain,
            keep_alive: config.keep_alive,
            timeout: config.timeout,
            max_in_flight: config.max_in_flight,
            max_packet_size: config.max_packet_size,
            naming: config.naming,
            base_topic: config.base_topic,
            status: config.status,
            user_events: config.user_events,
        }
    }
}

impl SinkConfig for MqttConfig {
    const TYPE: &'static str = "mqtt";
    const ABOUT: &'static str =
        "Publishes events to an MQTT broker, under the topics that Butler SOS subscribers know";
    const SAMPLE: &'static str = include_str!("../sample.yaml");

    fn plan(self) -> Result<Vec<PlannedSink>, PlanError> {
        self.check_broker()?;
        self.check_limits()?;
        self.check_topics()?;
        Ok(vec![PlannedSink::single(MqttFactory(self))])
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = self.tls.warnings("tls");
        if let Some(login) = &self.login {
            warnings.extend(login.password.warning("password"));
            if !self.is_encrypted() && !self.is_on_this_machine() {
                warnings.push(Warning::at(
                    "broker",
                    "the password is sent unencrypted; use mqtts:// if the broker can",
                ));
            }
        }
        warnings
    }
}

impl MqttConfig {
    /// How events become messages.
    pub(crate) fn dialect(&self) -> MqttDialect {
        MqttDialect {
            naming: self.naming,
            base_topic: self.base_topic.clone(),
            user_events: self.user_events.clone(),
        }
    }

    /// Where it is published whether we are there.
    pub(crate) fn status_topic(&self) -> Option<String> {
        self.status.as_ref().map(|status| [self.base_topic.as_str(), status].concat())
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.broker.scheme() == "mqtts"
    }

    fn check_broker(&self) -> Result<(), PlanError> {
        let refused = |message: String| Err(PlanError::at("broker", message));
        let url = &self.broker;
        if !matches!(url.scheme(), "mqtt" | "mqtts") {
            return refused(format!("{:?} is neither mqtt nor mqtts", url.scheme()));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return refused("the host is missing".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("credentials do not belong in the url; set username and password".into());
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return refused("only scheme, host and port; topics are set by `base_topic`".into());
        }
        if self.client_id.as_ref().is_some_and(String::is_empty) {
            return Err(PlanError::at(
                "client_id",
                "a client id must not be empty; leave it out for our own",
            ));
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), PlanError> {
        if !(1..=MOST_IN_FLIGHT).contains(&self.max_in_flight) {
            return Err(PlanError::at("max_in_flight", format!("must be between 1 and {MOST_IN_FLIGHT}")));
        }
        if !(Duration::from_secs(1)..=LONGEST_KEEP_ALIVE).contains(&self.keep_alive.get()) {
            return Err(PlanError::at("keep_alive", "must be between one second and 18 hours"));
        }
        if self.max_packet_size.bytes() > LARGEST_PACKET {
            return Err(PlanError::at("max_packet_size", "MQTT has no packets above 256 MiB"));
        }
        Ok(())
    }

    fn check_topics(&self) -> Result<(), PlanError> {
        let check = |key: String, topic: &str| {
            check_topic(topic).map_err(|reason| PlanError::at(key, reason.to_string()))
        };
        // It may be empty, since something always follows.
        check("base_topic".into(), &format!("{}x", self.base_topic))?;
        if let Some(topic) = self.status_topic() {
            check("status".into(), &topic)?;
        }
        self.user_events.iter().try_for_each(|(name, topic)| check(format!("user_events.{name}"), topic))
    }

    fn is_on_this_machine(&self) -> bool {
        match self.broker.host() {
            Some(Host::Domain(name)) => {
                name.eq_ignore_ascii_case("localhost")
                    // A URL of this scheme does not tell addresses of version 4 from names.
                    || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
            }
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

impl TryFrom<u64> for Qos {
    type Error = String;

    fn try_from(qos: u64) -> Result<Self, String> {
        match qos {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            _ => Err(format!("{qos} is not 0 or 1")),
        }
    }
}

impl TryFrom<RawMqttConfig> for MqttConfig {
    type Error = &'static str;

    fn try_from(raw: RawMqttConfig) -> Result<Self, &'static str> {
        let login = match (raw.username, raw.password) {
            (Some(username), Some(password)) => Some(Login { username, password }),
            (None, None) => None,
            (Some(_), None) => return Err("`username` needs `password`"),
            (None, Some(_)) => return Err("`password` needs `username`"),
        };
        Ok(Self {
            broker: raw.broker,
            login,
            tls: raw.tls,
            client_id: raw.client_id,
            qos: raw.qos,
            retain: raw.retain,
            keep_alive: raw.keep_alive,
            timeout: raw.timeout,
            max_in_flight: raw.max_in_flight,
            max_packet_size: raw.max_packet_size,
            naming: raw.naming,
            base_topic: raw.base_topic,
            status: raw.status,
            user_events: raw.user_events,
        })
    }
}
