//! One HTTP request on a connection of its own, for launchers of servers.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use senseops_core::BoxError;
use tokio::net::TcpStream;

/// What answered.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// Whether the server answers at all, and how.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<Reply, BoxError> {
    send(address, Request::get(path).body(Full::default())?).await
}

/// Posts a form.
pub(crate) async fn post_form(
    address: SocketAddr,
    path: &str,
    form: &[(&str, &str)],
) -> Result<Reply, BoxError> {
    let pairs: Vec<String> =
        form.iter().map(|(name, text)| format!("{name}={}", percent_encoded(text))).collect();
    let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    send(address, request.body(Full::from(pairs.join("&")))?).await
}

async fn send(address: SocketAddr, mut request: Request<Full<Bytes>>) -> Result<Reply, BoxError> {
    request.headers_mut().insert(HOST, address.to_string().parse()?);
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok::<_, hyper::Error>(Reply { status, body: response.into_body().collect().await?.to_bytes() })
    };
    tokio::pin!(exchange);
    tokio::select! {
        reply = &mut exchange => Ok(reply?),
        ended = connection => {
            ended?;
            // The connection may end in the moment in which the answer is complete.
            Ok(exchange.await?)
        }
    }
}

/// The text as it may stand in a query or form.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 0xf)]);
        }
    }
    encoded
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).unwrap_or('0')
}
