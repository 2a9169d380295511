//! HTTP servers of the simulation: a listener, its connections, and who answers on them.

use std::convert::Infallible;
use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Answers requests, on any number of connections at once.
pub(crate) trait Site: Send + Sync + 'static {
    /// A client has connected. `Err` turns it away before anything is read.
    fn welcome(&self) -> Result<(), Refusal>;

    /// A client has asked.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Result<Answer, Refusal>> + Send;
}

/// How a connection ends instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error("closed on purpose")]
    Close,
    #[error("reset on purpose")]
    Reset,
}

/// An answer.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A site on its port, until it is dropped.
#[derive(Debug)]
pub(crate) struct Opened(JoinHandle<()>);

/// As many as a misguided client may open; the next ones wait in the kernel.
const MAX_CONNECTIONS: usize = 1024;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

impl Opened {
    /// Serves `site` on `listener`.
    pub(crate) fn new(listener: TcpListener, tls: Option<TlsAcceptor>, site: Arc<impl Site>) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a simulation, not a plugin; the task ends with the site"
        )]
        Self(tokio::spawn(accept(listener, tls, site)))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // Takes the connections with it, since the task owns them.
        self.0.abort();
    }
}

/// An answer of known length.
pub(crate) fn document(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    answer_with(status, content_type, Full::new(body.into()))
}

/// An answer with a body of its own making.
pub(crate) fn answer_with(
    status: StatusCode,
    content_type: &'static str,
    body: impl Body<Data = Bytes, Error = Infallible> + Send + 'static,
) -> Answer {
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, site: Arc<impl Site>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            Some(_ended) = open.join_next() => {}
            accepted = listener.accept(), if open.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _peer)) => {
                    open.spawn(serve(stream, tls.clone(), Arc::clone(&site)));
                }
                Err(error) => {
                    // Out of file handles, most likely; without a pause this loop would spin until one is free.
                    tracing::debug!(%error, "accept failed");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, site: Arc<impl Site>) {
    if let Err(refusal) = site.welcome() {
        return end(&stream, refusal);
    }
    let Some(tls) = tls else {
        return answer_on(stream, |stream| stream, &*site).await;
    };
    match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => answer_on(stream, |stream| stream.into_inner().0, &*site).await,
        Ok(Err(error)) => tracing::debug!(%error, "tls handshake failed"),
        Err(_elapsed) => tracing::debug!("tls handshake took too long"),
    }
}

async fn answer_on<S>(stream: S, transport: impl FnOnce(S) -> TcpStream, site: &impl Site)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| site.answer(request));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let Err(error) = (&mut connection).await else { return };
    let Some(refusal) = error.source().and_then(|cause| cause.downcast_ref::<Refusal>()) else {
        return tracing::debug!(%error, "connection failed");
    };
    end(&transport(connection.into_parts().io.into_inner()), *refusal);
}

fn end(stream: &TcpStream, refusal: Refusal) {
    if refusal == Refusal::Reset {
        // With nothing to linger for, closing sends a reset instead of a farewell.
        if let Err(error) = stream.set_zero_linger() {
            tracing::debug!(%error, "connection cannot be reset");
        }
    }
}
