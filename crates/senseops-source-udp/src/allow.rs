//! Who may send datagrams: addresses, networks and host names.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use futures::Stream;
use futures::future::join_all;
use futures::stream::unfold;
use ipnet::IpNet;
use serde::Deserialize;
use tokio::net::lookup_host;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often host names are looked up.
const LOOKUP_INTERVAL: Duration = Duration::from_mins(1);
/// The longest that the look-up of one name may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// One line of an allow-list: `10.1.2.3`, `10.0.0.0/8`, `fd00::/8` or `sense1.company.net`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum AllowEntry {
    /// The addresses of a network; a single address is a network of one.
    Network(IpNet),
    /// The addresses that a name has at the time.
    Host(String),
}

/// An allow-list in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowList {
    everybody: bool,
    networks: Vec<IpNet>,
    names: Names,
}

/// The host names of an allow-list, as far as they could be looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    addresses: HashSet<IpAddr>,
    unknown: Vec<String>,
}

struct Host {
    name: String,
    addresses: Vec<IpAddr>,
}

impl FromStr for AllowEntry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.to_canonical().into()));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network));
        }
        let is_name = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
        let is_number = text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if is_name && !is_number {
            Ok(Self::Host(text.to_owned()))
        } else {
            Err(format!("{text:?} is not an address, a network such as 10.0.0.0/8, or a host name"))
        }
    }
}

impl TryFrom<String> for AllowEntry {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl AllowList {
    /// The list of these entries; without any, everybody is allowed. Of its names, nothing is known yet.
    pub(crate) fn new(entries: &[AllowEntry]) -> Self {
        let mut list = Self { everybody: entries.is_empty(), ..Self::default() };
        for entry in entries {
            match entry {
                AllowEntry::Network(network) => list.networks.push(*network),
                AllowEntry::Host(name) => list.names.unknown.push(name.clone()),
            }
        }
        list
    }

    /// Replaces what is known of the names.
    pub(crate) fn set_names(&mut self, names: Names) {
        self.names = names;
    }

    /// Whether this address may send. A socket for IPv6 shows IPv4 senders as mapped addresses; they count as what
    /// they are.
    pub(crate) fn allows(&self, sender: IpAddr) -> bool {
        let sender = sender.to_canonical();
        self.everybody
            || self.networks.iter().any(|network| network.contains(&sender))
            || self.names.addresses.contains(&sender)
    }

    /// Whether there is no list at all.
    pub(crate) fn allows_everybody(&self) -> bool {
        self.everybody
    }

    /// Whether no address is allowed, because there are only names and none of them has one.
    pub(crate) fn allows_nobody(&self) -> bool {
        !self.everybody && self.networks.is_empty() && self.names.addresses.is_empty()
    }

    /// The names that have no address.
    pub(crate) fn unknown_names(&self) -> &[String] {
        &self.names.unknown
    }
}

/// Looks the host names of an allow-list up: at once, then every minute, for ever.
///
/// A name keeps its addresses while it cannot be looked up, so that senders survive an outage of the name server.
pub(crate) fn lookups(entries: &[AllowEntry]) -> impl Stream<Item = Names> + use<> {
    let hosts = entries.iter().filter_map(|entry| match entry {
        AllowEntry::Host(name) => Some(Host { name: name.clone(), addresses: Vec::new() }),
        AllowEntry::Network(_) => None,
    });
    let mut ticks = interval(LOOKUP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    unfold((hosts.collect::<Vec<_>>(), ticks), |(mut hosts, mut ticks)| async move {
        ticks.tick().await;
        join_all(hosts.iter_mut().map(Host::look_up)).await;
        Some((Names::of(&hosts), (hosts, ticks)))
    })
}

impl Names {
    fn of(hosts: &[Host]) -> Self {
        Self {
            addresses: hosts.iter().flat_map(|host| host.addresses.iter().copied()).collect(),
            unknown: hosts
                .iter()
                .filter(|host| host.addresses.is_empty())
                .map(|host| host.name.clone())
                .collect(),
        }
    }
}

impl Host {
    async fn look_up(&mut self) {
        let found = timeout(LOOKUP_TIMEOUT, lookup_host((self.name.as_str(), 0))).await;
        let found = found.unwrap_or_else(|elapsed| Err(io::Error::from(elapsed)));
        match found {
            Ok(found) => self.addresses = found.map(|address| address.ip().to_canonical()).collect(),
            Err(error) => tracing::debug!(name = self.name, %error, "host name not found"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> AllowList {
        AllowList::new(&entries.iter().map(|entry| entry.parse().unwrap()).collect::<Vec<_>>())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_and_networks_of_both_families_are_allowed() {
        let list = list(&["10.1.2.3", "192.168.0.0/16", "fd00::/8"]);
        for (sender, expected) in [
            ("10.1.2.3", true),
            ("10.1.2.4", false),
            ("192.168.255.1", true),
            ("fd12::1", true),
            ("fe80::1", false),
            ("::ffff:10.1.2.3", true),
            ("::ffff:10.1.2.4", false),
        ] {
            assert_eq!(list.allows(ip(sender)), expected, "{sender}");
        }
    }

    #[test]
    fn an_entry_may_be_written_as_a_mapped_address() {
        assert!(list(&["::ffff:10.1.2.3"]).allows(ip("10.1.2.3")));
    }

    #[test]
    fn without_a_list_everybody_is_allowed() {
        let list = list(&[]);
        assert!(list.allows(ip("203.0.113.9")));
        assert!(list.allows_everybody());
        assert!(!list.allows_nobody());
    }

    #[test]
    fn a_list_of_names_without_addresses_admits_nobody() {
        let mut list = list(&["sense1", "sense2"]);
        assert!(list.allows_nobody());
        assert!(!list.allows(ip("10.0.0.1")));
        assert_eq!(list.unknown_names(), ["sense1", "sense2"]);

        list.set_names(Names { addresses: HashSet::from([ip("10.0.0.1")]), unknown: vec!["sense2".into()] });
        assert!(!list.allows_nobody());
        assert!(list.allows(ip("::ffff:10.0.0.1")));
        assert_eq!(list.unknown_names(), ["sense2"]);
    }
}
