//! What happens when a journal is full.
#![expect(clippy::indexing_slicing, reason = "clippy takes generic tests for helpers")]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use senseops_core::Outcome;
use senseops_journal::Overflow;

use crate::support::{Bench, Chunk, drain, is_pending, read, with_journals};

type Make = fn(u64) -> Bench;

// Packing would put off that it is full, for as long as it takes another thread.
with_journals! {
    [in_memory, on_disk],
    [
        what_a_reader_missed_is_counted_once_however_it_is_taken_over,
        an_absent_reader_counts_and_misses_the_oldest,
        for_a_reader_that_may_miss_none_new_chunks_are_refused,
        a_reader_that_may_miss_chunks_misses_the_oldest_and_they_are_counted,
        those_who_can_wait_do_until_a_blocking_reader_commits,
        a_reader_that_is_gone_holds_nobody_up,
        those_who_wait_are_left_alone_until_there_is_room,
        a_reader_that_waits_for_much_is_woken_when_there_is_no_room,
    ]
}

async fn what_a_reader_missed_is_counted_once_however_it_is_taken_over(make: Make) {
    let bench = make(32 * 1024);
    let first = bench.journal.reader("r", Overflow::DropOldest);
    for number in 0..100 {
        assert_eq!(bench.append_sized(number, 1000).outcome().await, Outcome::Stored);
    }
    let missed = first.discarded();
    assert!(missed > 0);
    let second = bench.journal.reader("r", Overflow::DropOldest);
    assert_eq!(second.discarded(), missed);
    drop((first, second));
    assert_eq!(bench.journal.reader("r", Overflow::DropOldest).discarded(), missed);
}

async fn an_absent_reader_counts_and_misses_the_oldest(make: Make) {
    let bench = make(32 * 1024);
    drop(bench.journal.reader("absent", Overflow::Block));
    bench.append_all([0]).await;
    assert_eq!(bench.journal.status().events, 1, "it is kept although nobody reads");
    for number in 1..100 {
        assert_eq!(bench.append_sized(number, 1000).outcome().await, Outcome::Stored);
        assert!(bench.journal.status().bytes <= bench.journal.status().max_bytes);
    }
    let absent = &bench.journal.status().readers[0];
    assert!((68..90).contains(&absent.discarded), "{absent:?}");
    assert_eq!(absent.lag.events + absent.discarded, 100);

    let mut back = bench.journal.reader("absent", Overflow::Block);
    assert_eq!(back.discarded(), absent.discarded);
    assert_eq!(drain(&mut back).await, (absent.discarded..100).collect::<Vec<_>>());
    drop(back);
    let back = bench.journal.reader("absent", Overflow::Block);
    assert_eq!(back.discarded(), absent.discarded, "its losses are remembered");
}

async fn for_a_reader_that_may_miss_none_new_chunks_are_refused(make: Make) {
    let bench = make(32 * 1024);
    let mut careful = bench.journal.reader("careful", Overflow::Block);
    let mut careless = bench.journal.reader("careless", Overflow::DropOldest);
    let mut stored = Vec::new();
    for number in 0..100 {
        if bench.append_sized(number, 1000).outcome().await == Outcome::Stored {
            stored.push(number);
        }
    }
    assert!((20..33).contains(&stored.len()), "{stored:?}");
    assert_eq!(drain(&mut careful).await, stored);
    assert_eq!((drain(&mut careless).await, careless.discarded()), (stored, 0));
    bench.append_all([100]).await;
    assert_eq!(drain(&mut careful).await, [100]);
}

async fn a_reader_that_may_miss_chunks_misses_the_oldest_and_they_are_counted(make: Make) {
    let bench = make(32 * 1024);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    for number in 0..100 {
        assert_eq!(bench.append_sized(number, 1000).outcome().await, Outcome::Stored);
        assert!(bench.journal.status().bytes <= bench.journal.status().max_bytes);
    }
    let discarded = reader.discarded();
    assert!((68..90).contains(&discarded), "{discarded}");
    assert_eq!(reader.lag().events, 100 - discarded);
    assert_eq!(drain(&mut reader).await, (discarded..100).collect::<Vec<_>>());
    assert_eq!(reader.discarded(), discarded);
}

