//! What the writer does to files, and what becomes of chunks when that fails.

use std::fs;
use std::io::ErrorKind;

use senseops_core::{BoxError, Receipt};
use tempfile::TempDir;

use super::*;
use crate::files::FileSystem;
use crate::files::script::{Operation, Script};
use crate::{Codec, DiskSettings, Entry, Journal, Overflow, Reader, keeper, open, segment};

/// An eighth of it is less than a chunk, so that each batch is in a segment of its own.
const MAX_BYTES: u64 = 4000;
const CHUNK_BYTES: usize = 600;

struct Bytes;

/// A journal of which each turn of the writer is asked for.
struct Rig {
    directory: TempDir,
    script: Arc<Script>,
    journal: Journal<Vec<u8>>,
    writer: Writer<Vec<u8>>,
}

impl Codec<Vec<u8>> for Bytes {
    fn encode(&self, chunk: &Vec<u8>, out: &mut Vec<u8>) {
        out.extend_from_slice(chunk);
    }

    fn kinds<'a>(&self, _chunk: &'a Vec<u8>) -> Vec<&'a str> {
        Vec::new()
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(bytes.to_vec())
    }
}

impl Rig {
    fn new(max_bytes: u64) -> Self {
        Self::at(tempfile::tempdir().unwrap(), max_bytes)
    }

    fn at(directory: TempDir, max_bytes: u64) -> Self {
        let script = Arc::new(Script::default());
        let path = directory.path().join("journal");
        let settings = DiskSettings { path, max_bytes, fsync: Duration::ZERO, max_age: None };
        let files = FileSystem::Scripted(Arc::clone(&script));
        let (journal, writer) = open::open(settings, Arc::new(Bytes), files).unwrap();
        Self { directory, script, journal, writer }
    }

    fn append(&self, number: u8) -> Receipt {
        self.journal.append(vec![number; CHUNK_BYTES], 1, CHUNK_BYTES as u64)
    }

    /// Appends, and does what is due then.
    fn store(&mut self, number: u8) -> Outcome {
        let receipt = self.append(number);
        self.writer.make_due();
        while self.writer.write_now() {}
        block_on(receipt.outcome())
    }

    fn exists(&self, name: u64) -> bool {
        segment::path(&self.writer.directory.path, Position(name)).exists()
    }

    /// What was done to files since this was asked last.
    fn done(&self) -> String {
        let done = self.script.take_done();
        done.iter().map(|(operation, file)| format!("{operation:?} {file}")).collect::<Vec<_>>().join("\n")
    }

