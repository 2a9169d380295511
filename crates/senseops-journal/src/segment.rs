//! Segments: the files that frames are in.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use senseops_core::Timestamp;
use tracing::warn;

use crate::frame::{self, Frame, Step};
use crate::position::{Mark, Position};

/// How much of a segment is read at once.
const WINDOW_BYTES: u64 = 1024 * 1024;
/// How much is read to see the first frame only, unless that is larger.
const HEAD_BYTES: u64 = 64 * 1024;

/// A segment that can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    /// The position that its file is named after.
    pub name: Position,
    /// Where its first sound frame is.
    pub first: Mark,
    /// After its last sound frame.
    pub end: Mark,
    /// When its first sound frame was appended.
    pub oldest: Timestamp,
    /// When its last sound frame was appended, at the latest.
    pub newest: Timestamp,
    /// The length that is written and synced.
    pub bytes: u64,
}

/// Walks through the frames of a segment.
pub(crate) struct Scan {
    pub name: Position,
    file: File,
    offset: u64,
    /// The number that its frames carry, once one was met.
    number: Option<u64>,
    window: Vec<u8>,
    window_bytes: u64,
    /// Where the sound part of what was passed so far ends.
    pub sound_end: u64,
    /// Offsets where damage begins that was met since the scan was made.
    pub damage: Vec<u64>,
    in_damage: bool,
}

/// How far a step of a [`Scan`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is more.
    More,
    /// The end of the segment, or where the caller wanted to stop.
    End,
}

/// The file of the segment of this name.
pub(crate) fn path(directory: &Path, name: Position) -> PathBuf {
    directory.join(format!("{:020}.seg", name.0))
}

/// Says where damage was found.
pub(crate) fn warn_of_damage(directory: &Path, name: Position, offset: u64) {
    warn!(file = %path(directory, name).display(), offset, "journal is damaged, going on behind it");
}

/// The name of the segment in this file, if it is one.
pub(crate) fn name(path: &Path) -> Option<Position> {
    let digits = path.file_name()?.to_str()?.strip_suffix(".seg")?;
    let is_ours = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_ours { digits.parse().ok().map(Position) } else { None }
}

impl Scan {
    /// Begins to read a segment.
    pub(crate) fn open(directory: &Path, name: Position) -> io::Result<Self> {
        let file = File::open(path(directory, name))?;
        Ok(Self {
            name,
            file,
            offset: 0,
            number: None,
            window: Vec::new(),
            window_bytes: WINDOW_BYTES,
            sound_end: 0,
            damage: Vec::new(),
            in_damage: false,
        })
    }

    /// Begins to read a segment of which only the first frame is of interest.
    pub(crate) fn open_head(directory: &Path, name: Position) -> io::Result<Self> {
        Ok(Self { window_bytes: HEAD_BYTES, ..Self::open(directory, name)? })
    }

    /// Looks at the frames in the next mebibyte or so of the first `limit` bytes. `take` gets each with its offset, and
    /// tells whether to go on; a frame for which it says no comes again.
    pub(crate) fn advance(
        &mut self,
        limit: u64,
        mut take: impl FnMut(u64, &Frame<'_>) -> bool,
    ) -> io::Result<Progress> {
        let mut wanted = self.window_bytes;
        loop {
            let (begin, left) = (self.offset, limit.saturating_sub(self.offset));
            let mut window = std::mem::take(&mut self.window);
            window.clear();
            self.file.seek(SeekFrom::Start(begin))?;
            (&self.file).take(wanted.min(left)).read_to_end(&mut window)?;
            let walked = self.walk(&window, &mut take);
            let read = u64::try_from(window.len()).unwrap_or(u64::MAX);
            self.window = window;
            match walked {
                None => return Ok(Progress::End),
                Some(_) if read < wanted => {
                    if self.offset < begin + read {
                        self.note_damage();
                        self.offset = begin + read;
                    }
                    return Ok(Progress::End);
                }
                Some(_) if self.offset > begin => return Ok(Progress::More),
                Some(needed) => wanted = needed.max(wanted.saturating_mul(2)),
            }
        }
    }

    /// Passes what is complete in the window. Gives the bytes that the next frame needs, or nothing if `take` said no.
    fn walk(&mut self, window: &[u8], take: &mut impl FnMut(u64, &Frame<'_>) -> bool) -> Option<u64> {
        let mut rest = window;
        loop {
            let passed = match frame::step(rest, self.number) {
                Step::Frame(frame) => {
                    if !take(self.offset, &frame) {
                        return None;
                    }
                    self.number = Some(frame.header.segment);
                    self.in_damage = false;
                    frame.len
                }
                Step::Damage(len) => {
                    self.note_damage();
                    len
                }
                Step::Partial(needed) => return Some(u64::try_from(needed).unwrap_or(u64::MAX)),
            };
            rest = rest.get(passed..).unwrap_or_default();
            self.offset += u64::try_from(passed).unwrap_or(u64::MAX);
            if !self.in_damage {
                self.sound_end = self.offset;
            }
        }
    }

    fn note_damage(&mut self) {
        if !std::mem::replace(&mut self.in_damage, true) {
            self.damage.push(self.offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_segments_are_names_of_segments() {
        let directory = Path::new("journal");
        assert_eq!(name(&path(directory, Position(42))), Some(Position(42)));
        for other in ["cursors", "42.seg", "00000000000000000042.seg.bak", "+0000000000000000042.seg"] {
            assert_eq!(name(&directory.join(other)), None, "{other}");
        }
    }
}
