//! Batches: what a sink is given to write.

use std::fmt;
use std::sync::Arc;

use crate::Event;

/// Events to write, in order. A view over shared chunks: cloning and splitting copy no event.
#[derive(Clone)]
pub struct Batch {
    parts: Arc<[ChunkPart]>,
    len: usize,
}

/// Events of one shared chunk, all of them or a selection.
#[derive(Clone)]
struct ChunkPart {
    events: Arc<[Event]>,
    /// Ascending positions in `events`; `None` for all.
    selected: Option<Box<[usize]>>,
    /// The position in the batch of the first event.
    first: usize,
}

impl Batch {
    /// A batch over shared chunks, in this order. Each chunk comes with the ascending positions that belong to the
    /// batch, or `None` for all of it.
    pub fn from_chunks(chunks: impl IntoIterator<Item = (Arc<[Event]>, Option<Vec<usize>>)>) -> Self {
        let mut len = 0;
        let parts = chunks
            .into_iter()
            .map(|(events, selected)| {
                let part = ChunkPart { events, selected: selected.map(Vec::into_boxed_slice), first: len };
                len += part.len();
                part
            })
            .collect();
        Self { parts, len }
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The event at this position.
    pub fn get(&self, index: usize) -> Option<&Event> {
        let after = self.parts.partition_point(|part| part.first <= index);
        let part = self.parts.get(after.checked_sub(1)?)?;
        part.get(index - part.first)
    }

    /// The events in order.
    pub fn iter(&self) -> impl Iterator<Item = &Event> + Clone {
        self.parts.iter().flat_map(|part| (0..part.len()).filter_map(|index| part.get(index)))
    }

    /// The events at these ascending positions.
    #[must_use]
    pub fn select(&self, positions: &[usize]) -> Self {
        let mut rest = positions;
        let chunks = self.parts.iter().filter_map(|part| {
            let (here, after) = rest.split_at(rest.partition_point(|at| *at < part.first + part.len()));
            rest = after;
            let selected: Vec<usize> = here.iter().filter_map(|at| part.position(at - part.first)).collect();
            (!selected.is_empty()).then(|| (Arc::clone(&part.events), Some(selected)))
        });
        Self::from_chunks(chunks.collect::<Vec<_>>())
    }

    /// The first and the second half. The first is empty when there is just one event.
    #[must_use]
    pub fn halves(&self) -> (Self, Self) {
        let positions: Vec<usize> = (0..self.len).collect();
        let (first, second) = positions.split_at(self.len / 2);
        (self.select(first), self.select(second))
    }
}

impl ChunkPart {
    fn len(&self) -> usize {
        self.selected.as_ref().map_or(self.events.len(), |selected| selected.len())
    }

    fn position(&self, index: usize) -> Option<usize> {
        match &self.selected {
            Some(selected) => selected.get(index).copied(),
            None => Some(index),
        }
    }

    fn get(&self, index: usize) -> Option<&Event> {
        self.events.get(self.position(index)?)
    }
}

impl From<Vec<Event>> for Batch {
    fn from(events: Vec<Event>) -> Self {
        Self::from_chunks([(events.into(), None)])
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, Fields, Kind, LabelSet};

    fn numbered(numbers: impl IntoIterator<Item = i64>) -> Arc<[Event]> {
        let labels = Arc::new(LabelSet::default());
        let event =
            |n: i64| Event::new(Kind::new("n"), &labels, Body::Measurement(Fields::default().with("n", n)));
        numbers.into_iter().map(event).collect()
    }

    fn numbers(batch: &Batch) -> Vec<f64> {
        batch.iter().filter_map(|event| event.fields().get("n")?.as_f64()).collect()
    }

    #[test]
    fn a_batch_is_its_chunks_in_order_with_only_what_was_selected() {
        let batch = Batch::from_chunks([
            (numbered(0..3), None),
            (numbered(3..6), Some(vec![0, 2])),
            (numbered([]), None),
            (numbered(6..8), None),
        ]);
        assert_eq!(numbers(&batch), [0., 1., 2., 3., 5., 6., 7.]);
        assert_eq!(batch.len(), 7);
        for (index, number) in numbers(&batch).into_iter().enumerate() {
            assert_eq!(batch.get(index).unwrap().fields().get("n").unwrap().as_f64(), Some(number));
        }
        assert_eq!(batch.get(7), None);
    }

    #[test]
    fn selecting_from_a_selection_keeps_the_order() {
        let batch = Batch::from_chunks([(numbered(0..4), Some(vec![1, 2, 3])), (numbered(4..8), None)]);
        assert_eq!(numbers(&batch.select(&[0, 2, 3, 6])), [1., 3., 4., 7.]);
    }

    #[test]
    fn halves_hold_every_event_once() {
        let batch = Batch::from_chunks([(numbered(0..2), None), (numbered(2..5), None)]);
        let (first, second) = batch.halves();
        assert_eq!((numbers(&first), numbers(&second)), (vec![0., 1.], vec![2., 3., 4.]));
        let (none, one) = first.select(&[0]).halves();
        assert_eq!((none.len(), one.len()), (0, 1));
    }
}
