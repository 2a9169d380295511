//! Reading chunks.

use std::sync::Arc;

use senseops_core::host::TooManyKinds;
use senseops_core::{
    Body, Chunk, Event, EventId, Fields, Kind, LabelSet, Level, Name, Record, Severity, State, Text,
    Timestamp, Value,
};
use thiserror::Error;

use super::number;
use crate::protobuf::{Field, Malformed, fields};

/// Nothing that was ever written is nested deeper, so it is damage or an attack on the stack.
const MAX_DEPTH: usize = 50;

/// Bytes that are no chunk, or one of a newer program.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// They are damaged, or something else.
    #[error("not the bytes of a chunk")]
    Malformed,
    /// Something that every event has is not there.
    #[error("no {0} in an event")]
    Missing(&'static str),
    /// Something is meant that this program does not know.
    #[error("unknown {what} {number}")]
    Unknown {
        /// What it is about.
        what: &'static str,
        /// What stands for it.
        number: u64,
    },
    /// Lists and maps are nested deeper than anything is written.
    #[error("values are nested too deep")]
    TooDeep,
    /// The process has met too many kinds.
    #[error(transparent)]
    Kinds(#[from] TooManyKinds),
}

/// The chunk that was [encoded](super::encode) as these bytes.
///
/// # Errors
/// When they are none that was ever written.
pub fn decode(bytes: &[u8]) -> Result<Chunk, DecodeError> {
    let mut reader = ChunkReader::default();
    let (mut source, mut target) = ("", None);
    let (mut label_sets, mut events) = (Vec::new(), Vec::new());
    for field in fields(bytes) {
        match field? {
            (number::CHUNK_SOURCE, text) => source = text.text()?,
            (number::CHUNK_KIND, kind) => reader.kinds.push(Kind::intern(kind.text()?)?),
            (number::CHUNK_NAME, name) => reader.names.push(Name::intern(name.text()?)),
            (number::CHUNK_LABEL_SET, set) => label_sets.push(set.message()?),
            (number::CHUNK_EVENT, event) => events.push(event.message()?),
            (number::CHUNK_TARGET, sink) => target = Some(Name::intern(sink.text()?)),
            (_of_a_newer_program, _) => {}
        }
    }
    // Only then: in protocol buffers no order is promised.
    reader.label_sets =
        label_sets.into_iter().map(|set| reader.label_set(set)).collect::<Result<_, DecodeError>>()?;
    let events = events.into_iter().map(|event| reader.event(event)).collect::<Result<_, DecodeError>>()?;
    Ok(Chunk { source: Name::intern(source), target, events })
}

#[derive(Default)]
struct ChunkReader {
    kinds: Vec<Kind>,
    names: Vec<Name>,
    label_sets: Vec<Arc<LabelSet>>,
}

impl ChunkReader {
    fn label_set(&self, message: &[u8]) -> Result<Arc<LabelSet>, DecodeError> {
        let mut set = LabelSet::default();
        for field in fields(message) {
            if let (number::LABEL, label) = field? {
                let (name, text) = self.label(label.message()?)?;
                set.set(name, text);
            }
        }
        Ok(set.into())
    }

    fn label(&self, message: &[u8]) -> Result<(Name, Text), DecodeError> {
        let (mut name, mut text) = (0, "");
        for field in fields(message) {
            match field? {
                (number::LABEL_NAME, index) => name = index.uint()?,
                (number::LABEL_TEXT, field) => text = field.text()?,
                _ => {}
            }
        }
        Ok((self.name(name)?, text.into()))
    }

    fn event(&self, message: &[u8]) -> Result<Event, DecodeError> {
        let (mut id_high, mut id_low, mut time, mut kind, mut labels) = (0, 0, 0, 0, 0);
        let mut body = None;
        for field in fields(message) {
            match field? {
                (number::ID_HIGH, half) => id_high = half.fixed()?,
                (number::ID_LOW, half) => id_low = half.fixed()?,
                (number::TIME, nanos) => time = nanos.fixed()?.cast_signed(),
                (number::KIND, index) => kind = index.uint()?,
                (number::LABELS, index) => labels = index.uint()?,
                (number::MEASUREMENT, fields) => {
                    body = Some(Body::Measurement(self.fields(fields.message()?, 0)?));
                }
                (number::RECORD, record) => body = Some(self.record(record.message()?)?),
                (number::STATE, state) => body = Some(self.state(state.message()?)?),
                _ => {}
            }
        }
        Ok(Event {
            id: join(id_high, id_low),
            time: Timestamp::from_nanos(time),
            kind: *entry("kind", &self.kinds, kind)?,
            labels: Arc::clone(entry("label set", &self.label_sets, labels)?),
            body: body.ok_or(DecodeError::Missing("body"))?,
        })
    }

    fn record(&self, message: &[u8]) -> Result<Body, DecodeError> {
        let (code, message, fields) = self.told(message)?;
        Ok(Body::Record(Record { severity: coded("severity", &Severity::ALL, code)?, message, fields }))
    }

    fn state(&self, message: &[u8]) -> Result<Body, DecodeError> {
        let (code, message, fields) = self.told(message)?;
        Ok(Body::State(State { level: coded("level", &Level::ALL, code)?, message, fields }))
    }

    fn told(&self, message: &[u8]) -> Result<(u64, Text, Fields), DecodeError> {
        let mut told = (0, Text::default(), Fields::default());
        for field in fields(message) {
            match field? {
                (number::CODE, code) => told.0 = code.uint()?,
                (number::MESSAGE, text) => told.1 = text.text()?.into(),
                (number::FIELDS, fields) => told.2 = self.fields(fields.message()?, 0)?,
                _ => {}
            }
        }
        Ok(told)
    }

    fn fields(&self, message: &[u8], depth: usize) -> Result<Fields, DecodeError> {
        // Counted first, so that no room stays unused.
        let mut read = Fields::with_capacity(fields(message).count());
        for field in fields(message) {
            if let (number::FIELD, field) = field? {
                let (name, value) = self.named(field.message()?, depth)?;
                read.push(self.name(name)?, value);
            }
        }
        Ok(read)
    }

    /// A value, and the index of the name before it; 0 if there is none.
    fn named(&self, message: &[u8], depth: usize) -> Result<(u64, Value), DecodeError> {
        let (mut name, mut value) = (0, None);
        for field in fields(message) {
            match field? {
                (number::FIELD_NAME, index) => name = index.uint()?,
                (number, field) => value = self.value(number, field, depth)?.or(value),
            }
        }
        Ok((name, value.ok_or(DecodeError::Missing("value"))?))
    }

    fn value(&self, number: u32, field: Field<'_>, depth: usize) -> Result<Option<Value>, DecodeError> {
        if depth > MAX_DEPTH {
            return Err(DecodeError::TooDeep);
        }
        Ok(Some(match number {
            number::BOOL => Value::Bool(field.uint()? != 0),
            number::INT => Value::Int(field.sint()?),
            number::UINT => Value::UInt(field.uint()?),
            number::FLOAT_BITS => Value::Float(f64::from_bits(field.fixed()?)),
            number::TEXT => Value::from(field.text()?),
            number::LIST => Value::List(self.list(field.message()?, depth + 1)?),
            number::MAP => Value::from(self.fields(field.message()?, depth + 1)?),
            _ => return Ok(None),
        }))
    }

    fn list(&self, message: &[u8], depth: usize) -> Result<Box<[Value]>, DecodeError> {
        let mut values = Vec::new();
        for field in fields(message) {
            if let (number::ITEM, item) = field? {
                values.push(self.named(item.message()?, depth)?.1);
            }
        }
        Ok(values.into())
    }

    fn name(&self, index: u64) -> Result<Name, DecodeError> {
        entry("name", &self.names, index).cloned()
    }
}

fn entry<'a, T>(what: &'static str, table: &'a [T], index: u64) -> Result<&'a T, DecodeError> {
    let found = usize::try_from(index).ok().and_then(|index| table.get(index));
    found.ok_or(DecodeError::Unknown { what, number: index })
}

fn coded<T: Copy>(what: &'static str, list: &[T], code: u64) -> Result<T, DecodeError> {
    let unknown = DecodeError::Unknown { what, number: code };
    let index = code.checked_sub(1).and_then(|index| usize::try_from(index).ok());
    index.and_then(|index| list.get(index)).copied().ok_or(unknown)
}

fn join(high: u64, low: u64) -> EventId {
    EventId::from_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

impl From<Malformed> for DecodeError {
    fn from(_malformed: Malformed) -> Self {
        Self::Malformed
    }
}
