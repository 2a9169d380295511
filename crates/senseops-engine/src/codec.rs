//! Chunks, which are what the journal holds, and their bytes on disk.

mod message;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use prost::Message;
use senseops_core::{
    Body, BoxError, Event, EventId, Fields, Kind, LabelSet, Level, Name, Record, Severity, State, Timestamp,
    TooManyKinds, Value,
};
use senseops_journal::Codec;
use thiserror::Error;

use self::message::{
    BodyMessage, ChunkMessage, EventMessage, FieldMessage, FieldsMessage, ItemMessage, LabelMessage,
    LabelSetMessage, ListMessage, RecordMessage, StateMessage, ValueMessage,
};

/// How deep lists and maps may be nested; what is deeper is stored as text. Protobuf refuses to read more than a
/// hundred levels of messages, and each level here takes two.
pub(crate) const MAX_DEPTH: usize = 32;

/// Events that one source emitted together.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// The component, such as `udp.users`.
    pub source: Name,
    /// The one sink that shall have it, if not all: it has refused these events before.
    pub target: Option<Name>,
    /// What it emitted.
    pub events: Arc<[Event]>,
}

/// The form of [`Chunk`]s on disk: protobuf, with names, kinds and label sets once per chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventCodec;

/// Bytes that are not a chunk, or one of a newer program.
#[derive(Debug, Error)]
enum DecodeError {
    #[error("not the bytes of a chunk")]
    Protobuf(#[from] prost::DecodeError),
    #[error("no {0} in an event")]
    Missing(&'static str),
    #[error("unknown {what} {number}")]
    Unknown { what: &'static str, number: u32 },
    #[error(transparent)]
    Kinds(#[from] TooManyKinds),
}

impl Codec<Chunk> for EventCodec {
    fn encode(&self, chunk: &Chunk, out: &mut Vec<u8>) {
        let mut encoder = Encoder::default();
        let events = chunk.events.iter().map(|event| encoder.event(event)).collect();
        let message = ChunkMessage {
            source: chunk.source.as_str().to_owned(),
            events,
            kinds: encoder.kinds.into_texts(),
            names: encoder.names.into_texts(),
            label_sets: encoder.label_sets,
            target: chunk.target.as_ref().map(|sink| sink.as_str().to_owned()),
        };
        // The only error is a full buffer, and a vector is never full.
        message.encode(out).unwrap_or_default();
    }

    fn kinds<'a>(&self, chunk: &'a Chunk) -> Vec<&'a str> {
        let mut kinds = Table::default();
        for event in &*chunk.events {
            kinds.index(event.kind.as_str());
        }
        kinds.keys
    }

    fn decode(&self, bytes: &[u8]) -> Result<Chunk, BoxError> {
        let ChunkMessage { source, kinds, names, label_sets, events, target } =
            ChunkMessage::decode(bytes).map_err(DecodeError::Protobuf)?;
        let mut decoder = Decoder {
            kinds: kinds.iter().map(|kind| Kind::intern(kind)).collect::<Result<_, _>>()?,
            names: names.into_iter().map(Name::from).collect(),
            label_sets: Vec::new(),
        };
        decoder.label_sets =
            label_sets.into_iter().map(|set| decoder.label_set(set)).collect::<Result<_, _>>()?;
        let events =
            events.into_iter().map(|event| decoder.event(event)).collect::<Result<_, DecodeError>>()?;
        Ok(Chunk { source: source.into(), target: target.map(Name::from), events })
    }
}

/// Things that are stored once and referred to by their place.
struct Table<K> {
    keys: Vec<K>,
    places: HashMap<K, usize>,
    last: usize,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { keys: Vec::new(), places: HashMap::new(), last: 0 }
    }
}

impl<K: Copy + Eq + Hash> Table<K> {
    fn index(&mut self, key: K) -> u32 {
        // Events that follow each other mostly have the same fields in the same order.
        let guesses = [self.last, self.last + 1];
        let guessed = guesses.into_iter().find(|guess| self.keys.get(*guess) == Some(&key));
        self.last = guessed.unwrap_or_else(|| {
            *self.places.entry(key).or_insert_with(|| {
                self.keys.push(key);
                self.keys.len() - 1
            })
        });
        u32::try_from(self.last).unwrap_or(u32::MAX)
    }
}

impl Table<&str> {
    fn into_texts(self) -> Vec<String> {
        self.keys.into_iter().map(str::to_owned).collect()
    }
}

#[derive(Default)]
struct Encoder<'a> {
    kinds: Table<&'a str>,
    names: Table<&'a str>,
    /// Label sets by their address: events of one origin share theirs.
    addresses: Table<usize>,
    label_sets: Vec<LabelSetMessage>,
}

