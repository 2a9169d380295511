//! Requests as the service gets them: with a body that has an end.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use senseops_core::BoxError;
use thiserror::Error;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::Limits;

/// The body of a request, limited in size and in the time that it may take to arrive.
///
/// One that is too large ends in a [`LengthLimitError`](http_body_util::LengthLimitError), at once if the client says
/// itself how large it is; one that is too slow in a [`SlowBody`]. What to answer is up to the service.
pub struct RequestBody {
    incoming: Either<Limited<Incoming>, TooLarge>,
    time: Duration,
    /// From the moment at which somebody begins to read.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// A body that is refused at the first look. That is the only way to make the error that readers know.
type TooLarge = Limited<Full<Bytes>>;

/// The client took too long to send a body.
#[derive(Debug, Error)]
#[error("the request body did not arrive within {limit:?}")]
pub struct SlowBody {
    /// How long it might have taken.
    pub limit: Duration,
}

/// Hands requests on with bodies that have an end.
pub(super) struct Bounded<S> {
    service: S,
    limits: Limits,
}

impl<S> Bounded<S> {
    pub(super) fn new(service: S, limits: Limits) -> Self {
        Self { service, limits }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Bounded<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let limits = self.limits;
        let request = request.map(|incoming| RequestBody::new(incoming, &limits));
        let mut service = self.service.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            service.call(request).await
        })
    }
}

impl RequestBody {
    fn new(incoming: Incoming, limits: &Limits) -> Self {
        // Not even begun to read, so that the client is not asked to go on with it.
        let is_too_large = incoming.size_hint().lower() > limits.body_size.bytes();
        let incoming = if is_too_large {
            Either::Right(TooLarge::new(Full::from("more"), 0))
        } else {
            Either::Left(Limited::new(incoming, limits.body_size.get()))
        };
        Self { incoming, time: limits.body_time, deadline: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let limit = self.time;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Some(Err(Box::new(SlowBody { limit }))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestBody")
    }
}
