//! From the JSON of the engine's health API to fields. Pure: bytes in, fields out.
//!
//! The shape is Qlik's: help.qlik.com, Qlik Sense for developers, "Engine healthcheck JSON API". It has grown over the
//! years, and a missing value must not become a zero: so a field that is not as it should be is skipped and counted, and
//! the others are kept. That is why the document is taken apart into pieces of JSON before any value is read: a number
//! beyond all bounds, `1e999`, spoils only its own field. Negative numbers are kept; engines let counters overflow.

use std::collections::HashMap;

use senseops_core::{Fields, Value};
use senseops_qlik::AppNames;
use senseops_qlik::kinds::engine_health::Docs;
use senseops_qlik::kinds::{Field, engine_health};
use serde_json::error::Category;
use serde_json::value::RawValue;
use thiserror::Error;

use self::value::{Apps, amount, piece, present, text, whole};

mod value;

/// What an engine says about itself.
#[derive(Debug, PartialEq)]
pub(crate) struct Health {
    /// See the README.
    pub(crate) fields: Fields,
    /// What was not as it should be.
    pub(crate) skipped: Vec<Skipped>,
}

/// Values that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// The path of the field in the JSON.
    pub(crate) field: &'static str,
    pub(crate) why: Why,
    /// More than one only in lists.
    pub(crate) count: u64,
}

/// Why a value was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Missing,
    Null,
    /// Of another type than documented.
    Type,
    TooLong,
}

/// The body is no health document.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum Unreadable {
    #[error("nothing")]
    Empty,
    #[error("a web page, most likely a login page, instead of JSON")]
    Html,
    #[error("JSON that breaks off")]
    Cut(Spot),
    #[error("something that is not JSON")]
    Malformed(Spot),
    #[error("JSON, but none of the fields of the health API")]
    Foreign,
}

/// Where a document cannot be read. It differs from poll to poll, and so is no part of the sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// An object of the document; its values are not read yet.
type Object<'a> = HashMap<String, &'a RawValue>;

/// A value of the document and the field it becomes.
struct Leaf {
    path: &'static str,
    /// The last part of the path, and other spellings of it.
    keys: &'static [&'static str],
    field: Field,
    shape: Shape,
}

/// What a value has to be.
#[derive(Clone, Copy)]
enum Shape {
    /// A number with decimals.
    Amount,
    /// A whole number.
    Whole,
    Text,
    Flag,
    /// A list of app ids, and the other fields that are made of it.
    Apps(Docs),
}

const fn leaf(path: &'static str, keys: &'static [&'static str], field: Field, shape: Shape) -> Leaf {
    Leaf { path, keys, field, shape }
}

const fn apps(path: &'static str, keys: &'static [&'static str], docs: Docs) -> Leaf {
    leaf(path, keys, docs.ids, Shape::Apps(docs))
}

const VERSION: Leaf = leaf("version", &["version"], engine_health::VERSION, Shape::Text);
const STARTED: Leaf = leaf("started", &["started"], engine_health::STARTED, Shape::Text);
const SATURATED: Leaf = leaf("saturated", &["saturated"], engine_health::SATURATED, Shape::Flag);

/// The objects of the document, in the order of the fields. Each becomes a map of the same name.
const GROUPS: &[(&str, &[Leaf])] = &[
    (
        engine_health::MEM,
        &[
            // Engines of 2016 and their documentation misspell it.
            leaf("mem.committed", &["committed", "comitted"], engine_health::COMMITTED_MB, Shape::Amount),
            leaf("mem.allocated", &["allocated"], engine_health::ALLOCATED_MB, Shape::Amount),
            leaf("mem.free", &["free"], engine_health::FREE_MB, Shape::Amount),
        ],
    ),
    (engine_health::CPU, &[leaf("cpu.total", &["total"], engine_health::TOTAL_PCT, Shape::Amount)]),
    (
        engine_health::SESSION,
        &[
            leaf("session.active", &["active"], engine_health::ACTIVE_SESSIONS, Shape::Whole),
            leaf("session.total", &["total"], engine_health::TOTAL_SESSIONS, Shape::Whole),
        ],
    ),
    (
        engine_health::USERS,
        &[
            leaf("users.active", &["active"], engine_health::ACTIVE_USERS, Shape::Whole),
            leaf("users.total", &["total"], engine_health::TOTAL_USERS, Shape::Whole),
        ],
    ),
    (
        engine_health::APPS,
        &[
            apps("apps.active_docs", &["active_docs"], engine_health::ACTIVE_DOCS),
            apps("apps.loaded_docs", &["loaded_docs"], engine_health::LOADED_DOCS),
            apps("apps.in_memory_docs", &["in_memory_docs"], engine_health::IN_MEMORY_DOCS),
            leaf("apps.calls", &["calls"], engine_health::CALLS, Shape::Whole),
            leaf("apps.selections", &["selections"], engine_health::SELECTIONS, Shape::Whole),
        ],
    ),
    (
        engine_health::CACHE,
        &[
            leaf("cache.hits", &["hits"], engine_health::HITS, Shape::Whole),
            leaf("cache.lookups", &["lookups"], engine_health::LOOKUPS, Shape::Whole),
            leaf("cache.added", &["added"], engine_health::ADDED, Shape::Whole),
            leaf("cache.replaced", &["replaced"], engine_health::REPLACED, Shape::Whole),
            leaf("cache.bytes_added", &["bytes_added"], engine_health::BYTES_ADDED, Shape::Whole),
        ],
    ),
];

/// Reads a document. Names of apps are looked up in `names`; fields of names appear only if that knows any.
pub(crate) fn health(body: &[u8], names: &AppNames) -> Result<Health, Unreadable> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    match body.first() {
        None => return Err(Unreadable::Empty),
        Some(b'<') => return Err(Unreadable::Html),
        Some(_) => {}
    }
    let document: Object<'_> = serde_json::from_slice(body).map_err(|error| {
        let spot = Spot { line: error.line(), column: error.column() };
        match error.classify() {
            Category::Eof => Unreadable::Cut(spot),
            Category::Data => Unreadable::Foreign,
            Category::Syntax | Category::Io => Unreadable::Malformed(spot),
        }
    })?;
    let reader = DocumentReader { names: (!names.is_empty()).then_some(names), skipped: Vec::new() };
    reader.read(&document)
}

