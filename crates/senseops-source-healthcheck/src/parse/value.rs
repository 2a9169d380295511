//! Pieces of JSON as values.

use std::borrow::Cow;
use std::fmt;

use senseops_core::{Text, Value};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Why;

/// Longer texts are no versions, times or app ids.
const MAX_TEXT_BYTES: usize = 1024;

/// The most app ids that are kept of a list. Engines hold a few thousand apps at most, and an answer full of ids would
/// become an event ten times its size.
pub(super) const MAX_APPS: usize = 10_000;

/// A number as it is written.
enum Number {
    Whole(i64),
    /// A whole one beyond those.
    Large(u64),
    /// Any other; finite.
    Float(f64),
}

/// A list of app ids, and how many were left out.
#[derive(Default)]
pub(super) struct Apps {
    /// How many entries the list has, whatever they are.
    pub(super) count: i64,
    pub(super) ids: Vec<Text>,
    pub(super) too_long: u64,
    pub(super) wrong: u64,
}

/// A value that is there.
pub(super) fn present(value: Option<&RawValue>) -> Result<&RawValue, Why> {
    match value {
        None => Err(Why::Missing),
        Some(value) if value.get() == "null" => Err(Why::Null),
        Some(value) => Ok(value),
    }
}

/// Reads a piece of the document. That it is JSON is known, so it is of another type, or a number without bounds.
pub(super) fn piece<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Result<T, Why> {
    serde_json::from_str(value.get()).map_err(|_unfit| Why::Type)
}

pub(super) fn text(value: &RawValue) -> Result<Text, Why> {
    let text: Cow<'_, str> = piece(value)?;
    if text.len() <= MAX_TEXT_BYTES { Ok(text.as_ref().into()) } else { Err(Why::TooLong) }
}

/// A number with decimals. It is a float from poll to poll, except for whole numbers that no float can say.
pub(super) fn amount(value: &RawValue) -> Result<Value, Why> {
    Ok(match number(value)? {
        #[expect(clippy::cast_precision_loss, reason = "it has at most 53 bits")]
        Number::Whole(whole) if whole.unsigned_abs() <= 1 << 53 => Value::Float(whole as f64),
        Number::Whole(whole) => whole.into(),
        Number::Large(whole) => whole.into(),
        Number::Float(float) => float.into(),
    })
}

/// A whole number. One with decimals, or beyond 64 bits, is kept as it is.
pub(super) fn whole(value: &RawValue) -> Result<Value, Why> {
    Ok(match number(value)? {
        Number::Whole(whole) => whole.into(),
        Number::Large(whole) => whole.into(),
        #[expect(clippy::cast_possible_truncation, reason = "it has no decimals and at most 53 bits")]
        Number::Float(float) if float.fract() == 0.0 && float.abs() <= 2_f64.powi(53) => {
            Value::Int(float as i64)
        }
        Number::Float(float) => float.into(),
    })
}

/// A number, as it is or in quotes.
fn number(value: &RawValue) -> Result<Number, Why> {
    let written = value.get();
    let unquoted: Cow<'_, str> = if written.starts_with('"') { piece(value)? } else { written.into() };
    // Read from the text itself: serde_json rounds the last digit of fractions.
    let text = unquoted.trim();
    let whole = text.parse().map(Number::Whole).or_else(|_| text.parse().map(Number::Large));
    whole.or_else(|_| {
        let float = text.parse().ok().filter(|float: &f64| float.is_finite());
        float.map(Number::Float).ok_or(Why::Type)
    })
}

impl Apps {
    fn add(&mut self, id: Result<Text, Why>) {
        self.count += 1;
        match id {
            Ok(id) if self.ids.len() < MAX_APPS => self.ids.push(id),
            Ok(_) | Err(Why::TooLong) => self.too_long += 1,
            Err(Why::Missing | Why::Null | Why::Type) => self.wrong += 1,
        }
    }
}

impl<'de> Deserialize<'de> for Apps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Apps;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of app ids")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Apps, A::Error> {
                let mut apps = Apps::default();
                while let Some(app) = list.next_element::<&RawValue>()? {
                    apps.add(text(app));
                }
                Ok(apps)
            }
        }

        deserializer.deserialize_seq(List)
    }
}
