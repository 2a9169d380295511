//! `qlik.engine.health`: one message per value.

use std::fmt::Write;

use senseops_core::{Event, Value};
use senseops_qlik::kinds::{Field, engine_health as health};

use super::{Message, topic};
use crate::derive;
use crate::naming::Generation;
use crate::naming::Generation::{Nine, Two};

/// One topic.
struct Row {
    /// What follows the server in the topic.
    tail: &'static str,
    of: Field,
    since: Generation,
}

/// In the order in which they are published.
const ROWS: &[Row] = &[
    row("version", health::VERSION, Two),
    row("started", health::STARTED, Two),
    // The typo is what subscribers ask for.
    row("mem/comitted", health::COMMITTED_MB, Two),
    row("mem/allocated", health::ALLOCATED_MB, Two),
    row("mem/free", health::FREE_MB, Two),
    row("cpu/total", health::TOTAL_PCT, Two),
    row("session/active", health::ACTIVE_SESSIONS, Two),
    row("session/total", health::TOTAL_SESSIONS, Two),
    row("apps/active_docs", health::ACTIVE_DOCS.ids, Two),
    row("apps/loaded_docs", health::LOADED_DOCS.ids, Two),
    row("apps/in_memory_docs", health::IN_MEMORY_DOCS.ids, Two),
    row("apps/calls", health::CALLS, Two),
    row("apps/selections", health::SELECTIONS, Two),
    row("users/active", health::ACTIVE_USERS, Two),
    row("users/total", health::TOTAL_USERS, Two),
    row("cache/hits", health::HITS, Two),
    row("cache/lookups", health::LOOKUPS, Two),
    row("cache/added", health::ADDED, Two),
    row("cache/replaced", health::REPLACED, Two),
    row("cache/bytes_added", health::BYTES_ADDED, Two),
    row("saturated", health::SATURATED, Nine),
];

const fn row(tail: &'static str, of: Field, since: Generation) -> Row {
    Row { tail, of, since }
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
        if let Some(payload) = row.of.of(event.fields()).and_then(text) {
            say(row.tail, payload);
        }
    }
    if let Some(ratio) = hit_ratio(event) {
        say("cache/hit_ratio", ratio);
    }
}

/// In whole percent; none as long as nobody has looked anything up.
fn hit_ratio(event: &Event) -> Option<String> {
    let of = |field: Field| field.of(event.fields()).and_then(Value::as_f64);
    let lookups = of(health::LOOKUPS).filter(|lookups| *lookups > 0.0)?;
    number((of(health::HITS)? / lookups * 100.0).floor())
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
