//! One YAML file: its values, and where in the text each of them is.

use std::fmt;
use std::ops::Range;

use figment::value::{Dict, Empty, Num, Tag, Value};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};

use crate::excerpt::Excerpt;
use crate::problem::{Place, Position, Problem, Severity};
use crate::syntax;

/// A file that is valid YAML.
pub(crate) struct Document {
    name: String,
    text: String,
    root: Node,
}

/// A value and where it is.
pub(crate) struct Node {
    shape: Shape,
    spot: Spot,
}

enum Shape {
    Null,
    Bool(bool),
    Number(Num),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

struct Entry {
    key: String,
    spot: Spot,
    value: Node,
}

/// A place in the text.
pub(crate) struct Spot {
    pub(crate) position: Position,
    bytes: Range<usize>,
}

/// What a document knows about a key path.
pub(crate) struct Found<'a> {
    /// How many keys of the path there are in the document.
    pub(crate) depth: usize,
    /// The last of those keys; `None` when there is none of them.
    pub(crate) key: Option<&'a Spot>,
    /// The value of that key.
    pub(crate) value: &'a Node,
}

impl Document {
    /// Reads YAML.
    ///
    /// # Errors
    /// What is wrong with it as YAML; it does not matter yet what it says.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
            // Far above any configuration, and read in a moment.
            budget: serde_saphyr::budget! { max_nodes: 100_000, max_events: 400_000 },
        };
        match serde_saphyr::from_str_with_options::<Spanned<Shape>>(text, options) {
            Ok(root) => Ok(Self { name: name.to_owned(), text: text.to_owned(), root: root.into() }),
            Err(error) => {
                let (position, message) = syntax::sentence(&error, text);
                let excerpt = position.and_then(|at| Excerpt::new(text, at.line, at.column, 1));
                let place = Place::File { file: name.to_owned(), position };
                Err(Problem { place, key_path: String::new(), message, severity: Severity::Error, excerpt })
            }
        }
    }

    /// The whole document as a table; `None` when it is something else. An empty document is an empty table.
    pub(crate) fn table(&self) -> Option<Dict> {
        match self.root.to_value() {
            Value::Dict(_, table) => Some(table),
            Value::Empty(..) => Some(Dict::new()),
            Value::String(..) | Value::Char(..) | Value::Bool(..) | Value::Num(..) | Value::Array(..) => None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where the document begins.
    pub(crate) fn root_spot(&self) -> &Spot {
        &self.root.spot
    }

    /// Follows a key path as far as it goes.
    pub(crate) fn find(&self, keys: &[String]) -> Found<'_> {
        let mut found = Found { depth: 0, key: None, value: &self.root };
        for key in keys {
            let next = match &found.value.shape {
                Shape::Table(entries) => {
                    entries.iter().find(|entry| entry.key == *key).map(|entry| (&entry.spot, &entry.value))
                }
                Shape::List(items) => {
                    key.parse().ok().and_then(|index: usize| items.get(index)).map(|item| (&item.spot, item))
                }
                Shape::Null | Shape::Bool(_) | Shape::Number(_) | Shape::Text(_) => None,
            };
            let Some((spot, value)) = next else { break };
            found = Found { depth: found.depth + 1, key: Some(spot), value };
        }
        found
    }

    /// A spot as a place to show, with the line it is in.
    pub(crate) fn show(&self, spot: Option<&Spot>) -> (Place, Option<Box<Excerpt>>) {
        let position = spot.map(|spot| spot.position);
        let excerpt = spot.and_then(|spot| {
            let width =
                self.written(spot).map_or(1, |text| text.lines().next().unwrap_or_default().chars().count());
            Excerpt::new(&self.text, spot.position.line, spot.position.column, width)
        });
        (Place::File { file: self.name.clone(), position }, excerpt)
    }

    /// The text at a spot, as it was written.
    pub(crate) fn written(&self, spot: &Spot) -> Option<&str> {
        self.text.get(spot.bytes.clone())
    }
}

impl Node {
    pub(crate) fn spot(&self) -> &Spot {
        &self.spot
    }

    /// Whether it is a table, so that other layers may add keys to it.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.shape, Shape::Table(_))
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.shape, Shape::List(_))
    }

    /// Whether nothing is written where the value would be, or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.shape, Shape::Null)
    }

    fn to_value(&self) -> Value {
        let tag = Tag::Default;
        match &self.shape {
            Shape::Null => Value::Empty(tag, Empty::Unit),
            Shape::Bool(value) => Value::Bool(tag, *value),
            Shape::Number(number) => Value::Num(tag, *number),
            Shape::Text(text) => Value::String(tag, text.clone()),
            Shape::List(items) => Value::Array(tag, items.iter().map(Self::to_value).collect()),
            Shape::Table(entries) => Value::Dict(
                tag,
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect(),
            ),
        }
    }
}

/// Without the text, which may hold secrets.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl From<Spanned<Shape>> for Node {
    fn from(spanned: Spanned<Shape>) -> Self {
        Self { shape: spanned.value, spot: spanned.referenced.into() }
    }
}

impl From<Location> for Spot {
    fn from(location: Location) -> Self {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let start = number(location.span().byte_offset().unwrap_or(0));
        let length = number(location.span().byte_len().unwrap_or(0));
        Self {
            position: Position { line: number(location.line()), column: number(location.column()) },
            bytes: start..start.saturating_add(length),
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;

        impl<'de> Visitor<'de> for Anything {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::Null)
            }

            fn visit_none<E>(self) -> Result<Shape, E> {
                Ok(Shape::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
                Shape::deserialize(deserializer)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Shape, E> {
                Ok(Shape::Bool(value))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Shape, E> {
                Ok(Shape::Number(Num::I64(number)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Shape, E> {
                Ok(Shape::Number(Num::U64(number)))
            }

            fn visit_i128<E>(self, number: i128) -> Result<Shape, E> {
                Ok(Shape::Number(Num::I128(number)))
            }

            fn visit_u128<E>(self, number: u128) -> Result<Shape, E> {
                Ok(Shape::Number(Num::U128(number)))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Shape, E> {
                Ok(Shape::Number(Num::F64(number)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Shape, E> {
                Ok(Shape::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element::<Spanned<Shape>>()? {
                    items.push(item.into());
                }
                Ok(Shape::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Shape, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = table.next_entry::<Spanned<String>, Spanned<Shape>>()? {
                    entries.push(Entry { key: key.value, spot: key.referenced.into(), value: value.into() });
                }
                Ok(Shape::Table(entries))
            }
        }

        deserializer.deserialize_any(Anything)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn every_value_is_found_where_it_was_written() {
        let document = Document::parse("x.yaml", "a:\n  - b: 012345\n    ü: 'ö'\n").unwrap();
        let found = document.find(&path("a.0.b"));
        assert_eq!(found.value.spot().position, Position { line: 2, column: 8 });
        assert_eq!(document.written(found.value.spot()), Some("012345"));
        assert_eq!(document.find(&path("a.0.ü")).key.unwrap().position, Position { line: 3, column: 5 });
        assert_eq!(document.find(&path("a.1.b")).depth, 1);
    }

    #[test]
    fn yes_and_no_are_texts() {
        let document = Document::parse("x.yaml", "a: no\nb: false\n").unwrap();
        let table = document.table().unwrap();
        assert_eq!(table["a"].as_str(), Some("no"));
        assert_eq!(table["b"].to_bool(), Some(false));
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_first_key() {
        let document = Document::parse("x.yaml", "\u{feff}a: 1\n").unwrap();
        assert_eq!(document.find(&path("a")).key.unwrap().position, Position { line: 1, column: 1 });
    }
}
