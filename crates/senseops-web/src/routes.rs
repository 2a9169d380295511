//! Which address is answered by what.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use senseops_core::Shutdown;
use senseops_engine::Handle;
use tokio::sync::Semaphore;

use crate::api::{self, Control};
use crate::events::{self, MAX_TAPS};
use crate::guard::Stranger;
use crate::metrics::{CONTENT_TYPE_TEXT, metrics};
use crate::problem::Problem;
use crate::status::{Readiness, Status};

/// What the answers are made of.
#[derive(Clone)]
pub(crate) struct Routes {
    pub(crate) handle: Handle,
    pub(crate) control: Option<Arc<dyn Control>>,
    /// Ends streams.
    pub(crate) shutdown: Shutdown,
    pub(crate) taps: Arc<Semaphore>,
}

impl Routes {
    pub(crate) fn new(handle: Handle, control: Option<Arc<dyn Control>>, shutdown: Shutdown) -> Self {
        Self { handle, control, shutdown, taps: Arc::new(Semaphore::new(MAX_TAPS)) }
    }
}

/// All addresses, without a guard: for programs that have their own. Without `control`, what only the program can do is
/// not there.
pub fn router(handle: Handle, control: Option<Arc<dyn Control>>) -> Router {
    routes(Routes::new(handle, control, Shutdown::default()))
}

pub(crate) fn routes(parts: Routes) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(show_metrics))
        .route("/status", get(status))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/reload", post(api::reload))
        .route("/api/v1/journal", get(api::journal))
        .route("/api/v1/journal/cursors/{name}", delete(api::forget))
        .route("/api/v1/dead-letters/replay", post(api::replay))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this address takes only the methods that `Allow` lists",
            )
        })
        .with_state(parts)
}

/// 503 as long as any component fails. Strangers learn no more than that.
async fn readyz(
    State(Routes { handle, .. }): State<Routes>,
    stranger: Option<Extension<Stranger>>,
) -> Response {
    let readiness = Readiness::of(&handle.conditions());
    let (status, word) = if readiness.ready {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    };
    let fresh = [(CACHE_CONTROL, "no-store")];
    match stranger {
        Some(_) => (status, fresh, word).into_response(),
        None => (status, fresh, Json(readiness)).into_response(),
    }
}

async fn status(State(Routes { handle, .. }): State<Routes>) -> impl IntoResponse {
    ([(CACHE_CONTROL, "no-store")], Json(Status::of(&handle)))
}

async fn show_metrics(State(Routes { handle, .. }): State<Routes>) -> impl IntoResponse {
    ([(CONTENT_TYPE, CONTENT_TYPE_TEXT)], metrics(&handle.view(), &handle.conditions()))
}
