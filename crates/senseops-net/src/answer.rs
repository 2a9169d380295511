//! What an HTTP answer means for the engine, and how to read one safely.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use senseops_core::{Rejection, Timestamp, WriteError};
use thiserror::Error;

/// The longest pause that a target may ask for; a wrong clock or a joke must not stop delivery for a day.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);

/// As much of an answer as an operator wants to read.
const MAX_EXCERPT_CHARS: usize = 300;

/// A target answered that it does not take a request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("answered {status}{}{answer}", if answer.is_empty() { "" } else { ": " })]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// The beginning of the body, on one line.
    pub answer: String,
}

/// A body could not be read to its end.
#[derive(Debug, Error)]
pub enum BodyError {
    /// It is longer than the caller wants to read.
    #[error("the answer is longer than {limit} bytes")]
    TooLarge {
        /// What the caller wanted to read at most, in bytes.
        limit: usize,
    },
    /// The connection failed on the way.
    #[error("read the answer")]
    Failed(#[from] reqwest::Error),
}

/// What the engine should do after a target answered like this to a write of so many events. The one place for it: a sink
/// whose target means something else by a status decides that one itself, and leaves the others to this.
///
/// | status | outcome | because |
/// |---|---|---|
/// | 2xx | `Ok` | written; if the body names events that were not, the sink refuses these, and the others never come again |
/// | 408, 425, 429, 5xx | [`WriteError::Unavailable`] | may pass; `Retry-After` is respected up to ten minutes |
/// | 401, 403 | [`WriteError::Denied`] | the login is wrong: keep the events, tell the operator, look again slowly |
/// | 3xx, and what is no status of HTTP | [`WriteError::Denied`] | the address is wrong: the same |
/// | 413 | [`WriteError::Split`] | too large as a whole; a single event that is too large is refused |
/// | 400, 422 | [`WriteError::Split`] | some event is refused; the halves tell which |
/// | other 4xx: 404, 405, 406, 410, 414, 415, 431 … | [`WriteError::Partial`] | every event is refused: it is the request that is not wanted, so halves would not fare better |
///
/// What InfluxDB means by 404, a database that does not exist, is known to its sink.
///
/// No answer at all is [`WriteError::Unavailable`] as well: the connection was refused, reset, or silent for too long.
/// If an answer has a status but its body is cut or never ends, the status counts.
///
/// # Errors
/// For each status that is not 2xx.
pub fn classify(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    events: usize,
) -> Result<(), WriteError> {
    if status.is_success() {
        return Ok(());
    }
    let refusal = Box::new(Refusal { status, answer: excerpt(body) });
    Err(match status.as_u16() {
        408 | 425 | 429 | 500..=599 => {
            WriteError::Unavailable { source: refusal, retry_after: retry_after(headers, Timestamp::now()) }
        }
        400 | 413 | 422 => WriteError::Split(refusal),
        401 | 403 => WriteError::Denied(refusal),
        400..=499 => {
            let reason = refusal.to_string();
            let refused = (0..events).map(|index| Rejection { index, reason: reason.clone() }).collect();
            WriteError::Partial { retry: Vec::new(), refused }
        }
        _ => WriteError::Denied(refusal),
    })
}

/// How long a target asks to be left alone: `Retry-After` in seconds or as a date, ten minutes at most.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_date) => {
            let date = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            Timestamp::from_nanos(i64::try_from(date.as_nanosecond()).ok()?).since(now)
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// Reads a body of at most `limit` bytes. Nobody may read without a limit: the other side could be anything.
///
/// # Errors
/// When the body is longer, or the connection fails on the way.
pub async fn read_limited(mut response: Response, limit: usize) -> Result<Bytes, BodyError> {
    let announced = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge { limit });
    }
    let Some(first) = response.chunk().await? else {
        return Ok(Bytes::new());
    };
    let mut body = BytesMut::from(first);
    loop {
        if body.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        match response.chunk().await? {
            Some(chunk) => body.extend_from_slice(&chunk),
            None => return Ok(body.freeze()),
        }
    }
}

/// The beginning of what somebody else sent, on one line, for a sentence, a terminal or a log. Nothing in it can
/// control a terminal or be taken for another line.
pub fn excerpt(text: &[u8]) -> String {
    excerpt_of(text, MAX_EXCERPT_CHARS)
}

