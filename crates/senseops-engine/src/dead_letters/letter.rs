//! A dead letter, and the line of JSON that it is kept as: people read it, and it becomes the same event again.

use senseops_core::{Event, Timestamp};
use senseops_wire::Lossless;
use serde::{Deserialize, Serialize, Serializer};

/// An event that a target refused for good. Serializes to the line that it is kept as, which is lossless.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The sink.
    pub sink: String,
    /// Why the target refused it.
    pub reason: String,
    /// When.
    pub refused: Timestamp,
    /// The event, as the sink got it.
    pub event: Event,
}

/// A dead letter that is about to be written.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) sink: &'a str,
    pub(super) reason: &'a str,
    pub(super) refused: Timestamp,
    pub(super) event: Lossless<&'a Event>,
}

/// A line as it is read.
#[derive(Deserialize)]
struct Read {
    sink: String,
    reason: String,
    refused: String,
    event: Lossless<Event>,
}

impl DeadLetter {
    /// The letter in a line that [`Line`] wrote; `None` if it was torn or changed.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let Read { sink, reason, refused, event: Lossless(event) } = serde_json::from_slice(line).ok()?;
        Some(Self { sink, reason, refused: refused.parse().ok()?, event })
    }
}

impl Serialize for DeadLetter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { sink, reason, refused, event } = self;
        Line { sink, reason, refused: *refused, event: Lossless(event) }.serialize(serializer)
    }
}
