//! Paths of keys: `sources.healthcheck.qlik.servers.0.url`.

use std::fmt;

/// Where a value is in the configuration. Empty for the whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyPath(Vec<String>);

impl KeyPath {
    /// The path of a top-level key.
    pub(crate) fn root(key: impl Into<String>) -> Self {
        Self(vec![key.into()])
    }

    /// The path of a key or list position below this one.
    pub(crate) fn child(&self, key: impl Into<String>) -> Self {
        let mut keys = self.0.clone();
        keys.push(key.into());
        Self(keys)
    }

    /// The path of a dotted key below this one. An empty one is this path itself.
    pub(crate) fn dotted(&self, key: &str) -> Self {
        let mut keys = self.0.clone();
        keys.extend(key.split('.').filter(|key| !key.is_empty()).map(str::to_owned));
        Self(keys)
    }

    /// This path, then `rest`.
    pub(crate) fn join(&self, rest: &[String]) -> Self {
        Self(self.0.iter().chain(rest).cloned().collect())
    }

    /// The path of the table or list that this one is in.
    pub(crate) fn parent(&self) -> Self {
        Self(self.0.split_last().map(|(_, above)| above.to_vec()).unwrap_or_default())
    }

    pub(crate) fn keys(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn last(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl From<Vec<String>> for KeyPath {
    fn from(keys: Vec<String>) -> Self {
        Self(keys)
    }
}
