//! From the JSON of the engine's health API to fields. Pure: bytes in, fields out.
//!
//! The shape is Qlik's: help.qlik.com, Qlik Sense for developers, "Engine healthcheck JSON API". It has grown over the
//! years, engines have been seen to send negative counters, and a missing value must not become a zero: so a field
//! that is not as it should be is skipped and counted, and the others are kept.

use std::borrow::Cow;

use senseops_core::{Fields, Text, Value};
use senseops_qlik::AppNames;
use serde_json::{Map, Value as Json};
use thiserror::Error;

/// Longer texts are no versions, times or app ids.
const MAX_TEXT_BYTES: usize = 1024;

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
    /// Where that makes no sense.
    Negative,
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
    #[error("JSON that breaks off after {bytes} bytes")]
    Cut { bytes: usize },
    #[error("no JSON: line {line}, column {column} cannot be read")]
    Malformed { line: usize, column: usize },
    #[error("JSON, but none of the fields of the health API")]
    Foreign,
}

/// A value of the document and the field it becomes.
struct Leaf {
    path: &'static str,
    /// The last part of the path, and other spellings of it.
    keys: &'static [&'static str],
    name: &'static str,
    shape: Shape,
}

/// What a value has to be.
#[derive(Clone, Copy)]
enum Shape {
    /// A number that is not negative.
    Amount,
    /// A whole number that is not negative.
    Count,
    /// A whole number; engines let it overflow into negative values.
    Counter,
    Text,
    Flag,
    /// A list of app ids, and the field of their names.
    Apps(&'static str),
}

const fn leaf(path: &'static str, keys: &'static [&'static str], name: &'static str, shape: Shape) -> Leaf {
    Leaf { path, keys, name, shape }
}

const VERSION: Leaf = leaf("version", &["version"], "version", Shape::Text);
const STARTED: Leaf = leaf("started", &["started"], "started", Shape::Text);
const SATURATED: Leaf = leaf("saturated", &["saturated"], "saturated", Shape::Flag);

/// The objects of the document, in the order of the fields.
const GROUPS: &[(&str, &[Leaf])] = &[
    (
        "mem",
        &[
            // Engines of 2016 and their documentation misspell it.
            leaf("mem.committed", &["committed", "comitted"], "committed_mb", Shape::Amount),
            leaf("mem.allocated", &["allocated"], "allocated_mb", Shape::Amount),
            leaf("mem.free", &["free"], "free_mb", Shape::Amount),
        ],
    ),
    ("cpu", &[leaf("cpu.total", &["total"], "total_pct", Shape::Amount)]),
    (
        "session",
        &[
            leaf("session.active", &["active"], "active", Shape::Count),
            leaf("session.total", &["total"], "total", Shape::Count),
        ],
    ),
    (
        "users",
        &[
            leaf("users.active", &["active"], "active", Shape::Count),
            leaf("users.total", &["total"], "total", Shape::Count),
        ],
    ),
    (
        "apps",
        &[
            leaf("apps.active_docs", &["active_docs"], "active_docs", Shape::Apps("active_docs_names")),
            leaf("apps.loaded_docs", &["loaded_docs"], "loaded_docs", Shape::Apps("loaded_docs_names")),
            leaf(
                "apps.in_memory_docs",
                &["in_memory_docs"],
                "in_memory_docs",
                Shape::Apps("in_memory_docs_names"),
            ),
            leaf("apps.calls", &["calls"], "calls", Shape::Count),
            leaf("apps.selections", &["selections"], "selections", Shape::Count),
        ],
    ),
    (
        "cache",
        &[
            leaf("cache.hits", &["hits"], "hits", Shape::Counter),
            leaf("cache.lookups", &["lookups"], "lookups", Shape::Counter),
            leaf("cache.added", &["added"], "added", Shape::Counter),
            leaf("cache.replaced", &["replaced"], "replaced", Shape::Counter),
            leaf("cache.bytes_added", &["bytes_added"], "bytes_added", Shape::Counter),
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
    let document: Json = serde_json::from_slice(body).map_err(|error| {
        if error.is_eof() {
            Unreadable::Cut { bytes: body.len() }
        } else {
            Unreadable::Malformed { line: error.line(), column: error.column() }
        }
    })?;
    let Json::Object(document) = document else { return Err(Unreadable::Foreign) };
    let reader = Reader { names: (!names.is_empty()).then_some(names), skipped: Vec::new() };
    reader.read(&document)
}

struct Reader<'a> {
    names: Option<&'a AppNames>,
    skipped: Vec<Skipped>,
}

impl Reader<'_> {
    fn read(mut self, document: &Map<String, Json>) -> Result<Health, Unreadable> {
        let mut fields = Fields::with_capacity(3 + GROUPS.len());
        self.leaf(Ok(document), &VERSION, &mut fields);
        self.leaf(Ok(document), &STARTED, &mut fields);
        for (name, leaves) in GROUPS {
            let group = match document.get(*name) {
                Some(Json::Object(group)) => Ok(group),
                other => Err(why_not(other)),
            };
            let mut found = Fields::with_capacity(leaves.len());
            for leaf in *leaves {
                self.leaf(group, leaf, &mut found);
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
    fn leaf(&mut self, group: Result<&Map<String, Json>, Why>, leaf: &Leaf, fields: &mut Fields) {
        let found = group.and_then(|group| {
            let value = leaf.keys.iter().find_map(|key| group.get(*key));
            value.filter(|value| !value.is_null()).ok_or_else(|| why_not(value))
        });
        let read = match leaf.shape {
            Shape::Amount => found.and_then(amount).map(Value::from),
            Shape::Count => found.and_then(whole).and_then(not_negative),
            Shape::Counter => found.and_then(whole),
            Shape::Text => found.and_then(text).map(|text| Value::from(Text::from(text))),
            Shape::Flag => found.and_then(|value| value.as_bool().map(Value::from).ok_or(Why::Type)),
            Shape::Apps(names) => match found.and_then(|value| value.as_array().ok_or(Why::Type)) {
                Ok(apps) => return self.apps(apps, leaf, names, fields),
                Err(why) => Err(why),
            },
        };
        match read {
            Ok(value) => fields.push(leaf.name, value),
            Err(why) => self.skip(leaf, why, 1),
        }
    }

    fn apps(&mut self, apps: &[Json], leaf: &Leaf, names_field: &'static str, fields: &mut Fields) {
        let mut ids = Vec::with_capacity(apps.len());
        let mut names = Vec::with_capacity(if self.names.is_some() { apps.len() } else { 0 });
        let (mut too_long, mut wrong) = (0, 0);
        for app in apps {
            match text(app) {
                Ok(id) => {
                    let id = Text::from(id);
                    if let Some(known) = self.names {
                        names.push(Value::from(known.get(&id).unwrap_or_else(|| id.clone())));
                    }
                    ids.push(Value::from(id));
                }
                Err(Why::TooLong) => too_long += 1,
                Err(_) => wrong += 1,
            }
        }
        fields.push(leaf.name, ids);
        if self.names.is_some() {
            fields.push(names_field, names);
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
            Self::Negative => "negative",
            Self::Type => "type",
            Self::TooLong => "too_long",
        }
    }
}

/// What is wrong with a value that is not there, or not of the expected type.
fn why_not(value: Option<&Json>) -> Why {
    match value {
        None => Why::Missing,
        Some(Json::Null) => Why::Null,
        Some(_) => Why::Type,
    }
}

fn text(value: &Json) -> Result<&str, Why> {
    let text = value.as_str().ok_or(Why::Type)?;
    if text.len() <= MAX_TEXT_BYTES { Ok(text) } else { Err(Why::TooLong) }
}

/// A number that is not negative, whole or not; also one in quotes.
fn amount(value: &Json) -> Result<f64, Why> {
    let number = number(value)?.as_f64().ok_or(Why::Type)?;
    if number < 0.0 { Err(Why::Negative) } else { Ok(number) }
}

/// A whole number, or one with decimals if it is none or does not fit.
fn whole(value: &Json) -> Result<Value, Why> {
    let number = number(value)?;
    match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => Ok(whole.into()),
        (None, Some(fraction)) => Ok(fraction.into()),
        (None, None) => Err(Why::Type),
    }
}

fn not_negative(value: Value) -> Result<Value, Why> {
    if value.as_f64().is_some_and(|number| number < 0.0) { Err(Why::Negative) } else { Ok(value) }
}

/// A number, as it is or in quotes; never NaN or infinite.
fn number(value: &Json) -> Result<Cow<'_, serde_json::Number>, Why> {
    if let Json::Number(number) = value {
        return Ok(Cow::Borrowed(number));
    }
    let text = value.as_str().ok_or(Why::Type)?.trim();
    let whole = text.parse::<i64>().ok().map(Into::into);
    let parsed = whole.or_else(|| serde_json::Number::from_f64(text.parse().ok()?));
    parsed.map(Cow::Owned).ok_or(Why::Type)
}

#[cfg(test)]
mod tests;