async fn those_who_can_wait_do_until_a_blocking_reader_commits(make: Make) {
    let bench = make(32 * 1024);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    let mut number = 0;
    while !is_pending(bench.journal.room()) {
        assert_eq!(bench.append_sized(number, 1000).outcome().await, Outcome::Stored);
        number += 1;
    }
    assert!((16..32).contains(&number), "{number}");
    let mut room = pin!(bench.journal.room());
    assert!(is_pending(room.as_mut()));
    let read = read(&mut reader, 16).await;
    assert!(is_pending(room.as_mut()), "reading alone makes no room");
    reader.commit(read[15].position);
    room.await;
    let rest = (16..number).collect::<Vec<_>>();
    assert_eq!((drain(&mut reader).await, reader.discarded()), (rest, 0));
}

async fn a_reader_that_is_gone_holds_nobody_up(make: Make) {
    let bench = make(32 * 1024);
    let reader = bench.journal.reader("gone", Overflow::Block);
    let mut other = bench.journal.reader("other", Overflow::DropOldest);
    while !is_pending(bench.journal.room()) {
        assert_eq!(bench.append_sized(0, 1000).outcome().await, Outcome::Stored);
    }
    let mut room = pin!(bench.journal.room());
    assert!(is_pending(room.as_mut()));
    drop(reader);
    room.await;
    drain(&mut other).await;
    for number in 0..100 {
        assert_eq!(bench.append_sized(number, 1000).outcome().await, Outcome::Stored);
    }
}

async fn those_who_wait_are_left_alone_until_there_is_room(make: Make) {
    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let bench = make(32 * 1024);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    while bench.append_sized(0, 1000).outcome().await == Outcome::Stored {}
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut waiting: Vec<_> = (0..10).map(|_| Box::pin(bench.journal.room())).collect();
    let mut context = Context::from_waker(&waker);
    assert!(waiting.iter_mut().all(|room| room.as_mut().poll(&mut context).is_pending()));
    let mut commits = 0;
    while !bench.journal.has_room() {
        assert_eq!(count.0.load(Ordering::Relaxed), 0, "after {commits} commits");
        let position = reader.next().await.position;
        reader.commit(position);
        commits += 1;
    }
    assert!(commits > 3, "{commits}");
    while count.0.load(Ordering::Relaxed) < 10 {
        tokio::task::yield_now().await;
    }
    assert!(waiting.iter_mut().all(|room| room.as_mut().poll(&mut context).is_ready()));
}

async fn a_reader_that_waits_for_much_is_woken_when_there_is_no_room(make: Make) {
    let bench = make(32 * 1024);
    let reader = bench.journal.reader("r", Overflow::Block);
    {
        let mut much = pin!(reader.until_unread(u64::MAX));
        assert!(is_pending(much.as_mut()));
        while bench.append_sized(0, 1000).outcome().await == Outcome::Stored {}
        much.await;
    }
    reader.until_unread(u64::MAX).await;
}

#[tokio::test]
async fn a_backlog_in_memory_takes_a_fraction_of_its_size() {
    const LIMIT: u64 = 1024 * 1024;
    let bench = Bench::packed(LIMIT);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    for number in 0..10_000 {
        // A chunk that waits for room does so until older ones are packed.
        let chunk = Chunk { number, padding: 492 };
        let receipt = bench.journal.append_when_room(chunk, 1, 500).await;
        assert_eq!(receipt.known_outcome(), Some(Outcome::Stored));
    }
    assert!(bench.journal.status().bytes < LIMIT);
    assert_eq!((reader.lag().events, reader.discarded()), (10_000, 0));
    assert_eq!(drain(&mut reader).await, (0..10_000).collect::<Vec<_>>());
    assert_eq!(bench.journal.status().bytes, 0);
}
