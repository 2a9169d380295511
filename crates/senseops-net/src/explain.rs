//! From an error of a connection, or of the HTTP client, to a [`Failure`].
//!
//! The cause is found by its type, never by its text: `io::Error`, `rustls::Error`, `hyper::Error`, and the name
//! lookup, which has a type because we do it ourselves.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "errors of the system and of rustls; most have no story of their own"
)]

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::{InvalidDnsNameError, UnixTime};
use rustls::{AlertDescription, CertificateError};
use senseops_core::chain;
use url::Url;

use crate::TlsSettings;
use crate::answer::{excerpt, excerpt_of};
use crate::failure::{Failure, Reason, origin_of};
use crate::names::LookupError;

/// How many names of a foreign certificate are shown.
const MAX_NAMES: usize = 5;
/// How much of each. No host name is longer.
const MAX_NAME_CHARS: usize = 253;

/// What has to be known to explain a failure.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) tls: TlsSettings,
    /// The longest that an exchange may take.
    pub(crate) timeout: Duration,
    /// The longest that connecting may take, TLS included.
    pub(crate) connect_timeout: Duration,
}

/// Why a request to `url` failed, and what to do about it.
pub(crate) fn explain_request(setup: &Setup, url: &Url, error: &reqwest::Error) -> Failure {
    let origin = origin_of(url);
    if error.is_timeout() {
        return timeout(setup, &origin, error);
    }
    let known = causes(error).find_map(|cause| match cause.downcast_ref::<hyper::Error>() {
        Some(http) => of_http(&setup.tls, url, http),
        None => of_cause(&setup.tls, url, cause),
    });
    known.unwrap_or_else(|| {
        let why = excerpt(chain(error).to_string().as_bytes());
        Failure::new(Reason::Unreachable, format!("the request to {origin} failed: {why}"), "")
    })
}

/// Why the connection to `url` failed, whatever is spoken over it, and what to do about it. `tls` is what was configured
/// for it. Without a cause in the system, in TLS or in the lookup of the name there is no answer.
///
/// A scheme that ends in `s` is that of TLS.
pub fn explain(url: &Url, tls: &TlsSettings, error: &(dyn Error + 'static)) -> Option<Failure> {
    causes(error).find_map(|cause| of_cause(tls, url, cause))
}

fn of_cause(tls: &TlsSettings, url: &Url, cause: &(dyn Error + 'static)) -> Option<Failure> {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        Some(of_tls(tls, url, error))
    } else if let Some(lookup) = cause.downcast_ref::<LookupError>() {
        Some(of_lookup(lookup))
    } else if cause.is::<InvalidDnsNameError>() {
        Some(of_invalid_name(url))
    } else {
        cause.downcast_ref::<io::Error>().and_then(|error| of_io(tls, url, error))
    }
}

/// The error and what is behind it, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // `io::Error::source` is the source of what it wraps, so it would skip the wrapped error itself.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn timeout(setup: &Setup, origin: &str, error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        let what = format!("no connection to {origin} within {:?}", setup.connect_timeout);
        Failure::new(Reason::Timeout, what, "check the address, and the firewalls on the way")
    } else {
        let what = format!("{origin} did not answer within {:?}", setup.timeout);
        Failure::new(Reason::Timeout, what, "raise the timeout if it is slow but well")
    }
}

fn of_lookup(error: &LookupError) -> Failure {
    Failure::new(
        Reason::Dns,
        format!("the host name {} cannot be resolved ({})", error.host, error.cause),
        "check its spelling and the DNS of this machine",
    )
}

fn of_invalid_name(url: &Url) -> Failure {
    let what = format!("{} is no host name", url.host_str().unwrap_or_default());
    Failure::new(Reason::Dns, what, "check its spelling")
}

