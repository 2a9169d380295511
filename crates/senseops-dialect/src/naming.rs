//! Whose names are written.

use senseops_core::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// Whose names a target gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Naming {
    /// Those of the newest Butler SOS.
    #[default]
    #[serde(rename = "butler-sos")]
    ButlerSos,
    /// Those of Butler SOS 9.
    #[serde(rename = "butler-sos-9")]
    ButlerSos9,
    /// Those of Butler SOS 2. What that version did not have is named as in version 9.
    #[serde(rename = "butler-sos-2")]
    ButlerSos2,
    /// Our own: the kind, and the names of its fields.
    #[serde(rename = "native")]
    Native,
}

/// The generations of Butler SOS, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Generation {
    Two,
    Nine,
    Newest,
}

impl Naming {
    /// The generation whose tables apply, if any.
    pub(crate) fn generation(self) -> Option<Generation> {
        match self {
            Self::ButlerSos => Some(Generation::Newest),
            Self::ButlerSos9 => Some(Generation::Nine),
            Self::ButlerSos2 => Some(Generation::Two),
            Self::Native => None,
        }
    }
}
