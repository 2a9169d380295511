//! Who is let in.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use senseops_net::Token;

use crate::api::failed;

/// What the checks of orchestrators and load balancers may ask without a token: they cannot hold one.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

/// What a request must present.
#[derive(Clone, Debug)]
pub(crate) enum Guard {
    /// The token.
    Token(Arc<Token>),
    /// A loopback host. A web page whose name was pointed at this machine names another one.
    Loopback,
}

/// Refuses what must not be answered.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.refusal(&request) {
        None => next.run(request).await,
        Some(refusal) => refusal,
    }
}

impl Guard {
    fn refusal(&self, request: &Request) -> Option<Response> {
        if OPEN.contains(&request.uri().path()) {
            return None;
        }
        let headers = request.headers();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if !reads && headers.contains_key(ORIGIN) {
            return Some(failed(StatusCode::FORBIDDEN, "web pages may not change anything"));
        }
        match self {
            Self::Token(token) if token.admits(headers) => None,
            Self::Token(_) => {
                let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
                let refusal = failed(StatusCode::UNAUTHORIZED, "the token of web.token is needed");
                Some((challenge, refusal).into_response())
            }
            Self::Loopback if names_loopback(headers) => None,
            Self::Loopback => Some(failed(
                StatusCode::FORBIDDEN,
                "without a token only localhost is answered; to ask by another name, set web.token",
            )),
        }
    }
}

fn names_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
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
    }
}
