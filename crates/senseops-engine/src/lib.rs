//! Runs pipelines of sources, relays and sinks.
//!
//! A pipeline is planned, opened, run and drained. Between sources and sinks stands a journal: emitting appends to
//! it, and each sink and relay reads it with a cursor of its own, so a slow or absent target disturbs nobody.
//!
//! ```
//! use senseops_core::{Batch, Body, Event, Fields, Kind, LabelSet, sink_fn};
//! use senseops_engine::Pipeline;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pipeline = Pipeline::builder()
//!     .sink("print", sink_fn(|batch: Batch| async move {
//!         for event in batch.iter() {
//!             println!("{event}");
//!         }
//!         Ok(())
//!     }))
//!     .build()
//!     .await?;
//! let handle = pipeline.handle();
//! let work = async {
//!     let labels = LabelSet::from_iter([("host", "sense1")]).into();
//!     let event = Event::new(Kind::new("demo.hello"), &labels, Body::Measurement(Fields::default().with("n", 1)));
//!     handle.emit(vec![event]).await.ignore();
//! };
//! let summary = pipeline.run_until(work).await;
//! assert_eq!(summary.view.undelivered(), 0);
//! # Ok(())
//! # }
//! ```

mod backoff;
mod builder;
mod codec;
mod common;
mod components;
mod contained;
mod counters;
pub mod dead_letters;
mod directories;
pub mod figures;
mod file_checks;
mod handle;
mod intake;
mod opened;
mod opener;
mod opening;
mod owned_directory;
mod parts;
mod pipeline;
mod plan;
mod platform;
mod probe;
mod process;
mod rate_limit;
mod relay;
mod reload;
mod reload_request;
mod self_events;
mod settings;
mod sink;
mod sockets;
mod states;
mod supervise;
mod tap;
mod tasks;
mod times;
mod view;
mod watched;

pub use builder::{Builder, RelayOptions, SinkOptions, SourceOptions};
pub use handle::Handle;
pub use pipeline::{Pipeline, Summary};
pub use plan::{ComponentError, OpenError, Plan, Program, RelaySpec, SinkSpec, SourceSpec};
pub use probe::{Held, Probe, ProbeOutcome};
pub use process::ProcessStatus;
pub use reload_request::{ReloadError, Reloaded};
pub use self_events::SELF_KINDS;
pub use senseops_core::host::{Delivery, Only, Overflow, Retry};
pub use senseops_journal::{
    ForgetError, ForgetOfflineError, InspectError, Inspection, forget_offline, inspect,
};
pub use settings::{DeadLetterSettings, JournalSettings, PipelineSettings, RateLimit, SelfMetrics};
pub use tap::{Tap, Tapped};
pub use view::{
    AttemptsView, CertificateView, CursorView, DeadLettersView, EmbedderView, Histogram, JournalView,
    ListenerView, RelayView, SinkView, SourceView, View,
};