struct DocumentReader<'a> {
    names: Option<&'a AppNames>,
    skipped: Vec<Skipped>,
}

impl DocumentReader<'_> {
    fn read(mut self, document: &Object<'_>) -> Result<Health, Unreadable> {
        let mut fields = Fields::with_capacity(3 + GROUPS.len());
        self.leaf(Ok(document), &VERSION, &mut fields);
        self.leaf(Ok(document), &STARTED, &mut fields);
        for (name, leaves) in GROUPS {
            let group = present(document.get(*name).copied()).and_then(piece::<Object<'_>>);
            let mut found = Fields::with_capacity(leaves.len());
            for leaf in *leaves {
                self.leaf(group.as_ref().map_err(|why| *why), leaf, &mut found);
            }
            if !found.is_empty() {
                fields.push(*name, found);
            }
        }
        self.leaf(Ok(document), &SATURATED, &mut fields);
        if fields.is_empty() {
            return Err(Unreadable::Foreign);
        }
        Ok(Health { fields, skipped: self.skipped })
    }

    /// Adds a value to `fields`, or what is wrong with it to the skipped ones.
    fn leaf(&mut self, group: Result<&Object<'_>, Why>, leaf: &Leaf, fields: &mut Fields) {
        let found =
            group.and_then(|group| present(leaf.keys.iter().find_map(|key| group.get(*key).copied())));
        let read = match leaf.shape {
            Shape::Amount => found.and_then(amount),
            Shape::Whole => found.and_then(whole),
            Shape::Text => found.and_then(text).map(Value::from),
            Shape::Flag => found.and_then(piece::<bool>).map(Value::from),
            Shape::Apps(docs) => match found.and_then(piece::<Apps>) {
                Ok(apps) => return self.apps(apps, leaf, docs, fields),
                Err(why) => Err(why),
            },
        };
        match read {
            Ok(value) => fields.push(leaf.field.name(), value),
            Err(why) => self.skip(leaf, why, 1),
        }
    }

    fn apps(&mut self, apps: Apps, leaf: &Leaf, docs: Docs, fields: &mut Fields) {
        let Apps { count, ids, too_long, wrong } = apps;
        let names = self.names.map(|known| {
            ids.iter().map(|id| Value::from(known.get(id).unwrap_or_else(|| id.clone()))).collect::<Vec<_>>()
        });
        fields.push(docs.count.name(), count);
        fields.push(docs.ids.name(), ids.into_iter().map(Value::from).collect::<Vec<_>>());
        if let Some(names) = names {
            fields.push(docs.names.name(), names);
        }
        self.skip(leaf, Why::TooLong, too_long);
        self.skip(leaf, Why::Type, wrong);
    }

    fn skip(&mut self, leaf: &Leaf, why: Why, count: u64) {
        if count > 0 {
            self.skipped.push(Skipped { field: leaf.path, why, count });
        }
    }
}

impl Why {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Type => "type",
            Self::TooLong => "too_long",
        }
    }
}

#[cfg(test)]
mod tests;
