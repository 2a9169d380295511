//! Who is let in.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, FORWARDED, HOST, HeaderName, ORIGIN, VIA, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use senseops_net::Token;

use crate::problem::Problem;

/// What the checks of orchestrators and load balancers may ask without a token: they cannot hold one.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

/// The header in which nginx names who asks, if it is configured to.
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What a request must present.
#[derive(Clone, Debug)]
pub(crate) enum Guard {
    /// The token.
    Token(Arc<Token>),
    /// A loopback host, and that no proxy has handed it on. A web page whose name was pointed at this machine names
    /// another host; a proxy would let in whoever reaches the proxy.
    Loopback,
}

/// Marks a request that is answered although it does not present what the guard wants. It must not learn details.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stranger;

/// Why a request is not let in.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Page,
    Token { was_wrong: bool },
    Host,
    Proxy(HeaderName),
}

/// Refuses what must not be answered.
pub(crate) async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    match guard.check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(_) if OPEN.contains(&request.uri().path()) => {
            request.extensions_mut().insert(Stranger);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

impl Guard {
    fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if !reads && headers.contains_key(ORIGIN) {
            return Err(Refusal::Page);
        }
        match self {
            Self::Token(token) if token.admits(headers) => Ok(()),
            Self::Token(_) => Err(Refusal::Token { was_wrong: headers.contains_key(AUTHORIZATION) }),
            Self::Loopback if !names_loopback(headers) => Err(Refusal::Host),
            Self::Loopback => {
                trace_of_proxy(headers).map_or(Ok(()), |name| Err(Refusal::Proxy(name.clone())))
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let forbidden = |detail: String| Problem::new(StatusCode::FORBIDDEN, detail).into_response();
        match self {
            Self::Page => forbidden("web pages may not change anything".into()),
            Self::Token { was_wrong } => {
                let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
                let detail = if was_wrong { "wrong token" } else { "the token of web.token is needed" };
                let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
                (challenge, problem).into_response()
            }
            Self::Host => forbidden(
                "without a token only localhost is answered; to ask by another name, set web.token".into(),
            ),
            Self::Proxy(name) => forbidden(format!(
                "without a token no proxy is answered, and the header {name} comes from one; set web.token, and let \
                 clients of the proxy present it as `Authorization: Bearer TOKEN`"
            )),
        }
    }
}

/// Whether all hosts that the request names are this machine. There should be one.
fn names_loopback(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter().peekable();
    hosts.peek().is_some() && hosts.all(is_loopback)
}

fn is_loopback(host: &HeaderValue) -> bool {
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

/// A header that only proxies set.
fn trace_of_proxy(headers: &HeaderMap) -> Option<&HeaderName> {
    let is_of_proxy = |name: &&HeaderName| {
        [FORWARDED, VIA, X_REAL_IP].contains(name) || name.as_str().starts_with("x-forwarded")
    };
    headers.keys().find(is_of_proxy)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http::header::AUTHORIZATION;
    use senseops_core::Files;
    use senseops_core::settings::Secret;

    use super::*;

    #[test]
    fn only_loopback_hosts_are_loopback() {
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST:8090", true),
            ("127.0.0.1:8090", true),
            ("[::1]:8090", true),
            ("rebound.example", false),
            ("localhost.example", false),
            ("127.0.0.1.example:8090", false),
            ("10.0.0.5:8090", false),
            ("localhost@evil.example", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
            assert_eq!(names_loopback(&headers), expected, "{host:?}");
        }
        assert!(!names_loopback(&HeaderMap::new()));
        let mut two = HeaderMap::from_iter([(HOST, "localhost".parse().unwrap())]);
        two.append(HOST, "rebound.example".parse().unwrap());
        assert!(!names_loopback(&two));
    }

    #[test]
    fn a_request_that_came_by_a_proxy_needs_the_token() {
        let (secret, files) = (Secret::Text("canary".into()), Files::default());
        let token = Token::resolve(&secret, "token", &files).now_or_never().unwrap().unwrap();
        let token = Guard::Token(Arc::new(token));
        let local = (HOST, "localhost");
        let presented = (AUTHORIZATION, "Bearer canary");
        for name in [
            "forwarded",
            "via",
            "x-real-ip",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-prefix",
        ] {
            let name = HeaderName::from_static(name);
            let check = |guard: &Guard, headers: &[(HeaderName, &str)]| {
                let headers = headers.iter().map(|(name, text)| (name.clone(), text.parse().unwrap()));
                guard.check(&Method::GET, &headers.collect())
            };
            let came_by = (name.clone(), "1.2.3.4");
            assert_eq!(check(&Guard::Loopback, &[local.clone(), came_by.clone()]), Err(Refusal::Proxy(name)));
            assert_eq!(
                check(&token, &[local.clone(), came_by.clone()]),
                Err(Refusal::Token { was_wrong: false })
            );
            assert_eq!(check(&token, &[local.clone(), came_by, presented.clone()]), Ok(()));
        }
    }
}
