//! Points as lines of the InfluxDB line protocol.
//!
//! The protocol cannot say everything that a point can hold. What it cannot say is left out or replaced, here and
//! nowhere else, so that one strange value does not cost a point, and one strange point does not cost a request:
//!
//! | in the point | in the line |
//! |---|---|
//! | NaN, infinity | no field |
//! | a point without a field | no line |
//! | a control character in a name or tag | a blank |
//! | backslashes at the end of a tag | left out, since they would escape the separator |
//! | a backslash in a name | `_`, since servers disagree on what it escapes |
//! | `#` at the begin of a measurement | `_`, since the line would be a comment |
//! | `time` as the name of a tag or field | `time_`, since the server drops it |
//! | a time outside of what InfluxDB can store | the nearest it can |

use std::fmt::Display;
use std::io::Write;

use senseops_dialect::{FieldValue, Point};

/// The first and last time that InfluxDB can store; the integers beyond mean something else to it.
const TIMES: (i64, i64) = (i64::MIN + 2, i64::MAX - 1);

/// Bytes that cannot stand as they are, by their value.
type Special = [bool; 256];

/// Those outside of quotes, where tags keep their backslashes.
static IN_MEASUREMENTS: Special = special(b"\\,", true);
static IN_KEYS: Special = special(b"\\,=", true);
static IN_TAGS: Special = special(b",=", true);
static IN_QUOTES: Special = special(b"\"\\", false);

/// Appends the point as a line with a line feed at its end, time in nanoseconds. The answer is how many of its bytes name
/// the series: measurement and tags. Without a field or measurement that can be written there is no line.
pub fn encode(point: &Point<'_>, lines: &mut Vec<u8>) -> Option<usize> {
    let start = lines.len();
    let mut series = 0;
    let written = measurement(point.measurement(), lines) && {
        for (name, text) in point.tags() {
            tag(name, text, lines);
        }
        series = lines.len() - start;
        fields(point, lines)
    };
    if written {
        lines.push(b' ');
        display(point.time().as_nanos().clamp(TIMES.0, TIMES.1), lines);
        lines.push(b'\n');
    } else {
        lines.truncate(start);
    }
    written.then_some(series)
}

fn measurement(name: &str, line: &mut Vec<u8>) -> bool {
    let name = name.strip_prefix('#').map_or(name, |rest| {
        line.push(b'_');
        rest
    });
    bare(name, &IN_MEASUREMENTS, line);
    !name.is_empty()
}

fn tag(name: &str, text: &str, line: &mut Vec<u8>) {
    let text = text.trim_end_matches('\\');
    if name.is_empty() || text.is_empty() {
        return;
    }
    line.push(b',');
    key(name, line);
    line.push(b'=');
    bare(text, &IN_TAGS, line);
}

/// Whether there is at least one.
fn fields(point: &Point<'_>, line: &mut Vec<u8>) -> bool {
    let mut separator = b' ';
    for (name, value) in point.fields() {
        if name.is_empty() || matches!(value, FieldValue::Float(number) if !number.is_finite()) {
            continue;
        }
        line.push(separator);
        key(name, line);
        line.push(b'=');
        match value {
            FieldValue::Bool(value) => line.extend_from_slice(if *value { b"true" } else { b"false" }),
            FieldValue::Int(number) => {
                display(number, line);
                line.push(b'i');
            }
            // Small and large numbers with an exponent, not with hundreds of zeros.
            FieldValue::Float(number) => display(format_args!("{number:?}"), line),
            FieldValue::Text(text) => quoted(text, line),
        }
        separator = b',';
    }
    separator == b','
}

fn key(name: &str, line: &mut Vec<u8>) {
    bare(name, &IN_KEYS, line);
    if name == "time" {
        line.push(b'_');
    }
}

fn bare(text: &str, specials: &Special, line: &mut Vec<u8>) {
    escape(text, specials, line, |special, line| match special {
        b'\\' => line.push(b'_'),
        b',' | b'=' => line.extend_from_slice(&[b'\\', special]),
        _blank_or_control => line.extend_from_slice(b"\\ "),
    });
}

fn quoted(text: &str, line: &mut Vec<u8>) {
    line.push(b'"');
    escape(text, &IN_QUOTES, line, |special, line| line.extend_from_slice(&[b'\\', special]));
    line.push(b'"');
}

