//! Why a value is not what a plugin can use, in words of the person who wrote it.

use std::borrow::Cow;

use figment::error::{Actual, Kind};
use senseops_core::settings::is_secret_name;

use crate::excerpt::{is_hidden, without_login, without_logins};
use crate::key_path::KeyPath;
use crate::layers::Locator;
use crate::misnomers::{is_of_secret, named_here};
use crate::suggest::{listed, nearest};

/// What is wrong with the value at `path`. Unknown and missing keys have sentences of their own.
pub(crate) fn of_value(kind: &Kind, path: &KeyPath, locator: &Locator) -> String {
    match kind {
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            let (expected, found) = (in_words(expected), found(actual, &shown(path, expected), locator));
            format!("expected {expected}, found {found}{}", advice(actual, &expected, path, locator))
        }
        Kind::InvalidLength(length, expected) => format!("expected {expected}, found {length} of them"),
        Kind::UnknownVariant(word, known) => unknown_word(word, known),
        Kind::UnknownField(..) | Kind::MissingField(_) => "the keys of this table do not fit".to_owned(),
        Kind::Message(message) => in_context(message, path, locator),
        Kind::DuplicateField(key) => format!("the key `{key}` is there twice"),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "the number is too large".to_owned(),
        Kind::Unsupported(actual) | Kind::UnsupportedKey(actual, _) => {
            format!("{} cannot be used here", kind_of(actual))
        }
    }
}

/// A key that nobody knows.
pub(crate) fn unknown_key(key: &str, known: &[&str]) -> String {
    match named_here(key, known) {
        Some(meant) if key.eq_ignore_ascii_case("port") => {
            return format!("unknown key; the port is a part of `{meant}`");
        }
        Some(meant) => return format!("unknown key; here it is called `{meant}`"),
        None => {}
    }
    match nearest(key, known.iter().copied()) {
        Some(meant) => format!("unknown key; did you mean `{meant}`?"),
        None if known.is_empty() => "unknown key; there are no keys here".to_owned(),
        None => format!("unknown key; the keys here are {}", listed(known.iter().copied(), "and")),
    }
}

/// The key that was probably meant by an unknown one.
pub(crate) fn meant_by<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    named_here(key, known).or_else(|| nearest(key, known.iter().copied()))
}

/// The key and the value of `key:value`, which YAML reads as one word.
pub(crate) fn without_blank(word: &str) -> Option<(&str, &str)> {
    let (key, value) = word.split_once(':')?;
    let is_key = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let is_address = value.starts_with("//") || value.starts_with('\\');
    (is_key && !is_address && !value.is_empty()).then_some((key, value))
}

/// What is wrong with a text where keys and values are expected, if it is meant as one. A host with its port is not.
pub(crate) fn slip(text: &str) -> Option<String> {
    if let Some((key, value)) = text.split_once('=')
        && without_blank(&format!("{}:{}", key.trim(), value.trim())).is_some()
    {
        let is_secret = is_secret_name(key.trim()) || is_of_secret(key.trim());
        let value = if is_secret { "…".into() } else { without_login(value.trim()) };
        return Some(format!("a colon and a blank belong where `=` is; write `{}: {value}`", key.trim()));
    }
    let (key, value) = without_blank(text)?;
    let is_pair = value.parse::<u16>().is_err() && !text.contains(char::is_whitespace);
    is_pair.then(|| missing_blank(key, value))
}

/// A key and its value without the blank between them.
pub(crate) fn missing_blank(key: &str, value: &str) -> String {
    let value = if is_secret_name(key) || is_of_secret(key) { "…" } else { value };
    format!("a blank is missing after the colon; write `{key}: {}`", without_login(value))
}

/// A key that must be there.
pub(crate) fn missing_key(path: &KeyPath, locator: &Locator) -> String {
    if locator.is_null(path) {
        "has no value, and there is no default for it".to_owned()
    } else {
        "missing, and there is no default for it".to_owned()
    }
}

fn unknown_word(word: &str, known: &[&str]) -> String {
    let choices = listed(known.iter().copied(), "or");
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("`{word}` is not {choices}; did you mean `{meant}`?"),
        None => format!("`{word}` is not {choices}"),
    }
}

/// A value, and whether it must not be shown: because its key is called like a secret, or the plugin says so.
struct Shown<'a> {
    path: &'a KeyPath,
    hidden: bool,
}

fn shown<'a>(path: &'a KeyPath, expected: &str) -> Shown<'a> {
    Shown { path, hidden: expected.starts_with("a secret") || is_hidden(path.keys()) }
}

/// A plugin's own words, unless they are those of a library that does not say what would be right.
fn in_context(message: &str, path: &KeyPath, locator: &Locator) -> String {
    let reason = message.split_once(": \"").map_or(message, |(reason, _text)| reason);
    let expected = match reason {
        "invalid socket address syntax" => "an address with a port, such as 0.0.0.0:9997".to_owned(),
        "invalid IP address syntax" => "an IP address, such as 10.0.0.1".to_owned(),
        "relative URL without a base" => "a URL with its scheme, such as http://host:8086".to_owned(),
        "empty host"
        | "invalid port number"
        | "invalid IPv4 address"
        | "invalid IPv6 address"
        | "invalid international domain name"
        | "invalid domain character" => format!("a URL such as http://host:8086, but this has an {reason}"),
        _own => return without_logins(message),
    };
    match locator.written(path) {
        Some(written) => format!("expected {expected}; found {}", without_login(written)),
        None => format!("expected {expected}"),
    }
}

