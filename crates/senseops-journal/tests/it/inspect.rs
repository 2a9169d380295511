//! Looking at a journal from outside.

use std::fs;
use std::path::Path;

use senseops_core::{Outcome, chain};
use senseops_journal::{DamagedPlace, Overflow, forget_offline, inspect};

use crate::support::{Bench, PLENTY, drain, read, segments};

fn sentence(error: &(dyn std::error::Error + 'static), directory: &Path) -> String {
    let text = chain(error).to_string().replace(&directory.display().to_string(), "DIR");
    text.replace(&std::process::id().to_string(), "PID")
}

#[tokio::test]
async fn a_journal_in_use_is_seen_as_its_owner_sees_it() {
    let bench = Bench::on_disk(64 * 1024);
    let mut fast = bench.journal.reader("fast", Overflow::Block);
    let _slow = bench.journal.reader("slow", Overflow::Block);
    for number in 0..30 {
        bench.append_all([number]).await;
    }
    let tenth = read(&mut fast, 10).await[9].position;
    fast.commit(tenth);
    let image = bench.crash_image();
    let found = inspect(bench.path()).unwrap();
    assert_eq!((found.in_use, found.owner), (true, Some(std::process::id())));
    let status = bench.journal.status();
    assert_eq!(
        (found.appended_events, found.segments, found.disk_bytes),
        (30, status.segments, status.disk_bytes)
    );
    let readers: Vec<_> = found.readers.iter().map(|reader| (&*reader.name, reader.attached)).collect();
    assert_eq!(readers, [("fast", false), ("slow", false)]);
    assert_eq!((found.readers[1].lag.events, found.readers[1].lag.bytes), (30, status.disk_bytes));
    assert!(found.oldest < found.newest);
    assert!(!found.cursors_damaged && found.damaged.is_empty() && found.quarantined.is_empty());

    let found = inspect(image.path()).unwrap();
    assert_eq!((found.in_use, found.owner), (false, None));
    let files = |path: &Path| {
        let paths = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        files.sort();
        files
    };
    let before = files(image.path());
    inspect(image.path()).unwrap();
    assert_eq!(files(image.path()), before, "nothing is changed");
}

#[tokio::test]
async fn damage_is_found_before_a_reader_meets_it() {
    let bench = Bench::on_disk(64 * 1024);
    let _reader = bench.journal.reader("r", Overflow::Block);
    for number in 0..60 {
        assert_eq!(bench.append_sized(number, 600).outcome().await, Outcome::Stored);
    }
    let directory = bench.close();
    let path = directory.path().join(&segments(directory.path())[1].0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 0x40;
    fs::write(&path, &bytes).unwrap();
    let found = inspect(directory.path()).unwrap();
    // One frame is before it: a header, two kinds or one with their lengths, and the payload.
    let first_frame = 68 + if bytes[68] == 4 { 6 } else { 15 } + 600;
    assert_eq!(found.damaged, [DamagedPlace { path: path.clone(), offset: first_frame }]);

    let bench = Bench::open(directory, PLENTY);
    drain(&mut bench.journal.reader("r", Overflow::Block)).await;
    let directory = bench.close();
    let found = inspect(directory.path()).unwrap();
    assert_eq!((found.damaged, found.quarantined), (Vec::new(), vec![path.with_extension("damaged")]));
}

#[tokio::test]
async fn a_reader_is_forgotten_while_nobody_uses_the_journal() {
    let bench = Bench::on_disk(PLENTY);
    drop(bench.journal.reader("gone", Overflow::Block));
    let _stays = bench.journal.reader("stays", Overflow::Block);
    bench.append_all(0..5).await;

    let error = forget_offline(bench.path(), "gone").unwrap_err();
    insta::assert_snapshot!(sentence(&error, bench.path()), @"DIR is in use by process PID");
    let directory = bench.close();
    let error = forget_offline(directory.path(), "nobody").unwrap_err();
    insta::assert_snapshot!(sentence(&error, directory.path()), @"the journal has no cursor named nobody");
    forget_offline(directory.path(), "gone").unwrap();
    let found = inspect(directory.path()).unwrap();
    assert_eq!(found.readers.iter().map(|reader| &*reader.name).collect::<Vec<_>>(), ["stays"]);

    fs::write(directory.path().join("cursors"), "no cursors").unwrap();
    assert!(inspect(directory.path()).unwrap().cursors_damaged);
    let error = forget_offline(directory.path(), "stays").unwrap_err();
    insta::assert_snapshot!(sentence(&error, directory.path()), @"the cursors of the journal in DIR are damaged");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = inspect(&directory.path().join("journal")).unwrap_err();
    insta::assert_snapshot!(sentence(&error, directory.path()), @"inspect the journal: DIR/journal: No such file or directory (os error 2)");
}