    /// The journal after a failure of the power of which nothing survives that was not synced.
    fn after_power_failure(&self) -> Self {
        let after = tempfile::tempdir().unwrap();
        fs::create_dir(after.path().join("journal")).unwrap();
        self.script.power_failure(&after.path().join("journal"), 0, false);
        Self::at(after, MAX_BYTES)
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn read(reader: &mut Reader<Vec<u8>>) -> Vec<Entry<Vec<u8>>> {
    block_on(async {
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_if_any().await {
            entries.push(entry);
        }
        entries
    })
}

fn numbers(entries: &[Entry<Vec<u8>>]) -> Vec<u8> {
    entries.iter().map(|entry| entry.chunk[0]).collect()
}

#[test]
fn names_are_made_durable_before_a_receipt_depends_on_them() {
    let mut rig = Rig::new(MAX_BYTES);
    let above = rig.directory.path().file_name().unwrap().to_str().unwrap();
    insta::assert_snapshot!(rig.done().replace(above, "ABOVE"), @"SyncDirectory ABOVE");
    let mut reader = rig.journal.reader("r", Overflow::Block);
    assert_eq!(rig.store(1), Outcome::Stored);
    insta::assert_snapshot!(rig.done(), @"
    Create cursors.new
    Write cursors.new
    Sync cursors.new
    Rename cursors.new
    SyncDirectory journal
    Create 00000000000000000000.seg
    SyncDirectory journal
    Write 00000000000000000000.seg
    Sync 00000000000000000000.seg
    ");
    assert_eq!(rig.store(2), Outcome::Stored);
    insta::assert_snapshot!(rig.done(), @"
    Create 00000000000000000001.seg
    SyncDirectory journal
    Write 00000000000000000001.seg
    Sync 00000000000000000001.seg
    ");
    let first = read(&mut reader)[0].position;
    reader.commit(first);
    rig.writer.make_due();
    rig.writer.write_now();
    insta::assert_snapshot!(rig.done(), @"
    Create cursors.new
    Write cursors.new
    Sync cursors.new
    Rename cursors.new
    SyncDirectory journal
    Remove 00000000000000000000.seg
    ");
}

#[test]
fn segments_are_deleted_once_the_stored_cursors_have_passed_them() {
    let mut rig = Rig::new(MAX_BYTES);
    let mut reader = rig.journal.reader("r", Overflow::Block);
    for number in 0..3 {
        rig.store(number);
    }
    let second = read(&mut reader)[1].position;
    reader.commit(second);
    rig.writer.cursors_due = Instant::now() + CURSOR_INTERVAL;
    rig.writer.write_now();
    assert_eq!([0, 1, 2].map(|name| rig.exists(name)), [true; 3], "the cursors are not stored yet");
    rig.writer.make_due();
    rig.writer.write_now();
    assert_eq!([0, 1, 2].map(|name| rig.exists(name)), [false, false, true]);
}

#[test]
fn whatever_fails_receipts_tell_the_truth_and_the_journal_recovers_by_itself() {
    let failures = [
        (Operation::Create, ErrorKind::ReadOnlyFilesystem, Outcome::Held),
        (Operation::Write, ErrorKind::StorageFull, Outcome::Held),
        (Operation::Sync, ErrorKind::Other, Outcome::Held),
        (Operation::SyncDirectory, ErrorKind::Other, Outcome::Held),
        // The chunk is on disk by the time that the cursors are to be stored.
        (Operation::Rename, ErrorKind::Other, Outcome::Stored),
    ];
    for (operation, kind, expected) in failures {
        let mut rig = Rig::new(MAX_BYTES);
        let mut reader = rig.journal.reader("r", Overflow::Block);
        assert_eq!(rig.store(0), Outcome::Stored);
        let first = read(&mut reader)[0].position;
        reader.commit(first);

        rig.script.fail(operation, kind, 100);
        assert_eq!(rig.store(1), expected, "{operation:?}");
        let status = rig.journal.status();
        assert!(status.failure.is_some(), "{operation:?}");
        assert_eq!(rig.store(2), Outcome::Held, "{operation:?}");
        assert_eq!(rig.store(3), Outcome::Held, "{operation:?}");
        let durable = if expected == Outcome::Held { 1 } else { 2 };
        let status = rig.journal.status();
        assert_eq!((status.appended_events, status.durable_events), (4, durable), "{operation:?}");
        let after = rig.after_power_failure();
        let found = numbers(&read(&mut after.journal.reader("r", Overflow::Block)));
        let stored: &[u8] = if expected == Outcome::Held { &[] } else { &[1] };
        assert!(found.ends_with(stored), "{operation:?}: {found:?}");

        rig.script.heal();
        rig.writer.make_due();
        rig.writer.write_now();
        assert_eq!(rig.journal.status().failure, None, "{operation:?}");
        assert_eq!(rig.store(4), Outcome::Stored, "{operation:?}");
        assert_eq!(rig.script.abused(), [""; 0], "{operation:?}");
        let status = rig.journal.status();
        assert_eq!((status.appended_events, status.durable_events), (5, 5), "{operation:?}");

        let entries = read(&mut reader);
        assert_eq!(numbers(&entries), [1, 2, 3, 4], "{operation:?}");
        let after = rig.after_power_failure();
        let again = read(&mut after.journal.reader("r", Overflow::Block));
        assert_eq!(again, entries, "{operation:?}: what was held was written too, at its place");
    }
}

#[test]
fn what_was_held_and_everybody_has_committed_is_not_written() {
    let mut rig = Rig::new(MAX_BYTES);
    let mut reader = rig.journal.reader("r", Overflow::Block);
    rig.script.fail(Operation::Write, ErrorKind::StorageFull, 0);
    assert_eq!([0, 1, 2].map(|number| rig.store(number)), [Outcome::Held; 3]);
    let second = read(&mut reader)[1].position;
    reader.commit(second);
    rig.script.heal();
    rig.writer.make_due();
    rig.writer.write_now();
    rig.writer.write_now();
    assert_eq!([0, 1, 2].map(|name| rig.exists(name)), [false, false, true]);
}

#[test]
fn a_file_that_failed_is_deleted_even_if_that_fails_too_at_first() {
    let mut rig = Rig::new(MAX_BYTES);
    let mut reader = rig.journal.reader("r", Overflow::Block);
    rig.writer.write_now();
    rig.script.fail(Operation::Write, ErrorKind::StorageFull, 100);
    rig.script.fail(Operation::Remove, ErrorKind::Other, 0);
    assert_eq!(rig.store(0), Outcome::Held);
    let first = read(&mut reader)[0].position;
    reader.commit(first);
    rig.writer.make_due();
    rig.writer.write_now();
    assert!(rig.exists(0));
    rig.script.heal();
    rig.writer.make_due();
    rig.writer.write_now();
    assert_eq!((rig.exists(0), rig.journal.status().failure), (false, None));
}

#[test]
fn while_the_disk_fails_memory_keeps_the_newest_and_what_it_drops_is_counted() {
    let mut rig = Rig::new(MAX_BYTES);
    let mut reader = rig.journal.reader("r", Overflow::DropOldest);
    rig.script.fail(Operation::Sync, ErrorKind::Other, 0);
    for number in 0..100 {
        assert_eq!(rig.store(number), Outcome::Held);
        assert!(rig.journal.status().bytes <= MAX_BYTES);
    }
    rig.script.heal();
    rig.writer.make_due();
    rig.writer.write_now();
    assert_eq!(rig.store(100), Outcome::Stored, "there is room at once");
    while rig.writer.write_now() {}
    let discarded = reader.discarded();
    assert!((94..97).contains(&discarded), "{discarded}");
    let kept: Vec<_> = (u8::try_from(discarded).unwrap()..=100).collect();
    assert_eq!(numbers(&read(&mut reader)), kept);
    // Of what went to disk, the limit took the oldest segment.
    let found = numbers(&read(&mut rig.after_power_failure().journal.reader("r", Overflow::Block)));
    assert!(found.len() >= 3 && kept.ends_with(&found), "{found:?}");
}

/// A journal with two segments on a disk where these operations have failed since. Its reader has caught up, and the
/// disk was tried once more.
fn caught_up_while_failing(operations: &[Operation], kind: ErrorKind) -> Rig {
    let mut rig = Rig::new(MAX_BYTES);
    let mut reader = rig.journal.reader("r", Overflow::Block);
    rig.store(0);
    rig.store(1);
    for operation in operations {
        rig.script.fail(*operation, kind, 0);
    }
    assert_eq!(rig.store(2), Outcome::Held);
    let last = read(&mut reader)[2].position;
    reader.commit(last);
    rig.writer.make_due();
    rig.writer.write_now();
    rig
}

#[test]
fn a_disk_that_the_journal_itself_has_filled_is_freed_when_readers_have_caught_up() {
    let rig = caught_up_while_failing(&[Operation::Write], ErrorKind::StorageFull);
    assert_eq!([0, 1].map(|name| rig.exists(name)), [false; 2], "although the cursors cannot be stored");
}

#[test]
fn segments_that_a_read_only_disk_does_not_let_go_are_deleted_when_it_does() {
    let failing = [Operation::Write, Operation::Remove];
    let mut rig = caught_up_while_failing(&failing, ErrorKind::ReadOnlyFilesystem);
    assert_eq!([0, 1].map(|name| rig.exists(name)), [true; 2]);
    rig.script.heal();
    rig.writer.make_due();
    rig.writer.write_now();
    assert_eq!([0, 1].map(|name| rig.exists(name)), [false; 2]);
    assert_eq!(rig.journal.status().failure, None);
}

#[test]
fn a_journal_that_ends_tries_a_failed_disk_once_more() {
    let rig = Rig::new(MAX_BYTES);
    let _reader = rig.journal.reader("r", Overflow::Block);
    let Rig { directory, script, journal, mut writer } = rig;
    script.fail(Operation::Sync, ErrorKind::Other, 0);
    journal.append(vec![7; CHUNK_BYTES], 1, 600).ignore();
    writer.write_now();
    assert_eq!(journal.status().durable_events, 0);
    script.heal();
    journal.close();
    writer.run();
    assert_eq!(journal.status().durable_events, 1);
    let again = Rig::at(directory, MAX_BYTES);
    assert_eq!(numbers(&read(&mut again.journal.reader("r", Overflow::Block))), [7]);
}

#[test]
fn with_an_age_limit_a_segment_is_left_before_it_is_large() {
    let mut rig = Rig::new(1024 * 1024 * 1024);
    let _reader = rig.journal.reader("r", Overflow::Block);
    let _same = rig.journal.clone().with_max_age(Some(Duration::from_millis(8)));
    // By size it would be thousands of chunks later.
    let is_left = (0..1000).any(|_| {
        rig.store(0);
        rig.journal.status().segments > 1
    });
    assert!(is_left);
}

#[test]
fn the_time_that_the_writer_spends_on_the_disk_is_seen() {
    let rig = Rig::new(MAX_BYTES);
    assert_eq!(rig.journal.status().writer_busy, None);
    let work = rig.writer.take(rig.writer.shared.lock());
    let (before, after) = (rig.journal.status().writer_busy, rig.journal.status().writer_busy);
    assert!(before.is_some() && before < after, "{before:?} {after:?}");
    let Rig { mut writer, journal, .. } = rig;
    writer.turn(work);
    assert_eq!(journal.status().writer_busy, None);
}

#[test]
fn a_disk_that_does_not_answer_is_given_up_until_it_does() {
    let mut rig = Rig::new(MAX_BYTES);
    let mut reader = rig.journal.reader("r", Overflow::Block);
    assert_eq!(rig.store(0), Outcome::Stored);
    let written = rig.append(1);
    let stuck = rig.writer.take(rig.writer.shared.lock());
    let queued = rig.append(2);
    let everything = rig.journal.receipt();
    keeper::give_up_waiting(&rig.writer.shared);
    assert_eq!(rig.journal.status().failure, None, "it has not taken long");
    if let Some(disk) = &mut rig.writer.shared.lock().disk {
        disk.busy_since = Some(Timestamp::from_nanos(0));
    }
    keeper::give_up_waiting(&rig.writer.shared);
    let receipts = [written, queued, everything, rig.journal.receipt()];
    assert_eq!(receipts.map(|receipt| block_on(receipt.outcome())), [Outcome::Held; 4]);
    let failure = rig.journal.status().failure.unwrap_or_default();
    let directory = rig.writer.directory.path.display();
    let sentence = "has not answered for 10 s; what comes in is in memory only";
    assert_eq!(failure, format!("the disk of {directory} {sentence}"));
    assert_eq!(block_on(rig.append(3).outcome()), Outcome::Held);
    assert_eq!(numbers(&read(&mut reader)), [0, 1, 2, 3], "whoever keeps up notices nothing");

    rig.writer.turn(stuck);
    while rig.writer.write_now() {}
    assert_eq!(rig.journal.status().failure, None);
    assert_eq!(rig.store(4), Outcome::Stored);
    reader.rewind();
    let entries = read(&mut reader);
    assert_eq!(numbers(&entries), [0, 1, 2, 3, 4]);
    let after = rig.after_power_failure();
    assert_eq!(read(&mut after.journal.reader("r", Overflow::Block)), entries);
}

#[test]
fn a_slow_disk_does_not_stop_intake_while_every_reader_keeps_up() {
    let mut rig = Rig::new(MAX_BYTES);
    let mut reader = rig.journal.reader("r", Overflow::Block);
    rig.writer.write_now();
    let stuck = rig.writer.take(rig.writer.shared.lock());
    let mut receipts = Vec::new();
    for number in 0..100 {
        let receipt = rig.append(number);
        assert_ne!(receipt.known_outcome(), Some(Outcome::Lost), "{number}");
        receipts.push(receipt);
        for entry in read(&mut reader) {
            reader.commit(entry.position);
        }
    }
    receipts.push(rig.journal.receipt());
    rig.writer.turn(stuck);
    while rig.writer.write_now() {}
    for receipt in receipts {
        assert_eq!(block_on(receipt.outcome()), Outcome::Stored, "it is on disk, or nobody needs it");
    }
    let after = rig.after_power_failure();
    let again = after.journal.reader("r", Overflow::Block);
    assert_eq!(again.discarded(), 0, "what was not written does not count as missed");
}

#[test]
fn those_who_wait_at_the_same_time_share_a_sync() {
    let mut rig = Rig::new(1 << 20);
    let _reader = rig.journal.reader("r", Overflow::Block);
    assert_eq!(rig.store(0), Outcome::Stored);
    rig.done();
    let receipts: Vec<_> = (1..50).map(|number| rig.append(number)).collect();
    rig.writer.write_now();
    for receipt in receipts {
        assert_eq!(block_on(receipt.outcome_now()), Outcome::Stored);
    }
    let done = rig.done();
    assert_eq!(done.matches("Sync").count(), 1, "{done}");
}