fn of_io(tls: &TlsSettings, url: &Url, error: &io::Error) -> Option<Failure> {
    use io::ErrorKind;
    let origin = origin_of(url);
    match error.kind() {
        ErrorKind::ConnectionRefused => Some(Failure::new(
            Reason::Refused,
            format!("{origin} refused the connection"),
            "check that the service runs and that the port is right",
        )),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::PermissionDenied => {
            let what = format!("{origin} cannot be reached ({error})");
            Some(Failure::new(Reason::Unreachable, what, "check routes and firewalls"))
        }
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Some(reset(tls, url)),
        ErrorKind::TimedOut => Some(Failure::new(
            Reason::Timeout,
            format!("no connection to {origin} ({error})"),
            "check the address, and the firewalls on the way",
        )),
        _ => None,
    }
}

fn of_http(tls: &TlsSettings, url: &Url, error: &hyper::Error) -> Option<Failure> {
    if error.is_incomplete_message() {
        return Some(reset(tls, url));
    }
    if error.is_parse() {
        let advice =
            if url.scheme() == "http" { "if it expects TLS, write https://" } else { "check the port" };
        return Some(Failure::new(
            Reason::BadBody,
            format!("{} does not answer in HTTP", origin_of(url)),
            advice,
        ));
    }
    None
}

fn reset(tls: &TlsSettings, url: &Url) -> Failure {
    // Windows closes the connection instead of saying that it misses a certificate, and a TLS 1.3 server may do so
    // before its alert is read.
    let advice = match (without_tls(url), &tls.identity) {
        (None, _) => format!("if it expects TLS, write {}s://", url.scheme()),
        (_, None) => {
            "check that the port is one for TLS; if it demands a client certificate, set tls.cert and tls.key"
                .into()
        }
        (_, Some(_)) => "check that it accepts our client certificate, and for proxies on the way".into(),
    };
    let what = format!("{} closed the connection before its answer was complete", origin_of(url));
    Failure::new(Reason::Reset, what, advice)
}

/// The scheme for the same without TLS, if this one is with it.
fn without_tls(url: &Url) -> Option<&str> {
    url.scheme().strip_suffix('s')
}

fn of_tls(tls: &TlsSettings, url: &Url, error: &rustls::Error) -> Failure {
    let origin = &origin_of(url);
    match error {
        rustls::Error::InvalidCertificate(error) => of_certificate(tls, origin, error),
        rustls::Error::AlertReceived(alert) => of_alert(tls, origin, *alert),
        rustls::Error::InvalidMessage(_) => {
            let scheme = without_tls(url).unwrap_or_default();
            let advice = format!("check the port; if it does not speak TLS, write {scheme}://");
            Failure::new(Reason::Tls, format!("{origin} does not answer in TLS"), advice)
        }
        rustls::Error::PeerIncompatible(_) => no_common_ground(origin, &error.to_string()),
        other => {
            let why = excerpt(other.to_string().as_bytes());
            Failure::new(Reason::Tls, format!("the TLS handshake with {origin} failed: {why}"), "")
        }
    }
}

fn of_certificate(tls: &TlsSettings, origin: &str, error: &CertificateError) -> Failure {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Failure::new(
            Reason::TlsUntrusted,
            match &tls.ca {
                Some(ca) => {
                    format!("the certificate of {origin} is not signed by the CA in {}", ca.display())
                }
                None => {
                    format!("the certificate of {origin} is signed by a CA that this machine does not trust")
                }
            },
            "set tls.ca to the certificate of the CA that signed it",
        ),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            let what = format!("the certificate of {origin} is for {}, not for {expected}", list(presented));
            let advice = if presented.is_empty() {
                "have it issued with a subjectAltName, or set tls.verify: none for this server"
            } else {
                "if this is the right server, set tls.server_name to a name in its certificate"
            };
            Failure::new(Reason::TlsName, what, advice)
        }
        CertificateError::NotValidForName => Failure::new(
            Reason::TlsName,
            format!("the certificate of {origin} is for another name"),
            "if this is the right server, set tls.server_name to a name in its certificate",
        ),
        CertificateError::ExpiredContext { not_after, .. } => {
            expired(format!("the certificate of {origin} expired on {}", date(*not_after)))
        }
        CertificateError::Expired => expired(format!("the certificate of {origin} has expired")),
        CertificateError::NotValidYetContext { not_before, .. } => {
            not_yet(format!("the certificate of {origin} is not valid before {}", date(*not_before)))
        }
        CertificateError::NotValidYet => not_yet(format!("the certificate of {origin} is not valid yet")),
        other => {
            let error = rustls::Error::InvalidCertificate(other.clone()).to_string();
            let error = excerpt(error.as_bytes());
            let advice = "if it signed itself, set tls.ca to it; otherwise have it issued anew";
            Failure::new(
                Reason::TlsUntrusted,
                format!("the certificate of {origin} cannot be used: {error}"),
                advice,
            )
        }
    }
}

