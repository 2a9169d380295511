//! The encoding of protocol buffers, written and read directly: no tree of messages in between.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>. As is usual there, a scalar or text that is at its default
//! (zero, empty) is left out, and so the callers here leave it out.

/// The bytes are no protocol buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A field as it is met: its number and what follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    /// A text or a message.
    Bytes(&'a [u8]),
    /// A type of ours never has this form.
    Fixed32,
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// What a varint takes at most.
const MAX_VARINT: usize = 10;

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

pub(crate) fn put_uint(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, VARINT);
    put_varint(out, value);
}

/// As `sint64`: small numbers are short, negative ones too.
pub(crate) fn put_sint(out: &mut Vec<u8>, number: u32, value: i64) {
    put_uint(out, number, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

pub(crate) fn put_fixed(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_text(out: &mut Vec<u8>, number: u32, text: &str) {
    put_tag(out, number, BYTES);
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A message whose fields are written by `fields`.
pub(crate) fn put_message(out: &mut Vec<u8>, number: u32, fields: impl FnOnce(&mut Vec<u8>)) {
    put_tag(out, number, BYTES);
    let begin = out.len();
    // Most messages are shorter than 128 bytes, whose length is one byte.
    out.push(0);
    fields(out);
    let len = out.len() - begin - 1;
    if let (Ok(short @ 0..0x80), Some(place)) = (u8::try_from(len), out.get_mut(begin)) {
        *place = short;
    } else {
        let mut prefix = Vec::with_capacity(MAX_VARINT);
        put_varint(&mut prefix, len as u64);
        out.splice(begin..=begin, prefix);
    }
}

fn put_tag(out: &mut Vec<u8>, number: u32, form: u64) {
    put_varint(out, u64::from(number) << 3 | form);
}

fn low_bits(value: u64) -> u8 {
    let [lowest, ..] = value.to_le_bytes();
    lowest & 0x7f
}

/// The fields of a message in the order in which they were written. Ends after the first that is malformed.
pub(crate) fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u32, Field<'_>), Malformed>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = take_field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field.ok_or(Malformed))
    })
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Field<'a>)> {
    let tag = take_varint(rest)?;
    let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0)?;
    let field = match tag & 7 {
        VARINT => Field::Varint(take_varint(rest)?),
        FIXED64 => Field::Fixed64(u64::from_le_bytes(*rest.split_off(..8)?.first_chunk()?)),
        BYTES => {
            let len = usize::try_from(take_varint(rest)?).ok()?;
            Field::Bytes(rest.split_off(..len)?)
        }
        FIXED32 => rest.split_off(..4).map(|_unused| Field::Fixed32)?,
        _ => return None,
    };
    Some((number, field))
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for position in 0..MAX_VARINT {
        let byte = *rest.split_off_first()?;
        let bits = u64::from(byte & 0x7f);
        value |= bits.checked_shl(u32::try_from(7 * position).ok()?)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

impl<'a> Field<'a> {
    pub(crate) fn uint(self) -> Result<u64, Malformed> {
        if let Self::Varint(value) = self { Ok(value) } else { Err(Malformed) }
    }

    pub(crate) fn sint(self) -> Result<i64, Malformed> {
        self.uint().map(|value| (value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(crate) fn fixed(self) -> Result<u64, Malformed> {
        if let Self::Fixed64(value) = self { Ok(value) } else { Err(Malformed) }
    }

    pub(crate) fn message(self) -> Result<&'a [u8], Malformed> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(Malformed) }
    }

    pub(crate) fn text(self) -> Result<&'a str, Malformed> {
        str::from_utf8(self.message()?).map_err(|_not_utf8| Malformed)
    }
}
