//! What an operator is told when a request fails.

use std::error::Error;
use std::fmt;

use url::Url;

/// Why nothing usable came back: a class for machines, and a sentence for people.
///
/// The sentence names the server and fits on one line. It should not change while the failure lasts, since each change
/// is logged: so no durations, counters or request ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub reason: Reason,
    /// What happened, to which server.
    pub what: String,
    /// What to do about it; may be empty.
    pub advice: String,
}

/// Classes of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nothing listens on the port.
    Refused,
    /// No connection or no answer in time.
    Timeout,
    /// The host name cannot be resolved.
    Dns,
    /// There is no way to the host.
    Unreachable,
    /// The connection was closed before the answer was complete.
    Reset,
    /// The certificate of the server is signed by a CA that is not trusted.
    TlsUntrusted,
    /// The certificate of the server is for other names.
    TlsName,
    /// The certificate of the server is not valid now.
    TlsExpired,
    /// The server demands a client certificate, or does not accept the one it got.
    TlsClientCertificate,
    /// TLS failed in another way.
    Tls,
    /// A web page came instead of data.
    LoginPage,
    /// An HTTP status that is an error.
    Status,
    /// The answer leads elsewhere.
    Redirect,
    /// The answer cannot be read.
    BadBody,
    /// The answer is longer than any good one.
    TooLarge,
}

impl Failure {
    /// A failure and what to do about it.
    pub fn new(reason: Reason, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { reason, what: what.into(), advice: advice.into() }
    }

    /// The same failure with better advice.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

impl Error for Failure {}

impl Reason {
    /// The name in fields and counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::Unreachable => "unreachable",
            Self::Reset => "reset",
            Self::TlsUntrusted => "tls_untrusted",
            Self::TlsName => "tls_name",
            Self::TlsExpired => "tls_expired",
            Self::TlsClientCertificate => "tls_client_certificate",
            Self::Tls => "tls",
            Self::LoginPage => "login_page",
            Self::Status => "status",
            Self::Redirect => "redirect",
            Self::BadBody => "bad_body",
            Self::TooLarge => "too_large",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Scheme, host and port of a URL, which is what a sentence should show of it: never its credentials or query.
pub fn origin_of(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}
