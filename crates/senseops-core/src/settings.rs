//! Values that people write in configuration, and the errors they read when the value is wrong.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest [`Span`].
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// A positive length of time of up to ten years, written `30s`, `1m 30s` or `250ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

/// A positive number of bytes, written `512MiB` or `64kB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

/// Where a secret is: `{ env: NAME }`, `{ file: path }`, or the text itself, which earns a warning.
///
/// It cannot be serialized, and its `Debug` hides the text.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// In an environment variable.
    Env(String),
    /// In a file, without the line break at its end.
    File(PathBuf),
    /// In the configuration itself.
    Text(String),
}

/// Something that works but should be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The dotted path below the component's table; empty for the table as a whole.
    pub key: String,
    /// What to know, and what to do about it.
    pub message: String,
}

/// Words in the names of settings and headers whose values give access to something.
const SECRET_WORDS: [&str; 13] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "private_key",
    "auth",
    "cookie",
    "session",
    "credential",
];

/// Whether the value of a setting or header of this name should never be shown, in any spelling: `apiKey`, `API-Key`.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

impl Warning {
    /// Something to know about the setting at `key`.
    pub fn at(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }
}

impl Span {
    /// From whole milliseconds; zero becomes one.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(if millis == 0 { 1 } else { millis }))
    }

    /// From whole seconds; zero becomes one millisecond.
    pub const fn from_secs(seconds: u64) -> Self {
        Self::from_millis(seconds * 1000)
    }

    /// As the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Both together, ten years at most.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(LONGEST))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match humantime::parse_duration(text.trim()) {
            Ok(Duration::ZERO) => Err("a duration must be longer than zero".into()),
            // Far from what clocks can add, and far beyond what anybody means.
            Ok(duration) if duration > LONGEST => Err(format!("{text:?} is longer than ten years")),
            Ok(duration) => Ok(Self(duration)),
            Err(_unreadable) => Err(format!("{text:?} is not a duration such as 30s, 5m or 250ms")),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Size {
    /// From bytes; zero becomes one.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(if bytes == 0 { 1 } else { bytes })
    }

    /// From mebibytes.
    pub const fn from_mib(mib: u64) -> Self {
        Self::from_bytes(mib * 1024 * 1024)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes; on a 32-bit machine at most what it can address.
    pub fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().parse::<bytesize::ByteSize>() {
            Ok(size) if size.as_u64() == 0 => Err("a size must be larger than zero".into()),
            Ok(size) => Ok(Self(size.as_u64())),
            Err(_unreadable) => Err(format!("{text:?} is not a size such as 512MiB or 64kB")),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bytesize::ByteSize(self.0).fmt(f)
    }
}

macro_rules! deserialize_from_text {
    ($type:ty, $expecting:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_any(Text)
            }
        }
    };
}

/// As it is written.
impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As it is written, without rounding.
impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const UNITS: [(u64, &str); 4] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")];
        let (factor, unit) =
            UNITS.into_iter().find(|(factor, _)| self.0.is_multiple_of(*factor)).unwrap_or((1, "B"));
        serializer.collect_str(&format_args!("{}{unit}", self.0 / factor))
    }
}

deserialize_from_text!(Span, "a duration with its unit, such as 30s, 5m or 250ms");
deserialize_from_text!(Size, "a size with its unit, such as 512MiB or 64kB");

impl Secret {
    /// The warning that a secret written as text deserves.
    pub fn warning(&self, key: &str) -> Option<Warning> {
        let Self::Text(text) = self else { return None };
        let message = if text.starts_with("${") && text.ends_with('}') {
            "`${…}` is taken for the secret itself; a variable is written { env: NAME }"
        } else {
            "the secret is written as text; keep it out of the file with { env: NAME } or { file: path }"
        };
        Some(Warning::at(key, message))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "Env({name})"),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Text(_) => f.write_str("Text(***)"),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Place;

        impl<'de> Visitor<'de> for Place {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a secret: { env: NAME }, { file: path } or a text (in quotes if it is all digits)",
                )
            }

            fn visit_str<E>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
                let Some((place, value)) = map.next_entry::<String, String>()? else {
                    return Err(A::Error::custom(
                        "an empty secret; expected { env: NAME } or { file: path }",
                    ));
                };
                let secret = match place.as_str() {
                    "env" => Secret::Env(value),
                    "file" => Secret::File(value.into()),
                    _ => return Err(A::Error::unknown_field(&place, &["env", "file"])),
                };
                match map.next_key::<String>()? {
                    None => Ok(secret),
                    Some(_second) => Err(A::Error::custom("a secret is either in env or in file, not both")),
                }
            }
        }

        deserializer.deserialize_any(Place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of<T: for<'de> Deserialize<'de> + fmt::Debug>(json: &str) -> String {
        serde_json::from_str::<T>(json).unwrap_err().to_string()
    }

    #[test]
    fn a_span_needs_a_unit_and_must_be_positive() {
        assert_eq!(serde_json::from_str::<Span>("\"1m 30s\"").unwrap(), Span::from_secs(90));
        insta::assert_snapshot!(error_of::<Span>("\"0s\""), @"a duration must be longer than zero at line 1 column 4");
        insta::assert_snapshot!(error_of::<Span>("\"2 parsecs\""), @r#""2 parsecs" is not a duration such as 30s, 5m or 250ms at line 1 column 11"#);
        insta::assert_snapshot!(error_of::<Span>("\"11y\""), @r#""11y" is longer than ten years at line 1 column 5"#);
        insta::assert_snapshot!(error_of::<Span>("30"), @"invalid type: integer `30`, expected a duration with its unit, such as 30s, 5m or 250ms at line 1 column 2");
    }

    #[test]
    fn a_size_needs_a_unit_and_must_be_positive() {
        assert_eq!(serde_json::from_str::<Size>("\"512MiB\"").unwrap(), Size::from_mib(512));
        insta::assert_snapshot!(error_of::<Size>("\"0MiB\""), @"a size must be larger than zero at line 1 column 6");
        insta::assert_snapshot!(error_of::<Size>("\"many\""), @r#""many" is not a size such as 512MiB or 64kB at line 1 column 6"#);
    }

    #[test]
    fn names_of_secrets_are_known_in_any_spelling() {
        for name in
            ["password", "insertApiKey", "X-Api-Key", "Cookie", "X-Qlik-Auth", "X-Qlik-Session", "TOKEN"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["key", "url", "X-Qlik-User", "X-Qlik-Xrfkey", "passive"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_secret_says_where_it_is_but_never_what_it_is() {
        let secret = |json: &str| serde_json::from_str::<Secret>(json).unwrap();
        assert_eq!(format!("{:?}", secret(r#"{"env": "TOKEN"}"#)), "Env(TOKEN)");
        assert_eq!(format!("{:?}", secret(r#"{"file": "/run/token"}"#)), "File(/run/token)");
        assert_eq!(format!("{:?}", secret("\"canary\"")), "Text(***)");
        assert!(secret("\"canary\"").warning("password").is_some());
        insta::assert_snapshot!(error_of::<Secret>(r#"{"vault": "x"}"#), @"unknown field `vault`, expected `env` or `file` at line 1 column 14");
        insta::assert_snapshot!(error_of::<Secret>(r#"{"env": "A", "file": "B"}"#), @"a secret is either in env or in file, not both at line 1 column 19");
        insta::assert_snapshot!(error_of::<Secret>("12345"), @"invalid type: integer `12345`, expected a secret: { env: NAME }, { file: path } or a text (in quotes if it is all digits) at line 1 column 5");
    }
}
