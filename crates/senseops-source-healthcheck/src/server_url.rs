//! The address of a server, as an operator writes it.

use std::fmt;
use std::str::FromStr;

use senseops_net::Url;
use serde::Deserialize;

/// The address of a server: `https://server1.company.net:4747`, with a path if a proxy in between needs one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ServerUrl {
    url: Url,
    /// As it was written. Dashboards know a server by that spelling, and a URL has it in lower case.
    host: String,
}

impl ServerUrl {
    /// Whether anyone on the way can read and change what is sent.
    pub(crate) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// The host as it was written, without the brackets that the notation of a URL puts around addresses.
    pub(crate) fn host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    /// Where its engine tells how it is.
    pub(crate) fn healthcheck(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/engine/healthcheck", self.url.path().trim_end_matches('/')));
        url
    }
}

impl FromStr for ServerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        // What may hold a password or a ticket is not repeated.
        let has_login = match &url {
            Some(url) => !url.username().is_empty() || url.password().is_some(),
            None => text.contains('@'),
        };
        if has_login {
            return Err("an address must not hold a user or password; send them as a header".into());
        }
        let Some(url) = url else {
            return Err(format!("{text:?} is not an address such as https://server1.company.net:4747"));
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(
                "the address has something after its path; expected https://host:port or https://host/path"
                    .into(),
            );
        }
        let written = written_host(text).filter(|host| is_host_of(&url, host));
        let host = written.or(url.host_str()).unwrap_or_default().to_owned();
        Ok(Self { url, host })
    }
}

/// What stands in an address where its host is.
fn written_host(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(':')?;
    let authority = rest.trim_start_matches(['/', '\\']).split(['/', '\\']).next()?.trim_end();
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

impl TryFrom<String> for ServerUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_must_be_one() {
        let error = |text: &str| text.parse::<ServerUrl>().unwrap_err();
        insta::assert_snapshot!(error("server1.company.net:4747"), @r#""server1.company.net:4747" is not an address such as https://server1.company.net:4747"#);
        insta::assert_snapshot!(error("server1"), @r#""server1" is not an address such as https://server1.company.net:4747"#);
        insta::assert_snapshot!(error("ftp://server1"), @r#""ftp://server1" is not an address such as https://server1.company.net:4747"#);
        insta::assert_snapshot!(error("https://me:canary@server1:4747"), @"an address must not hold a user or password; send them as a header");
        insta::assert_snapshot!(error("admin:canary@server1:4747"), @"an address must not hold a user or password; send them as a header");
        insta::assert_snapshot!(error("https://server1:4747/?ticket=canary"), @"the address has something after its path; expected https://host:port or https://host/path");
    }

    #[test]
    fn a_path_in_the_address_is_kept() {
        let of = |text: &str| text.parse::<ServerUrl>().unwrap().healthcheck().to_string();
        assert_eq!(of("https://s1:4747"), "https://s1:4747/engine/healthcheck");
        assert_eq!(of("https://s1:4747/"), "https://s1:4747/engine/healthcheck");
        assert_eq!(of("https://proxy/qlik/hdr/"), "https://proxy/qlik/hdr/engine/healthcheck");
        assert_eq!(of("http://[::1]:4848"), "http://[::1]:4848/engine/healthcheck");
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
            assert_eq!(address.parse::<ServerUrl>().unwrap().host(), host, "{address}");
        }
    }

    #[test]
    fn another_spelling_is_another_address() {
        let of = |text: &str| text.parse::<ServerUrl>().unwrap();
        assert_ne!(of("https://QLIKSRV1:4747"), of("https://qliksrv1:4747"));
        assert_eq!(of("https://qliksrv1:443"), of("https://qliksrv1/"));
    }
}
