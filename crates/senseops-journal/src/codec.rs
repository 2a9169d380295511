//! What the journal asks of those who know what a chunk is.

use senseops_core::BoxError;

/// How chunks become bytes and back. Only a journal on disk needs one.
///
/// Bytes outlive the program that wrote them: what was ever encoded must decode for ever.
pub trait Codec<C>: Send + Sync + 'static {
    /// Appends the bytes of the chunk to `out`. Called by the thread of the writer.
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
