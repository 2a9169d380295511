//! Which events InfluxDB refused, as far as its words tell. Pure.
//!
//! InfluxDB 1.x writes what it can of a request and answers 400 when something is left over. Three of its answers
//! tell exactly what:
//!
//! * `unable to parse 'LINE': REASON`, once per line that it could not read; all other lines are written.
//! * anything with `dropped=N`, when that is every line.
//! * `input field "F" on measurement "M" is type T, already exists as type U dropped=N`, when N lines have that field
//!   with that type and no other can be meant.
//!
//! For all else the engine offers halves, until the points that are refused stand alone.

use std::collections::{BTreeMap, HashMap};

use senseops_core::{Batch, Rejection, WriteError};
use senseops_dialect::{FieldValue, InfluxDialect, Point};
use senseops_net::excerpt;
use thiserror::Error;

use crate::lines::Lines;

/// The shards of InfluxDB begin and end with an hour, whatever the retention policy.
const HOUR_NANOS: i64 = 3_600_000_000_000;

/// InfluxDB refused points.
#[derive(Debug, Error)]
#[error("InfluxDB refused points: {0}")]
struct Refused(String);

/// What was sent.
#[derive(Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) lines: &'a Lines,
    pub(crate) dialect: InfluxDialect,
}

/// A field that already exists with another type.
#[derive(Debug, PartialEq, Eq)]
struct Conflict<'a> {
    field: &'a str,
    measurement: &'a str,
    is: &'a str,
}

/// What became of the batch, by the error that came with status 400.
pub(crate) fn verdict(error: &str, sent: Sent<'_>) -> WriteError {
    if error.contains(UNPARSED) {
        return match unparsed(error, sent.lines) {
            Some(reasons) => WriteError::Partial { retry: Vec::new(), refused: rejections(reasons) },
            None => WriteError::Split(Box::new(Refused(reason(error.rsplit("': ").next().unwrap_or(error))))),
        };
    }
    let refused = |events: &mut dyn Iterator<Item = usize>| {
        rejections(events.map(|event| (event, reason(error))).collect())
    };
    let dropped = error.rsplit_once("dropped=").and_then(|(_, count)| count.trim().parse::<usize>().ok());
    if dropped == Some(sent.lines.len()) {
        return WriteError::Partial { retry: Vec::new(), refused: refused(&mut sent.lines.events()) };
    }
    if let Some(conflict) = Conflict::parse(error)
        && let Some(events) = conflict.events(sent, dropped)
    {
        let refused = refused(&mut events.iter().copied());
        // Of several faults the answer names one. Writing the rest again brings the next to light.
        let retry = (0..sent.batch.len()).filter(|event| events.binary_search(event).is_err()).collect();
        return WriteError::Partial { retry, refused };
    }
    WriteError::Split(Box::new(Refused(reason(error))))
}

/// What became of the batch when the error that came with status 400 is cut, too long or not in the usual form. Halves
/// have shorter answers.
pub(crate) fn unreadable() -> WriteError {
    WriteError::Split(Box::new(Refused("the answer does not tell which".into())))
}

const UNPARSED: &str = "unable to parse '";

/// The events whose lines could not be read, with the reasons; `None` when a named line is not ours.
fn unparsed(error: &str, lines: &Lines) -> Option<BTreeMap<usize, String>> {
    let mut events: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (line, event) in lines.iter() {
        events.entry(line).or_default().push(event);
    }
    let mut reasons = BTreeMap::new();
    let mut rest = error;
    while let Some((_, named)) = rest.split_once(UNPARSED) {
        // The line itself may contain what ends it.
        let mut ends = named.match_indices("': ").map(|(end, separator)| (end, end + separator.len()));
        let (found, after) = ends.find_map(|(end, after)| {
            Some((events.get(named.get(..end)?.as_bytes())?, named.get(after..)?))
        })?;
        let words = after.lines().next().unwrap_or(after);
        reasons.extend(found.iter().map(|event| (*event, reason(words))));
        rest = after;
    }
    Some(reasons)
}

fn rejections(reasons: BTreeMap<usize, String>) -> Vec<Rejection> {
    reasons.into_iter().map(|(index, reason)| Rejection { index, reason }).collect()
}

/// The words that are about the point, not about how many there were.
fn reason(words: &str) -> String {
    let words = words.trim_start_matches("partial write: ");
    excerpt(words.rsplit_once(" dropped=").map_or(words, |(words, _)| words).as_bytes())
}

impl<'a> Conflict<'a> {
    fn parse(error: &'a str) -> Option<Self> {
        let (_, rest) = error.split_once("input field \"")?;
        let (field, rest) = rest.split_once("\" on measurement \"")?;
        let (measurement, rest) = rest.split_once("\" is type ")?;
        let (is, _) = rest.split_once(", already exists as type ")?;
        Some(Self { field, measurement, is })
    }

    /// Ascending positions of the events with a point that has the conflict, if these are exactly the dropped points.
    ///
    /// Types belong to a shard, and only one of several shards is heard; within one hour there is only one.
    fn events(&self, sent: Sent<'_>, dropped: Option<usize>) -> Option<Vec<usize>> {
        let mut hours = sent.batch.iter().map(|event| event.time.as_nanos().div_euclid(HOUR_NANOS));
        let hour = hours.next()?;
        if hours.any(|other| other != hour) {
            return None;
        }
        let (mut events, mut points) = (Vec::new(), 0);
        let mut point = Point::default();
        for (index, event) in sent.batch.iter().enumerate() {
            let before = points;
            sent.dialect.points(event, &mut point, |point| points += usize::from(self.concerns(point)));
            if points > before {
                events.push(index);
            }
        }
        (points > 0 && dropped == Some(points)).then_some(events)
    }

