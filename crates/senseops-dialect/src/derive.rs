//! Texts that are computed from what a server says, as Butler SOS does it.

use std::fmt::{self, Display, Write};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use senseops_core::{Timestamp, Value};

/// The prefix of ids of apps that exist for one session only.
const SESSION_APP: &str = "SessionApp";

/// The name of an app that is not known.
pub(crate) const UNKNOWN_APP: &str = "<unknown app name>";

/// How long an engine has been running, `1040 days, 6h 27m 30s`; empty if `started` is not a time.
pub(crate) fn uptime(started: &str, now: Timestamp) -> String {
    let Some(started) = start(started) else { return String::new() };
    let seconds = now.since(started).as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    format!("{days} days, {}h {:02}m {:02}s", hours % 24, minutes % 60, seconds % 60)
}

/// The time that an engine says in UTC: `20240115T083000.000Z`. As in the original, numbers are recognised by their
/// places, and what follows the seconds does not matter.
fn start(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse::<i16>().ok())
    };
    let small = |from| number(from, from + 2).and_then(|number| i8::try_from(number).ok());
    let (year, month, day) = (number(0, 4)?, small(4)?, small(6)?);
    let time = DateTime::new(year, month, day, small(9)?, small(11)?, small(13)?, 0).ok()?;
    let nanos = TimeZone::UTC.to_timestamp(time).ok()?.as_nanosecond();
    i64::try_from(nanos).ok().map(Timestamp::from_nanos)
}

/// The values with commas between.
pub(crate) fn joined(values: impl IntoIterator<Item: Display>) -> String {
    let mut text = String::new();
    for (index, value) in values.into_iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(text, "{comma}{value}").unwrap_or_default(); // a `String` takes everything
    }
    text
}

/// The texts of a list, in its order, with commas between.
pub(crate) fn joined_ids(ids: &[Value]) -> String {
    joined(ids.iter().filter_map(Value::as_str))
}

/// The names of the apps with these ids, sorted and with commas between: of session apps, or of all others. `quoted`
/// puts each name between quotes; those inside a name stay as they are, as ever.
pub(crate) fn joined_names(ids: &[Value], names: &[Value], session_apps: bool, quoted: bool) -> String {
    let mut wanted: Vec<&str> = ids
        .iter()
        .zip(names)
        .filter_map(|(id, name)| Some((id.as_str()?, name.as_str()?)))
        .filter(|(id, _)| id.starts_with(SESSION_APP) == session_apps)
        .map(|(id, name)| if session_apps { id } else { name })
        .collect();
    // The order of JavaScript, which compares UTF-16; the quotes come after the order.
    wanted.sort_unstable_by(|one, other| one.encode_utf16().cmp(other.encode_utf16()));
    let quote = if quoted { "\"" } else { "" };
    joined(wanted.into_iter().map(|name| fmt::from_fn(move |f| write!(f, "{quote}{name}{quote}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn texts(texts: &[&str]) -> Vec<Value> {
        texts.iter().map(|text| Value::from(*text)).collect()
    }

    #[test]
    fn uptime_is_days_and_a_clock_in_utc() {
        let now = at("2026-11-20T14:57:30Z");
        assert_eq!(uptime("20240115T083000.000Z", now), "1040 days, 6h 27m 30s");
        assert_eq!(uptime("20261120T145729.999Z", now), "0 days, 0h 00m 01s");
        assert_eq!(uptime("20261120T050203.500Z", now), "0 days, 9h 55m 27s");
    }

    #[test]
    fn a_start_is_known_by_its_first_fifteen_characters() {
        let now = at("2026-11-20T14:57:30Z");
        for started in ["20261120T145720", "20261120T145720Z", "20261120 145720.5+02:00", "20261120T145720é"]
        {
            assert_eq!(uptime(started, now), "0 days, 0h 00m 10s", "{started}");
        }
    }

    #[test]
    fn an_engine_that_started_in_the_future_runs_since_now() {
        assert_eq!(uptime("20261120T145800.000Z", at("2026-11-20T14:57:30Z")), "0 days, 0h 00m 00s");
    }

    #[test]
    fn a_start_that_is_not_a_time_gives_no_uptime() {
        for started in [
            "not-a-date",
            "",
            "99990115T083000.000Z",
            "20241315T083000.000Z",
            "20240115T0830",
            "2024-01-15T08:30:00.000Z",
            "2024011éT083000.000Z",
            "+02401150083000.000Z",
        ] {
            assert_eq!(uptime(started, at("2026-11-20T14:57:30Z")), "", "{started}");
        }
    }

    #[test]
    fn names_are_sorted_as_javascript_sorts() {
        // U+FF5E sorts after the surrogates of an emoji, although its code point is lower.
        let names = texts(&["b", "\u{ff5e}", "Z", "\u{1f600}", "a"]);
        assert_eq!(joined_names(&names, &names, false, false), "Z,a,b,\u{1f600},\u{ff5e}");
    }

    #[test]
    fn a_name_that_begins_another_comes_first_with_and_without_quotes() {
        let names = texts(&["Sales!", "Sales pipeline", "Sales"]);
        assert_eq!(joined_names(&names, &names, false, false), "Sales,Sales pipeline,Sales!");
        assert_eq!(joined_names(&names, &names, false, true), "\"Sales\",\"Sales pipeline\",\"Sales!\"");
    }

    #[test]
    fn session_apps_are_listed_by_id_and_apart() {
        let (ids, names) = (texts(&["1", "SessionApp_9", "2"]), texts(&["HR \"core\"", "never shown", "A"]));
        assert_eq!(joined_names(&ids, &names, false, true), "\"A\",\"HR \"core\"\"");
        assert_eq!(joined_names(&ids, &names, true, true), "\"SessionApp_9\"");
        assert_eq!(joined_names(&ids, &names, true, false), "SessionApp_9");
    }
}
