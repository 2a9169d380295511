//! Names and values that events carry.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use compact_str::CompactString;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

/// How many names that are only known at run time are kept once for all. There are hundreds; the bound keeps an origin
/// that makes names out of its input from eating memory, since kept names are never freed.
const MAX_INTERNED_NAMES: usize = 4096;
/// The longest name, in bytes, that is kept once for all.
const MAX_INTERNED_BYTES: usize = 64;

/// The name of a field or label. Names that plugins know at compile time cost nothing to copy, and neither do those that
/// are met again and again.
#[derive(Clone)]
pub struct Name(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    /// A thin pointer, so that a name takes no more than a text slice.
    Shared(Arc<Box<str>>),
}

static INTERNED: LazyLock<RwLock<HashSet<&'static str>>> = LazyLock::new(RwLock::default);

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that the origin declares unsigned.
    UInt(u64),
    /// A number with decimals. May be NaN or infinite, which most targets refuse: the dialect skips those.
    Float(f64),
    /// Text.
    Text(CompactString),
    /// Values in an order that means something.
    List(Box<[Value]>),
    /// Named values.
    Map(Box<Fields>),
}

const _: () =
    assert!(size_of::<(Name, Value)>() <= 40, "an event has a dozen of them, so their size is a promise");

/// Named values in the order in which the source added them. Names are unique by convention; the first one wins.
#[derive(Clone, Default, PartialEq)]
pub struct Fields(Vec<(Name, Value)>);

impl Name {
    /// A name known at compile time.
    pub const fn new(name: &'static str) -> Self {
        Self(Repr::Static(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(name) => name,
            Repr::Shared(name) => name,
        }
    }

    /// A name that is only known at run time, for example one that was read. It is kept once for all, as long as there
    /// are not too many of them.
    pub fn intern(name: &str) -> Self {
        if let Some(known) = INTERNED.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Self(Repr::Static(known));
        }
        let mut interned = INTERNED.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = interned.get(name) {
            return Self(Repr::Static(known));
        }
        if interned.len() >= MAX_INTERNED_NAMES || name.len() > MAX_INTERNED_BYTES {
            return Self(Repr::Shared(Arc::new(name.into())));
        }
        let leaked: &'static str = Box::leak(name.into());
        interned.insert(leaked);
        Self(Repr::Static(leaked))
    }

    /// The memory behind the name. Copies of it share that, but nobody knows how many there are.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Static(_) => 0,
            Repr::Shared(name) => size_of::<Box<str>>() + name.len(),
        }
    }
}

/// The memory behind a text: none if it is short enough to be where it is used.
pub(crate) fn heap_bytes_of(text: &CompactString) -> usize {
    if text.is_heap_allocated() { text.capacity() } else { 0 }
}

impl Value {
    /// The text, if the value is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bool(_) | Self::Int(_) | Self::UInt(_) | Self::Float(_) | Self::List(_) | Self::Map(_) => {
                None
            }
        }
    }

    /// The number, if the value is one; whole numbers above 2⁵³ are rounded.
    #[expect(clippy::cast_precision_loss, reason = "documented: an f64 cannot hold every i64")]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::UInt(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The memory behind the value, without its own slot.
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Bool(_) | Self::Int(_) | Self::UInt(_) | Self::Float(_) => 0,
            Self::Text(text) => heap_bytes_of(text),
            Self::List(values) => size_of_val(&**values) + values.iter().map(Self::heap_bytes).sum::<usize>(),
            Self::Map(fields) => size_of::<Fields>() + fields.heap_bytes(),
        }
    }
}

impl Fields {
    /// No fields, with room for `capacity` of them.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Adds a field at the end.
    pub fn push(&mut self, name: impl Into<Name>, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    /// The same fields with one more at the end.
    #[must_use]
    pub fn with(mut self, name: impl Into<Name>, value: impl Into<Value>) -> Self {
        self.push(name, value);
        self
    }

    /// The value of the field, if there is one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(candidate, _)| candidate.as_str() == name).map(|(_, value)| value)
    }

    /// The text of the field, if it is there and is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, &Value)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The memory behind the fields, room that is not used included.
    pub(crate) fn heap_bytes(&self) -> usize {
        let slots = self.0.capacity() * size_of::<(Name, Value)>();
        slots + self.0.iter().map(|(name, value)| name.heap_bytes() + value.heap_bytes()).sum::<usize>()
    }
}

impl From<&'static str> for Name {
    fn from(name: &'static str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self::intern(&name)
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

value_from! {
    bool => Bool, i64 => Int, i32 => Int, u32 => Int, u64 => UInt, f64 => Float,
    &str => Text, String => Text, CompactString => Text, Vec<Value> => List, Fields => Map,
}

/// Text as it is, everything else as in JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::UInt(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
            Self::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    value.fmt(f)?;
                }
                f.write_str("]")
            }
            Self::Map(fields) => write!(f, "{{{fields}}}"),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::UInt(value) => serializer.serialize_u64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Self::Map(fields) => fields.serialize(serializer),
        }
    }
}

impl FromIterator<(Name, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Name, Value)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

/// `name=value` pairs with blanks between.
impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{name}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
