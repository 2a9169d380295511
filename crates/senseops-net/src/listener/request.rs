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
use hyper::{Request, Response, StatusCode};
use senseops_core::BoxError;
use thiserror::Error;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::Limits;

/// The body of a request, limited in size and in the time that it may take to arrive.
pub struct RequestBody {
    incoming: Limited<Incoming>,
    time: Duration,
    /// From the moment at which somebody begins to read.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// The client took too long to send a body.
#[derive(Debug, Error)]
#[error("the request body did not arrive within {limit:?}")]
struct SlowBody {
    limit: Duration,
}

/// Hands requests on, but refuses those of which the client says itself that they are too large.
pub(super) struct Guard<S> {
    service: S,
    limits: Limits,
}

impl<S> Guard<S> {
    pub(super) fn new(service: S, limits: Limits) -> Self {
        Self { service, limits }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Guard<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Either<Full<Bytes>, B>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let Limits { body_size, body_time, .. } = self.limits;
        if request.body().size_hint().lower() > body_size.bytes() {
            return Box::pin(async move { Ok(too_large(body_size.bytes())) });
        }
        let request = request.map(|incoming| RequestBody {
            incoming: Limited::new(incoming, body_size.get()),
            time: body_time,
            deadline: None,
        });
        let mut service = self.service.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            Ok(service.call(request).await?.map(Either::Right))
        })
    }
}

fn too_large<B>(limit: u64) -> Response<Either<Full<Bytes>, B>> {
    let text = format!("a request body may have {limit} bytes\n");
    let mut response = Response::new(Either::Left(Full::from(text)));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
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
