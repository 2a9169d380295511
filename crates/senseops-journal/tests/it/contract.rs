//! The constraints that hold in memory and on disk alike.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "clippy takes generic tests for helpers")]

use std::pin::pin;
use std::time::Duration;

use senseops_core::Outcome;
use senseops_journal::{ForgetError, Lag, Overflow};

use crate::support::{Bench, PLENTY, drain, is_pending, numbers, read, with_journals};

type Make = fn(u64) -> Bench;

with_journals! {
    [in_memory, on_disk, packed],
    [
        every_reader_gets_every_chunk_in_order,
        a_new_reader_begins_with_what_is_appended_from_then_on,
        a_rewound_reader_gets_what_it_has_not_committed_again,
        a_commit_settles_everything_before_it_too,
        lag_is_what_is_not_committed,
        a_watch_sees_what_the_reader_sees_and_remembers_it,
        a_waiting_reader_is_woken,
        a_reader_that_waits_for_much_is_woken_once_it_is_there,
        nothing_is_lost_when_a_read_is_dropped,
        without_a_reader_nothing_is_kept,
        what_every_reader_has_committed_takes_no_room,
        a_chunk_beyond_the_limit_is_lost,
        a_closed_journal_takes_no_chunk_and_lets_nobody_wait,
        a_reader_far_behind_catches_up_in_order,
        a_reader_that_comes_back_goes_on_where_it_was,
        a_reader_that_takes_over_from_another_misses_nothing,
        a_reader_that_was_taken_over_from_holds_nobody_up,
        a_reader_that_is_expected_back_misses_nothing_meanwhile,
        a_forgotten_reader_begins_anew,
        only_a_reader_that_is_known_and_absent_can_be_forgotten,
        the_status_tells_of_every_reader,
        chunks_that_are_too_old_are_missed_and_counted,
        an_old_chunk_is_kept_for_a_reader_that_may_miss_none,
    ]
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

async fn a_reader_that_is_expected_back_misses_nothing_meanwhile(make: Make) {
    let bench = make(32 * 1024);
    let first = bench.journal.reader("strict", Overflow::Block);
    let mut stored = Vec::new();
    let mut fill = async || {
        while !is_pending(bench.journal.room()) {
            stored.push(stored.len() as u64);
            assert_eq!(bench.append_sized(stored.len() as u64 - 1, 1000).outcome().await, Outcome::Stored);
        }
    };
    fill().await;
    bench.journal.expect_back("strict");
    drop(first);
    // What was packed meanwhile has made room, but nothing else has.
    fill().await;
    let mut second = bench.journal.reader("strict", Overflow::Block);
    assert_eq!(drain(&mut second).await, stored);
    drop(second);
    assert_eq!(bench.journal.status().readers[0].overflow, Overflow::DropOldest, "it was expected once");
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
    assert_eq!(unknown.unwrap_err().to_string(), "the journal has no cursor named nobody");
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

async fn a_reader_that_waits_for_much_is_woken_once_it_is_there(make: Make) {
    let bench = make(PLENTY);
    let mut reader = bench.journal.reader("r", Overflow::Block);
    let other = bench.journal.reader("other", Overflow::Block);
    bench.append_all(0..1).await;
    assert_eq!(drain(&mut reader).await, [0]);
    {
        let (mut three, mut five) = (pin!(reader.until_unread(3)), pin!(other.until_unread(5)));
        assert!(is_pending(three.as_mut()) && is_pending(five.as_mut()));
        bench.append_all(1..3).await;
        assert!(is_pending(three.as_mut()), "two are there");
        bench.append_all(3..4).await;
        three.await;
    }
    assert!(is_pending(other.until_unread(5)), "four are there");
    bench.append_all(4..5).await;
    other.until_unread(5).await;
}
