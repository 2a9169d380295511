//! Kinds of events: interned dotted names such as `qlik.engine.health`.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{LazyLock, PoisonError, RwLock};

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

/// How many kinds one process can meet. Kinds are documented by plugins, so there are dozens; the bound keeps a
/// source that makes kinds out of its input from eating memory, since interned names are never freed.
pub const MAX_INTERNED_KINDS: usize = 4096;

/// The kind of an event, which decides its fields. Kinds are open: any plugin may define its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(&'static str);

/// A pattern over kinds: a kind itself, or a prefix followed by `.*`, or `*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct KindPattern(String);

/// A text is no [`KindPattern`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is neither a kind such as qlik.user_event nor a pattern such as qlik.* or *")]
pub struct NoKindPattern(String);

/// More than [`MAX_INTERNED_KINDS`] different kinds were met.
#[derive(Debug, Error)]
#[error("more than {MAX_INTERNED_KINDS} different event kinds; a kind must not be made from input")]
pub struct TooManyKinds;

static INTERNED: LazyLock<RwLock<HashSet<&'static str>>> = LazyLock::new(RwLock::default);

impl Kind {
    /// A kind that is known when the plugin is compiled.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// A kind that is only known at run time, for example one read from a journal.
    ///
    /// # Errors
    /// When the process has met [`MAX_INTERNED_KINDS`] others.
    pub fn intern(name: &str) -> Result<Self, TooManyKinds> {
        if let Some(known) = INTERNED.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Self(known));
        }
        let mut interned = INTERNED.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = interned.get(name) {
            return Ok(Self(known));
        }
        if interned.len() >= MAX_INTERNED_KINDS {
            return Err(TooManyKinds);
        }
        let leaked: &'static str = Box::leak(name.into());
        interned.insert(leaked);
        Ok(Self(leaked))
    }

    /// The dotted name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl KindPattern {
    /// Whether the kind is one of those meant.
    pub fn matches(&self, kind: Kind) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => kind.as_str().starts_with(prefix),
            None => kind.as_str() == self.0,
        }
    }
}

impl FromStr for KindPattern {
    type Err = NoKindPattern;

    fn from_str(pattern: &str) -> Result<Self, NoKindPattern> {
        let literal = pattern.strip_suffix('*').unwrap_or(pattern);
        let ends_at_a_dot = literal.len() == pattern.len() || literal.is_empty() || literal.ends_with('.');
        let is_name = !pattern.is_empty() && !pattern.contains(char::is_whitespace);
        if ends_at_a_dot && is_name && !literal.contains('*') {
            Ok(Self(pattern.to_owned()))
        } else {
            Err(NoKindPattern(pattern.to_owned()))
        }
    }
}

impl TryFrom<String> for KindPattern {
    type Error = NoKindPattern;

    fn try_from(pattern: String) -> Result<Self, NoKindPattern> {
        pattern.parse()
    }
}

/// For patterns in code; others are parsed.
///
/// # Panics
/// If it is not a kind, which is a mistake in the code.
impl From<&'static str> for KindPattern {
    #[expect(clippy::expect_used, reason = "documented: the text is part of the program")]
    fn from(pattern: &'static str) -> Self {
        pattern.parse().expect("a pattern over kinds")
    }
}

impl From<Kind> for KindPattern {
    fn from(kind: Kind) -> Self {
        Self(kind.as_str().into())
    }
}

impl fmt::Display for KindPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interning_a_name_twice_gives_one_kind() {
        let (one, other) = (Kind::intern("a.b").unwrap(), Kind::intern("a.b").unwrap());
        assert!(std::ptr::eq(one.as_str(), other.as_str()));
        assert_eq!(one, Kind::new("a.b"));
    }

    #[test]
    fn a_pattern_is_a_kind_a_prefix_or_everything() {
        let kind = Kind::new("qlik.engine.health");
        for (pattern, expected) in [
            ("*", true),
            ("qlik.*", true),
            ("qlik.engine.health", true),
            ("qlik.engine", false),
            ("sos.*", false),
        ] {
            assert_eq!(KindPattern::from(pattern).matches(kind), expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_could_not_match_as_meant_is_refused() {
        for pattern in ["qlik.*.health", "*.health", "qlik*", "", "**"] {
            assert_eq!(pattern.parse::<KindPattern>(), Err(NoKindPattern(pattern.into())));
        }
        for pattern in ["*", "qlik.*", "qlik.engine.health"] {
            assert_eq!(pattern.parse::<KindPattern>().unwrap().to_string(), pattern);
        }
    }
}