/// An excerpt of at most `limit` characters.
pub(crate) fn excerpt_of(text: &[u8], limit: usize) -> String {
    // Four bytes is the most that a character takes.
    let beginning = text.get(..limit.saturating_mul(4)).unwrap_or(text);
    let beginning = String::from_utf8_lossy(beginning);
    let words = beginning.split(is_invisible).filter(|word| !word.is_empty());
    let mut line = words.collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(limit) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Blanks, controls, and what changes the direction of writing.
fn is_invisible(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_whitespace() || c.is_control() || turns
}

#[cfg(test)]
mod tests {
    use senseops_core::chain;

    use super::*;

    /// 2026-11-20T14:57:30Z.
    const NOW: Timestamp = Timestamp::from_nanos(1_795_186_650_000_000_000);

    fn asking(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())])
    }

    fn outcome(status: u16) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        match classify(status, &asking("7"), b"", 2) {
            Ok(()) => "written".into(),
            Err(WriteError::Unavailable { retry_after, .. }) => format!("unavailable for {retry_after:?}"),
            Err(WriteError::Denied(_)) => "denied".into(),
            Err(WriteError::Split(_)) => "split".into(),
            Err(error @ WriteError::Partial { .. }) => error.to_string(),
        }
    }

    #[test]
    fn a_status_decides_what_becomes_of_the_batch() {
        for (expected, statuses) in [
            ("written", &[200, 201, 202, 204][..]),
            ("unavailable for Some(7s)", &[408, 425, 429, 500, 501, 502, 503, 504, 507, 599]),
            ("denied", &[301, 302, 303, 307, 308, 401, 403, 600, 999]),
            ("split", &[400, 413, 422]),
            (
                "2 events refused, 0 to retry",
                &[
                    402, 404, 405, 406, 407, 409, 410, 411, 412, 414, 415, 416, 417, 421, 423, 424, 428, 431,
                    451,
                ],
            ),
        ] {
            for status in statuses {
                assert_eq!(outcome(*status), expected, "{status}");
            }
        }
    }

    #[test]
    fn events_that_are_refused_together_are_refused_for_one_reason() {
        let error = classify(StatusCode::GONE, &HeaderMap::new(), b"channel_is_archived", 2).unwrap_err();
        let WriteError::Partial { retry, refused } = error else { panic!("{error}") };
        assert_eq!(retry, [0_usize; 0]);
        let reason = "answered 410 Gone: channel_is_archived".to_owned();
        assert_eq!(refused, [0, 1].map(|index| Rejection { index, reason: reason.clone() }));
    }

    #[test]
    fn a_refusal_shows_the_answer_on_one_line() {
        let answer = b"{\"error\":\r\n  \"authorization failed\"}\x07";
        let error = classify(StatusCode::UNAUTHORIZED, &HeaderMap::new(), answer, 1).unwrap_err();
        insta::assert_snapshot!(chain(&error), @r#"target denied the write: answered 401 Unauthorized: {"error": "authorization failed"}"#);
        assert_eq!(excerpt("ä".repeat(1000).as_bytes()).chars().count(), MAX_EXCERPT_CHARS + 1);
    }

    #[test]
    fn an_excerpt_cannot_control_a_terminal() {
        let hostile = "12\u{1b}[31m.0\u{202e}gnp\u{2028}\u{9b}2K\r\nERROR forged";
        assert_eq!(excerpt(hostile.as_bytes()), "12 [31m.0 gnp 2K ERROR forged");
    }

    #[test]
    fn a_pause_is_given_in_seconds_or_as_a_date_and_has_a_bound() {
        let wait = |text: &str| retry_after(&asking(text), NOW).map(|wait| wait.as_secs());
        assert_eq!(wait("7"), Some(7));
        assert_eq!(wait("Fri, 20 Nov 2026 14:58:30 GMT"), Some(60));
        assert_eq!(wait("Fri, 20 Nov 2026 14:00:00 GMT"), Some(0));
        assert_eq!(wait("86400"), Some(600));
        assert_eq!(wait("Sat, 21 Nov 2026 14:58:30 GMT"), Some(600));
        assert_eq!(wait("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }
}
