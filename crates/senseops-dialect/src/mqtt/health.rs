//! `qlik.engine.health`: one message per value.

use std::fmt::Write;

use senseops_core::{Event, Fields, Kind, Value};

use super::{Message, topic};
use crate::derive;
use crate::naming::Generation;
use crate::naming::Generation::{Nine, Two};

pub(super) const KIND: Kind = Kind::new("qlik.engine.health");

/// One topic.
struct Row {
    /// What follows the server in the topic.
    tail: &'static str,
    /// The map that the value is in; empty for the fields of the event themselves.
    group: &'static str,
    field: &'static str,
    since: Generation,
}

/// In the order in which they are published.
const ROWS: &[Row] = &[
    row("version", "", "version", Two),
    row("started", "", "started", Two),
    // The typo is what subscribers ask for.
    row("mem/comitted", "mem", "committed_mb", Two),
    row("mem/allocated", "mem", "allocated_mb", Two),
    row("mem/free", "mem", "free_mb", Two),
    row("cpu/total", "cpu", "total_pct", Two),
    row("session/active", "session", "active", Two),
    row("session/total", "session", "total", Two),
    row("apps/active_docs", "apps", "active_docs", Two),
    row("apps/loaded_docs", "apps", "loaded_docs", Two),
    row("apps/in_memory_docs", "apps", "in_memory_docs", Two),
    row("apps/calls", "apps", "calls", Two),
    row("apps/selections", "apps", "selections", Two),
    row("users/active", "users", "active", Two),
    row("users/total", "users", "total", Two),
    row("cache/hits", "cache", "hits", Two),
    row("cache/lookups", "cache", "lookups", Two),
    row("cache/added", "cache", "added", Two),
    row("cache/replaced", "cache", "replaced", Two),
    row("cache/bytes_added", "cache", "bytes_added", Two),
    row("saturated", "", "saturated", Nine),
];

const fn row(tail: &'static str, group: &'static str, field: &'static str, since: Generation) -> Row {
    Row { tail, group, field, since }
}

/// Hands each value of the event to `publish`; what the engine did not send has no message. `server` is the topic of
/// the server.
pub(super) fn messages(
    event: &Event,
    generation: Generation,
    server: &str,
    publish: &mut impl FnMut(Message),
) {
    let mut say = |tail: &str, payload: String| {
        let topic = topic::cut([server, tail].join("/"));
        publish(Message { topic, payload: payload.into_bytes().into() });
    };
    for row in ROWS.iter().filter(|row| row.since <= generation) {
        let value = group(event, row.group).and_then(|fields| fields.get(row.field));
        if let Some(payload) = value.and_then(text) {
            say(row.tail, payload);
        }
    }
    if let Some(ratio) = group(event, "cache").and_then(hit_ratio) {
        say("cache/hit_ratio", ratio);
    }
}

fn group<'e>(event: &'e Event, name: &str) -> Option<&'e Fields> {
    if name.is_empty() {
        return Some(event.fields());
    }
    if let Value::Map(fields) = event.fields().get(name)? { Some(fields) } else { None }
}

/// In whole percent; none as long as nobody has looked anything up.
fn hit_ratio(cache: &Fields) -> Option<String> {
    let lookups = cache.get("lookups")?.as_f64().filter(|lookups| *lookups > 0.0)?;
    number((cache.get("hits")?.as_f64()? / lookups * 100.0).floor())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        Value::Float(value) => number(*value),
        Value::Text(text) => Some(text.to_string()),
        Value::List(ids) => Some(derive::joined_ids(ids)),
        Value::Map(_) | _ => None,
    }
}

/// A number as JavaScript shows it: with an exponent where it would get long.
fn number(number: f64) -> Option<String> {
    let magnitude = number.abs();
    let mut text = String::new();
    let written = match magnitude {
        _ if !number.is_finite() => return None,
        0.0 => write!(text, "0"),
        1e21.. => write!(text, "{number:e}").map(|()| text = text.replace('e', "e+")),
        _ if magnitude < 1e-6 => write!(text, "{number:e}"),
        _ => write!(text, "{number}"),
    };
    written.ok().map(|()| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_javascript() {
        let shown: Vec<_> =
            [7.0, 412.539_062_5, -0.0, 0.1, 1e20, 1.5e21, -1e22, 1e-6, 1.5e-7, f64::NAN, f64::INFINITY]
                .map(|value| number(value).unwrap_or_default())
                .to_vec();
        assert_eq!(
            shown,
            [
                "7",
                "412.5390625",
                "0",
                "0.1",
                "100000000000000000000",
                "1.5e+21",
                "-1e+22",
                "0.000001",
                "1.5e-7",
                "",
                ""
            ]
        );
    }
}
