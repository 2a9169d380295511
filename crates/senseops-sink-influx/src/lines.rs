//! A batch as the body of one request, and which line came of which event.

use bytes::Bytes;
use senseops_core::Batch;
use senseops_dialect::{InfluxDialect, Point};

use crate::encode;
use crate::series::{OverLimit, SeriesLimit};

/// The lines of a batch.
#[derive(Debug)]
pub(crate) struct Lines {
    /// All of them, each with its line feed.
    pub(crate) text: Bytes,
    index: Vec<Line>,
    /// How many events gave no line, since they have no field that can be written.
    pub(crate) events_without_line: usize,
    /// The events with points that may not be written; an event comes once for each of them, in order.
    pub(crate) over_limit: Vec<(usize, OverLimit)>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    /// Where the next line begins.
    end: usize,
    /// The position of the event in the batch.
    event: usize,
}

impl Lines {
    /// Encodes the batch; `capacity` is how many bytes that may take.
    pub(crate) fn of(
        batch: &Batch,
        dialect: InfluxDialect,
        limit: &mut SeriesLimit,
        capacity: usize,
    ) -> Self {
        let mut text = Vec::with_capacity(capacity);
        let mut index = Vec::with_capacity(batch.len());
        let mut over_limit = Vec::new();
        let mut events_without_line = 0;
        let mut point = Point::default();
        for (event, each) in batch.iter().enumerate() {
            let before = index.len() + over_limit.len();
            dialect.points(each, &mut point, |point| {
                let start = text.len();
                let Some(bytes) = encode(point, &mut text) else { return };
                let series = text.get(start..start + bytes).unwrap_or_default();
                match limit.admit(point.measurement(), series) {
                    Ok(()) => index.push(Line { end: text.len(), event }),
                    Err(over) => {
                        text.truncate(start);
                        over_limit.push((event, over));
                    }
                }
            });
            if index.len() + over_limit.len() == before {
                events_without_line += 1;
            }
        }
        Self { text: text.into(), index, events_without_line, over_limit }
    }

    /// How many lines there are.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Positions of the events that gave lines; an event comes once for each of its lines, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = usize> {
        self.index.iter().map(|line| line.event)
    }

    /// The lines without their line feeds, each with the position of its event.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], usize)> {
        let starts = std::iter::once(0).chain(self.index.iter().map(|line| line.end));
        starts
            .zip(&self.index)
            .filter_map(|(start, line)| Some((self.text.get(start..line.end - 1)?, line.event)))
    }
}
