//! A target that takes what an InfluxDB 1.x takes, and keeps nothing but a count.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::CONTENT_ENCODING;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Collected, Limited};
use hyper::body::Incoming;
use tokio::net::TcpListener;

use crate::site::{Answer, Opened, Refusal, Site, document};

/// Answers `/ping`, `/query` and `/write` as an InfluxDB 1.x does that is asked for nothing but to store, and counts
/// points. For demonstrations and benches; tests should use a real one.
///
/// `GET /points` tells the count to other programs.
#[derive(Debug)]
pub struct InfluxTarget {
    address: SocketAddr,
    state: Arc<TargetState>,
    _open: Opened,
}

#[derive(Debug, Default)]
struct TargetState {
    is_away: AtomicBool,
    points: AtomicU64,
    writes: AtomicU64,
}

/// As an InfluxDB with its default settings.
const MAX_BODY_BYTES: usize = 25_000_000;

const JSON: &str = "application/json";
const DONE: &str = r#"{"results":[{"statement_id":0}]}"#;
const DATABASES: &str = r#"{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["senseops"]]}]}]}"#;
const VERSION_HEADER: HeaderName = HeaderName::from_static("x-influxdb-version");

impl InfluxTarget {
    /// Starts on a free port of the loopback interface, with a database `senseops`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> io::Result<Self> {
        Self::start_at(0).await
    }

    /// The same on this port; 0 is a free one.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start_at(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(TargetState::default());
        let opened = Opened::new(listener, None, Arc::clone(&state));
        Ok(Self { address, state, _open: opened })
    }

    /// Its address, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Resets every connection from now on, as if the program had ended.
    pub fn go_away(&self) {
        self.state.is_away.store(true, Ordering::Relaxed);
    }

    /// Answers again.
    pub fn come_back(&self) {
        self.state.is_away.store(false, Ordering::Relaxed);
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        !self.state.is_away.load(Ordering::Relaxed)
    }

    /// How many points it has taken. A point that came twice counts twice.
    pub fn points(&self) -> u64 {
        self.state.points.load(Ordering::Relaxed)
    }

    /// How many writes it has taken.
    pub fn writes(&self) -> u64 {
        self.state.writes.load(Ordering::Relaxed)
    }
}

impl Site for TargetState {
    fn welcome(&self) -> Result<(), Refusal> {
        if self.is_away.load(Ordering::Relaxed) { Err(Refusal::Reset) } else { Ok(()) }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        // Connections that are still open end now.
        self.welcome()?;
        let mut answer = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/ping" | "/health") => document(StatusCode::NO_CONTENT, JSON, ""),
            (_, "/query") => query(request).await,
            (&Method::POST, "/write") => self.write(request).await?,
            (&Method::GET, "/points") => {
                document(StatusCode::OK, "text/plain", self.points.load(Ordering::Relaxed).to_string())
            }
            _ => document(StatusCode::NOT_FOUND, JSON, r#"{"error":"not found"}"#),
        };
        answer.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static("1.8.10"));
        Ok(answer)
    }
}

/// Every database that is asked for seems to exist, and whatever is to be created is.
async fn query(request: Request<Incoming>) -> Answer {
    let in_url = request.uri().query().unwrap_or_default().to_owned();
    // The body is a form; whatever cannot be read is no question about databases.
    let in_body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await;
    let in_body = in_body.map(Collected::to_bytes).unwrap_or_default();
    let asks = |text: &str| text.contains("SHOW") && text.contains("DATABASES");
    let asks_for_databases = asks(&in_url) || asks(&String::from_utf8_lossy(&in_body));
    document(StatusCode::OK, JSON, if asks_for_databases { DATABASES } else { DONE })
}

impl TargetState {
    async fn write(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let is_compressed =
            request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
        let Ok(body) = Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await else {
            return Ok(document(
                StatusCode::PAYLOAD_TOO_LARGE,
                JSON,
                r#"{"error":"Request Entity Too Large"}"#,
            ));
        };
        let Ok(points) = count_points(&body.to_bytes(), is_compressed) else {
            return Ok(document(
                StatusCode::BAD_REQUEST,
                JSON,
                r#"{"error":"unable to decode the gzip body"}"#,
            ));
        };
        // A write that is cut off by going away is not taken.
        self.welcome()?;
        self.points.fetch_add(points, Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
        Ok(document(StatusCode::NO_CONTENT, JSON, ""))
    }
}

/// Lines that hold something. A line break within a text field counts as one more.
fn count_points(body: &Bytes, is_compressed: bool) -> io::Result<u64> {
    let mut decoded = Vec::new();
    let text = if is_compressed {
        // As many bytes as an uncompressed body may have: a small body must not fill the memory.
        let limit = u64::try_from(MAX_BODY_BYTES).unwrap_or(u64::MAX);
        MultiGzDecoder::new(body.as_ref()).take(limit).read_to_end(&mut decoded)?;
        decoded.as_slice()
    } else {
        body
    };
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    Ok(u64::try_from(lines).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn points_are_lines_that_hold_something() {
        for (body, points) in [("", 0), ("\n\n", 0), ("a b=1", 1), ("a b=1\n", 1), ("a b=1\n\nc d=2\n", 2)] {
            assert_eq!(
                count_points(&Bytes::from_static(body.as_bytes()), false).unwrap(),
                points,
                "{body:?}"
            );
        }
    }

    #[test]
    fn compressed_points_count_too_and_garbage_is_an_error() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(b"a b=1\nc d=2\n").unwrap();
        assert_eq!(count_points(&gzip.finish().unwrap().into(), true).unwrap(), 2);
        assert!(count_points(&Bytes::from_static(b"a b=1"), true).is_err());
    }
}