impl<'a> Encoder<'a> {
    fn event(&mut self, event: &'a Event) -> EventMessage {
        let (id_high, id_low) = split_id(event.id);
        EventMessage {
            id_high,
            id_low,
            time: event.time.as_nanos(),
            kind: self.kinds.index(event.kind.as_str()),
            labels: self.labels(&event.labels),
            body: Some(self.body(event)),
        }
    }

    fn labels(&mut self, labels: &'a Arc<LabelSet>) -> u32 {
        let index = self.addresses.index(Arc::as_ptr(labels).addr());
        if self.label_sets.len() < self.addresses.keys.len() {
            let label = |(name, text): (&'a Name, &str)| LabelMessage {
                name: self.names.index(name),
                text: text.to_owned(),
            };
            self.label_sets.push(LabelSetMessage { labels: labels.iter().map(label).collect() });
        }
        index
    }

    fn body(&mut self, event: &'a Event) -> BodyMessage {
        match &event.body {
            Body::Measurement(fields) => BodyMessage::Measurement(self.fields(fields, 0)),
            Body::Record(record) => BodyMessage::Record(RecordMessage {
                severity: severity_code(record.severity),
                message: record.message.as_str().to_owned(),
                fields: Some(self.fields(&record.fields, 0)),
            }),
            Body::State(state) => BodyMessage::State(StateMessage {
                level: level_code(state.level),
                message: state.message.as_str().to_owned(),
                fields: Some(self.fields(&state.fields, 0)),
            }),
            // A shape that this program does not store yet; its fields are better than nothing.
            _ => BodyMessage::Measurement(self.fields(event.fields(), 0)),
        }
    }

    fn fields(&mut self, fields: &'a Fields, depth: usize) -> FieldsMessage {
        let field = |(name, value): (&'a Name, &'a Value)| FieldMessage {
            name: self.names.index(name),
            value: Some(self.value(value, depth)),
        };
        FieldsMessage { fields: fields.iter().map(field).collect() }
    }

    fn value(&mut self, value: &'a Value, depth: usize) -> ValueMessage {
        match value {
            Value::Bool(value) => ValueMessage::Bool(*value),
            Value::Int(value) => ValueMessage::Int(*value),
            Value::UInt(value) => ValueMessage::UInt(*value),
            Value::Float(value) => ValueMessage::FloatBits(value.to_bits()),
            Value::Text(value) => ValueMessage::Text(value.as_str().to_owned()),
            Value::List(values) if depth < MAX_DEPTH => {
                let item = |value| ItemMessage { value: Some(self.value(value, depth + 1)) };
                ValueMessage::List(ListMessage { items: values.iter().map(item).collect() })
            }
            Value::Map(fields) if depth < MAX_DEPTH => ValueMessage::Map(self.fields(fields, depth + 1)),
            // Nested too deep, or a type that this program does not store yet.
            Value::List(_) | Value::Map(_) | _ => ValueMessage::Text(value.to_string()),
        }
    }
}

struct Decoder {
    kinds: Vec<Kind>,
    names: Vec<Name>,
    label_sets: Vec<Arc<LabelSet>>,
}

