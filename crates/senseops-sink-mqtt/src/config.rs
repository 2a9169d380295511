//! What an operator writes about an MQTT broker.

use std::sync::Arc;

use senseops_core::schemars::{self, JsonSchema, Schema, SchemaGenerator};
use senseops_core::settings::{Secret, Span, Warning};
use senseops_core::{Build, BuildError, PlanError, Planned, Plugin, Sink, async_trait};
use senseops_dialect::{MqttDialect, Naming, UserEventTopics, check_topic};
use senseops_net::{Endpoint, Login, TlsSettings};
use serde::{Deserialize, Serialize};

use crate::settings::{ClientId, InFlight, KeepAlive, Mqtt, PacketSize};

/// A broker that speaks MQTT 3.1.1.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MqttConfig {
    /// Where it is, without credentials: `mqtt://host:1883`, or `mqtts://host:8883` for TLS. Default
    /// `mqtt://localhost:1883`.
    pub broker: Endpoint<Mqtt>,
    /// The user, any text, who needs a password. Default: nobody.
    pub username: Option<String>,
    /// Their password.
    pub password: Option<Secret>,
    /// How to talk TLS, for `mqtts`.
    pub tls: TlsSettings,
    /// The name of our connection, of which the broker allows one. Default: made of the names of this machine and of
    /// the component.
    pub client_id: Option<ClientId>,
    /// When a message is delivered. Default 1.
    #[schemars(with = "u8", range(max = 1))]
    pub qos: Qos,
    /// Whether the broker keeps the last message of each topic for later subscribers. Default: no.
    pub retain: bool,
    /// How long the connection may be silent before we ask whether the broker is there. Default 30 seconds.
    pub keep_alive: KeepAlive,
    /// How long the broker may take to answer anything. Default 10 seconds.
    pub timeout: Span,
    /// How many messages may wait for their acknowledgement. Default 500.
    #[schemars(with = "u16", range(min = 1, max = 10_000))]
    pub max_in_flight: InFlight,
    /// The largest packet that the broker takes; events that need a larger one are refused. Default 1 MiB.
    pub max_packet_size: PacketSize,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "u64", into = "u64")]
pub enum Qos {
    /// Once it is written to the socket: it is lost if the connection is.
    AtMostOnce,
    /// Once the broker has acknowledged it.
    #[default]
    AtLeastOnce,
}

impl Default for MqttConfig {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a constant that every test parses")]
        let broker = "mqtt://localhost:1883".parse().expect("an address");
        let MqttDialect { naming, base_topic, user_events } = MqttDialect::default();
        Self {
            broker,
            username: None,
            password: None,
            tls: TlsSettings::default(),
            client_id: None,
            qos: Qos::default(),
            retain: false,
            keep_alive: KeepAlive::default(),
            timeout: Span::from_secs(10),
            max_in_flight: InFlight::default(),
            max_packet_size: PacketSize::default(),
            naming,
            base_topic,
            status: Some("status".into()),
            user_events,
        }
    }
}

#[async_trait]
impl Plugin for MqttConfig {
    type Component = Arc<dyn Sink>;

    const TYPE: &'static str = "mqtt";
    const ABOUT: &'static str =
        "Publishes events to an MQTT broker, under the topics that Butler SOS subscribers know";
    const SAMPLE: &'static str = include_str!("../sample.yaml");

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        Self::json_schema(generator)
    }

    async fn build(&self, build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        self.sink(build).await
    }

    fn plan(self) -> Result<Vec<Planned<Arc<dyn Sink>>>, PlanError> {
        self.login()?;
        self.check_topics()?;
        Ok(vec![Planned::single(self)])
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = self.tls.warnings("tls");
        if let Some(password) = &self.password {
            warnings.extend(password.warning("password"));
            if !self.broker.is_encrypted() && !self.broker.is_on_this_machine() {
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

    /// Who we are.
    pub(crate) fn login(&self) -> Result<Option<Login>, PlanError> {
        Login::of(self.username.as_deref(), self.password.as_ref())
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
}

impl From<Qos> for u64 {
    fn from(qos: Qos) -> Self {
        match qos {
            Qos::AtMostOnce => 0,
            Qos::AtLeastOnce => 1,
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
