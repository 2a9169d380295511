//! Who may send datagrams: addresses, networks and host names.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use futures::Stream;
use futures::future::join_all;
use futures::stream::unfold;
use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;
use tokio::net::lookup_host;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// How often host names are looked up.
const LOOKUP_INTERVAL: Duration = Duration::from_mins(1);
/// The longest that the look-up of one name may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the addresses of a name count after it was last found. Long enough for an outage of the name server, and
/// short enough that a server whose name was taken away cannot send for ever.
const FORGET_AFTER: Duration = Duration::from_hours(1);
/// How many bits of an IPv6 address say that it is a mapped IPv4 address.
const MAPPED_BITS: u8 = 96;

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
    /// Those that have no address.
    unknown: Vec<String>,
    /// Those that cannot be found now, but have the addresses of before.
    stale: Vec<String>,
}

#[derive(Debug)]
struct Host {
    name: String,
    addresses: Vec<IpAddr>,
    /// When these addresses were last confirmed.
    confirmed: Option<Instant>,
    is_stale: bool,
}

impl FromStr for AllowEntry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.to_canonical().into()));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return canonical(network).map(Self::Network);
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

/// The network in the form in which senders are compared: IPv4 as such, not mapped into IPv6.
fn canonical(network: IpNet) -> Result<IpNet, String> {
    let IpNet::V6(mapped) = network else { return Ok(network) };
    let Some(address) = mapped.addr().to_ipv4_mapped() else { return Ok(network) };
    let prefix = mapped.prefix_len().checked_sub(MAPPED_BITS);
    let network = prefix.and_then(|prefix| Ipv4Net::new(address, prefix).ok());
    network.map(IpNet::V4).ok_or_else(|| {
        format!(
            "{mapped} covers more than the IPv4 addresses in it; write the IPv4 network, such as 10.0.0.0/8"
        )
    })
}

impl TryFrom<String> for AllowEntry {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl AllowList {
    /// The list of these entries; without a list, everybody is allowed. Of its names, nothing is known yet.
    pub(crate) fn new(entries: Option<&[AllowEntry]>) -> Self {
        let mut list = Self { everybody: entries.is_none(), ..Self::default() };
        for entry in entries.unwrap_or_default() {
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

    /// Whether no address is allowed: the list is empty, or has only names and none of them has one.
    pub(crate) fn allows_nobody(&self) -> bool {
        !self.everybody && self.networks.is_empty() && self.names.addresses.is_empty()
    }

    /// The names that have no address.
    pub(crate) fn unknown_names(&self) -> &[String] {
        &self.names.unknown
    }

    /// The names that cannot be found now, whose addresses of before still count.
    pub(crate) fn stale_names(&self) -> &[String] {
        &self.names.stale
    }
}

/// Looks the host names of an allow-list up: at once, then every minute, for ever.
///
/// A name keeps its addresses for [`FORGET_AFTER`] while it cannot be looked up, so that senders survive an outage of
/// the name server.
pub(crate) fn lookups(entries: &[AllowEntry]) -> impl Stream<Item = Names> + use<> {
    let hosts = entries.iter().filter_map(|entry| match entry {
        AllowEntry::Host(name) => Some(Host::new(name)),
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
        let names = |wanted: fn(&Host) -> bool| {
            hosts.iter().filter(|host| wanted(host)).map(|host| host.name.clone()).collect()
        };
        Self {
            addresses: hosts.iter().flat_map(|host| host.addresses.iter().copied()).collect(),
            unknown: names(|host| host.addresses.is_empty()),
            stale: names(|host| host.is_stale && !host.addresses.is_empty()),
        }
    }
}

#[cfg(test)]
impl Names {
    /// A name that was found before, and cannot be found now.
    pub(crate) fn stale(name: &str, address: IpAddr) -> Self {
        Self { addresses: HashSet::from([address]), unknown: Vec::new(), stale: vec![name.to_owned()] }
    }
}

impl Host {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), addresses: Vec::new(), confirmed: None, is_stale: false }
    }

