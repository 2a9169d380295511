//! What all datagrams of Sense's log appenders have in common: fields between `;`, the first of which is the type.

use std::borrow::Cow;

use thiserror::Error;

/// Why a datagram is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformed {
    /// There is nothing in it but line ends.
    #[error("the datagram is empty")]
    Empty,
    /// Its first field is no known type, and it is not of the form without a type either.
    #[error("the first field is no known type")]
    UnknownType,
}

impl Malformed {
    /// The class of the reason, for counters: `empty`, `unknown_type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::UnknownType => "unknown_type",
        }
    }
}

/// Whether a first field names this type: in any case, and less its first two slashes, as Butler SOS reads it.
pub(crate) fn is_type(field: &str, name: &str) -> bool {
    let mut slashes = 0;
    let letters = field.bytes().filter(|byte| {
        let is_slash = *byte == b'/';
        slashes += u32::from(is_slash);
        !is_slash || slashes > 2
    });
    letters.map(|letter| letter.to_ascii_lowercase()).eq(name.bytes())
}

/// The datagram without the line end that a layout with `%newline` adds.
pub(crate) fn without_line_end(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

/// A field without control characters (U+0000 to U+001F, U+007F), cut to at most `limit` UTF-16 units. The unit is
/// that of Butler SOS, whose limits these are; a character that takes two is kept whole or not at all.
pub(crate) fn clean(field: &str, limit: usize) -> Cow<'_, str> {
    // No character has more UTF-16 units than UTF-8 bytes.
    if field.len() <= limit && !field.bytes().any(|byte| byte.is_ascii_control()) {
        return Cow::Borrowed(field);
    }
    let mut units = 0;
    let kept = field.chars().filter(|character| !character.is_ascii_control()).take_while(|character| {
        units += character.len_utf16();
        units <= limit
    });
    Cow::Owned(kept.collect())
}

/// Whether the text is a UUID as RFC 9562 defines them, in any case.
pub(crate) fn is_uuid(text: &str) -> bool {
    let fits = |(position, byte): (usize, u8)| match position {
        8 | 13 | 18 | 23 => byte == b'-',
        14 => matches!(byte, b'1'..=b'8'),
        19 => matches!(byte, b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_field_is_not_copied() {
        assert!(matches!(clean("pro2-win1", 100), Cow::Borrowed("pro2-win1")));
    }

    #[test]
    fn control_characters_do_not_count_towards_the_limit() {
        assert_eq!(clean("a\u{0}\tb\u{7f}\ncd", 3), "abc");
        assert_eq!(clean("a\u{80}b", 3), "a\u{80}b", "only the ASCII ones are control characters");
    }

    #[test]
    fn the_limit_counts_utf_16_units_and_never_cuts_a_character() {
        assert_eq!(clean("åäö", 2), "åä");
        assert_eq!(clean("a😀b", 3), "a😀");
        assert_eq!(clean("a😀b", 2), "a");
        assert_eq!(clean("😀", 2), "😀", "four bytes, but two units");
    }

    #[test]
    fn a_uuid_has_its_dashes_version_and_variant() {
        for (text, expected) in [
            ("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f", true),
            ("1A1E4C6B-1F8B-4B1A-9D56-2A3B4C5D6E7F", true),
            ("1a1e4c6b-1f8b-4b1a-cd56-2a3b4c5d6e7f", false),
            ("1a1e4c6b-1f8b-9b1a-9d56-2a3b4c5d6e7f", false),
            ("1a1e4c6b11f8b-4b1a-9d56-2a3b4c5d6e7f", false),
            ("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7", false),
            ("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f/sheet", false),
        ] {
            assert_eq!(is_uuid(text), expected, "{text}");
        }
    }
}
