//! What a scripted target does with a request.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame};

/// What to do with a request that has arrived.
#[derive(Clone, Debug)]
pub struct Answer(pub(super) Act);

#[derive(Clone, Debug)]
pub(super) enum Act {
    Reply(Reply),
    /// Announces the whole body, sends half of it and ends the connection.
    Cut(Reply),
    /// Announces the whole body, sends half of it and nothing more, on a connection that stays open.
    Stall(Reply),
    /// Never answers.
    Hang,
    /// Ends the connection without an answer.
    Reset,
}

#[derive(Clone, Debug)]
pub(super) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct ReplyBody {
    rest: Option<Bytes>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    CutOnceSent,
    CutNow,
    Never,
}

/// The script says that the answer ends here.
#[derive(Debug, thiserror::Error)]
#[error("the scripted target cut its answer")]
pub(super) struct CutHere;

impl Answer {
    /// A whole answer with this status and no body.
    pub fn status(status: StatusCode) -> Self {
        Self(Act::Reply(Reply { status, headers: HeaderMap::new(), body: Bytes::new() }))
    }

    /// The answer 204 without a body.
    pub fn no_content() -> Self {
        Self::status(StatusCode::NO_CONTENT)
    }

    /// The answer 200 with this body.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::status(StatusCode::OK).body(body)
    }

    /// Takes the request and never answers. The connection stays open until the client ends it or the target stops.
    pub fn hang() -> Self {
        Self(Act::Hang)
    }

    /// Takes the request and resets the connection.
    pub fn reset() -> Self {
        Self(Act::Reset)
    }

    /// The same answer with this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        if let Some(reply) = self.reply() {
            reply.body = body.into();
        }
        self
    }

    /// The same answer with one more header; name and value as texts, or in the types of `http`.
    ///
    /// # Panics
    /// When name or value cannot be those of a header.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a script is part of a test")]
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: fmt::Debug>,
        V: TryInto<HeaderValue, Error: fmt::Debug>,
    {
        let name = name.try_into().expect("a name of a header");
        let value = value.try_into().expect("a value of a header");
        if let Some(reply) = self.reply() {
            reply.headers.append(name, value);
        }
        self
    }

    /// The same answer with `Retry-After`, in whole seconds.
    #[must_use]
    pub fn retry_after(self, pause: Duration) -> Self {
        self.header(RETRY_AFTER, pause.as_secs())
    }

    /// The same answer, but the connection ends after half of the body, or after the head when there is no body.
    #[must_use]
    pub fn cut(self) -> Self {
        match self.0 {
            Act::Reply(reply) | Act::Cut(reply) | Act::Stall(reply) => Self(Act::Cut(reply)),
            Act::Hang | Act::Reset => self,
        }
    }

    /// The same answer, but it stops after half of the body and the connection stays open.
    #[must_use]
    pub fn stall(self) -> Self {
        match self.0 {
            Act::Reply(reply) | Act::Cut(reply) | Act::Stall(reply) => Self(Act::Stall(reply)),
            Act::Hang | Act::Reset => self,
        }
    }

    pub(super) fn whole_status(&self) -> Option<StatusCode> {
        match &self.0 {
            Act::Reply(reply) => Some(reply.status),
            Act::Cut(_) | Act::Stall(_) | Act::Hang | Act::Reset => None,
        }
    }

    fn reply(&mut self) -> Option<&mut Reply> {
        match &mut self.0 {
            Act::Reply(reply) | Act::Cut(reply) | Act::Stall(reply) => Some(reply),
            Act::Hang | Act::Reset => None,
        }
    }
}

impl Reply {
    pub(super) fn into_response(self, end: End) -> Response<ReplyBody> {
        let is_whole = end == End::Whole;
        let sent = if is_whole { self.body.clone() } else { self.body.slice(..self.body.len() / 2) };
        let mut response = Response::new(ReplyBody { rest: (!sent.is_empty()).then_some(sent), end });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if !is_whole {
            // At least one byte must be missing, or the client could not see that the answer is cut.
            response.headers_mut().insert(CONTENT_LENGTH, self.body.len().max(1).into());
        }
        response
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = CutHere;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutHere>>> {
        if let Some(bytes) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.end {
            End::Whole => Poll::Ready(None),
            End::CutOnceSent => {
                // An error discards what hyper has not sent yet, and hyper sends when a body pauses.
                self.end = End::CutNow;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            End::CutNow => Poll::Ready(Some(Err(CutHere))),
            End::Never => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.end == End::Whole
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match &self.rest {
            _ if self.end != End::Whole => hyper::body::SizeHint::default(),
            Some(bytes) => hyper::body::SizeHint::with_exact(bytes.len() as u64),
            None => hyper::body::SizeHint::with_exact(0),
        }
    }
}
