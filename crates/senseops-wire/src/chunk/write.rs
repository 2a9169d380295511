//! Writing chunks.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use senseops_core::{Body, Chunk, Event, Fields, LabelSet, Level, Name, Severity, Text, Value};

use super::number;
use crate::MAX_DEPTH;
use crate::protobuf::{put_fixed, put_message, put_sint, put_text, put_uint};

/// About what an event takes, to make room for all of them at once.
const EVENT_BYTES: usize = 256;

/// Appends the chunk to `out`.
pub fn encode(chunk: &Chunk, out: &mut Vec<u8>) {
    let mut writer = ChunkWriter::default();
    // What events refer to stands before them, and is known after them.
    let mut events = Vec::with_capacity(EVENT_BYTES * chunk.events.len());
    for event in &*chunk.events {
        put_message(&mut events, number::CHUNK_EVENT, |out| writer.event(event, out));
    }
    put_unless_empty(out, number::CHUNK_SOURCE, &chunk.source);
    writer.kinds.keys.iter().for_each(|kind| put_text(out, number::CHUNK_KIND, kind));
    writer.names.keys.iter().for_each(|name| put_text(out, number::CHUNK_NAME, name));
    out.extend_from_slice(&writer.label_sets);
    out.extend_from_slice(&events);
    if let Some(sink) = &chunk.target {
        put_text(out, number::CHUNK_TARGET, sink);
    }
}

/// The kinds of the events in the chunk, each once.
pub fn kinds(chunk: &Chunk) -> Vec<&str> {
    let mut kinds = Interned::default();
    for event in &*chunk.events {
        kinds.index(event.kind.as_str());
    }
    kinds.keys
}

/// Things that are written once and referred to by their place.
struct Interned<K> {
    keys: Vec<K>,
    places: HashMap<K, usize>,
    last: usize,
}

#[derive(Default)]
struct ChunkWriter<'a> {
    kinds: Interned<&'a str>,
    names: Interned<&'a str>,
    /// Label sets by their address: events of one origin share theirs.
    addresses: Interned<usize>,
    /// Those that were met, as they are written.
    label_sets: Vec<u8>,
}

impl<K> Default for Interned<K> {
    fn default() -> Self {
        Self { keys: Vec::new(), places: HashMap::new(), last: 0 }
    }
}

impl<K: Copy + Eq + Hash> Interned<K> {
    fn index(&mut self, key: K) -> u64 {
        // Events that follow each other mostly have the same fields in the same order.
        let guesses = [self.last, self.last + 1];
        let guessed = guesses.into_iter().find(|guess| self.keys.get(*guess) == Some(&key));
        self.last = guessed.unwrap_or_else(|| {
            *self.places.entry(key).or_insert_with(|| {
                self.keys.push(key);
                self.keys.len() - 1
            })
        });
        self.last as u64
    }
}

impl<'a> ChunkWriter<'a> {
    fn event(&mut self, event: &'a Event, out: &mut Vec<u8>) {
        let [high, low] = halves(event.id.to_bytes());
        put_fixed_unless_zero(out, number::ID_HIGH, high);
        put_fixed_unless_zero(out, number::ID_LOW, low);
        put_fixed_unless_zero(out, number::TIME, event.time.as_nanos().cast_unsigned());
        put_uint_unless_zero(out, number::KIND, self.kinds.index(event.kind.as_str()));
        put_uint_unless_zero(out, number::LABELS, self.labels(&event.labels));
        match &event.body {
            Body::Record(record) => put_message(out, number::RECORD, |out| {
                self.told(out, code(&Severity::ALL, &record.severity), &record.message, &record.fields);
            }),
            Body::State(state) => put_message(out, number::STATE, |out| {
                self.told(out, code(&Level::ALL, &state.level), &state.message, &state.fields);
            }),
            // A shape that is not written yet is better as a measurement than not at all.
            Body::Measurement(_) | _ => {
                put_message(out, number::MEASUREMENT, |out| self.fields(out, event.fields(), 0));
            }
        }
    }

    /// A record or state.
    fn told(&mut self, out: &mut Vec<u8>, code: u64, message: &'a Text, fields: &'a Fields) {
        put_uint_unless_zero(out, number::CODE, code);
        put_unless_empty(out, number::MESSAGE, message);
        put_message(out, number::FIELDS, |out| self.fields(out, fields, 0));
    }

    fn labels(&mut self, labels: &'a Arc<LabelSet>) -> u64 {
        let known = self.addresses.keys.len();
        let index = self.addresses.index(Arc::as_ptr(labels).addr());
        if self.addresses.keys.len() > known {
            let Self { names, label_sets, .. } = self;
            put_message(label_sets, number::CHUNK_LABEL_SET, |out| {
                for (name, text) in labels.iter() {
                    put_message(out, number::LABEL, |out| {
                        put_uint_unless_zero(out, number::LABEL_NAME, names.index(name));
                        put_unless_empty(out, number::LABEL_TEXT, text);
                    });
                }
            });
        }
        index
    }

    fn fields(&mut self, out: &mut Vec<u8>, fields: &'a Fields, depth: usize) {
        for (name, value) in fields.iter() {
            put_message(out, number::FIELD, |out| self.field(out, name, value, depth));
        }
    }

    fn field(&mut self, out: &mut Vec<u8>, name: &'a Name, value: &'a Value, depth: usize) {
        put_uint_unless_zero(out, number::FIELD_NAME, self.names.index(name));
        self.value(out, value, depth);
    }

    fn value(&mut self, out: &mut Vec<u8>, value: &'a Value, depth: usize) {
        match value {
            Value::Bool(value) => put_uint(out, number::BOOL, (*value).into()),
            Value::Int(value) => put_sint(out, number::INT, *value),
            Value::UInt(value) => put_uint(out, number::UINT, *value),
            Value::Float(value) => put_fixed(out, number::FLOAT_BITS, value.to_bits()),
            Value::Text(value) => put_text(out, number::TEXT, value),
            Value::List(values) if depth < MAX_DEPTH => put_message(out, number::LIST, |out| {
                for value in values {
                    put_message(out, number::ITEM, |out| self.value(out, value, depth + 1));
                }
            }),
            Value::Map(fields) if depth < MAX_DEPTH => {
                put_message(out, number::MAP, |out| self.fields(out, fields, depth + 1));
            }
            // Nested too deep, or a type that is not written yet.
            Value::List(_) | Value::Map(_) | _ => put_text(out, number::TEXT, &value.to_string()),
        }
    }
}

fn put_unless_empty(out: &mut Vec<u8>, number: u32, text: &str) {
    if !text.is_empty() {
        put_text(out, number, text);
    }
}

fn put_uint_unless_zero(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_uint(out, number, value);
    }
}

fn put_fixed_unless_zero(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_fixed(out, number, value);
    }
}

fn halves(id: [u8; 16]) -> [u64; 2] {
    let (halves, _none) = id.as_chunks();
    let mut halves = halves.iter().map(|half| u64::from_be_bytes(*half));
    [(); 2].map(|()| halves.next().unwrap_or(0))
}

/// What stands for it: its place, from 1 on; zero stands for none.
fn code<T: PartialEq>(list: &[T], wanted: &T) -> u64 {
    list.iter().position(|one| one == wanted).map_or(0, |place| place as u64 + 1)
}
