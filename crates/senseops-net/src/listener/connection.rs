//! One connection, from the handshake to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;

use bytes::Bytes;
use http_body::Body;
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use senseops_core::{BoxError, Shutdown, chain};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;
use tracing::debug;

use super::Limits;
use super::request::{Bounded, RequestBody};
use super::write_deadline::WriteDeadline;

/// Serves one connection. Its failures are the client's, so they are logged at `debug` only.
pub(super) async fn serve<S, B>(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    service: Bounded<S>,
    shutdown: Shutdown,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let limits = service.limits();
    let stream = WriteDeadline::new(stream, limits.write_time);
    let ended: Result<(), BoxError> = match acceptor {
        None => exchange(stream, service, limits, &shutdown).await.map_err(Into::into),
        Some(acceptor) => {
            match shutdown.unless_requested(timeout(limits.head_time, acceptor.accept(stream))).await {
                None => Ok(()),
                Some(Err(elapsed)) => Err(elapsed.into()),
                Some(Ok(Err(cause))) => Err(cause.into()),
                Some(Ok(Ok(stream))) => {
                    exchange(stream, service, limits, &shutdown).await.map_err(Into::into)
                }
            }
        }
    };
    if let Err(cause) = ended {
        debug!(%peer, error = %chain(&*cause), "connection ended early");
    }
}

async fn exchange<I, S, B>(
    stream: I,
    service: Bounded<S>,
    limits: Limits,
    shutdown: &Shutdown,
) -> Result<(), hyper::Error>
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_header_size(limits.header_size.get())
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    if let Some(ended) = shutdown.unless_requested(connection.as_mut()).await {
        return ended;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}
