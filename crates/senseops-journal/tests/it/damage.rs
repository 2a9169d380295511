//! Damage stays where it is.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use senseops_core::Outcome;
use senseops_journal::{Journal, OpenError, Overflow};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::support::{Bench, ChunkCodec, PLENTY, drain, segments, settings};

const CHUNKS: u64 = 60;
/// With an eighth of it in each segment, the chunks are in several.
const MAX_BYTES: u64 = 64 * 1024;

/// What happens to a segment.
#[derive(Clone, Debug)]
enum Harm {
    Flip(Vec<(prop::sample::Index, u8)>),
    Truncate(prop::sample::Index),
    /// Bytes are missing in the middle.
    Remove(prop::sample::Index, usize),
    /// Bytes are where none should be.
    Insert(prop::sample::Index, Vec<u8>),
}

impl Harm {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Flip(flips) => {
                for (at, flip) in flips {
                    let at = at.index(bytes.len());
                    bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= flip);
                }
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Self::Remove(at, len) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + len).min(bytes.len()));
            }
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
        }
    }
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        proptest::collection::vec((at(), 1..=255_u8), 1..4).prop_map(Harm::Flip),
        at().prop_map(Harm::Truncate),
        (at(), 1..2000_usize).prop_map(|(at, len)| Harm::Remove(at, len)),
        (at(), proptest::collection::vec(any::<u8>(), 1..200)).prop_map(|(at, more)| Harm::Insert(at, more)),
    ]
}

/// Time stands still unless everything waits, so a reader that hangs is found at once.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// A journal of which nothing was read, and the numbers of the chunks in each segment.
async fn journal() -> (TempDir, Vec<Vec<u64>>) {
    let bench = Bench::on_disk(MAX_BYTES);
    let _reader = bench.journal.reader("r", Overflow::DropOldest);
    for number in 0..CHUNKS {
        assert_eq!(bench.append_sized(number, 600).outcome().await, Outcome::Stored);
    }
    let directory = bench.close();
    let names = segments(directory.path()).into_iter();
    let firsts: Vec<u64> = names.map(|(name, _)| name.trim_end_matches(".seg").parse().unwrap()).collect();
    let ends = firsts.iter().copied().skip(1).chain([CHUNKS]);
    let numbers = firsts.iter().zip(ends).map(|(first, end)| (*first..end).collect()).collect();
    (directory, numbers)
}

fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.path().join(path.file_name().unwrap())).unwrap();
    }
    to
}

/// What a reader gets, and how much it is told to have missed.
fn read_all(directory: TempDir) -> (Vec<u64>, u64) {
    runtime().block_on(async {
        let bench = Bench::open(directory, MAX_BYTES);
        let mut reader = bench.journal.reader("r", Overflow::DropOldest);
        let mut numbers = Vec::new();
        let all = async {
            while let Some(entry) = reader.next_if_any().await {
                numbers.push(entry.chunk.number);
            }
        };
        tokio::time::timeout(Duration::from_mins(5), all).await.unwrap();
        (numbers, reader.discarded())
    })
}

#[tokio::test]
async fn what_a_crash_left_of_a_segment_behind_a_sound_one_is_cut_off() {
    let bench = Bench::on_disk(PLENTY);
    let _reader = bench.journal.reader("r", Overflow::Block);
    bench.append_all(0..3).await;
    let directory = bench.close();
    // Power failed right after the first byte of the next one was written.
    fs::write(directory.path().join("00000000000000000003.seg"), [0]).unwrap();

    let bench = Bench::open(directory, PLENTY);
    assert_eq!(segments(bench.path()).len(), 1);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    assert_eq!(drain(&mut reader).await, [0, 1, 2]);
    assert_eq!(bench.journal.status().damaged, 0);
}

