//! The constraints that concern the disk: restarts, crashes, limits and failures.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use senseops_core::{Outcome, chain};
use senseops_journal::{DiskSettings, Journal, Lag, LockError, OpenError, Overflow, Reader};

use crate::support::{Bench, Chunk, ChunkCodec, PLENTY, drain, poll_once, read, segments, settings};

#[tokio::test]
async fn a_known_reader_goes_on_where_it_was() {
    let bench = Bench::on_disk(PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    bench.append_all(0..10).await;
    let entries = read(&mut reader, 6).await;
    reader.commit(entries[3].position);
    drop(reader);

    let bench = Bench::open(bench.close(), PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    bench.append_all([10]).await;
    assert_eq!(reader.lag().events, 7);
    let entries_again = read(&mut reader, 7).await;
    assert_eq!(entries_again[0], entries[4], "nothing about it has changed");
    assert_eq!(entries_again[6].chunk.number, 10);
    assert!(entries_again.is_sorted_by(|one, next| one.position < next.position));
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_crash() {
    let bench = Bench::on_disk(PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    for number in 0..20 {
        bench.append_all([number]).await;
        let after = Bench::open(bench.crash_image(), PLENTY);
        let mut reader = after.journal.reader("r", Overflow::DropOldest);
        assert_eq!(drain(&mut reader).await, (0..=number).collect::<Vec<_>>());
    }
    assert_eq!(drain(&mut reader).await.len(), 20);
}

#[tokio::test]
async fn a_position_is_used_once_even_if_its_frames_are_gone() {
    let bench = Bench::on_disk(PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    bench.append_all(0..5).await;
    let last = read(&mut reader, 5).await[4].position;
    reader.commit(last);
    drop(reader);
    let directory = bench.close();
    assert_eq!(segments(directory.path()), [], "everybody has passed them");

    let bench = Bench::open(directory, PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    bench.append_all([5]).await;
    assert_eq!(reader.next().await.position.get(), last.get() + 1);
}

#[tokio::test]
async fn the_cursor_of_a_removed_reader_stays_but_blocks_nobody() {
    let bench = Bench::on_disk(64 * 1024);
    let reader = bench.journal.reader("removed", Overflow::Block);
    bench.append_all(0..3).await;
    drop(reader);
    let bench = Bench::open(bench.close(), 64 * 1024);
    let mut other = bench.journal.reader("other", Overflow::DropOldest);
    for number in 3..200 {
        assert_eq!(bench.append_sized(number, 1000).outcome().await, Outcome::Stored);
    }
    let mut back = bench.journal.reader("removed", Overflow::Block);
    let discarded = back.discarded();
    assert!((100..190).contains(&discarded), "{discarded}");
    assert_eq!(drain(&mut back).await, (discarded..200).collect::<Vec<_>>());
    drain(&mut other).await;
}

#[tokio::test]
async fn what_waits_for_a_reader_that_is_gone_is_as_old_as_it_is_through_restarts() {
    let bench = Bench::on_disk(PLENTY);
    let mut reader = bench.journal.reader("gone", Overflow::DropOldest);
    bench.append_all([0]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let second = Instant::now();
    bench.append_all([1]).await;
    let first = read(&mut reader, 1).await[0].position;
    reader.commit(first);
    drop(reader);
    let age = |bench: &Bench| bench.journal.status().readers[0].lag.age;
    assert!(age(&bench) <= second.elapsed());
    let directory = bench.close();
    let inspected = senseops_journal::inspect(directory.path()).unwrap().readers[0].lag.age;
    assert!(inspected <= second.elapsed(), "{inspected:?}");
    // Both are in one segment, and the second is what waits.
    let bench = Bench::open(directory, PLENTY);
    let reopened = age(&bench);
    assert!(reopened <= second.elapsed() && !reopened.is_zero(), "{reopened:?}");
}

#[tokio::test]
async fn segments_take_no_more_than_the_limit() {
    let max_bytes = 128 * 1024;
    let bench = Bench::on_disk(max_bytes);
    let reader = bench.journal.reader("r", Overflow::DropOldest);
    for number in 0..400 {
        assert_eq!(bench.append_sized(number, 1000).outcome().await, Outcome::Stored);
        let bytes: u64 = segments(bench.path()).iter().map(|(_, bytes)| bytes).sum();
        assert!(bytes <= max_bytes, "{bytes} bytes after chunk {number}");
    }
    assert!(segments(bench.path()).len() > 5);
    drop(reader);
}

#[tokio::test]
async fn a_read_from_disk_that_is_dropped_loses_nothing() {
    let bench = Bench::on_disk(PLENTY);
    let reader = bench.journal.reader("r", Overflow::DropOldest);
    bench.append_all(0..100).await;
    drop(reader);
    let bench = Bench::open(bench.close(), PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    assert!(reader.try_next().is_none(), "it is not in memory");
    let mut got = Vec::new();
    for _ in 0..5 {
        got.extend(poll_once(reader.next()).map(|entry| entry.chunk.number));
        got.push(reader.next().await.chunk.number);
    }
    assert_eq!(got, (0..got.len() as u64).collect::<Vec<_>>());
    reader.rewind();
    // What was read ahead, or is being read, is of no use after the next line.
    let _taken_back = poll_once(reader.next());
    reader.rewind();
    assert_eq!(drain(&mut reader).await, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_directory_is_used_by_one_journal_at_a_time() {
    let bench = Bench::on_disk(PLENTY);
    let Err(error) = Journal::open(settings(bench.path(), PLENTY), ChunkCodec) else {
        panic!("opened twice")
    };
    let path = bench.path().display().to_string();
    let sentence =
        chain(&error).to_string().replace(&path, "DIR").replace(&std::process::id().to_string(), "PID");
    insta::assert_snapshot!(sentence, @"DIR is in use by process PID");
    assert!(matches!(error, OpenError::Lock(LockError::InUse { .. })));
    let directory = bench.close();
    assert!(Journal::open(settings(directory.path(), PLENTY), ChunkCodec).is_ok());
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let Err(error) = Journal::open(settings(&file.join("journal"), PLENTY), ChunkCodec) else {
        panic!("opened")
    };
    let sentence = chain(&error).to_string().replace(&directory.path().display().to_string(), "DIR");
    insta::assert_snapshot!(sentence, @"create the directory of the journal, DIR/file/journal: Not a directory (os error 20)");
}

#[tokio::test]
async fn a_disk_that_fails_makes_receipts_held_until_it_works_again() {
    // Small segments, so that a new one is soon begun.
    let bench = Bench::on_disk(64 * 1024);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    bench.append_all(0..3).await;
    let away = bench.path().with_extension("away");
    fs::rename(bench.path(), &away).unwrap();
    fs::write(bench.path(), "not a directory").unwrap();

    let mut number = 3;
    while bench.append(number).outcome().await == Outcome::Stored {
        number += 1;
    }
    let failure = bench.journal.status().failure.unwrap_or_default();
    assert!(failure.contains("Not a directory"), "{failure}");
    assert_eq!(bench.append(number + 1).outcome().await, Outcome::Held);
    assert_eq!(drain(&mut reader).await, (0..number + 2).collect::<Vec<_>>(), "it goes on in memory");

    fs::remove_file(bench.path()).unwrap();
    fs::rename(&away, bench.path()).unwrap();
    number += 2;
    while bench.append(number).outcome().await == Outcome::Held {
        drain(&mut reader).await;
        number += 1;
    }
    assert_eq!(bench.journal.status().failure, None);
    let entry = reader.next().await;
    drop(reader);
    let bench = Bench::open(bench.close(), PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    assert_eq!(reader.next().await, entry);
}

#[tokio::test]
async fn without_its_writer_a_journal_goes_on_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, writer) = Journal::open(settings(directory.path(), PLENTY), ChunkCodec).unwrap();
    let _reader = journal.reader("r", Overflow::DropOldest);
    let chunk = Chunk { number: 1, padding: 0 };
    let queued = journal.append(chunk.clone(), 1, 8);
    drop(writer);
    assert_eq!(queued.outcome().await, Outcome::Held);
    assert_eq!(journal.append(chunk, 1, 8).outcome().await, Outcome::Held);
    insta::assert_snapshot!(journal.status().failure.unwrap_or_default(), @"the writer of the journal has ended");
}

/// A journal with three segments of which nothing is in memory, and the path of the second.
async fn journal_with_an_unreadable_segment() -> (Bench, PathBuf) {
    let bench = Bench::on_disk(64 * 1024);
    let reader = bench.journal.reader("r", Overflow::Block);
    for number in 0..30 {
        assert_eq!(bench.append_sized(number, 600).outcome().await, Outcome::Stored);
    }
    drop(reader);
    let directory = bench.close();
    let names = segments(directory.path());
    assert_eq!(names.len(), 3);
    let path = directory.path().join(&names[1].0);
    let bench = Bench::open(directory, 64 * 1024);
    fs::rename(&path, path.with_extension("away")).unwrap();
    // Opening it works, reading it does not.
    fs::create_dir(&path).unwrap();
    (bench, path)
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_can_be_read_after_a_while_costs_nothing() {
    let (bench, path) = journal_with_an_unreadable_segment().await;
    let mut reader = bench.journal.reader("r", Overflow::Block);
    let repair = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        fs::remove_dir(&path).unwrap();
        fs::rename(path.with_extension("away"), &path).unwrap();
    };
    let (numbers, ()) = tokio::join!(drain(&mut reader), repair);
    assert_eq!(numbers, (0..30).collect::<Vec<_>>());
    assert_eq!((reader.discarded(), bench.journal.status().damaged), (0, 0));
}

async fn next_within(reader: &mut Reader<Chunk>, time: Duration) -> Option<u64> {
    let next = tokio::time::timeout(time, reader.next()).await.ok();
    next.map(|entry| entry.chunk.number)
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_cannot_be_read_is_waited_for_and_told_of() {
    let (bench, path) = journal_with_an_unreadable_segment().await;
    let mut reader = bench.journal.reader("r", Overflow::Block);
    let mut begun = 0;
    while next_within(&mut reader, Duration::from_secs(1)).await.is_some() {
        begun += 1;
    }
    for _ in 0..100 {
        // A sink that looks at something else meanwhile drops the read.
        assert_eq!(next_within(&mut reader, Duration::from_millis(300)).await, None);
    }
    assert_eq!((reader.discarded(), bench.journal.status().damaged), (0, 0));
    let told = bench.journal.status().unreadable.unwrap_or_default();
    assert_eq!(told, format!("cannot read {}: Is a directory (os error 21)", path.display()));

    // One that is gone is gone.
    fs::remove_dir(&path).unwrap();
    let rest = drain(&mut reader).await;
    assert_eq!((begun + rest.len()) as u64 + reader.discarded(), 30);
    assert!(reader.discarded() > 0);
    let status = bench.journal.status();
    assert_eq!((status.damaged, status.unreadable), (1, None));
}

#[tokio::test(start_paused = true)]
async fn the_pause_before_a_read_is_tried_again_survives_those_who_do_not_wait_for_it() {
    let (bench, path) = journal_with_an_unreadable_segment().await;
    let mut reader = bench.journal.reader("r", Overflow::Block);
    let mut read = Vec::new();
    while let Some(number) = next_within(&mut reader, Duration::from_millis(600)).await {
        read.push(number);
    }
    fs::remove_dir(&path).unwrap();
    fs::rename(path.with_extension("away"), &path).unwrap();
    // If each attempt began with a pause of its own, none would get to the file.
    while read.len() < 30 {
        read.extend(next_within(&mut reader, Duration::from_millis(600)).await);
    }
    assert_eq!(read, (0..30).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_waits_for_a_receipt_need_not_wait_for_others() {
    let directory = tempfile::tempdir().unwrap();
    let settings = DiskSettings { fsync: Duration::from_hours(1), ..settings(directory.path(), PLENTY) };
    let (journal, writer) = Journal::open(settings, ChunkCodec).unwrap();
    let _reader = journal.reader("r", Overflow::Block);
    let writer = std::thread::spawn(move || writer.run());
    let patient = journal.append(Chunk { number: 1, padding: 0 }, 1, 8);
    let urgent = journal.append(Chunk { number: 2, padding: 0 }, 1, 8);
    assert_eq!(urgent.outcome_now().await, Outcome::Stored);
    assert_eq!(patient.outcome().await, Outcome::Stored);
    journal.close();
    writer.join().unwrap();
}

#[tokio::test]
async fn chunks_of_which_nothing_is_wanted_are_passed_and_nothing_is_missed() {
    let bench = Bench::on_disk(64 * 1024);
    drop(bench.journal.reader("r", Overflow::Block));
    for number in 0..30 {
        assert_eq!(bench.append_sized(number, 600).outcome().await, Outcome::Stored);
    }
    // Nothing is in memory any more after a restart, so all is read from frames.
    let bench = Bench::open(bench.close(), 64 * 1024);
    let mut reader = bench.journal.reader_of("r", Overflow::Block, Arc::new(|kind| kind == "even"));
    let mut read = Vec::new();
    while let Some(entry) = reader.next_if_any().await {
        read.push(entry.chunk.number);
        reader.commit(entry.position);
    }
    assert_eq!(read, (0..30).step_by(2).collect::<Vec<_>>());
    assert_eq!((reader.lag(), reader.discarded()), (Lag::default(), 0));
}

#[tokio::test]
async fn what_a_reader_passes_unread_makes_room_for_those_who_wait() {
    const LIMIT: u64 = 64 * 1024;
    let bench = Bench::on_disk(LIMIT);
    let reader = bench.journal.reader("r", Overflow::Block);
    while bench.append_sized(0, 600).outcome().await == Outcome::Stored {}
    drop(reader);
    let bench = Bench::open(bench.close(), LIMIT);
    let mut reader = bench.journal.reader_of("r", Overflow::Block, Arc::new(|_kind| false));
    assert!(!bench.journal.has_room());
    let there_is_room = async { tokio::join!(bench.journal.room(), reader.next_if_any()).1 };
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), there_is_room).await, Ok(None));
}

#[tokio::test]
async fn a_receipt_for_everything_covers_what_others_appended() {
    let directory = tempfile::tempdir().unwrap();
    let settings = DiskSettings { fsync: Duration::from_hours(1), ..settings(directory.path(), PLENTY) };
    let (journal, writer) = Journal::open(settings, ChunkCodec).unwrap();
    let _reader = journal.reader("r", Overflow::Block);
    let writer = std::thread::spawn(move || writer.run());
    for number in 0..10 {
        journal.append(Chunk { number, padding: 0 }, 1, 8).ignore();
    }
    assert_eq!(journal.receipt().outcome_now().await, Outcome::Stored);
    assert_eq!(journal.status().durable_events, 10);
    assert_eq!(journal.receipt().known_outcome(), Some(Outcome::Stored), "nothing is on its way");
    journal.close();
    writer.join().unwrap();
}
