//! Finding out what the segments of a directory hold. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use senseops_core::{Timestamp, chain};
use tracing::warn;

use crate::disk::Segments;
use crate::frame::{self, HEADER_BYTES, Header};
use crate::position::{Mark, Position};
use crate::segment::{self, Progress, Scan, Segment};

/// How thoroughly to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// At the first frame of each segment, and at all of the newest one.
    Heads,
    /// At every frame.
    Everything,
}

/// What was found in all segments.
#[derive(Default)]
pub(crate) struct Recovered {
    pub segments: Segments,
    /// After the last chunk.
    pub end: Mark,
    /// Segments, and the offsets where damage begins.
    pub damage: Vec<(Position, u64)>,
    /// What crashes left half-written.
    pub torn: Vec<Torn>,
}

/// The torn end of the newest segment with anything in it, or a newer one with nothing.
pub(crate) struct Torn {
    pub path: PathBuf,
    pub bytes: u64,
    /// So much of it is sound.
    pub sound_bytes: u64,
}

/// Why nothing was found.
pub(crate) enum Failure {
    File { path: PathBuf, source: io::Error },
    NewerVersion { path: PathBuf, version: u32 },
}

/// What a segment was found to hold.
struct Survey {
    bytes: u64,
    first: Option<Header>,
    /// The last sound frame that was looked at.
    last: Option<Header>,
    /// Where in the file that ends.
    sound_bytes: u64,
    damage: Vec<u64>,
}

pub(crate) fn recover(directory: &Path, depth: Depth) -> Result<Recovered, Failure> {
    let mut names = names(directory).map_err(|source| Failure::File { path: directory.into(), source })?;
    names.sort_unstable();
    let mut found = Recovered::default();
    let mut newest_first = Vec::new();
    // The first frame of the segment behind, which is where the one before it ends.
    let mut behind: Option<Header> = None;
    for name in names.into_iter().rev() {
        let path = segment::path(directory, name);
        let is_whole = depth == Depth::Everything || behind.is_none();
        let survey = Survey::new(directory, name, is_whole);
        let (survey, version) = match survey.and_then(|survey| Ok((survey, foreign_version(&path)?))) {
            Ok(looked) => looked,
            // The owner of the directory has deleted it in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(Failure::File { path, source }),
        };
        if let Some(version) = version {
            return Err(Failure::NewerVersion { path, version });
        }
        let damage = survey.damage_before(behind.map(|behind| behind.at), is_whole);
        found.damage.extend(damage.map(|offset| (name, offset)));
        if behind.is_none() {
            found.end = survey.end();
            let Survey { bytes, sound_bytes, .. } = survey;
            let is_torn = sound_bytes < bytes || bytes == 0;
            found.torn.extend(is_torn.then_some(Torn { path, bytes, sound_bytes }));
        }
        newest_first.extend(survey.segment(name, behind));
        behind = survey.first.or(behind);
    }
    newest_first.into_iter().rev().for_each(|segment| found.segments.push(segment));
    Ok(found)
}

/// When the chunks were appended at which these marks are, of those that are there. A segment begins with a time, so only
/// one with a mark behind its beginning is read, up to the last of them.
pub(crate) fn times_at(
    directory: &Path,
    segments: &Segments,
    marks: &BTreeMap<String, Mark>,
) -> BTreeMap<Position, Timestamp> {
    let mut wanted: BTreeMap<Position, (Segment, BTreeSet<Position>)> = BTreeMap::new();
    for Mark { position, .. } in marks.values() {
        if let Some(segment) = segments.next_from(*position).filter(|one| one.first.position < *position) {
            wanted.entry(segment.name).or_insert((*segment, BTreeSet::new())).1.insert(*position);
        }
    }
    let mut times = BTreeMap::new();
    for (segment, positions) in wanted.values() {
        if let Err(error) = note_times(directory, segment, positions, &mut times) {
            let file = segment::path(directory, segment.name);
            warn!(file = %file.display(), error = %chain(&error), "how old what waits is cannot be read");
        }
    }
    times
}

fn note_times(
    directory: &Path,
    segment: &Segment,
    positions: &BTreeSet<Position>,
    times: &mut BTreeMap<Position, Timestamp>,
) -> io::Result<()> {
    let mut scan = Scan::open(directory, segment.name)?;
    let mut progress = Progress::More;
    while progress == Progress::More {
        progress = scan.advance(segment.bytes, |_offset, frame| {
            let Header { at, appended, .. } = frame.header;
            if positions.contains(&at.position) {
                times.insert(at.position, appended);
            }
            positions.last().is_some_and(|last| at.position < *last)
        })?;
    }
    Ok(())
}

fn names(directory: &Path) -> io::Result<Vec<Position>> {
    let entries = fs::read_dir(directory)?.map(|entry| Ok(segment::name(&entry?.path())));
    entries.filter_map(io::Result::transpose).collect()
}

fn foreign_version(path: &Path) -> io::Result<Option<u32>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEADER_BYTES as u64).read_to_end(&mut head)?;
    Ok(frame::foreign_version(&head))
}

impl Survey {
    /// Looks for the first sound frame, or at the `whole` segment.
    fn new(directory: &Path, name: Position, whole: bool) -> io::Result<Self> {
        let bytes = fs::metadata(segment::path(directory, name))?.len();
        let mut scan = if whole { Scan::open(directory, name) } else { Scan::open_head(directory, name) }?;
        let (mut first, mut last) = (None, None);
        let mut progress = Progress::More;
        while progress == Progress::More {
            progress = scan.advance(bytes, |_offset, frame| {
                first.get_or_insert(frame.header);
                last = Some(frame.header);
                whole
            })?;
        }
        Ok(Self { bytes, first, last, sound_bytes: scan.sound_end, damage: scan.damage })
    }

    fn end(&self) -> Mark {
        self.last.map(|last| last.at.after(last.events)).unwrap_or_default()
    }

    /// Where damage begins that cost something. Behind the last chunk there may be what a crash or a failed write left,
    /// which was never promised.
    fn damage_before(&self, behind: Option<Mark>, whole: bool) -> impl Iterator<Item = u64> {
        let is_complete = behind.is_none_or(|behind| self.end().position >= behind.position);
        let end = if whole && is_complete { self.sound_bytes } else { u64::MAX };
        self.damage.iter().copied().filter(move |offset| *offset < end)
    }

    /// The segment, which goes on to the first frame of the one `behind`. Nothing if there is nothing in the newest one.
    fn segment(&self, name: Position, behind: Option<Header>) -> Option<Segment> {
        match (self.first.zip(self.last), behind) {
            (Some((first, last)), None) => Some(Segment {
                name,
                first: first.at,
                end: self.end(),
                oldest: first.appended,
                newest: last.appended,
                bytes: self.sound_bytes,
            }),
            (Some((first, _)), Some(behind)) => Some(Segment {
                name,
                first: first.at,
                end: behind.at,
                oldest: first.appended,
                newest: behind.appended,
                bytes: self.bytes,
            }),
            // Not one sound frame: it only takes space until it is passed.
            (None, Some(behind)) => {
                let never = Timestamp::from_nanos(0);
                let (first, bytes) = (behind.at, self.bytes);
                Some(Segment { name, first, end: first, oldest: never, newest: never, bytes })
            }
            (None, None) => None,
        }
    }
}
