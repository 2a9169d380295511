//! Blocks: chunks that wait in memory, as compressed frames. A backlog takes a fraction of the memory then.

use std::collections::VecDeque;
use std::sync::Arc;

use senseops_core::Timestamp;

use crate::codec::{Codec, Wants};
use crate::frame::{self, Step};
use crate::position::{Mark, Position};
use crate::slot::Slot;

/// The frames of a block take about so much before they are compressed: enough to find what repeats itself, and
/// little enough to be read at once.
const FRAMES_BYTES: usize = 128 * 1024;
/// The number of frames that are in no segment.
const IN_MEMORY: u64 = 0;

/// Chunks as compressed frames.
#[derive(Clone)]
pub(crate) struct Block {
    pub first: Mark,
    pub end: Mark,
    /// When its first chunk was appended.
    pub oldest: Timestamp,
    /// When its last chunk was appended.
    pub newest: Timestamp,
    frames: Arc<[u8]>,
}

impl Block {
    /// Makes a block of as many of these chunks as belong into one, the first of them at least. `None` if there are
    /// none, or their bytes cannot be made.
    pub(crate) fn pack<C: 'static>(slots: &[Slot<C>], codec: &dyn Codec<C>) -> Option<Self> {
        let mut frames = Vec::with_capacity(2 * FRAMES_BYTES);
        let (first, mut last) = (slots.first()?, slots.first()?);
        for slot in slots {
            if frames.len() >= FRAMES_BYTES {
                break;
            }
            frame::encode_chunk(&mut frames, IN_MEMORY, slot, codec).ok()?;
            last = slot;
        }
        Some(Self {
            first: first.at,
            end: last.end(),
            oldest: first.appended,
            newest: last.appended,
            frames: lz4_flex::compress_prepend_size(&frames).into(),
        })
    }

    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        (size_of::<Self>() + self.frames.len()) as u64
    }

    /// The chunks from this position on; nothing in place of those that are not wanted.
    pub(crate) fn unpack<C: 'static>(
        &self,
        from: Position,
        codec: &dyn Codec<C>,
        wants: &Wants,
    ) -> VecDeque<Slot<Option<C>>> {
        let mut slots = VecDeque::new();
        let frames = lz4_flex::decompress_size_prepended(&self.frames).unwrap_or_default();
        let mut rest = frames.as_slice();
        while let Step::Frame(frame) = frame::step(rest, Some(IN_MEMORY)) {
            if frame.header.at.position >= from {
                match frame.slot(codec, wants) {
                    Ok(slot) => slots.push_back(slot),
                    Err(error) => frame.warn(&*error),
                }
            }
            rest = rest.get(frame.len..).unwrap_or_default();
        }
        slots
    }
}
