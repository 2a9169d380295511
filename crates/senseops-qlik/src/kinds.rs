//! The kinds of events that sources of Qlik Sense emit, and the names of their fields.
//!
//! A source builds its events of these names, and whoever reads them asks by the same names, so that neither can drift
//! from the other. Values are as the origin gives them, in its units; a unit that the origin has is the end of the name
//! (`_mb`, `_ms`, `_pct`). A field that the origin did not send is not there.
//!
//! ```
//! use senseops_core::Fields;
//! use senseops_qlik::kinds::engine_health;
//!
//! let memory = Fields::default().with("free_mb", 28_671.5);
//! let fields = Fields::default().with("mem", memory);
//! assert_eq!(engine_health::FREE_MB.of(&fields), Some(&28_671.5.into()));
//! ```

pub mod engine_health;
mod field;
pub mod server;
pub mod target_up;
pub mod user_event;

pub use field::Field;