fn expired(what: String) -> Failure {
    Failure::new(
        Reason::TlsExpired,
        what,
        "renew it; until then, tls.verify: none goes on without protection",
    )
}

fn not_yet(what: String) -> Failure {
    Failure::new(Reason::TlsExpired, what, "check the clocks of both machines")
}

/// An alert is the word of the server: about our certificate, not about its own.
fn of_alert(tls: &TlsSettings, origin: &str, alert: AlertDescription) -> Failure {
    use AlertDescription as Alert;
    let of_client = |what, advice| Failure::new(Reason::TlsClientCertificate, what, advice);
    match (alert, tls.identity.as_ref().map(|identity| &identity.cert)) {
        (Alert::CertificateRequired, _)
        | (Alert::BadCertificate | Alert::NoCertificate | Alert::AccessDenied, None) => {
            of_client(format!("{origin} demands a client certificate"), "set tls.cert and tls.key")
        }
        // TLS 1.2 has the same word for both.
        (Alert::HandshakeFailure, None) => Failure::new(
            Reason::Tls,
            format!("{origin} demands a client certificate, or shares no cipher with us"),
            "set tls.cert and tls.key, and let it speak TLS 1.2 or 1.3",
        ),
        (Alert::CertificateExpired, Some(cert)) => of_client(
            format!("{origin} says that our certificate in {} has expired", shown(cert)),
            "export a new one",
        ),
        (
            Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateRevoked
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied
            | Alert::DecryptError,
            Some(cert),
        ) => of_client(
            format!("{origin} does not accept our certificate in {} ({alert:?})", shown(cert)),
            "set tls.cert and tls.key to a certificate that its own CA issued",
        ),
        (Alert::ProtocolVersion | Alert::InsufficientSecurity | Alert::HandshakeFailure, _) => {
            no_common_ground(origin, &format!("{alert:?}"))
        }
        _ => Failure::new(Reason::Tls, format!("{origin} ended the TLS handshake ({alert:?})"), ""),
    }
}

fn no_common_ground(origin: &str, detail: &str) -> Failure {
    let what = format!("no version or cipher of TLS suits both {origin} and us ({detail})");
    Failure::new(Reason::Tls, what, "let it speak TLS 1.2 or 1.3")
}

/// The names in a certificate, which rustls gives as `DnsName("a")` and `IpAddress(::1)`.
fn list(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')')).unwrap_or(name);
        inner.trim_matches('"').to_owned()
    };
    if presented.is_empty() {
        return "no name at all".into();
    }
    let shown =
        presented.iter().take(MAX_NAMES).map(|name| excerpt_of(bare(name).as_bytes(), MAX_NAME_CHARS));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match presented.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn date(time: UnixTime) -> String {
    let second =
        i64::try_from(time.as_secs()).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    match second {
        Some(time) => time.strftime("%Y-%m-%d").to_string(),
        None => format!("second {}", time.as_secs()),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_certificate_cannot_fill_the_log_or_forge_lines_in_it() {
        let names =
            |count: usize| (1..=count).map(|n| format!("DnsName(\"s{n}\\n\u{1b}[2K\")")).collect::<Vec<_>>();
        insta::assert_snapshot!(list(&names(2)), @r"s1\n [2K, s2\n [2K");
        insta::assert_snapshot!(list(&names(100)), @r"s1\n [2K, s2\n [2K, s3\n [2K, s4\n [2K, s5\n [2K and 95 more");
        assert!(list(&["x".repeat(10_000)]).chars().count() <= MAX_NAME_CHARS + 1);
    }
}