impl Decoder {
    fn event(&self, message: EventMessage) -> Result<Event, DecodeError> {
        Ok(Event {
            id: join_id(message.id_high, message.id_low),
            time: Timestamp::from_nanos(message.time),
            kind: *entry("kind", &self.kinds, message.kind)?,
            labels: Arc::clone(entry("label set", &self.label_sets, message.labels)?),
            body: self.body(message.body.ok_or(DecodeError::Missing("body"))?)?,
        })
    }

    fn label_set(&self, message: LabelSetMessage) -> Result<Arc<LabelSet>, DecodeError> {
        let label = |label: LabelMessage| Ok((self.name(label.name)?, label.text));
        message.labels.into_iter().map(label).collect::<Result<LabelSet, _>>().map(Arc::new)
    }

    fn body(&self, message: BodyMessage) -> Result<Body, DecodeError> {
        Ok(match message {
            BodyMessage::Measurement(fields) => Body::Measurement(self.fields(fields)?),
            BodyMessage::Record(record) => Body::Record(Record {
                severity: severity(record.severity)?,
                message: record.message.into(),
                fields: self.fields(record.fields.unwrap_or_default())?,
            }),
            BodyMessage::State(state) => Body::State(State {
                level: level(state.level)?,
                message: state.message.into(),
                fields: self.fields(state.fields.unwrap_or_default())?,
            }),
        })
    }

    fn fields(&self, message: FieldsMessage) -> Result<Fields, DecodeError> {
        let field = |field: FieldMessage| Ok((self.name(field.name)?, self.value(field.value)?));
        message.fields.into_iter().map(field).collect()
    }

    fn value(&self, message: Option<ValueMessage>) -> Result<Value, DecodeError> {
        Ok(match message.ok_or(DecodeError::Missing("value"))? {
            ValueMessage::Bool(value) => Value::Bool(value),
            ValueMessage::Int(value) => Value::Int(value),
            ValueMessage::UInt(value) => Value::UInt(value),
            ValueMessage::FloatBits(bits) => Value::Float(f64::from_bits(bits)),
            ValueMessage::Text(value) => Value::Text(value.into()),
            ValueMessage::List(list) => {
                let items = list.items.into_iter().map(|item| self.value(item.value));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            ValueMessage::Map(fields) => Value::Map(self.fields(fields)?),
        })
    }

    fn name(&self, index: u32) -> Result<Name, DecodeError> {
        entry("name", &self.names, index).cloned()
    }
}

fn entry<'a, T>(what: &'static str, table: &'a [T], index: u32) -> Result<&'a T, DecodeError> {
    let found = usize::try_from(index).ok().and_then(|index| table.get(index));
    found.ok_or(DecodeError::Unknown { what, number: index })
}

fn split_id(id: EventId) -> (u64, u64) {
    let both = u128::from_be_bytes(id.to_bytes());
    let [high, low] = [both >> 64, both & u128::from(u64::MAX)].map(|half| u64::try_from(half).unwrap_or(0));
    (high, low)
}

fn join_id(high: u64, low: u64) -> EventId {
    EventId::from_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
}

/// What stands for a severity on disk; zero stands for none.
fn severity_code(severity: Severity) -> u32 {
    match severity {
        Severity::Debug => 1,
        Severity::Info => 2,
        Severity::Warning => 3,
        Severity::Error => 4,
        Severity::Fatal => 5,
    }
}

fn severity(code: u32) -> Result<Severity, DecodeError> {
    Ok(match code {
        1 => Severity::Debug,
        2 => Severity::Info,
        3 => Severity::Warning,
        4 => Severity::Error,
        5 => Severity::Fatal,
        number => return Err(DecodeError::Unknown { what: "severity", number }),
    })
}

/// What stands for a level on disk; zero stands for none.
fn level_code(level: Level) -> u32 {
    match level {
        Level::Ok => 1,
        Level::Warning => 2,
        Level::Critical => 3,
        Level::Unknown => 4,
    }
}

fn level(code: u32) -> Result<Level, DecodeError> {
    Ok(match code {
        1 => Level::Ok,
        2 => Level::Warning,
        3 => Level::Critical,
        4 => Level::Unknown,
        number => return Err(DecodeError::Unknown { what: "level", number }),
    })
}
