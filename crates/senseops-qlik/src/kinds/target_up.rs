//! `target.up`: whether a server answers as it should. A state, one per poll, with the sentence for the operator.

use senseops_core::Kind;

use super::Field;

/// The kind.
pub const KIND: Kind = Kind::new("target.up");

/// How long the poll took, in milliseconds with decimals.
pub const DURATION_MS: Field = Field::new("duration_ms");
/// The status of the HTTP answer, if there was one.
pub const STATUS: Field = Field::new("status");
/// The class of the failure, if it failed. Text.
pub const REASON: Field = Field::new("reason");
