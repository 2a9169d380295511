//! Addresses of servers, as an operator writes them.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::str::FromStr;

use senseops_core::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use url::{Host, Url};

/// What is spoken at an address, and what is said to somebody who writes another one.
pub trait Protocol {
    /// The scheme without TLS.
    const PLAIN: &'static str = "http";
    /// The scheme with TLS.
    const ENCRYPTED: &'static str = "https";
    /// Whether a path may follow, for a proxy in between.
    const TAKES_PATH: bool = true;
    /// An address as it should be.
    const EXAMPLE: &'static str;
    /// The sentence about a user or password in the address: where they belong.
    const NO_LOGIN: &'static str;
    /// The sentence about what comes after the address: what belongs to it, and where all else does.
    const NO_MORE: &'static str;
}

/// The address of a server: scheme, host, port and maybe a path. It never holds credentials, nor a query or fragment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String", bound = "P: Protocol")]
pub struct Endpoint<P> {
    url: Url,
    /// As it was written. People know a server by that spelling, and a URL has it in lower case.
    host: String,
    protocol: PhantomData<P>,
}

impl<P: Protocol> Endpoint<P> {
    /// The address as a URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The URL of a path below the address. The path begins with a slash.
    pub fn below(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url
    }

    /// The host as it was written, without the brackets that the notation of a URL puts around addresses.
    pub fn host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    /// Whether nobody on the way can read or change what is sent.
    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == P::ENCRYPTED
    }

    /// Whether there is no way on which anybody could be.
    pub fn is_on_this_machine(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => {
                name.eq_ignore_ascii_case("localhost")
                    // In schemes that browsers do not know, addresses of version 4 count as names.
                    || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
            }
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

impl<P: Protocol> FromStr for Endpoint<P> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let url = Url::parse(text).ok().filter(|url| [P::PLAIN, P::ENCRYPTED].contains(&url.scheme()));
        // What may hold a password or a ticket is not repeated.
        let has_login = match &url {
            Some(url) => !url.username().is_empty() || url.password().is_some(),
            None => text.contains('@'),
        };
        if has_login {
            return Err(P::NO_LOGIN.to_owned());
        }
        let Some(url) = url.filter(|url| url.host_str().is_some_and(|host| !host.is_empty())) else {
            let what = if text.contains(['?', '#']) { "that".to_owned() } else { format!("{text:?}") };
            return Err(format!("{what} is not an address such as {}", P::EXAMPLE));
        };
        let has_path = !matches!(url.path(), "" | "/");
        if url.query().is_some() || url.fragment().is_some() || (has_path && !P::TAKES_PATH) {
            return Err(P::NO_MORE.to_owned());
        }
        let written = written_host(text).filter(|host| is_host_of(&url, host));
        let host = written.or(url.host_str()).unwrap_or_default().to_owned();
        Ok(Self { url, host, protocol: PhantomData })
    }
}

/// What stands in an address where its host is.
fn written_host(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(':')?;
    let authority = rest.trim_start_matches(['/', '\\']).split(['/', '\\']).next()?;
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(host),
        Some(_) | None => Some(authority),
    }
}

/// Whether it is another spelling of the URL's host.
fn is_host_of(url: &Url, spelling: &str) -> bool {
    let spelled = Url::parse(&format!("{}://{spelling}", url.scheme()));
    spelled.is_ok_and(|spelled| spelled.host() == url.host()) && !spelling.contains('@')
}

impl<P: Protocol> TryFrom<String> for Endpoint<P> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// As it is written.
impl<P> Serialize for Endpoint<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl<P: Protocol> JsonSchema for Endpoint<P> {
    fn schema_name() -> Cow<'static, str> {
        format!("Endpoint_{}", P::PLAIN).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": format!("^({}|{})://[^@\\s?#]+$", P::PLAIN, P::ENCRYPTED),
            "examples": [P::EXAMPLE],
        })
    }
}

