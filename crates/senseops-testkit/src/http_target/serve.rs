//! The connections of a scripted target.

use std::convert::Infallible;
use std::future::pending;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use senseops_core::Shutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::answer::{Act, Answer, End, ReplyBody};
use super::{Recorded, Script};

/// The largest body that is taken, sent and decoded.
const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;

/// Accepts connections until a stop is requested; then all of them end.
pub(super) async fn until(shutdown: Shutdown, listener: TcpListener, script: Arc<Script>) {
    let mut connections = JoinSet::new();
    while let Some(accepted) = shutdown.unless_requested(listener.accept()).await {
        // A connection that ended before it was accepted is no concern of the test.
        if let Ok((stream, _client)) = accepted {
            connections.spawn(connection(stream, Arc::clone(&script)));
        }
        while connections.try_join_next().is_some() {}
    }
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, script: Arc<Script>) {
    let reset = Notify::new();
    let service = service_fn(|request| answer(request, &script, &reset));
    let mut served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // The client sees a broken connection as an error of its own; here it is an ordinary end.
        _ended = &mut served => {}
        () = reset.notified() => {
            let stream = served.into_parts().io.into_inner();
            // Closing sends a reset then. If the system refuses, the client sees an end without an answer.
            drop(stream.set_zero_linger());
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    script: &Script,
    reset: &Notify,
) -> Result<Response<ReplyBody>, Infallible> {
    let (head, body) = request.into_parts();
    let answer = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => match decoded(&head.headers, body.to_bytes()) {
            Some(body) => script.handle(Recorded {
                method: head.method,
                uri: head.uri,
                headers: head.headers,
                body,
                status: None,
            }),
            None => Answer::status(StatusCode::BAD_REQUEST).body("the body is not gzip"),
        },
        Err(_cut_or_too_large) => Answer::status(StatusCode::PAYLOAD_TOO_LARGE),
    };
    match answer.0 {
        Act::Reply(reply) => Ok(reply.into_response(End::Whole)),
        Act::Cut(reply) => Ok(reply.into_response(End::CutOnceSent)),
        Act::Stall(reply) => Ok(reply.into_response(End::Never)),
        Act::Hang => pending().await,
        Act::Reset => {
            reset.notify_one();
            pending().await
        }
    }
}

fn decoded(headers: &HeaderMap, body: Bytes) -> Option<Bytes> {
    if headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding != "gzip") {
        return Some(body);
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(&*body).take(MAX_BODY_BYTES as u64).read_to_end(&mut plain).ok()?;
    Some(plain.into())
}
