//! Labels: what is the same for every event of one origin.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Name;
use crate::fields::heap_bytes_of;

/// Names and texts that describe an origin (server, host, configured tags), sorted by name and shared by its events.
/// Every label has a name: no target can store one without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSet(Vec<(Name, CompactString)>);

impl LabelSet {
    /// Sets a label, replacing one of the same name. Without a name it is left out.
    pub fn set(&mut self, name: impl Into<Name>, text: impl Into<CompactString>) {
        let (name, text) = (name.into(), text.into());
        if is_nameless(&name) {
            return;
        }
        match self.0.binary_search_by(|(candidate, _)| candidate.cmp(&name)) {
            Ok(at) => {
                if let Some(label) = self.0.get_mut(at) {
                    label.1 = text;
                }
            }
            Err(at) => self.0.insert(at, (name, text)),
        }
    }

    /// The same labels with one more.
    #[must_use]
    pub fn with(mut self, name: impl Into<Name>, text: impl Into<CompactString>) -> Self {
        self.set(name, text);
        self
    }

    /// These labels over those of `base`: where both have a name, these win.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        let mut merged = base.clone();
        for (name, text) in &self.0 {
            merged.set(name.clone(), text.clone());
        }
        merged
    }

    /// The text of the label, if there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(candidate, _)| candidate.as_str().cmp(name)).ok()?;
        self.0.get(at).map(|(_, text)| text.as_str())
    }

    /// Names and texts, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, &str)> {
        self.0.iter().map(|(name, text)| (name, text.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The memory that the set takes.
    pub fn bytes(&self) -> usize {
        let texts = self.0.iter().map(|(name, text)| name.heap_bytes() + heap_bytes_of(text));
        size_of::<Self>() + self.0.capacity() * size_of::<(Name, CompactString)>() + texts.sum::<usize>()
    }
}

impl<N: Into<Name>, T: Into<CompactString>> FromIterator<(N, T)> for LabelSet {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(labels: I) -> Self {
        let mut set = Self::default();
        for (name, text) in labels {
            set.set(name, text);
        }
        set
    }
}

impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, text)) in self.iter().enumerate() {
            write!(f, "{}{name}={text}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl Serialize for LabelSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// From a map of names that are not empty to texts; a number or a truth value is taken as it is written.
impl<'de> Deserialize<'de> for LabelSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Labels;

        impl<'de> serde::de::Visitor<'de> for Labels {
            type Value = LabelSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of label names to texts")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<LabelSet, A::Error> {
                let mut set = LabelSet::default();
                while let Some(name) = map.next_key::<String>()? {
                    if is_nameless(&name) {
                        return Err(serde::de::Error::custom("a label must have a name"));
                    }
                    let LabelText(text) = map.next_value()?;
                    set.set(name, text);
                }
                Ok(set)
            }

            // An emptied YAML section.
            fn visit_unit<E>(self) -> Result<LabelSet, E> {
                Ok(LabelSet::default())
            }
        }

        deserializer.deserialize_any(Labels)
    }
}

fn is_nameless(name: &str) -> bool {
    name.trim().is_empty()
}

struct LabelText(CompactString);

impl<'de> Deserialize<'de> for LabelText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;

        impl serde::de::Visitor<'_> for Scalar {
            type Value = LabelText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<LabelText, E> {
                Ok(LabelText(text.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<LabelText, E> {
                Ok(LabelText(compact_str::format_compact!("{number}")))
            }

            fn visit_u64<E>(self, number: u64) -> Result<LabelText, E> {
                Ok(LabelText(compact_str::format_compact!("{number}")))
            }

            fn visit_bool<E>(self, value: bool) -> Result<LabelText, E> {
                Ok(LabelText(compact_str::format_compact!("{value}")))
            }
        }

        deserializer.deserialize_any(Scalar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_of_an_origin_win_over_configured_ones() {
        let configured = LabelSet::from_iter([("qs_env", "prod"), ("host", "configured")]);
        let origin = LabelSet::from_iter([("host", "sense1")]);
        assert_eq!(origin.over(&configured).to_string(), "host=sense1,qs_env=prod");
    }

    #[test]
    fn labels_written_as_numbers_are_texts() {
        let labels: LabelSet = serde_json::from_str(r#"{"zone": 3, "live": true}"#).unwrap();
        assert_eq!(labels.to_string(), "live=true,zone=3");
    }

    #[test]
    fn no_label_is_without_a_name() {
        assert_eq!(LabelSet::from_iter([("", "a"), (" ", "b"), ("zone", "3")]).to_string(), "zone=3");
    }

    #[test]
    fn a_label_that_is_written_without_a_name_is_refused() {
        for name in ["", " ", "\\t"] {
            let error = serde_json::from_str::<LabelSet>(&format!(r#"{{"{name}": "prod"}}"#)).unwrap_err();
            assert_eq!(error.to_string().split(" at ").next(), Some("a label must have a name"), "{name:?}");
        }
    }
}
