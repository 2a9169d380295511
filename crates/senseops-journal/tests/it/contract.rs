//! The constraints that hold in memory and on disk alike.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "clippy takes generic tests for helpers")]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use senseops_core::Outcome;
use senseops_journal::{ForgetError, Lag, Overflow};

use crate::support::{Bench, Chunk, PLENTY, drain, is_pending, numbers, read};

type Make = fn(u64) -> Bench;

macro_rules! in_memory_and_on_disk {
    ($($test:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test] async fn $test() { super::$test(crate::support::Bench::in_memory).await; })*
        }
        mod on_disk {
            $(#[tokio::test] async fn $test() { super::$test(crate::support::Bench::on_disk).await; })*
        }
        mod packed_in_memory {
            $(#[tokio::test] async fn $test() { super::$test(crate::support::Bench::packed).await; })*
        }
    };
}

in_memory_and_on_disk! {
    every_reader_gets_every_chunk_in_order,
    a_new_reader_begins_with_what_is_appended_from_then_on,
    a_rewound_reader_gets_what_it_has_not_committed_again,
    a_commit_settles_everything_before_it_too,
    lag_is_what_is_not_committed,
    a_watch_sees_what_the_reader_sees_and_remembers_it,
    a_waiting_reader_is_woken,
    nothing_is_lost_when_a_read_is_dropped,
    without_a_reader_nothing_is_kept,
    what_every_reader_has_committed_takes_no_room,
    a_chunk_beyond_the_limit_is_lost,
    a_reader_that_may_miss_chunks_misses_the_oldest_and_they_are_counted,
    for_a_reader_that_may_miss_none_new_chunks_are_refused,
    those_who_can_wait_do_until_a_blocking_reader_commits,
    a_reader_that_is_gone_holds_nobody_up,
    a_closed_journal_takes_no_chunk_and_lets_nobody_wait,
    a_reader_far_behind_catches_up_in_order,
    a_reader_that_comes_back_goes_on_where_it_was,
    a_reader_that_takes_over_from_another_misses_nothing,
    a_reader_that_was_taken_over_from_holds_nobody_up,
    an_absent_reader_counts_and_misses_the_oldest,
    a_reader_that_is_expected_back_misses_nothing_meanwhile,
    what_a_reader_missed_is_counted_once_however_it_is_taken_over,
    a_forgotten_reader_begins_anew,
    only_a_reader_that_is_known_and_absent_can_be_forgotten,
    the_status_tells_of_every_reader,
    chunks_that_are_too_old_are_missed_and_counted,
    an_old_chunk_is_kept_for_a_reader_that_may_miss_none,
    those_who_wait_are_left_alone_until_there_is_room,
}

async fn every_reader_gets_every_chunk_in_order(make: Make) {
    let bench = make(PLENTY);
    let mut fast = bench.journal.reader("fast", Overflow::DropOldest);
    let mut slow = bench.journal.reader("slow", Overflow::Block);
    for round in 0..10 {
        bench.append_all(round * 10..round * 10 + 10).await;
        assert_eq!(drain(&mut fast).await, (round * 10..round * 10 + 10).collect::<Vec<_>>());
    }
    let entries = read(&mut slow, 100).await;
    assert_eq!(
        entries.iter().map(|entry| entry.chunk.number).collect::<Vec<_>>(),
        (0..100).collect::<Vec<_>>()
    );
    assert!(entries.is_sorted_by(|one, next| one.position < next.position));
    assert!(entries.iter().all(|entry| (entry.events, entry.bytes) == (1, 100)));
}

async fn a_new_reader_begins_with_what_is_appended_from_then_on(make: Make) {
    let bench = make(PLENTY);
    let _first = bench.journal.reader("first", Overflow::DropOldest);
    bench.append_all(0..5).await;
    let mut late = bench.journal.reader("late", Overflow::DropOldest);
    assert_eq!(late.lag().events, 0);
    bench.append_all(5..7).await;
    assert_eq!(drain(&mut late).await, [5, 6]);
}

