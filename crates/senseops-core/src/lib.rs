//! The contracts of SenseOps Stats.
//!
//! An [`Event`] is something that was observed. A [`Source`] emits events, a [`Sink`] writes them, a [`Relay`] makes
//! events of events, and the engine (another crate) does everything between: it stores, batches, retries, counts and
//! shuts down. Plugin crates depend on this crate alone, so it has no I/O, no tasks and no feature flags. What only the
//! engine and other hosts need is in [`host`].
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

mod accepts;
mod batch;
mod chunk;
mod component_state;
mod context;
mod delivery;
mod emitter;
mod error;
mod event;
mod fields;
mod files;
mod health;
pub mod host;
mod id;
mod kind;
mod labels;
mod lease;
mod meter;
mod planned;
mod plugin;
mod relay;
mod schema;
pub mod settings;
mod shared;
mod shutdown;
mod sink;
mod source;
mod time;

pub use accepts::Accepts;
pub use async_trait::async_trait;
pub use batch::Batch;
pub use chunk::Chunk;
pub use compact_str::CompactString as Text;
pub use component_state::{ComponentState, MAX_STATE_BYTES, StateError};
pub use context::{Build, Context};
pub use emitter::{Emitter, Outcome, Receipt};
pub use error::{BoxError, BuildError, PlanError, chain};
pub use event::{Body, Event, Level, Record, Severity, Shape, State};
pub use fields::{Fields, Name, Value};
pub use files::Files;
pub use health::{Condition, Health};
pub use id::EventId;
pub use kind::{Kind, KindPattern, NoKindPattern};
pub use labels::LabelSet;
pub use lease::{LeaseError, Leases, UdpLease};
pub use meter::{Counter, Gauge, Meter};
pub use planned::{Factory, Planned, sink_fn};
pub use plugin::Plugin;
pub use relay::{Relay, RelayError};
pub use schemars;
pub use shared::Shared;
pub use shutdown::Shutdown;
pub use sink::{Background, Rejection, Sink, WriteError};
pub use source::{Gather, GatherError, Periodic, Schedule, Source, SourceError};
pub use time::Timestamp;
