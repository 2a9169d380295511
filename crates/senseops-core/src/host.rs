//! For those who run components rather than write them: the engine, tests, and host programs that do without it.

pub use crate::component_state::StateArea;
pub use crate::delivery::{Delivery, Only, Overflow, Retry};
pub use crate::emitter::{Hurry, Intake, Settle};
pub use crate::files::{ContentDigest, MAX_NOTED_FILES, Noted};
pub use crate::kind::{MAX_INTERNED_KINDS, TooManyKinds};
pub use crate::lease::{Lease, Protocol};
pub use crate::meter::{MAX_SERIES, Reading};
pub use crate::planned::{IntoComponents, PlannedRelay, PlannedSink, PlannedSource, SinkFn};
pub use crate::shutdown::ShutdownTrigger;
