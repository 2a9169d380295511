//! What a simulated server answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, LOCATION};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::{Body, Frame, Incoming};

use super::{Behaviour, ServerState};
use crate::site::{Answer, Refusal, Site, answer_with, document};

/// A body of blanks, sent in pieces and of unknown length for who receives it.
struct Blanks {
    left: u64,
}

const JSON: &str = "application/json";

static BLANKS: [u8; 16 * 1024] = [b' '; 16 * 1024];

const LOGIN_PAGE: &str = r#"<!DOCTYPE html>
<html><head><title>Qlik Sense</title></head>
<body><form method="post" action="/internal_forms_authentication/">
<input name="username"><input name="pwd" type="password"><button>Log in</button>
</form></body></html>
"#;

impl Site for ServerState {
    fn welcome(&self) -> Result<(), Refusal> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let (head, _body) = request.into_parts();
        self.requests.fetch_add(1, Ordering::Relaxed);
        let wrong = wrong_request(&head);
        *self.last_request.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
        if let Some(answer) = wrong {
            return Ok(answer);
        }
        Ok(match self.behaviour() {
            Behaviour::Healthy => document(StatusCode::OK, JSON, self.health()),
            Behaviour::Body { status, content_type, bytes } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                document(status, content_type, bytes)
            }
            Behaviour::LoginPage => document(StatusCode::OK, "text/html; charset=utf-8", LOGIN_PAGE),
            Behaviour::Redirect => {
                let mut answer = document(StatusCode::FOUND, "text/html", "");
                answer.headers_mut().insert(LOCATION, HeaderValue::from_static("/login/"));
                answer
            }
            Behaviour::CutJson => {
                let mut health = self.health();
                health.truncate(health.len() / 2);
                document(StatusCode::OK, JSON, health)
            }
            Behaviour::TooLarge(bytes) => answer_with(StatusCode::OK, JSON, Blanks { left: bytes }),
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Close => return Err(Refusal::Close),
            Behaviour::Reset => return Err(Refusal::Reset),
        })
    }
}

fn wrong_request(head: &http::request::Parts) -> Option<Answer> {
    if !matches!(head.uri.path(), "/engine/healthcheck" | "/engine/healthcheck/") {
        return Some(document(StatusCode::NOT_FOUND, "text/plain", "there is only /engine/healthcheck\n"));
    }
    if head.method != Method::GET {
        let mut answer = document(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return Some(answer);
    }
    None
}

impl Body for Blanks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut piece = Bytes::from_static(&BLANKS);
        piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= u64::try_from(piece.len()).unwrap_or(self.left);
        Poll::Ready((!piece.is_empty()).then_some(Ok(Frame::data(piece))))
    }
}
