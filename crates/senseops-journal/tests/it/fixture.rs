//! What the first version wrote is read for ever.

use std::fs;
use std::path::Path;

use senseops_core::Timestamp;
use senseops_journal::Overflow;

use crate::support::{Bench, Chunk, PLENTY, read};

#[tokio::test]
async fn the_first_format_is_read_for_ever() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal-1");
    let directory = tempfile::tempdir().unwrap();
    for name in ["00000000000000000007.seg", "00000000000000000009.seg", "cursors"] {
        fs::copy(fixture.join(name), directory.path().join(name)).unwrap();
    }
    let bench = Bench::open(directory, PLENTY);
    let mut slow = bench.journal.reader("slow", Overflow::DropOldest);
    let mut fast = bench.journal.reader("fast one", Overflow::DropOldest);
    assert_eq!((slow.lag().events, fast.lag().events), (36, 9));

    let nanos = |position| 1_700_000_000_000_000_000 + i64::try_from(position).unwrap();
    for (entry, position) in read(&mut slow, 4).await.into_iter().zip(7..) {
        assert_eq!(entry.position.get(), position);
        assert_eq!(entry.chunk, Chunk { number: position * 100, padding: 16 });
        assert_eq!((entry.events, entry.bytes), (9, 1234));
        assert_eq!(entry.appended, Timestamp::from_nanos(nanos(position)));
    }
    assert_eq!(fast.next().await.position.get(), 10);
    assert_eq!((slow.discarded(), fast.discarded()), (0, 0));
}
