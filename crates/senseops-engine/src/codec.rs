//! The bytes that a chunk is in the journal.

use senseops_core::{BoxError, Chunk};
use senseops_journal::Codec;

/// Chunks in the form of [`senseops_wire`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventCodec;

impl Codec<Chunk> for EventCodec {
    fn encode(&self, chunk: &Chunk, out: &mut Vec<u8>) {
        senseops_wire::encode(chunk, out);
    }

    fn kinds<'a>(&self, chunk: &'a Chunk) -> Vec<&'a str> {
        // Whoever it is meant for gets it whatever its kinds, so nobody passes it unread.
        if chunk.target.is_some() { Vec::new() } else { senseops_wire::kinds(chunk) }
    }

    fn decode(&self, bytes: &[u8]) -> Result<Chunk, BoxError> {
        Ok(senseops_wire::decode(bytes)?)
    }
}
