//! Chunks: events that one source emitted together.

use std::sync::Arc;

use crate::{Event, Name};

/// Events that one source emitted together. They are stored and travel as one: one allocation and one count for all.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// The component, such as `udp.users`; if the chunk comes from another pipeline, the component there.
    pub source: Name,
    /// The one sink that shall have it, if not all: it has refused these events before.
    pub target: Option<Name>,
    /// What the source emitted.
    pub events: Arc<[Event]>,
}

impl Chunk {
    /// Events for every sink.
    pub fn new(source: impl Into<Name>, events: impl Into<Arc<[Event]>>) -> Self {
        Self { source: source.into(), target: None, events: events.into() }
    }

    /// The memory that the chunk takes. Labels that follow each other and are the same count once.
    pub fn bytes(&self) -> usize {
        let mut last = None;
        let is_new =
            |event: &&Event| last.replace(Arc::as_ptr(&event.labels)) != Some(Arc::as_ptr(&event.labels));
        let labels: usize = self.events.iter().filter(is_new).map(|event| event.labels.bytes()).sum();
        labels + self.events.iter().map(Event::bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, Fields, Kind, LabelSet};

    #[test]
    fn labels_that_events_share_are_counted_once() {
        let event = |labels| Event::new(Kind::new("n"), labels, Body::Measurement(Fields::default()));
        let [first, second] = ["a", "b"].map(|host| Arc::new(LabelSet::from_iter([("host", host)])));
        let events: Vec<_> = [&first; 3].into_iter().chain([&second; 3]).map(event).collect();
        let chunk = Chunk::new("udp.users", events);
        assert_eq!(chunk.bytes(), 6 * size_of::<Event>() + first.bytes() + second.bytes());
    }
}
