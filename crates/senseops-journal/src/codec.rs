//! What the journal asks of those who know what a chunk is.

use std::sync::Arc;

use senseops_core::BoxError;

/// How chunks become bytes and back, for the disk and for a backlog in memory.
///
/// Bytes outlive the program that wrote them: what was ever encoded must decode for ever.
pub trait Codec<C>: Send + Sync + 'static {
    /// Appends the bytes of the chunk to `out`. Called by the threads of writer and keeper.
    fn encode(&self, chunk: &C, out: &mut Vec<u8>);

    /// The kinds of the events in the chunk, each once. They stand beside the bytes, so that a frame tells what is in
    /// it without being decoded.
    fn kinds<'a>(&self, chunk: &'a C) -> Vec<&'a str>;

    /// The chunk that was encoded as these bytes. Called by threads for blocking work.
    ///
    /// # Errors
    /// When the bytes are of no known form. The journal counts the chunk as damaged and goes on.
    fn decode(&self, bytes: &[u8]) -> Result<C, BoxError>;
}

/// Whether a reader wants events of this kind. Asked for chunks that are bytes: those of which nothing is wanted are
/// passed without being decoded.
pub type Wants = Arc<dyn Fn(&str) -> bool + Send + Sync>;