    async fn look_up(&mut self) {
        let found = timeout(LOOKUP_TIMEOUT, lookup_host((self.name.as_str(), 0))).await;
        let found = found.unwrap_or_else(|elapsed| Err(io::Error::from(elapsed)));
        let found = found.map(|found| found.map(|address| address.ip().to_canonical()).collect());
        self.learn(found, Instant::now());
    }

    /// Keeps what was found; or what was found before, for a while.
    fn learn(&mut self, found: io::Result<Vec<IpAddr>>, now: Instant) {
        self.is_stale = found.is_err();
        match found {
            Ok(addresses) => {
                self.addresses = addresses;
                self.confirmed = Some(now);
            }
            Err(error) => {
                tracing::debug!(name = self.name, %error, "host name not found");
                let is_recent = |confirmed| now.duration_since(confirmed) < FORGET_AFTER;
                if !self.confirmed.is_some_and(is_recent) {
                    self.addresses.clear();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> AllowList {
        AllowList::new(Some(&entries.iter().map(|entry| entry.parse().unwrap()).collect::<Vec<_>>()))
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
        let network = list(&["::ffff:10.0.0.0/104"]);
        assert!(network.allows(ip("10.1.2.3")) && network.allows(ip("::ffff:10.1.2.3")));
        assert!(!network.allows(ip("11.1.2.3")));
        let all = list(&["::ffff:0:0/96"]);
        assert!(all.allows(ip("203.0.113.9")) && !all.allows(ip("fe80::1")));
    }

    #[test]
    fn a_network_that_is_more_than_the_mapped_addresses_is_refused() {
        let refused = "::ffff:10.0.0.0/64".parse::<AllowEntry>().unwrap_err();
        insta::assert_snapshot!(refused, @"::ffff:10.0.0.0/64 covers more than the IPv4 addresses in it; write the IPv4 network, such as 10.0.0.0/8");
    }

    #[test]
    fn a_name_that_cannot_be_found_any_more_is_forgotten_after_a_while() {
        let mut host = Host::new("sense1");
        let begin = Instant::now();
        let names = |host: &Host| Names::of(std::slice::from_ref(host));
        let after = |host: &mut Host, time| {
            host.learn(Err(io::Error::other("no name server")), begin + time);
            let Names { addresses, unknown, stale } = names(host);
            (addresses.len(), unknown.len(), stale.len())
        };
        assert_eq!(after(&mut host, Duration::ZERO), (0, 1, 0));
        host.learn(Ok(vec![ip("10.0.0.1"), ip("10.0.0.2")]), begin);
        assert_eq!(names(&host).stale, [""; 0]);
        assert_eq!(after(&mut host, Duration::from_mins(1)), (2, 0, 1));
        assert_eq!(after(&mut host, Duration::from_mins(59)), (2, 0, 1));
        assert_eq!(after(&mut host, FORGET_AFTER), (0, 1, 0));
        host.learn(Ok(vec![ip("10.0.0.3")]), begin + FORGET_AFTER);
        assert_eq!(names(&host), Names { addresses: HashSet::from([ip("10.0.0.3")]), ..Names::default() });
    }

    #[test]
    fn without_a_list_everybody_is_allowed() {
        let list = AllowList::new(None);
        assert!(list.allows(ip("203.0.113.9")));
        assert!(list.allows_everybody());
        assert!(!list.allows_nobody());
    }

    #[test]
    fn an_empty_list_admits_nobody() {
        let list = list(&[]);
        assert!(list.allows_nobody());
        assert!(!list.allows(ip("127.0.0.1")));
    }

    #[test]
    fn a_list_of_names_without_addresses_admits_nobody() {
        let mut list = list(&["sense1", "sense2"]);
        assert!(list.allows_nobody());
        assert!(!list.allows(ip("10.0.0.1")));
        assert_eq!(list.unknown_names(), ["sense1", "sense2"]);

        list.set_names(Names {
            addresses: HashSet::from([ip("10.0.0.1")]),
            unknown: vec!["sense2".into()],
            ..Names::default()
        });
        assert!(!list.allows_nobody());
        assert!(list.allows(ip("::ffff:10.0.0.1")));
        assert_eq!(list.unknown_names(), ["sense2"]);
    }
}
