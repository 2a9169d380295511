//! Bodies of requests, which nothing here needs.

use std::error::Error;
use std::iter::successors;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::StatusCode;
use http_body_util::LengthLimitError;
use senseops_net::{Limits, SlowBody};

use crate::problem::Problem;

/// Reads the body to its end and forgets it. What the listener does not let through is refused.
pub(crate) async fn discard(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let mut body = body.into_data_stream();
    while let Some(data) = body.next().await {
        if let Err(error) = data {
            return refusal(&limits, &error).into_response();
        }
    }
    next.run(Request::from_parts(head, Body::empty())).await
}

fn refusal(limits: &Limits, error: &(dyn Error + 'static)) -> Problem {
    // How often the error is wrapped on its way is up to axum.
    let mut causes = successors(Some(error), |&cause| cause.source());
    if causes.clone().any(<dyn Error>::is::<LengthLimitError>) {
        let detail = format!("a request body may have {} bytes at most", limits.body_size.bytes());
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    } else if let Some(slow) = causes.find_map(<dyn Error>::downcast_ref::<SlowBody>) {
        Problem::new(StatusCode::REQUEST_TIMEOUT, slow.to_string())
    } else {
        Problem::new(StatusCode::BAD_REQUEST, "the request body cannot be read to its end")
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use axum::Router;
    use axum::body::{Bytes, to_bytes};
    use axum::middleware::from_fn_with_state;
    use futures::stream;
    use senseops_core::BoxError;
    use tower::ServiceExt;

    use super::*;

    /// What is answered to a request whose body ends like this.
    async fn answer(end: Result<Bytes, BoxError>) -> String {
        let router = Router::new()
            .fallback(async |body: Bytes| format!("{} bytes", body.len()))
            .layer(from_fn_with_state(Limits::default(), discard));
        let body = Body::from_stream(stream::iter([Ok(Bytes::from("begin")), end]));
        let answer = router.oneshot(Request::new(body)).await.unwrap().into_body();
        String::from_utf8(to_bytes(answer, 1000).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_body_is_forgotten_and_what_breaks_it_is_told() {
        insta::assert_snapshot!(answer(Ok(Bytes::new())).await, @"0 bytes");
        let slow = SlowBody { limit: Duration::from_secs(30) };
        insta::assert_snapshot!(answer(Err(Box::new(slow))).await, @r#"{"type":"about:blank","title":"Request Timeout","status":408,"detail":"the request body did not arrive within 30s"}"#);
        let gone = io::Error::from(io::ErrorKind::ConnectionReset);
        insta::assert_snapshot!(answer(Err(Box::new(gone))).await, @r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"the request body cannot be read to its end"}"#);
    }
}