#[test]
fn a_damaged_segment_costs_no_frame_of_another_and_never_yields_a_wrong_chunk() {
    let (original, by_segment) = runtime().block_on(journal());
    assert!(by_segment.len() >= 5, "{by_segment:?}");
    let cases = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) };
    proptest!(cases, |(segment in 0..by_segment.len(), harm in harm())| {
        let directory = copy(original.path());
        let (name, _) = &segments(directory.path())[segment];
        let path = directory.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        harm.apply(&mut bytes);
        fs::write(&path, &bytes).unwrap();

        let (numbers, discarded) = read_all(directory);
        prop_assert!(numbers.is_sorted_by(|one, next| one < next), "{:?}", numbers);
        let elsewhere = by_segment.iter().enumerate().filter(|(index, _)| *index != segment);
        for number in elsewhere.flat_map(|(_, numbers)| numbers) {
            prop_assert!(numbers.contains(number), "chunk {} was in another segment", number);
        }
        let missing = CHUNKS - numbers.len() as u64;
        // Of a torn end of the newest segment nobody can say what was in it.
        prop_assert!(discarded == missing || segment == by_segment.len() - 1, "{} of {}", discarded, missing);
    });
}

#[test]
fn a_flipped_byte_costs_one_frame_which_is_counted() {
    let (original, _) = runtime().block_on(journal());
    for segment in [0, 3] {
        let directory = copy(original.path());
        let path = directory.path().join(&segments(directory.path())[segment].0);
        let mut bytes = fs::read(&path).unwrap();
        bytes[1000] ^= 0x40;
        fs::write(&path, &bytes).unwrap();
        let (numbers, discarded) = read_all(directory);
        assert_eq!((numbers.len() as u64, discarded), (CHUNKS - 1, 1), "segment {segment}");
    }
}

#[tokio::test]
async fn two_readers_that_meet_the_same_damage_count_one_place() {
    let (directory, _) = journal().await;
    let path = directory.path().join(&segments(directory.path())[0].0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 0x40;
    fs::write(&path, &bytes).unwrap();
    let bench = Bench::open(directory, MAX_BYTES);
    for _ in 0..2 {
        let mut reader = bench.journal.reader("r", Overflow::DropOldest);
        while reader.next_if_any().await.is_some() {}
    }
    assert_eq!(bench.journal.status().damaged, 1);
}

#[tokio::test]
async fn a_damaged_segment_is_set_aside_when_it_is_passed() {
    let (directory, _) = journal().await;
    let path = directory.path().join(&segments(directory.path())[0].0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 0x40;
    fs::write(&path, &bytes).unwrap();

    let bench = Bench::open(directory, MAX_BYTES);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    drain(&mut reader).await;
    let journal = bench.journal.clone();
    let directory = bench.close();
    assert_eq!(segments(directory.path()), []);
    assert_eq!(fs::read(path.with_extension("damaged")).unwrap(), bytes);
    assert_eq!((journal.status().damaged, journal.status().quarantined), (1, 1));
    let bench = Bench::open(directory, MAX_BYTES);
    assert_eq!((bench.journal.status().damaged, bench.journal.status().quarantined), (0, 1));
}

#[tokio::test]
async fn with_damaged_cursors_everything_is_delivered_again() {
    let (directory, _) = journal().await;
    fs::write(directory.path().join("cursors"), "no cursors").unwrap();
    let bench = Bench::open(directory, MAX_BYTES);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    assert_eq!(drain(&mut reader).await, (0..CHUNKS).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_that_is_new_after_the_cursors_were_lost_begins_at_the_end() {
    let (directory, _) = journal().await;
    fs::write(directory.path().join("cursors"), "no cursors").unwrap();
    let bench = Bench::open(directory, MAX_BYTES);
    let _known = bench.journal.reader("r", Overflow::DropOldest);
    // Once this is stored, so are the readers that there are.
    bench.append_all([CHUNKS]).await;
    let new = bench.journal.reader("new", Overflow::DropOldest);
    assert_eq!(new.lag().events, 0);
}

#[tokio::test]
async fn without_cursors_everything_is_delivered_again() {
    let (directory, _) = journal().await;
    fs::remove_file(directory.path().join("cursors")).unwrap();
    let bench = Bench::open(directory, MAX_BYTES);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    assert_eq!(drain(&mut reader).await, (0..CHUNKS).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_left_alone() {
    let (directory, _) = journal().await;
    let path = directory.path().join(&segments(directory.path())[2].0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4] = 2;
    let crc = crc32c::crc32c(&bytes[..64]);
    bytes[64..68].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let before = segments(directory.path());
    let Err(error) = Journal::open(settings(directory.path(), PLENTY), ChunkCodec) else { panic!("opened") };
    assert!(matches!(error, OpenError::NewerVersion { version: 2, .. }), "{error:?}");
    assert_eq!(segments(directory.path()), before);
}
