//! The segments in the books.

use std::collections::VecDeque;

use senseops_core::Timestamp;

use crate::position::Position;
use crate::segment::Segment;

/// The segments, oldest first.
#[derive(Default)]
pub(crate) struct Segments {
    list: VecDeque<Listed>,
    bytes: u64,
    /// Bytes of every segment there ever was.
    bytes_ever: u64,
}

struct Listed {
    segment: Segment,
    /// Bytes of every segment before this one.
    bytes_before: u64,
}

impl Segments {
    /// Adds a segment behind the others.
    pub(crate) fn push(&mut self, segment: Segment) {
        self.list.push_back(Listed { segment, bytes_before: self.bytes_ever });
        self.bytes += segment.bytes;
        self.bytes_ever += segment.bytes;
    }

    /// Adds what was written: to the newest segment if it has the same name, or as a new one.
    pub(crate) fn extend(&mut self, written: Segment) {
        match self.list.back_mut() {
            Some(Listed { segment: newest, .. }) if newest.name == written.name => {
                newest.end = written.end;
                newest.newest = written.newest;
                newest.bytes += written.bytes;
                self.bytes += written.bytes;
                self.bytes_ever += written.bytes;
            }
            Some(_) | None => self.push(written),
        }
    }

    pub(crate) fn oldest(&self) -> Option<&Segment> {
        self.list.front().map(|listed| &listed.segment)
    }

    pub(crate) fn newest(&self) -> Option<&Segment> {
        self.list.back().map(|listed| &listed.segment)
    }

    pub(crate) fn contains(&self, name: Position) -> bool {
        self.list.binary_search_by_key(&name, |listed| listed.segment.name).is_ok()
    }

    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.list.len()).unwrap_or(u64::MAX)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes of the segments that a reader at this position needs.
    pub(crate) fn bytes_needed_from(&self, position: Position) -> u64 {
        self.next_listed(position).map_or(0, |listed| self.bytes_ever - listed.bytes_before)
    }

    /// About how many bytes there are from this position on.
    pub(crate) fn bytes_from(&self, position: Position) -> u64 {
        let needed = self.bytes_needed_from(position);
        let passed = self.next_from(position).map_or(0, |segment| {
            let (all, passed) = (
                u128::from(segment.end.position.0 - segment.first.position.0),
                u128::from(position.0.saturating_sub(segment.first.position.0)),
            );
            u64::try_from(u128::from(segment.bytes) * passed / all.max(1)).unwrap_or(0)
        });
        needed.saturating_sub(passed)
    }

    /// The first segment with a chunk at this position or behind it.
    pub(crate) fn next_from(&self, position: Position) -> Option<&Segment> {
        self.next_listed(position).map(|listed| &listed.segment)
    }

    fn next_listed(&self, position: Position) -> Option<&Listed> {
        self.list.get(self.list.partition_point(|listed| listed.segment.end.position <= position))
    }

    /// Takes the segments out that are wholly before this position, or all of them; not the `active` one.
    pub(crate) fn take_passed(
        &mut self,
        position: Option<Position>,
        active: Option<Position>,
    ) -> Vec<Position> {
        self.take_oldest_while(|_, segment| {
            position.is_none_or(|position| segment.end.position <= position) && active != Some(segment.name)
        })
    }

    /// Takes the oldest segments out until `bytes` more fit into `max_bytes`, but none that is needed from `kept` on,
    /// and not the `active` one.
    pub(crate) fn take_excess(
        &mut self,
        bytes: u64,
        max_bytes: u64,
        kept: Option<Position>,
        active: Position,
    ) -> Vec<Position> {
        self.take_oldest_while(|left, segment| {
            let is_free = kept.is_none_or(|kept| segment.end.position <= kept) && segment.name != active;
            left + bytes > max_bytes && is_free
        })
    }

    /// Takes the segments out of which everything was appended before `limit`, but none that is needed from `kept` on.
    pub(crate) fn take_expired(&mut self, limit: Timestamp, kept: Option<Position>) -> Vec<Position> {
        self.take_oldest_while(|_, segment| {
            segment.newest < limit && kept.is_none_or(|kept| segment.end.position <= kept)
        })
    }

    /// Takes the oldest segment out as long as `is_free` says so, which gets the bytes that are left and the segment.
    fn take_oldest_while(&mut self, is_free: impl Fn(u64, &Segment) -> bool) -> Vec<Position> {
        let mut taken = Vec::new();
        while let Some(oldest) = self.list.front().filter(|oldest| is_free(self.bytes, &oldest.segment)) {
            self.bytes -= oldest.segment.bytes;
            taken.push(oldest.segment.name);
            self.list.pop_front();
        }
        taken
    }
}
