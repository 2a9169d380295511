//! One broker: where it is, who we are, and what we tell it about us.

use std::time::Duration;

use rumqttc::{LastWill, MqttOptions, NetworkOptions, QoS, Transport};
use senseops_core::{Build, BuildError};
use senseops_net::{TlsSettings, Url, origin_of};
use sha2::{Digest, Sha256};

use crate::MqttConfig;

/// The ports that the names of the schemes stand for.
const PORT: u16 = 1883;
const PORT_WITH_TLS: u16 = 8883;

/// The longest answer that a broker has for somebody who subscribes to nothing, by far.
const MAX_ANSWER_BYTES: usize = 1024;

/// How many letters of the component's name a client id has: the standard promises that 23 are taken.
const CLIENT_ID_LETTERS: usize = 7;

/// A broker and our place at it.
pub(crate) struct Broker {
    pub(crate) options: MqttOptions,
    pub(crate) network: NetworkOptions,
    /// Scheme, host and port, for sentences.
    pub(crate) origin: String,
    pub(crate) url: Url,
    pub(crate) tls: TlsSettings,
    pub(crate) client_id: String,
    /// How long it may take to answer anything.
    pub(crate) timeout: Duration,
    pub(crate) keep_alive: Duration,
    pub(crate) max_in_flight: usize,
    /// Where it is published whether we are there.
    pub(crate) status: Option<String>,
    pub(crate) is_encrypted: bool,
    pub(crate) has_login: bool,
}

impl Broker {
    /// Reads secrets and certificates; connects to nothing, and leaves no last will.
    pub(crate) async fn new(config: &MqttConfig, build: &Build) -> Result<Self, BuildError> {
        let url = config.broker.url();
        let is_encrypted = config.broker.is_encrypted();
        let default_port = if is_encrypted { PORT_WITH_TLS } else { PORT };
        let own_id = || client_id(&host_name(), &build.component);
        let client_id = config.client_id.as_ref().map_or_else(own_id, |id| id.as_str().to_owned());
        // The client takes what is before the last colon, and TLS knows no brackets.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let mut options = MqttOptions::new(&client_id, host, url.port().unwrap_or(default_port));
        options
            .set_keep_alive(config.keep_alive.get())
            .set_max_packet_size(MAX_ANSWER_BYTES, config.max_packet_size.get())
            // Its bookkeeping of messages is not used, so it need not be large.
            .set_inflight(1);
        let login = config.login().map_err(|refused| BuildError::at(refused.key, refused.message))?;
        if let Some(login) = &login {
            let (username, password) = login.resolve(&build.files).await?;
            options.set_credentials(username, password);
        }
        if is_encrypted {
            options.set_transport(Transport::tls_with_config(
                config.tls.client_config("tls", &build.files).await?.into(),
            ));
        }
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        // The real limit is that of the caller, to the millisecond.
        network.set_connection_timeout(config.timeout.get().as_secs().saturating_add(1));
        Ok(Self {
            options,
            network,
            origin: origin_of(url),
            url: url.clone(),
            tls: config.tls.clone(),
            client_id,
            timeout: config.timeout.get(),
            keep_alive: config.keep_alive.get(),
            max_in_flight: usize::from(config.max_in_flight.get()),
            status: config.status_topic(),
            is_encrypted,
            has_login: login.is_some(),
        })
    }

    /// The same broker, which is asked to say that we are gone once we are lost.
    pub(crate) fn with_last_will(mut self) -> Self {
        if let Some(topic) = &self.status {
            self.options.set_last_will(LastWill::new(topic, OFFLINE, QoS::AtLeastOnce, true));
        }
        self
    }

    /// The same broker for somebody who only looks, under a name that pushes nobody out.
    pub(crate) fn for_a_look(mut self) -> Self {
        self.client_id = client_id(&host_name(), &format!("{}.look", self.client_id));
        self.options.set_client_id(self.client_id.clone());
        self
    }
}

/// What the status topic says while we are there, and when we are not.
pub(crate) const ONLINE: &str = "online";
pub(crate) const OFFLINE: &str = "offline";

/// The same at each start and after each update, so that the broker ends a connection of ours that it still believes in,
/// and its last will comes before our return; another one for each machine and component.
fn client_id(machine: &str, component: &str) -> String {
    let name = component.rsplit('.').next().unwrap_or(component);
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).take(CLIENT_ID_LETTERS).collect();
    let hash = Sha256::digest([machine, component].join("\0"));
    let number = hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    format!("sos{letters}{:013x}", number >> 12)
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A broker knows us by it: another one after an update would leave the old connection and its will behind.
    #[test]
    fn a_client_id_is_the_same_whatever_compiled_us() {
        assert_eq!(client_id("pro2-win1", "mqtt.main"), "sosmain4bbe46cb720ad");
        assert_eq!(client_id("pro2-win1", "mqtt.main.look"), "soslook005bbe5664855");
    }

    #[test]
    fn a_client_id_fits_every_broker_and_differs_by_component() {
        for component in ["mqtt.main", "mqtt.a_long_name_of_a_sink", "mqtt.ä"] {
            let id = client_id("pro2-win1", component);
            assert!(id.len() <= 23 && id.chars().all(|char| char.is_ascii_alphanumeric()), "{id}");
        }
        assert_ne!(client_id("pro2-win1", "mqtt.main"), client_id("pro2-win1", "mqtt.main2"));
        assert_ne!(client_id("pro2-win1", "mqtt.main"), client_id("pro2-win2", "mqtt.main"));
    }
}