    fn concerns(&self, point: &Point<'_>) -> bool {
        point.measurement() == self.measurement
            && point.fields().iter().any(|(name, value)| name == self.field && type_name(value) == self.is)
    }
}

/// What InfluxDB calls the type.
fn type_name(value: &FieldValue<'_>) -> &'static str {
    match value {
        FieldValue::Bool(_) => "boolean",
        FieldValue::Int(_) => "integer",
        FieldValue::Float(_) => "float",
        FieldValue::Text(_) => "string",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use senseops_core::{Body, Event, Fields, Kind, LabelSet, Timestamp, Value};

    use super::*;

    /// 2026-01-01T00:00:00Z.
    const MIDNIGHT: i64 = 1_767_225_600_000_000_000;

    /// A measurement `m` with one field, so many seconds after midnight.
    fn event(seconds: i64, name: &'static str, value: impl Into<Value>) -> Event {
        let labels = Arc::new(LabelSet::from_iter([("host", "sense1")]));
        Event::new(Kind::new("m"), &labels, Body::Measurement(Fields::default().with(name, value)))
            .at(Timestamp::from_nanos(MIDNIGHT + seconds * 1_000_000_000))
    }

    /// An event that becomes two points, `sense_server` and `saturated`.
    fn health(seconds: i64) -> Event {
        Event { kind: Kind::new("qlik.engine.health"), ..event(seconds, "saturated", false) }
    }

    fn ruled(error: &str, events: Vec<Event>) -> String {
        let batch = Batch::from(events);
        let lines = Lines::of(&batch, InfluxDialect::default(), 0);
        let sent = Sent { batch: &batch, lines: &lines, dialect: InfluxDialect::default() };
        match verdict(error, sent) {
            WriteError::Partial { retry, refused } => format!("retry {retry:?} refused {refused:?}"),
            other @ (WriteError::Unavailable { .. } | WriteError::Denied(_) | WriteError::Split(_)) => {
                senseops_core::chain(&other).to_string()
            }
        }
    }

    #[test]
    fn lines_that_are_named_are_refused_and_no_others() {
        let events = || {
            vec![event(0, "a", 1), health(1), event(2, "text", "two\nlines': not the end"), event(3, "a", 1)]
        };
        let unparsed = "partial write: unable to parse 'saturated,host=sense1 saturated=false 1767225601000000000': \
                        invalid boolean\nunable to parse 'm,host=sense1 text=\"two\nlines': not the end\" \
                        1767225602000000000': max key length exceeded: 70000 > 65535 dropped=0";
        insta::assert_snapshot!(ruled(unparsed, events()), @r#"retry [] refused [Rejection { index: 1, reason: "invalid boolean" }, Rejection { index: 2, reason: "max key length exceeded: 70000 > 65535" }]"#);
    }

    #[test]
    fn a_named_line_that_is_not_ours_names_nobody() {
        let unparsed = "unable to parse 'm,host=sense2 a=1i': invalid boolean";
        insta::assert_snapshot!(ruled(unparsed, vec![event(0, "a", 1)]), @"batch refused as a whole: InfluxDB refused points: invalid boolean");
    }

    #[test]
    fn when_all_points_are_dropped_all_events_are_refused() {
        let old = "partial write: points beyond retention policy dropped=3";
        insta::assert_snapshot!(ruled(old, vec![health(0), event(1, "a", 1)]), @r#"retry [] refused [Rejection { index: 0, reason: "points beyond retention policy" }, Rejection { index: 1, reason: "points beyond retention policy" }]"#);
        insta::assert_snapshot!(ruled(old, vec![health(0), event(1, "a", 1), event(2, "a", 2)]), @"batch refused as a whole: InfluxDB refused points: points beyond retention policy");
    }

    const CONFLICT: &str = "partial write: field type conflict: input field \"a\" on measurement \"m\" is type integer, \
                            already exists as type float dropped=2";

    #[test]
    fn points_with_a_type_in_conflict_are_refused_and_the_others_come_again() {
        let mixed = vec![event(0, "a", 1), event(1, "a", 1.5), event(2, "a", 2), event(3, "b", 1)];
        insta::assert_snapshot!(ruled(CONFLICT, mixed), @r#"retry [1, 3] refused [Rejection { index: 0, reason: "field type conflict: input field \"a\" on measurement \"m\" is type integer, already exists as type float" }, Rejection { index: 2, reason: "field type conflict: input field \"a\" on measurement \"m\" is type integer, already exists as type float" }]"#);
    }

    #[test]
    fn a_conflict_that_does_not_account_for_every_dropped_point_names_nobody() {
        let more = vec![event(0, "a", 1), event(1, "a", 2), event(2, "a", 3), event(3, "b", 1)];
        insta::assert_snapshot!(ruled(CONFLICT, more), @r#"batch refused as a whole: InfluxDB refused points: field type conflict: input field "a" on measurement "m" is type integer, already exists as type float"#);
        let in_two_shards = vec![event(0, "a", 1), event(1, "a", 2), event(3600, "b", 1)];
        insta::assert_snapshot!(ruled(CONFLICT, in_two_shards), @r#"batch refused as a whole: InfluxDB refused points: field type conflict: input field "a" on measurement "m" is type integer, already exists as type float"#);
    }

    #[test]
    fn words_that_are_not_known_split_the_batch() {
        insta::assert_snapshot!(ruled("timeout", vec![event(0, "a", 1)]), @"batch refused as a whole: InfluxDB refused points: timeout");
    }
}
