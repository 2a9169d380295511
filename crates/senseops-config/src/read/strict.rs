//! Deserializing a value without guessing what was meant.
//!
//! Derived code would also take a list for a struct, by the order of its fields, and a number for an enum, by the
//! order of its variants. In a configuration both are mistakes.

use std::collections::btree_map;
use std::iter::Enumerate;
use std::slice;

use figment::error::{Actual, Error, Kind};
use figment::value::{Dict, Value};
use serde::Deserializer;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use crate::suggest::listed;

/// Deserializes the value. Errors have the path of what they are about.
pub(super) struct Strict<'v>(pub(super) &'v Value);

struct Keys<'v> {
    rest: btree_map::Iter<'v, String, Value>,
    current: Option<(&'v String, &'v Value)>,
}

struct Items<'v>(Enumerate<slice::Iter<'v, Value>>);

impl<'de> Deserializer<'de> for Strict<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Dict(_, table) => visitor.visit_map(Keys::new(table)),
            Value::Array(_, items) => visitor.visit_seq(Items(items.iter().enumerate())),
            scalar @ (Value::String(..)
            | Value::Char(..)
            | Value::Bool(..)
            | Value::Num(..)
            | Value::Empty(..)) => scalar.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if matches!(self.0, Value::Array(..)) {
            return Err(Kind::InvalidType(Actual::Seq, format!("struct {name}")).into());
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(_, text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Dict(_, table) => visitor.visit_enum(MapAccessDeserializer::new(Keys::new(table))),
            other @ (Value::Char(..)
            | Value::Bool(..)
            | Value::Num(..)
            | Value::Empty(..)
            | Value::Array(..)) => {
                let expected = listed(variants.iter().copied(), "or");
                Err(Kind::InvalidType(other.to_actual(), expected).into())
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if matches!(self.0, Value::Empty(..)) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

impl<'v> Keys<'v> {
    fn new(table: &'v Dict) -> Self {
        Self { rest: table.iter(), current: None }
    }
}

impl<'de> MapAccess<'de> for Keys<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.current = self.rest.next();
        let Some((key, _)) = self.current else { return Ok(None) };
        seed.deserialize(key.as_str().into_deserializer()).map(Some).map_err(|error| below(key, error))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let Some((key, value)) = self.current.take() else {
            return Err("a value was asked for before its key".into());
        };
        seed.deserialize(Strict(value)).map_err(|error| below(key, error))
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((position, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Strict(item)).map(Some).map_err(|error| below(&position.to_string(), error))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The error as the table or list around the key sees it.
fn below(key: &str, mut error: Error) -> Error {
    error.path.insert(0, key.to_owned());
    error
}
