//! Frames: the bytes of one chunk on disk. Pure; the crate documentation shows the layout.

use std::io;

use bytes::{Buf, BufMut};
use senseops_core::{BoxError, Timestamp, chain};
use tracing::warn;

use crate::codec::{Codec, Wants};
use crate::position::{Mark, Position};
use crate::slot::Slot;

/// The length of a header, which is also the length of the shortest frame.
pub(crate) const HEADER_BYTES: usize = 68;
const MAGIC: [u8; 4] = *b"SOSJ";
const VERSION: u32 = 1;

/// What a frame tells about its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The random number of the segment.
    pub segment: u64,
    pub at: Mark,
    pub appended: Timestamp,
    pub bytes: u64,
    pub events: u32,
}

/// A sound frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub header: Header,
    /// See [`Frame::kinds`].
    kinds: &'a [u8],
    payload: &'a [u8],
    /// The length of the whole frame.
    pub len: usize,
}

/// What the bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// So many bytes that are no frame.
    Damage(usize),
    /// The beginning of a frame that has at least so many bytes.
    Partial(usize),
}

/// A header with what is only of interest here.
struct Raw {
    header: Header,
    kinds: usize,
    payload: usize,
    body_crc: u32,
}

/// Appends a frame to `out`; `payload` appends the bytes of the chunk.
///
/// # Errors
/// When kinds or payload are longer than four gibibytes.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    header: &Header,
    kinds: &[&str],
    payload: impl FnOnce(&mut Vec<u8>),
) -> io::Result<()> {
    let start = out.len();
    out.put_bytes(0, HEADER_BYTES);
    for kind in kinds {
        let Ok(len) = u16::try_from(kind.len()) else {
            // Without all of them nobody can tell whether a chunk is wanted, so there are none.
            out.truncate(start + HEADER_BYTES);
            break;
        };
        out.put_u16_le(len);
        out.put_slice(kind.as_bytes());
    }
    let kinds_len = out.len() - start - HEADER_BYTES;
    payload(out);
    let payload_len = out.len() - start - HEADER_BYTES - kinds_len;

    let (_, frame) = out.split_at_mut(start);
    let (mut head, body) = frame.split_at_mut(HEADER_BYTES);
    let mut bytes = [0; HEADER_BYTES];
    let mut fields = bytes.as_mut_slice();
    fields.put_slice(&MAGIC);
    fields.put_u32_le(VERSION);
    fields.put_u64_le(header.segment);
    fields.put_u64_le(header.at.position.0);
    fields.put_u64_le(header.at.events);
    fields.put_i64_le(header.appended.as_nanos());
    fields.put_u64_le(header.bytes);
    fields.put_u32_le(header.events);
    fields.put_u32_le(u32::try_from(kinds_len).map_err(io::Error::other)?);
    fields.put_u32_le(u32::try_from(payload_len).map_err(io::Error::other)?);
    fields.put_u32_le(crc32c::crc32c(body));
    let (sealed, _) = bytes.split_at(HEADER_BYTES - 4);
    let crc = crc32c::crc32c(sealed);
    head.put_slice(sealed);
    head.put_u32_le(crc);
    Ok(())
}

/// Appends the frame of a chunk to `out`.
///
/// # Errors
/// When kinds or payload are longer than four gibibytes.
pub(crate) fn encode_chunk<C: 'static>(
    out: &mut Vec<u8>,
    segment: u64,
    slot: &Slot<C>,
    codec: &dyn Codec<C>,
) -> io::Result<()> {
    let Slot { at, events, bytes, appended, chunk } = slot;
    let header = Header { segment, at: *at, appended: *appended, bytes: *bytes, events: *events };
    encode(out, &header, &codec.kinds(chunk), |out| codec.encode(chunk, out))
}

/// Looks at the beginning of the bytes. With `segment`, only frames that carry this number are frames.
pub(crate) fn step(bytes: &[u8], segment: Option<u64>) -> Step<'_> {
    if bytes.len() < HEADER_BYTES {
        return Step::Partial(HEADER_BYTES);
    }
    let (head, rest) = bytes.split_at(HEADER_BYTES);
    let Some(raw) = Raw::parse(head).filter(|raw| segment.is_none_or(|number| number == raw.header.segment))
    else {
        return Step::Damage(distance_to_magic(bytes));
    };
    let len = HEADER_BYTES.saturating_add(raw.kinds).saturating_add(raw.payload);
    let Some((body, _)) = rest.split_at_checked(raw.kinds.saturating_add(raw.payload)) else {
        return Step::Partial(len);
    };
    if crc32c::crc32c(body) != raw.body_crc {
        return Step::Damage(len);
    }
    let (kinds, payload) = body.split_at(raw.kinds);
    Step::Frame(Frame { header: raw.header, kinds, payload, len })
}

/// The version of the frame that the bytes begin with, if it is sound and not of the version that is known here.
pub(crate) fn foreign_version(bytes: &[u8]) -> Option<u32> {
    let mut rest = sealed(bytes)?;
    rest.advance(MAGIC.len());
    rest.try_get_u32_le().ok().filter(|version| *version != VERSION)
}

/// How far the next thing that looks like a frame is away; at least one byte.
fn distance_to_magic(bytes: &[u8]) -> usize {
    let found = bytes.windows(MAGIC.len()).skip(1).position(|window| window == MAGIC);
    // The last three bytes may be the beginning of a frame.
    found.map_or(bytes.len() - (MAGIC.len() - 1), |skipped| skipped + 1)
}

/// The bytes that the checksum of the header covers, if there is a sound header.
fn sealed(bytes: &[u8]) -> Option<&[u8]> {
    let (sealed, mut crc) = bytes.get(..HEADER_BYTES)?.split_at(HEADER_BYTES - 4);
    (sealed.starts_with(&MAGIC) && crc.try_get_u32_le().ok()? == crc32c::crc32c(sealed)).then_some(sealed)
}

