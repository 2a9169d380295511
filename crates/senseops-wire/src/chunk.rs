//! Chunks as bytes: protocol buffers, with names, kinds and label sets once per chunk.
//!
//! ```proto
//! // Bytes outlive programs: a number that was ever used keeps its meaning, new fields take new numbers, and what is no
//! // longer written is still read. `index` means a place in one of the lists of `Chunk`.
//! message Chunk {
//!   string source = 1;
//!   repeated string kinds = 2;
//!   repeated string names = 3;           // of labels and fields
//!   repeated LabelSet label_sets = 4;
//!   repeated Event events = 5;
//!   optional string target = 6;          // the one sink that shall have it; absent for all
//! }
//! message LabelSet { repeated Label labels = 1; }
//! message Label    { uint32 name = 1 /* index */; string text = 2; }
//! message Event {
//!   fixed64 id_high = 1;                 // the first eight bytes of the identity, as a big-endian number
//!   fixed64 id_low = 2;                  // the last eight
//!   sfixed64 time = 3;                   // nanoseconds since 1970
//!   uint32 kind = 4;                     // index
//!   uint32 labels = 5;                   // index
//!   oneof body { Fields measurement = 6; Record record = 7; State state = 8; }
//! }
//! message Record { uint32 severity = 1 /* debug 1 … fatal 5 */; string message = 2; Fields fields = 3; }
//! message State  { uint32 level = 1 /* ok 1, warning 2, critical 3, unknown 4 */; string message = 2; Fields fields = 3; }
//! message Fields { repeated Field fields = 1; }
//! message Field  { uint32 name = 1 /* index */; oneof value { … as in Item } }
//! message List   { repeated Item items = 1; }
//! message Item {
//!   oneof value {
//!     bool bool = 2; sint64 int = 3; uint64 uint = 4;
//!     fixed64 float_bits = 5;            // so that every NaN comes back as it was
//!     string text = 6; List list = 7; Fields map = 8;
//!   }
//! }
//! ```

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{DecodeError, decode};
pub use write::{encode, kinds};

/// Numbers of fields that are used in several messages or by both reader and writer.
mod number {
    pub(super) const CHUNK_SOURCE: u32 = 1;
    pub(super) const CHUNK_KIND: u32 = 2;
    pub(super) const CHUNK_NAME: u32 = 3;
    pub(super) const CHUNK_LABEL_SET: u32 = 4;
    pub(super) const CHUNK_EVENT: u32 = 5;
    pub(super) const CHUNK_TARGET: u32 = 6;

    pub(super) const LABEL: u32 = 1;
    pub(super) const LABEL_NAME: u32 = 1;
    pub(super) const LABEL_TEXT: u32 = 2;

    pub(super) const ID_HIGH: u32 = 1;
    pub(super) const ID_LOW: u32 = 2;
    pub(super) const TIME: u32 = 3;
    pub(super) const KIND: u32 = 4;
    pub(super) const LABELS: u32 = 5;
    pub(super) const MEASUREMENT: u32 = 6;
    pub(super) const RECORD: u32 = 7;
    pub(super) const STATE: u32 = 8;

    /// The severity of a record, the level of a state.
    pub(super) const CODE: u32 = 1;
    pub(super) const MESSAGE: u32 = 2;
    pub(super) const FIELDS: u32 = 3;

    pub(super) const FIELD: u32 = 1;
    pub(super) const ITEM: u32 = 1;
    pub(super) const FIELD_NAME: u32 = 1;
    pub(super) const BOOL: u32 = 2;
    pub(super) const INT: u32 = 3;
    pub(super) const UINT: u32 = 4;
    pub(super) const FLOAT_BITS: u32 = 5;
    pub(super) const TEXT: u32 = 6;
    pub(super) const LIST: u32 = 7;
    pub(super) const MAP: u32 = 8;
}
