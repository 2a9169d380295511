//! Tables for people: columns as wide as what is in them.

use std::io::{self, Write};

/// Writes rows below a header. Columns whose header begins with `>` are aligned to the right, for numbers.
pub(super) fn write<const N: usize>(
    out: &mut impl Write,
    header: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let titles = header.map(|title| title.trim_start_matches('>').to_owned());
    let mut widths = [0; N];
    for row in std::iter::once(&titles).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&titles).chain(rows) {
        let mut line = String::new();
        for ((cell, width), title) in row.iter().zip(widths).zip(header) {
            let space = " ".repeat(width.saturating_sub(cell.chars().count()));
            let parts = if title.starts_with('>') { [&space, cell] } else { [cell, &space] };
            line.extend(parts.map(String::as_str));
            line.push_str("  ");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A text from outside, which must not control the terminal.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A size to look at, in the largest unit that fits.
#[expect(clippy::cast_precision_loss, reason = "a size to look at")]
pub(super) fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        ..1024.0 => format!("{bytes} B"),
        ..1_048_576.0 => format!("{:.1} KiB", bytes / 1024.0),
        ..1_073_741_824.0 => format!("{:.1} MiB", bytes / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes / 1_073_741_824.0),
    }
}

/// A length of time to look at, in the largest unit that fits.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        ..1.0 => format!("{:.0} ms", seconds * 1000.0),
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        _ => format!("{:.0} d", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut out = Vec::new();
        let rows = [["influx.main", "7", "ok"], ["mqtt.x", "12345", ""]].map(|row| row.map(str::to_owned));
        write(&mut out, ["sink", ">waiting", "state"], &rows).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
        sink         waiting  state
        influx.main        7  ok
        mqtt.x         12345
        ");
    }

    #[test]
    fn sizes_are_short() {
        let sizes = [0, 1023, 1536, 5 << 20, 1 << 30].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.5 KiB", "5.0 MiB", "1.0 GiB"]);
    }

    #[test]
    fn spans_are_short() {
        let spans = [0.0, 0.25, 59.6, 600.0, 7200.0, 1e6].map(span);
        assert_eq!(spans, ["0 ms", "250 ms", "60 s", "10 min", "2 h", "12 d"]);
    }
}
