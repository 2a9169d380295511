//! What a server answered, read.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use senseops_core::WriteError;
use senseops_net::{Failure, Reason, classify, excerpt, read_limited};
use serde::Deserialize;
use tokio::time::timeout;

/// A refusal that names lines repeats them, but a batch is not worth more than this to read back.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// What follows a status comes with it, or not at all.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(2);

/// The header in which InfluxDB gives its version, with every answer.
const VERSION: &str = "x-influxdb-version";

/// The header in which InfluxDB repeats the begin of its error.
const ERROR: &str = "x-influxdb-error";

/// An answer with its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Empty if it could not be read, or was too long.
    pub(crate) body: Bytes,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

impl Answer {
    /// Reads the body, as far as it is of use.
    pub(crate) async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        // The status says what to do; a body that is cut or endless only costs the explanation.
        let body = match timeout(MAX_ANSWER_TIME, read_limited(response, MAX_ANSWER_BYTES)).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) | Err(_) => Bytes::new(),
        };
        Self { status, headers, body }
    }

    /// Whether InfluxDB itself speaks, and nothing on the way to it.
    pub(crate) fn is_of_influxdb(&self) -> bool {
        self.headers.contains_key(VERSION) || self.headers.contains_key(ERROR)
    }

    /// The version of the InfluxDB that answered.
    pub(crate) fn version(&self) -> Option<String> {
        self.headers.get(VERSION).map(|version| excerpt(version.as_bytes()))
    }

    /// The error as InfluxDB words it, at any length; `None` when the answer is not in its form.
    pub(crate) fn error(&self) -> Option<String> {
        serde_json::from_slice(&self.body).ok().map(|ErrorBody { error }| error)
    }

    /// Whether the database does not exist yet.
    pub(crate) fn lacks_database(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
            && self.error().is_some_and(|error| error.starts_with("database not found"))
    }

    /// What the engine should do, apart from refused points. `origin` names the server.
    pub(crate) fn to_error(&self, origin: &str) -> WriteError {
        // Whatever else answers is set up in another way than we expect, so no event is to blame: hence none, too.
        match classify(self.status, &self.headers, &self.body, 0) {
            Err(error @ WriteError::Unavailable { .. }) => error,
            Err(error @ WriteError::Split(_)) if self.status == StatusCode::PAYLOAD_TOO_LARGE => error,
            Ok(()) | Err(_) => WriteError::Denied(Box::new(self.failure(origin))),
        }
    }

    /// The answer as a sentence.
    pub(crate) fn failure(&self, origin: &str) -> Failure {
        let text = self.error().unwrap_or_else(|| excerpt(&self.body));
        let answer = if text.is_empty() { String::new() } else { format!(": {}", excerpt(text.as_bytes())) };
        let advice = match self.status.as_u16() {
            400 => "check that the url is that of an InfluxDB 1.x, with https:// if it expects TLS",
            401 => "check username and password",
            403 => "the user needs the right to write to the database, and to create it if it does not exist",
            300..=399 => "set the url to where it leads",
            _ => "check that the url is that of an InfluxDB 1.x",
        };
        Failure::new(Reason::Status, format!("{origin} answered {}{answer}", self.status), advice)
    }
}
