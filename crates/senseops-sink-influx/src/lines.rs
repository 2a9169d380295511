//! A batch as the body of one request, and which line came of which event.

use std::time::Instant;

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
    /// The names of the measurements, each once.
    measurements: Vec<String>,
    /// How many events gave no line, since they have no field that can be written.
    pub(crate) events_without_line: usize,
    /// The events with points that may not be written; an event comes once for each of them, in order.
    pub(crate) over_limit: Vec<(usize, OverLimit)>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    /// Where the next line begins.
    end: usize,
    /// How many of its bytes name the series.
    series: usize,
    /// The position of its name.
    measurement: usize,
    /// The position of the event in the batch.
    event: usize,
}

impl Lines {
    /// Encodes the batch; `capacity` is how many bytes that may take.
    pub(crate) fn of(batch: &Batch, dialect: InfluxDialect, capacity: usize) -> Self {
        let mut text = Vec::with_capacity(capacity);
        let mut index = Vec::with_capacity(batch.len());
        let mut measurements: Vec<String> = Vec::new();
        let mut events_without_line = 0;
        let mut point = Point::default();
        for (event, each) in batch.iter().enumerate() {
            let before = index.len();
            dialect.points(each, &mut point, |point| {
                let Some(series) = encode(point, &mut text) else { return };
                // A batch has few different ones.
                let known = measurements.iter().position(|name| name == point.measurement());
                let measurement = known.unwrap_or_else(|| {
                    measurements.push(point.measurement().to_owned());
                    measurements.len() - 1
                });
                index.push(Line { end: text.len(), series, measurement, event });
            });
            if index.len() == before {
                events_without_line += 1;
            }
        }
        Self { text: text.into(), index, measurements, events_without_line, over_limit: Vec::new() }
    }

    /// Without those that would begin a series too many.
    pub(crate) fn within(mut self, limit: &SeriesLimit, now: Instant) -> Self {
        let refused = limit.refused(self.points(), now);
        if refused.is_empty() {
            return self;
        }
        let mut refused = refused.into_iter().peekable();
        let (mut text, mut start) = (Vec::with_capacity(self.text.len()), 0);
        for (at, line) in std::mem::take(&mut self.index).into_iter().enumerate() {
            if let Some((_, over)) = refused.next_if(|(refused, _)| *refused == at) {
                self.over_limit.push((line.event, over));
            } else {
                text.extend_from_slice(self.text.get(start..line.end).unwrap_or_default());
                self.index.push(Line { end: text.len(), ..line });
            }
            start = line.end;
        }
        self.text = text.into();
        self
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
        self.starts().filter_map(|(start, line)| Some((self.text.get(start..line.end - 1)?, line.event)))
    }

    /// Measurement and series of each line.
    fn points(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.starts().map(|(start, line)| {
            let measurement = self.measurements.get(line.measurement).map_or("", String::as_str);
            (measurement, self.text.get(start..start + line.series).unwrap_or_default())
        })
    }

    /// The lines, each with where it begins.
    fn starts(&self) -> impl Iterator<Item = (usize, &Line)> {
        std::iter::once(0).chain(self.index.iter().map(|line| line.end)).zip(&self.index)
    }
}
