//! The file of the cursors: where each reader is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::files::FileSystem;
use crate::position::{Mark, Position};

pub(crate) const NAME: &str = "cursors";
/// Before the version, in the first line.
const TITLE: &str = "senseops journal cursors ";
const VERSION: u32 = 1;

/// What the file was found to hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Cursors(BTreeMap<String, Mark>),
    /// The file is of this version, which is not known here.
    Newer(u32),
    Damaged,
    /// There is no file.
    Missing,
}

/// Reads the file.
pub(crate) fn load(directory: &Path) -> io::Result<Stored> {
    match fs::read(directory.join(NAME)) {
        Ok(bytes) => Ok(parse(&bytes).unwrap_or(Stored::Damaged)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Stored::Missing),
        Err(error) => Err(error),
    }
}

/// Replaces the file as a whole: after a crash it is the old one or the new one.
pub(crate) fn store(
    files: &FileSystem,
    directory: &Path,
    cursors: &BTreeMap<String, Mark>,
) -> io::Result<()> {
    let fresh = directory.join("cursors.new");
    let mut file = files.create(&fresh)?;
    file.write_all(render(cursors).as_bytes())?;
    file.sync()?;
    files.rename(&fresh, &directory.join(NAME))?;
    files.sync_directory(directory)
}

fn render(cursors: &BTreeMap<String, Mark>) -> String {
    let mut text = format!("{TITLE}{VERSION}\n");
    for (name, mark) in cursors {
        let name = name.replace(['\n', '\r'], " ");
        // Writing to a string cannot fail.
        writeln!(text, "{} {} {name}", mark.position, mark.events).unwrap_or_default();
    }
    let crc = crc32c::crc32c(text.as_bytes());
    writeln!(text, "crc32c {crc:08x}").unwrap_or_default();
    text
}

fn parse(bytes: &[u8]) -> Option<Stored> {
    let text = str::from_utf8(bytes).ok()?;
    let at = text.strip_suffix('\n')?.rfind('\n')? + 1;
    let (body, last) = text.split_at_checked(at)?;
    let crc = u32::from_str_radix(last.strip_prefix("crc32c ")?.trim_end(), 16).ok()?;
    if crc != crc32c::crc32c(body.as_bytes()) {
        return None;
    }
    let mut lines = body.lines();
    match lines.next()?.strip_prefix(TITLE)?.parse().ok()? {
        VERSION => lines.map(cursor).collect::<Option<_>>().map(Stored::Cursors),
        newer => Some(Stored::Newer(newer)),
    }
}

fn cursor(line: &str) -> Option<(String, Mark)> {
    let mut parts = line.splitn(3, ' ');
    let position = Position(parts.next()?.parse().ok()?);
    let events = parts.next()?.parse().ok()?;
    Some((parts.next()?.to_owned(), Mark { position, events }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursors() -> BTreeMap<String, Mark> {
        let mark = |position, events| Mark { position: Position(position), events };
        BTreeMap::from([("influx.main".to_owned(), mark(12, 3456)), ("a name".to_owned(), mark(0, 0))])
    }

    #[test]
    fn cursors_are_found_as_they_were_stored() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(load(directory.path()).unwrap(), Stored::Missing);
        for cursors in [BTreeMap::new(), cursors()] {
            store(&FileSystem::Machine, directory.path(), &cursors).unwrap();
            assert_eq!(load(directory.path()).unwrap(), Stored::Cursors(cursors));
        }
    }

    #[test]
    fn a_line_break_cannot_make_a_second_cursor_of_a_name() {
        let text = render(&BTreeMap::from([("a\n7 7 b".to_owned(), Mark::default())]));
        let one = Stored::Cursors(BTreeMap::from([("a 7 7 b".to_owned(), Mark::default())]));
        assert_eq!(parse(text.as_bytes()), Some(one));
    }

    #[test]
    fn a_file_of_a_newer_program_is_told_apart_from_damage() {
        let body = "senseops journal cursors 2\nsomething new\n";
        let text = format!("{body}crc32c {:08x}\n", crc32c::crc32c(body.as_bytes()));
        assert_eq!(parse(text.as_bytes()), Some(Stored::Newer(2)));
    }

    #[test]
    fn any_damaged_byte_is_seen() {
        let text = render(&cursors()).into_bytes();
        for at in 0..text.len() {
            let mut damaged = text.clone();
            damaged[at] ^= 4;
            assert_eq!(parse(&damaged), None, "byte {at}");
            assert_eq!(parse(&text[..at]), None, "cut to {at}");
        }
    }
}
