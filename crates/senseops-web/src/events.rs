//! Events as they happen, one JSON object a line.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use futures::stream;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use senseops_core::{Event, NoKindPattern, Shutdown};
use senseops_engine::{Only, Tap, Tapped};
use senseops_wire::Lossless;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::problem::Problem;
use crate::routes::Routes;

/// How many may watch at once: each takes a copy of every event.
pub const MAX_TAPS: usize = 16;

/// How long the stream is silent at most. An empty line says that we are still there.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// A line of the stream with an event.
#[derive(Serialize)]
struct Shown<'a> {
    source: &'a str,
    event: Lossless<&'a Event>,
}

/// A line of the stream that says what is missing from it.
#[derive(Serialize)]
struct Missed {
    /// So many events were not shown, because the reader was too slow.
    missed: u64,
}

/// A stream that somebody reads.
struct Watched {
    tap: Tap,
    shutdown: Shutdown,
    _permit: OwnedSemaphorePermit,
}

/// `GET /api/v1/events?kind=qlik.*&source=udp.users`; both may be given several times.
pub(crate) async fn events(
    State(Routes { handle, shutdown, taps, .. }): State<Routes>,
    asked: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(asked) = asked?;
    let filter = filter(asked).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error))?;
    let permit = taps.try_acquire_owned().map_err(|_all_taken| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("{MAX_TAPS} others watch already"))
    })?;
    let watched = Watched { tap: handle.tap(filter), shutdown, _permit: permit };
    let lines = stream::unfold(watched, async |mut watched| {
        let lines = watched.next().await?;
        Some((Ok::<_, Infallible>(lines), watched))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)))
}

fn filter(asked: Vec<(String, String)>) -> Result<Only, String> {
    let mut filter = Only::default();
    for (key, value) in asked {
        match key.as_str() {
            "kind" => filter.kinds.push(value.parse().map_err(|bad: NoKindPattern| bad.to_string())?),
            "source" => filter.sources.push(value),
            _ => return Err(format!("{key:?} is not known here; there are `kind` and `source`")),
        }
    }
    Ok(filter)
}

impl Watched {
    /// The next lines; `None` when there will be no more.
    async fn next(&mut self) -> Option<Bytes> {
        match timeout(HEARTBEAT, self.shutdown.unless_requested(self.tap.next())).await {
            Ok(Some(Some(tapped))) => Some(lines(&tapped)),
            Ok(Some(None) | None) => None,
            Err(_silence) => Some(Bytes::from_static(b"\n")),
        }
    }
}

fn lines(tapped: &Tapped) -> Bytes {
    let mut text = Vec::new();
    match tapped {
        Tapped::Events { source, events } => {
            for event in events {
                push_line(&mut text, &Shown { source: source.as_str(), event: Lossless(event) });
            }
        }
        Tapped::Missed(missed) => push_line(&mut text, &Missed { missed: *missed }),
    }
    text.into()
}

fn push_line(text: &mut Vec<u8>, line: &impl Serialize) {
    let before = text.len();
    match serde_json::to_writer(&mut *text, line) {
        Ok(()) => text.push(b'\n'),
        // Half a line would spoil the next one.
        Err(_not_json) => text.truncate(before),
    }
}