async fn a_rewound_reader_gets_what_it_has_not_committed_again(make: Make) {
    let bench = make(PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    bench.append_all(0..6).await;
    let entries = read(&mut reader, 4).await;
    reader.commit(entries[1].position);
    reader.rewind();
    assert_eq!(reader.lag().events, 4);
    assert_eq!(drain(&mut reader).await, [2, 3, 4, 5]);
    reader.rewind();
    assert_eq!((reader.lag(), reader.discarded()), (Lag::default(), 0));
}

async fn a_commit_settles_everything_before_it_too(make: Make) {
    let bench = make(PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    bench.append_all(0..3).await;
    let entries = read(&mut reader, 3).await;
    reader.commit(entries[2].position);
    reader.commit(entries[0].position);
    assert_eq!(reader.lag(), Lag::default());
}

async fn lag_is_what_is_not_committed(make: Make) {
    let bench = make(PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    assert_eq!(reader.lag(), Lag::default());
    bench.append_all(0..5).await;
    assert_eq!((reader.lag().events, reader.lag().bytes), (5, 500));
    assert!(!reader.lag().age.is_zero());
    let entries = read(&mut reader, 3).await;
    assert_eq!(reader.lag().events, 5);
    reader.commit(entries[2].position);
    assert_eq!((reader.lag().events, reader.lag().bytes), (2, 200));
    assert_eq!((bench.journal.status().events, bench.journal.status().bytes), (2, 200));
}

async fn a_watch_sees_what_the_reader_sees_and_remembers_it(make: Make) {
    let bench = make(PLENTY);
    let reader = bench.journal.reader("r", Overflow::DropOldest);
    let watch = reader.watch();
    bench.append_all(0..5).await;
    assert_eq!((watch.lag().events, watch.discarded()), (5, 0));
    drop(reader);
    assert_eq!((watch.lag().events, watch.discarded()), (5, 0), "it shows how the reader was last");
}

async fn a_waiting_reader_is_woken(make: Make) {
    let bench = make(PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    let waiting = tokio::join!(numbers(&mut reader, 1), async {
        tokio::task::yield_now().await;
        bench.append(7).ignore();
    });
    assert_eq!(waiting.0, [7]);
}

async fn nothing_is_lost_when_a_read_is_dropped(make: Make) {
    let bench = make(PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    for number in 0..20 {
        bench.append_all([number]).await;
        let dropped_pending = is_pending(reader.next());
        // The read that was dropped may have been done already; then its chunk is in flight.
        if !dropped_pending {
            reader.rewind();
        }
        assert_eq!(drain(&mut reader).await, [number]);
    }
}

async fn without_a_reader_nothing_is_kept(make: Make) {
    let bench = make(PLENTY);
    bench.append_all(0..5).await;
    assert_eq!((bench.journal.status().events, bench.journal.status().bytes), (0, 0));
}

async fn what_every_reader_has_committed_takes_no_room(make: Make) {
    let bench = make(PLENTY);
    let mut one = bench.journal.reader("one", Overflow::DropOldest);
    let mut other = bench.journal.reader("other", Overflow::Block);
    bench.append_all(0..5).await;
    drain(&mut one).await;
    assert_eq!(bench.journal.status().events, 5);
    drain(&mut other).await;
    assert_eq!((bench.journal.status().events, bench.journal.status().bytes), (0, 0));
}

async fn a_chunk_beyond_the_limit_is_lost(make: Make) {
    let bench = make(10_000);
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    assert_eq!(bench.append_sized(1, 10_001).outcome().await, Outcome::Lost);
    bench.append_all([2]).await;
    assert_eq!((drain(&mut reader).await, reader.discarded()), (vec![2], 0));
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

async fn a_closed_journal_takes_no_chunk_and_lets_nobody_wait(make: Make) {
    let bench = make(4096);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    while bench.append(1).outcome().await != Outcome::Lost {}
    let before = reader.lag().events;
    bench.journal.close();
    bench.journal.room().await;
    assert_eq!(bench.append(2).outcome().await, Outcome::Lost);
    assert_eq!(drain(&mut reader).await, vec![1; usize::try_from(before).unwrap()]);
}

async fn a_reader_far_behind_catches_up_in_order(make: Make) {
    const CHUNKS: u64 = 10_000;
    // On disk most of it is no longer in memory: with the padding it is more than what stays there.
    let bench = make(128 * 1024 * 1024);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    for number in 0..CHUNKS {
        bench.journal.room().await;
        bench.append_sized(number, 4096).ignore();
    }
    assert_eq!(reader.lag().events, CHUNKS);
    assert_eq!(drain(&mut reader).await, (0..CHUNKS).collect::<Vec<_>>());
    assert_eq!(reader.discarded(), 0);
}

async fn a_reader_that_comes_back_goes_on_where_it_was(make: Make) {
    let bench = make(PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    bench.append_all(0..6).await;
    let entries = read(&mut reader, 4).await;
    reader.commit(entries[1].position);
    drop(reader);
    bench.append_all([6]).await;
    let mut back = bench.journal.reader("r", Overflow::Block);
    assert_eq!((back.lag().events, back.discarded()), (5, 0));
    assert_eq!(drain(&mut back).await, [2, 3, 4, 5, 6]);
}

async fn a_reader_that_takes_over_from_another_misses_nothing(make: Make) {
    let bench = make(PLENTY);
    let mut first = bench.journal.reader("r", Overflow::Block);
    bench.append_all(0..5).await;
    let entries = read(&mut first, 3).await;
    first.commit(entries[1].position);
    let mut second = bench.journal.reader("r", Overflow::Block);
    drop(first);
    assert_eq!(drain(&mut second).await, [2, 3, 4]);
}

async fn a_reader_that_was_taken_over_from_holds_nobody_up(make: Make) {
    let bench = make(PLENTY);
    let mut stuck = bench.journal.reader("r", Overflow::Block);
    bench.append_all(0..5).await;
    let entries = read(&mut stuck, 3).await;
    let mut second = bench.journal.reader("r", Overflow::Block);
    assert_eq!(drain(&mut second).await, [0, 1, 2, 3, 4]);
    assert_eq!((bench.journal.status().events, bench.journal.status().readers.len()), (0, 1));
    stuck.commit(entries[0].position);
    stuck.rewind();
    assert!(is_pending(stuck.next()));
    drop(stuck);
    assert!(bench.journal.status().readers[0].attached);
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

async fn a_reader_that_is_expected_back_misses_nothing_meanwhile(make: Make) {
    let bench = make(32 * 1024);
    let first = bench.journal.reader("strict", Overflow::Block);
    let mut stored = Vec::new();
    while !is_pending(bench.journal.room()) {
        stored.push(stored.len() as u64);
        assert_eq!(bench.append_sized(stored.len() as u64 - 1, 1000).outcome().await, Outcome::Stored);
    }
    bench.journal.expect_back("strict");
    drop(first);
    assert!(is_pending(bench.journal.room()));
    let mut second = bench.journal.reader("strict", Overflow::Block);
    assert_eq!(drain(&mut second).await, stored);
    drop(second);
    assert_eq!(bench.journal.status().readers[0].overflow, Overflow::DropOldest, "it was expected once");
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

async fn a_forgotten_reader_begins_anew(make: Make) {
    let bench = make(PLENTY);
    drop(bench.journal.reader("r", Overflow::Block));
    bench.append_all(0..5).await;
    bench.journal.forget("r").unwrap();
    let status = bench.journal.status();
    assert_eq!((status.events, status.bytes, status.readers), (0, 0, Vec::new()));
    let mut anew = bench.journal.reader("r", Overflow::Block);
    bench.append_all([5]).await;
    assert_eq!(drain(&mut anew).await, [5]);
}

async fn only_a_reader_that_is_known_and_absent_can_be_forgotten(make: Make) {
    let bench = make(PLENTY);
    let _reader = bench.journal.reader("here", Overflow::Block);
    let (attached, unknown) = (bench.journal.forget("here"), bench.journal.forget("nobody"));
    assert_eq!(attached, Err(ForgetError::Attached { name: "here".into() }));
    assert_eq!(attached.unwrap_err().to_string(), "here is reading the journal");
    assert_eq!(unknown, Err(ForgetError::Unknown { name: "nobody".into() }));
    assert_eq!(unknown.unwrap_err().to_string(), "the journal knows no reader named nobody");
}

async fn the_status_tells_of_every_reader(make: Make) {
    let bench = make(PLENTY);
    let mut two = bench.journal.reader("two", Overflow::Block);
    drop(bench.journal.reader("one", Overflow::Block));
    bench.append_all(0..5).await;
    let third = read(&mut two, 3).await[2].position;
    two.commit(third);
    let status = bench.journal.status();
    assert_eq!((status.appended_events, status.durable_events), (5, 5));
    let readers = status.readers.iter().map(|reader| {
        (reader.name.as_str(), reader.attached, reader.overflow, reader.lag.events, reader.lag.bytes)
    });
    let expected = [("one", false, Overflow::DropOldest, 5, 500), ("two", true, Overflow::Block, 2, 200)];
    assert_eq!(readers.collect::<Vec<_>>(), expected);
    assert_eq!(status.oldest_age, status.readers[0].lag.age);
    assert!(status.oldest_age > status.readers[1].lag.age);
}

async fn chunks_that_are_too_old_are_missed_and_counted(make: Make) {
    let bench = make(PLENTY);
    let _same = bench.journal.clone().with_max_age(Some(Duration::from_millis(2)));
    let mut reader = bench.journal.reader("r", Overflow::DropOldest);
    let mut number = 0;
    while reader.discarded() == 0 {
        assert_eq!(bench.append(number).outcome().await, Outcome::Stored);
        number += 1;
    }
    // Also when nothing more is appended.
    while bench.journal.status().events > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((reader.discarded(), reader.lag()), (number, Lag::default()));
    assert!(reader.next_if_any().await.is_none());
}

async fn an_old_chunk_is_kept_for_a_reader_that_may_miss_none(make: Make) {
    let bench = make(PLENTY);
    let _same = bench.journal.clone().with_max_age(Some(Duration::from_nanos(1)));
    let mut careful = bench.journal.reader("careful", Overflow::Block);
    let _careless = bench.journal.reader("careless", Overflow::DropOldest);
    for number in 0..20 {
        assert_eq!(bench.append(number).outcome().await, Outcome::Stored);
    }
    assert_eq!(drain(&mut careful).await, (0..20).collect::<Vec<_>>());
    while bench.journal.status().events > 0 {
        tokio::task::yield_now().await;
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