impl Frame<'_> {
    /// The chunk in its place, or nothing there if no event in it is wanted.
    pub(crate) fn slot<C: 'static>(
        &self,
        codec: &dyn Codec<C>,
        wants: &Wants,
    ) -> Result<Slot<Option<C>>, BoxError> {
        let Header { at, appended, bytes, events, segment: _ } = self.header;
        let mut kinds = self.kinds().peekable();
        let is_wanted = kinds.peek().is_none() || kinds.any(|kind| wants(kind));
        let chunk = is_wanted.then(|| codec.decode(self.payload)).transpose()?;
        Ok(Slot { at, events, bytes, appended, chunk })
    }

    /// Says that [`Frame::slot`] failed.
    pub(crate) fn warn(&self, error: &(dyn std::error::Error + 'static)) {
        let position = self.header.at.position;
        warn!(error = %chain(error), %position, "chunk in the journal cannot be decoded");
    }

    /// The kinds of its events.
    fn kinds(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.kinds;
        std::iter::from_fn(move || {
            let len = rest.try_get_u16_le().ok()?;
            str::from_utf8(rest.split_off(..usize::from(len))?).ok()
        })
    }
}

impl Raw {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = sealed(bytes)?;
        rest.advance(MAGIC.len());
        if rest.try_get_u32_le().ok()? != VERSION {
            return None;
        }
        let header = Header {
            segment: rest.try_get_u64_le().ok()?,
            at: Mark { position: Position(rest.try_get_u64_le().ok()?), events: rest.try_get_u64_le().ok()? },
            appended: Timestamp::from_nanos(rest.try_get_i64_le().ok()?),
            bytes: rest.try_get_u64_le().ok()?,
            events: rest.try_get_u32_le().ok()?,
        };
        Some(Self {
            header,
            kinds: usize::try_from(rest.try_get_u32_le().ok()?).ok()?,
            payload: usize::try_from(rest.try_get_u32_le().ok()?).ok()?,
            body_crc: rest.try_get_u32_le().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: Header = Header {
        segment: 0x0123_4567_89ab_cdef,
        at: Mark { position: Position(42), events: 1000 },
        appended: Timestamp::from_nanos(1_700_000_000_000_000_000),
        bytes: 4096,
        events: 3,
    };

    fn frame(header: &Header, kinds: &[&str], payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, header, kinds, |out| out.extend_from_slice(payload)).unwrap();
        out
    }

    fn sound(bytes: &[u8]) -> Frame<'_> {
        let Step::Frame(frame) = step(bytes, None) else { panic!("no frame") };
        frame
    }

    #[test]
    fn a_frame_tells_what_was_put_into_it() {
        let bytes = frame(&HEADER, &["qlik.user_event", "target.up"], b"payload");
        let read = sound(&bytes);
        assert_eq!((read.header, read.payload, read.len), (HEADER, b"payload".as_slice(), bytes.len()));
        assert_eq!(read.kinds, b"\x0f\0qlik.user_event\x09\0target.up");
        assert_eq!(read.kinds().collect::<Vec<_>>(), ["qlik.user_event", "target.up"]);
    }

    #[test]
    fn frames_follow_each_other_without_a_gap() {
        let mut bytes = frame(&HEADER, &[], b"one");
        bytes.extend(frame(&HEADER, &["k"], b"two"));
        let first = sound(&bytes);
        assert_eq!(sound(&bytes[first.len..]).payload, b"two");
    }

    #[test]
    fn a_damaged_payload_costs_one_frame_and_a_damaged_header_is_searched_past() {
        for offset in [0, 20, HEADER_BYTES + 1] {
            let mut bytes = frame(&HEADER, &[], b"damaged");
            let len = bytes.len();
            bytes[offset] ^= 1;
            bytes.extend(frame(&HEADER, &[], b"sound"));
            assert_eq!(step(&bytes, None), Step::Damage(len), "byte {offset}");
        }
    }

    #[test]
    fn a_frame_inside_a_payload_is_not_taken_for_one() {
        let forged = frame(&Header { segment: 1, ..HEADER }, &[], b"forged");
        let mut bytes = frame(&HEADER, &[], &forged);
        bytes[4] ^= 1;
        let Step::Damage(skipped) = step(&bytes, Some(HEADER.segment)) else { panic!("damage expected") };
        assert!(matches!(step(&bytes[skipped..], Some(HEADER.segment)), Step::Damage(_)));
    }

    #[test]
    fn a_frame_of_a_newer_program_is_told_apart_from_damage() {
        let mut bytes = frame(&HEADER, &[], b"");
        assert_eq!(foreign_version(&bytes), None);
        bytes[4] = 2;
        assert_eq!(foreign_version(&bytes), None, "the checksum does not fit");
        let crc = crc32c::crc32c(&bytes[..64]);
        bytes[64..68].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(foreign_version(&bytes), Some(2));
    }

    proptest! {
        #[test]
        fn no_flipped_byte_goes_unseen(
            payload in proptest::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            flip in 1..=255_u8,
        ) {
            let mut bytes = frame(&HEADER, &["a.kind"], &payload);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(!matches!(step(&bytes, None), Step::Frame(_)));
        }

        #[test]
        fn any_bytes_can_be_walked_through(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut rest = bytes.as_slice();
            loop {
                match step(rest, None) {
                    Step::Frame(frame) => rest = &rest[frame.len..],
                    Step::Damage(len) => {
                        prop_assert!(len > 0);
                        rest = &rest[len..];
                    }
                    Step::Partial(needed) => {
                        prop_assert!(needed > rest.len());
                        break;
                    }
                }
            }
        }
    }
}
