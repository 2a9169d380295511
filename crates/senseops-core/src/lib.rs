//! The contracts of SenseOps Stats.
//!
//! An [`Event`] is something that was observed. A [`Source`] emits events, a [`Sink`] writes them, and the
//! engine (another crate) does everything between: it stores, batches, retries, counts and shuts down. Plugin
//! crates depend on this crate alone, so it has no I/O, no tasks and no feature flags.
//!
//! ```
//! use senseops_core::{Accepts, Batch, Sink, WriteError, async_trait};
//!
//! /// The smallest useful sink: two methods.
//! struct Print;
//!
//! #[async_trait]
//! impl Sink for Print {
//!     fn accepts(&self) -> Accepts {
//!         Accepts::everything()
//!     }
//!
//!     async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
//!         for event in batch.iter() {
//!             println!("{event}");
//!         }
//!         Ok(())
//!     }
//! }
//! ```

mod batch;
mod context;
mod emitter;
mod error;
mod event;
mod fields;
mod files;
mod health;
mod id;
mod kind;
mod labels;
mod lease;
mod meter;
mod plugin;
pub mod settings;
mod shared;
mod shutdown;
mod sink;
mod source;
mod time;

pub use async_trait::async_trait;
pub use batch::Batch;
pub use compact_str::CompactString as Text;
pub use context::{Build, Context};
pub use emitter::{Emitter, Intake, Outcome, Receipt, Settle};
pub use error::{BoxError, BuildError, PlanError, chain};
pub use event::{Body, Event, Level, Record, Severity, State};
pub use fields::{Fields, Name, Value};
pub use files::{ContentDigest, Files, MAX_NOTED_FILES, Noted};
pub use health::{Condition, Health};
pub use id::EventId;
pub use kind::{Kind, KindPattern, MAX_INTERNED_KINDS, TooManyKinds};
pub use labels::LabelSet;
pub use lease::{Lease, LeaseError, Leases, UdpLease};
pub use meter::{Counter, Gauge, MAX_SERIES, Meter, Reading};
pub use plugin::{
    PlanSinks, PlanSources, PlannedSink, PlannedSource, SinkConfig, SinkFactory, SinkFn, SourceConfig,
    SourceFactory, sink_fn,
};
pub use shared::Shared;
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use sink::{Accepts, Background, Rejection, Shape, Sink, WriteError};
pub use source::{Gather, GatherError, Periodic, Schedule, Source, SourceError};
pub use time::Timestamp;