/// Copies the text, but lets `replace` write what is special.
fn escape(text: &str, specials: &Special, line: &mut Vec<u8>, replace: impl Fn(u8, &mut Vec<u8>)) {
    let is_special = |byte: &u8| specials.get(usize::from(*byte)).is_some_and(|special| *special);
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(is_special) {
        let (plain, special) = rest.split_at(at);
        line.extend_from_slice(plain);
        let Some((special, after)) = special.split_first() else { break };
        replace(*special, line);
        rest = after;
    }
    line.extend_from_slice(rest);
}

fn display(value: impl Display, line: &mut Vec<u8>) {
    write!(line, "{value}").unwrap_or_default(); // a `Vec` takes everything
}

/// A table of these bytes, and of blanks and control characters if wanted.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const fn special(bytes: &[u8], blank: bool) -> Special {
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    let mut byte = 0;
    while blank && byte <= 0x7f {
        table[byte] |= byte <= 0x20 || byte == 0x7f;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use senseops_core::Timestamp;

    use super::*;

    fn line(
        measurement: &'static str,
        tags: &[(&'static str, &'static str)],
        fields: &[(&'static str, FieldValue<'static>)],
    ) -> String {
        let mut point = Point::default();
        point.start(Timestamp::from_nanos(1_700_000_000_000_000_001));
        for (name, text) in tags {
            point.tag(*name, *text);
        }
        point.measure(measurement);
        for (name, value) in fields {
            point.field(*name, value.clone());
        }
        let mut lines = b"before\n".to_vec();
        let written = encode(&point, &mut lines);
        let lines = String::from_utf8(lines).unwrap();
        let line = lines.strip_prefix("before\n").unwrap();
        assert_eq!(written.is_some(), !line.is_empty());
        line.to_owned()
    }

    fn number(value: f64) -> [(&'static str, FieldValue<'static>); 1] {
        [("f", FieldValue::Float(value))]
    }

    #[test]
    fn every_type_has_its_form() {
        let fields = [
            ("whole", FieldValue::Int(i64::MIN)),
            ("float", FieldValue::Float(7.0)),
            ("tiny", FieldValue::Float(-1e-300)),
            ("up", FieldValue::Bool(true)),
            ("text", FieldValue::Text("C:\\temp \"x\",\nnext=1".into())),
            ("none", FieldValue::Text("".into())),
        ];
        insta::assert_snapshot!(line("mem", &[("host", "sense1"), ("user", "LAB\\bo berg")], &fields), @r#"
        mem,host=sense1,user=LAB\bo\ berg whole=-9223372036854775808i,float=7.0,tiny=-1e-300,up=true,text="C:\\temp \"x\",
        next=1",none="" 1700000000000000001
        "#);
    }

    #[test]
    fn separators_in_names_and_tags_are_escaped() {
        insta::assert_snapshot!(line("a,b c=d", &[("t,= 1", "v,= 1\\,2")], &[("f,= 1", FieldValue::Int(1))]), @r"a\,b\ c=d,t\,\=\ 1=v\,\=\ 1\\,2 f\,\=\ 1=1i 1700000000000000001");
    }

    #[test]
    fn what_the_protocol_cannot_say_is_replaced() {
        let fields = [("time", FieldValue::Int(1)), ("a\\b", FieldValue::Int(2))];
        insta::assert_snapshot!(line("#m\t1\\", &[("path", "C:\\"), ("slash", "\\\\"), ("time", "a\r\nb")], &fields), @r"_m\ 1_,path=C:,time_=a\ \ b time_=1i,a_b=2i 1700000000000000001");
    }

    #[test]
    fn what_cannot_be_written_costs_only_itself() {
        let fields =
            [("lost", FieldValue::Float(f64::NAN)), ("", FieldValue::Int(1)), ("f", FieldValue::Int(1))];
        insta::assert_snapshot!(line("m", &[("", "nameless")], &fields), @"m f=1i 1700000000000000001");
    }

    #[test]
    fn without_field_or_measurement_there_is_no_line() {
        assert_eq!(line("m", &[("a", "b")], &number(f64::INFINITY)), "");
        assert_eq!(line("m", &[], &[]), "");
        assert_eq!(line("", &[], &number(1.0)), "");
        assert_eq!(line("#", &[], &number(1.0)), "");
    }
}
