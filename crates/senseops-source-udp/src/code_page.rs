//! How datagrams that are not UTF-8 are read.

use std::borrow::Cow;
use std::str::FromStr;

use encoding_rs::{Encoding, UTF_8};
use serde::Deserialize;

/// A code page such as `windows-1252`, by any name that the Encoding Standard of the WHATWG gives it.
///
/// An appender without `<encoding value="utf-8"/>` sends in the ANSI code page of its Windows machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CodePage(&'static Encoding);

impl CodePage {
    /// The text that these bytes are in the code page. Bytes without a meaning become U+FFFD.
    pub(crate) fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        self.0.decode_without_bom_handling(bytes).0
    }
}

impl FromStr for CodePage {
    type Err = String;

    fn from_str(label: &str) -> Result<Self, String> {
        match Encoding::for_label(label.as_bytes()) {
            Some(encoding) if encoding == UTF_8 => {
                Err("UTF-8 is always tried first; name what else it may be, such as windows-1252".into())
            }
            // The separators of a datagram are ASCII, so is every ANSI code page of Windows in its lower half.
            Some(encoding) if encoding.is_ascii_compatible() => Ok(Self(encoding)),
            Some(_) | None => {
                Err(format!("{label:?} is not a known code page such as windows-1252 or shift_jis"))
            }
        }
    }
}

impl TryFrom<String> for CodePage {
    type Error = String;

    fn try_from(label: String) -> Result<Self, String> {
        label.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_in_the_code_page() {
        let decode =
            |label: &str, bytes: &[u8]| label.parse::<CodePage>().unwrap().decode(bytes).into_owned();
        assert_eq!(decode("windows-1252", b"J\xf6rg;\x80"), "Jörg;€");
        assert_eq!(decode("CP1251", b"\xc8\xe2\xe0\xed"), "Иван");
        assert_eq!(decode("shift_jis", b"\x83\x65\x83\x58\x83\x67"), "テスト");
    }

    #[test]
    fn wide_and_unknown_encodings_are_refused() {
        assert!("utf-16le".parse::<CodePage>().is_err());
        assert!("ansi".parse::<CodePage>().is_err());
    }
}