/// How a sentence about an address begins.
const ADDRESS: &str = "an address with a port";

/// Serde's words for what it wants, as people say it.
fn in_words(expected: &str) -> Cow<'_, str> {
    let range = |low: &str, high: &str| Cow::Owned(format!("a whole number from {low} to {high}"));
    match expected {
        "a boolean" => "true or false".into(),
        "a string" | "string" | "str" => "a text".into(),
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        "path string" => "a path".into(),
        "socket address" => "an address with a port, such as 0.0.0.0:9997".into(),
        "u8" => range("0", "255"),
        "u16" => range("0", "65535"),
        "u32" | "u64" | "usize" => "a whole number, not negative".into(),
        "i8" => range("-128", "127"),
        "i16" => range("-32768", "32767"),
        "i32" | "i64" | "isize" => "a whole number".into(),
        "a nonzero u8" | "a nonzero u16" | "a nonzero u32" | "a nonzero u64" | "a nonzero usize" => {
            "a whole number above 0".into()
        }
        "f32" | "f64" => "a number".into(),
        other if other.starts_with("struct ") => "a table".into(),
        other => other.into(),
    }
}

fn found(actual: &Actual, shown: &Shown<'_>, locator: &Locator) -> String {
    let kind = kind_of(actual);
    if shown.hidden {
        return kind.to_owned();
    }
    match actual {
        Actual::Str(text) if slip(text).is_some() => kind.to_owned(),
        Actual::Str(text) => format!("the text {:?}", without_login(text)),
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => {
            let number = number(actual);
            format!("the number {}", locator.written(shown.path).unwrap_or(&number))
        }
        Actual::Char(_)
        | Actual::Bytes(_)
        | Actual::Unit
        | Actual::Option
        | Actual::NewtypeStruct
        | Actual::Seq
        | Actual::Map
        | Actual::Enum
        | Actual::UnitVariant
        | Actual::NewtypeVariant
        | Actual::TupleVariant
        | Actual::StructVariant
        | Actual::Other(_) => kind.to_owned(),
    }
}

/// A number from the environment, or from a default.
fn number(actual: &Actual) -> String {
    match actual {
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Float(number) => number.to_string(),
        Actual::Bool(_)
        | Actual::Char(_)
        | Actual::Str(_)
        | Actual::Bytes(_)
        | Actual::Unit
        | Actual::Option
        | Actual::NewtypeStruct
        | Actual::Seq
        | Actual::Map
        | Actual::Enum
        | Actual::UnitVariant
        | Actual::NewtypeVariant
        | Actual::TupleVariant
        | Actual::StructVariant
        | Actual::Other(_) => String::new(),
    }
}

fn kind_of(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) | Actual::Bytes(_) => "a text",
        Actual::Unit | Actual::Option => "nothing",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        Actual::NewtypeStruct
        | Actual::Enum
        | Actual::UnitVariant
        | Actual::NewtypeVariant
        | Actual::TupleVariant
        | Actual::StructVariant
        | Actual::Other(_) => "something else",
    }
}

/// What to write instead, where that is clear.
fn advice(actual: &Actual, expected: &str, path: &KeyPath, locator: &Locator) -> String {
    let from_environment = locator.is_from_environment(path);
    match (expected, actual) {
        ("a list" | "a table", Actual::Str(_)) if from_environment => {
            "; this can only be set in a file, not by an environment variable".to_owned()
        }
        ("true or false", Actual::Str(text)) => match text.to_lowercase().as_str() {
            "yes" | "y" | "on" => "; write true".to_owned(),
            "no" | "n" | "off" => "; write false".to_owned(),
            _other => String::new(),
        },
        (
            "a text" | "a path",
            Actual::Bool(_) | Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_),
        ) => match locator.written(path).filter(|_| !is_hidden(path.keys())) {
            Some(written) => format!("; put it in quotes: \"{written}\""),
            None => "; put it in quotes".to_owned(),
        },
        ("a table", Actual::Str(text)) => {
            let slip =
                slip(text).unwrap_or_else(|| "write keys and values, such as { key: value }".to_owned());
            format!("; {slip}")
        }
        ("a table", Actual::Bool(_) | Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_)) => {
            "; write keys and values, such as { key: value }".to_owned()
        }
        ("a table", Actual::Seq) => "; leave out the dashes before the keys".to_owned(),
        ("a list", Actual::Str(_)) => {
            "; put a dash and a blank before each item, or all of them in brackets".to_owned()
        }
        ("a list", Actual::Map) => "; put a dash and a blank before each item".to_owned(),
        (_, Actual::Unsigned(port)) if expected.starts_with(ADDRESS) => {
            format!("; write 127.0.0.1:{port} for this machine alone, or 0.0.0.0:{port} for all")
        }
        (_, Actual::Str(text)) if expected.starts_with("a whole number") && text.parse::<u64>().is_ok() => {
            "; leave out the quotes".to_owned()
        }
        _clear_as_it_is => String::new(),
    }
}
