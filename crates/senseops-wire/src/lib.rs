//! Events as bytes and as lossless JSON.
//!
//! Two forms, both of which give back what was put in, to the bit:
//!
//! * [`encode`] and [`decode`]: a [`Chunk`](senseops_core::Chunk) as compact bytes, for a journal or another machine;
//! * [`Lossless`]: an event as JSON that people can read, for files and streams.
//!
//! What was ever written is read for ever. Everything here is pure: no I/O and no clock.
//!
//! ```
//! use senseops_core::{Body, Chunk, Event, Fields, Kind};
//! use senseops_wire::{Lossless, decode, encode};
//!
//! let fields = Fields::default().with("sessions", 3_u64);
//! let event = Event::new(Kind::new("demo.load"), &Default::default(), Body::Measurement(fields));
//! let chunk = Chunk::new("demo", vec![event.clone()]);
//!
//! let mut bytes = Vec::new();
//! encode(&chunk, &mut bytes);
//! assert_eq!(decode(&bytes)?, chunk);
//!
//! let json = serde_json::to_string(&Lossless(&event))?;
//! let Lossless(read): Lossless<Event> = serde_json::from_str(&json)?;
//! assert_eq!(read, event);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod any_event;
mod chunk;
mod json;
mod protobuf;

pub use chunk::{DecodeError, decode, encode, kinds};
pub use json::Lossless;

/// How deep lists and maps may be nested; what is deeper is written as text. Readers of protobuf refuse more than a
/// hundred levels of messages, and each level here takes two.
pub const MAX_DEPTH: usize = 32;
