//! What is said when a request is not answered as asked.

use std::borrow::Cow;
use std::error::Error;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};

/// The media type of a [`Problem`].
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The type of problems whose status says enough.
const ABOUT_BLANK: Cow<'static, str> = Cow::Borrowed("about:blank");

/// The body of every error, `application/problem+json` of RFC 9457.
///
/// Those of others can be read, too: each member may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// A URI for the kind of problem; `about:blank`, since there is no more to know than what follows.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The name of the status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in words for the operator.
    pub detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or_default().to_owned();
        Self { kind: ABOUT_BLANK, title, status: status.as_u16(), detail: detail.into() }
    }
}

impl Default for Problem {
    fn default() -> Self {
        Self { kind: ABOUT_BLANK, title: String::new(), status: 0, detail: String::new() }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        let reason = rejection.source().map_or_else(|| rejection.body_text(), ToString::to_string);
        Self::new(rejection.status(), format!("the query cannot be understood: {reason}"))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(CONTENT_TYPE, PROBLEM_JSON)], Json(self)).into_response()
    }
}
