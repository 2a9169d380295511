//! Looks into a running pipeline over HTTP, and changes it.
//!
//! What must hold:
//! * Whoever asks never slows the pipeline: every answer is made of figures that are there already.
//! * Nothing that is answered holds a secret.
//! * Without a token only this machine is served, and no web page or proxy on it: requests must name a loopback host, must
//!   not have come by a proxy, and those that change something must not come from a page.
//! * Everybody else may hear whether the program lives and is ready, in one word.
//! * What is not answered as asked is a [`Problem`].
//!
//! A program with a router of its own mounts [`router`], behind whatever it guards its own pages with:
//!
//! ```
//! use senseops_core::{Batch, sink_fn};
//! use senseops_engine::Pipeline;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pipeline = Pipeline::builder()
//!     .sink("nowhere", sink_fn(|_: Batch| async { Ok(()) }))
//!     .build()
//!     .await?;
//! let mine: axum::Router = axum::Router::new().nest("/sos", senseops_web::router(pipeline.handle(), None));
//! # Ok(())
//! # }
//! ```
//!
//! A program without one binds [`Web`] as its configuration says.

mod api;
mod body;
mod config;
mod events;
mod exposition;
mod guard;
mod metrics;
mod problem;
mod routes;
mod status;
mod web;

pub use api::{Control, Forgotten, ReloadReport, ReplayReport};
pub use config::{DEFAULT_LISTEN, WebConfig};
pub use events::{HEARTBEAT, MAX_TAPS};
pub use metrics::metrics;
pub use problem::Problem;
pub use routes::router;
pub use senseops_engine::{AttemptsView, ProcessStatus};
pub use status::{
    CertificateStatus, CursorStatus, DeadLettersStatus, EmbedderStatus, Health, HistogramStatus,
    JournalStatus, ListenerStatus, Readiness, Reading, RelayStatus, SinkStatus, SourceStatus, State, Status,
};
pub use web::Web;