impl<P: Protocol> fmt::Display for Endpoint<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Web;

    impl Protocol for Web {
        const EXAMPLE: &'static str = "https://server1.company.net:8443";
        const NO_LOGIN: &'static str = "no login";
        const NO_MORE: &'static str = "no more than a path";
    }

    #[derive(Clone, Debug, PartialEq)]
    struct Wire;

    impl Protocol for Wire {
        const PLAIN: &'static str = "wire";
        const ENCRYPTED: &'static str = "wires";
        const TAKES_PATH: bool = false;
        const EXAMPLE: &'static str = "wire://server1:99";
        const NO_LOGIN: &'static str = "no login";
        const NO_MORE: &'static str = "nothing more";
    }

    fn of<P: Protocol>(text: &str) -> Endpoint<P> {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_must_be_one_and_no_more() {
        let web = |text: &str| text.parse::<Endpoint<Web>>().unwrap_err();
        for text in ["server1:8443", "server1", "ftp://server1", "https://", "wire://server1", ""] {
            assert_eq!(
                web(text),
                format!("{text:?} is not an address such as https://server1.company.net:8443")
            );
        }
        assert_eq!(
            web("server1?ticket=canary"),
            "that is not an address such as https://server1.company.net:8443"
        );
        for text in ["https://me:canary@server1", "https://me@server1", "me:canary@server1:8443"] {
            assert_eq!(web(text), "no login", "{text}");
        }
        for text in ["https://server1/?ticket=canary", "https://server1#canary"] {
            assert_eq!(web(text), "no more than a path", "{text}");
        }
        let wire = |text: &str| text.parse::<Endpoint<Wire>>().unwrap_err();
        assert_eq!(wire("wire:///"), "\"wire:///\" is not an address such as wire://server1:99");
        assert_eq!(wire("wire://server1/path"), "nothing more");
        assert_eq!(of::<Wire>("wire://server1/").url().as_str(), "wire://server1/");
    }

    #[test]
    fn a_path_in_the_address_is_kept() {
        let below = |text: &str| of::<Web>(text).below("/health").to_string();
        assert_eq!(below("https://s1:4747"), "https://s1:4747/health");
        assert_eq!(below("https://s1:4747/"), "https://s1:4747/health");
        assert_eq!(below("https://proxy/qlik/hdr/"), "https://proxy/qlik/hdr/health");
        assert_eq!(below("http://[::1]:4848"), "http://[::1]:4848/health");
    }

    #[test]
    fn a_host_is_spelled_as_it_was_written() {
        for (address, host) in [
            ("https://QLIKSRV1:4747", "QLIKSRV1"),
            (" HTTPS://Qlik-Ä.Company.net ", "Qlik-Ä.Company.net"),
            ("https://QLIKSRV1.:443/Hdr", "QLIKSRV1."),
            ("https://127.1:4747/", "127.1"),
            ("http://[FD00::17]:4747", "FD00::17"),
            ("http://[::1]", "::1"),
            ("https:\\\\QLIKSRV1\\hdr", "QLIKSRV1"),
            ("https:QLIKSRV1", "QLIKSRV1"),
            ("https://@QLIKSRV1", "qliksrv1"),
        ] {
            assert_eq!(of::<Web>(address).host(), host, "{address}");
        }
        assert_eq!(of::<Wire>("wires://Server1:99").host(), "Server1");
        assert_ne!(of::<Web>("https://QLIKSRV1"), of("https://qliksrv1"), "events would have other labels");
        assert_eq!(of::<Web>("https://qliksrv1:443"), of("https://qliksrv1/"));
    }

    #[test]
    fn who_could_be_on_the_way_is_known() {
        for (address, expected) in [
            ("http://localhost:8086", true),
            ("http://LOCALHOST", true),
            ("http://127.3.2.1", true),
            ("http://[::1]:8086", true),
            ("http://localhost.company.net", false),
            ("https://10.0.0.1", false),
        ] {
            assert_eq!(of::<Web>(address).is_on_this_machine(), expected, "{address}");
        }
        assert!(of::<Wire>("wire://127.0.0.1").is_on_this_machine());
        let encrypted = ["https://s1", "http://s1"].map(|text| of::<Web>(text).is_encrypted());
        assert_eq!(encrypted, [true, false]);
        assert!(of::<Wire>("wires://s1").is_encrypted());
    }
}
