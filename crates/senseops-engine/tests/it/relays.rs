//! Relays make events of events.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use senseops_core::host::{IntoComponents, PlannedRelay};
use senseops_core::{
    Accepts, Batch, Build, BuildError, Condition, Event, Factory, LabelSet, Outcome, PlanError, Relay,
    RelayError, async_trait,
};
use senseops_engine::{
    Builder, Delivery, Handle, Overflow, Pipeline, PipelineSettings, ProbeOutcome, RelayOptions, Reloaded,
};
use tokio::time::sleep;

use crate::adds::Adds;
use crate::support::{Log, Scripted, emit, from, last_words, numbered, run, source_fn, unpackable, until};

fn pipeline() -> Builder {
    Pipeline::builder()
}

fn on_disk(dir: &Path) -> PipelineSettings {
    PipelineSettings { state_dir: Some(dir.to_owned()), ..PipelineSettings::default() }
}

/// What a relay reads.
fn reading<const N: usize>(sources: [&str; N]) -> RelayOptions {
    RelayOptions { only: from(sources), ..RelayOptions::default() }
}

fn sorted(log: &Log) -> Vec<i64> {
    let mut written = log.written();
    written.sort_unstable();
    written
}

/// Waits until the relay has seen everything and what it knows is saved.
async fn until_saved(handle: &Handle) {
    until(handle, |view| view.relays.iter().all(|relay| relay.lag_events == 0)).await;
}

#[tokio::test(start_paused = true)]
async fn a_relay_gets_what_sources_and_other_relays_emit_and_never_its_own_events() {
    let sink = Arc::new(Scripted::willing());
    let built = pipeline()
        .source("users", last_words(0..5))
        .relay_with("first", reading(["users", "embedder", "first"]), Adds::new(100))
        .relay_with("second", reading(["users", "embedder", "first", "second"]), Adds::new(1000))
        .sink("all", Arc::clone(&sink));
    let summary = run(built.build().await.unwrap(), async |handle| emit(&handle, [7]).await).await;
    let expected = [0..5, 7..8, 100..105, 107..108, 1000..1005, 1007..1008, 1100..1105, 1107..1108];
    assert_eq!(sorted(&sink.log), expected.into_iter().flatten().collect::<Vec<_>>());
    let emitted: Vec<_> = summary.view.relays.iter().map(|relay| (&*relay.name, relay.emitted)).collect();
    assert_eq!(emitted, [("first", 6), ("second", 12)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_relay_emits_has_its_name_and_its_labels_over_those_of_the_pipeline() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines = {
        let seen = Arc::clone(&seen);
        Scripted::new(move |_, batch| {
            seen.lock().unwrap().extend(batch.iter().map(|event| event.labels.to_string()));
            Ok(())
        })
    };
    let lines = Arc::new(lines);
    let labels = LabelSet::from_iter([("made_by", "relay"), ("site", "relay")]);
    let built = pipeline()
        .labels(LabelSet::from_iter([("env", "prod"), ("site", "pipeline")]))
        .relay_with("counts.users", RelayOptions { labels, ..RelayOptions::default() }, Adds::new(100))
        .sink_with("counts", from(["counts.users"]), Arc::clone(&lines));
    run(built.build().await.unwrap(), async |handle| emit(&handle, 0..2).await).await;
    assert_eq!(lines.log.written(), [100, 101]);
    assert_eq!(*seen.lock().unwrap(), ["env=prod,made_by=relay,site=relay"; 2]);
}

#[tokio::test(start_paused = true)]
async fn the_last_events_of_a_source_still_become_events_of_the_relays() {
    let sink = Arc::new(Scripted::willing());
    let built = pipeline()
        .source("users", last_words(0..3))
        .relay_with("first", reading(["users"]), Adds::new(100))
        .relay_with("second", reading(["first"]), Adds::new(1000))
        .sink_with("all", from(["second"]), Arc::clone(&sink));
    let summary = run(built.build().await.unwrap(), async |_| {}).await;
    assert_eq!(sink.log.written(), [1100, 1101, 1102]);
    assert_eq!(summary.aborted, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_relay_ticks_at_its_interval() {
    let sink = Arc::new(Scripted::willing());
    let ticking = Adds { interval: Some("10s".parse().unwrap()), ..Adds::new(100) };
    let built = pipeline().relay("counts", ticking).sink("all", Arc::clone(&sink));
    run(built.build().await.unwrap(), async |handle| {
        emit(&handle, 0..3).await;
        sleep(Duration::from_secs(15)).await;
        emit(&handle, 3..4).await;
        sleep(Duration::from_secs(20)).await;
    })
    .await;
    assert_eq!(sink.log.written(), [0, 1, 2, 100, 101, 102, -3, 3, 103, -4, -4]);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_fails_or_panics_goes_on_at_its_last_snapshot_and_counts_nothing_twice() {
    let relay = Adds::new(100).looking(|look, _| match look {
        1 => Err(RelayError("no such rule".into())),
        2 => panic!("boom"),
        _ => Ok(()),
    });
    let log = Arc::clone(&relay.log);
    let sink = Arc::new(Scripted::willing());
    let built = pipeline().relay("counts", relay).sink_with("all", from(["embedder"]), Arc::clone(&sink));
    run(built.build().await.unwrap(), async |handle| {
        emit(&handle, 0..3).await;
        until_saved(&handle).await;
        emit(&handle, 3..6).await;
        for (restarts, reason) in [(0, "no such rule"), (1, "the component panicked: boom")] {
            let failing = Condition::Failing(reason.into());
            until(&handle, |view| view.relays[0].condition == failing && view.relays[0].restarts == restarts)
                .await;
        }
        until_saved(&handle).await;
        assert_eq!((handle.view().relays[0].condition.clone(), handle.health()), (Condition::Ok, vec![]));
    })
    .await;
    assert_eq!(log.remembered(), [0, 1, 2, 3, 4, 5]);
    assert_eq!((log.built.load(Ordering::Relaxed), sink.log.written().len()), (3, 6));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_a_relay_cannot_look_at_is_left_out_and_counted() {
    let relay = Adds::new(100).looking(|_, numbers| {
        assert!(!numbers.contains(&3), "not this one");
        Ok(())
    });
    let (log, sink) = (Arc::clone(&relay.log), Arc::new(Scripted::willing()));
    let built = pipeline().relay("adds", relay).sink_with("sums", from(["adds"]), Arc::clone(&sink));
    let summary = run(built.build().await.unwrap(), async |handle| {
        emit(&handle, 0..6).await;
        until(&handle, |view| view.relays[0].discarded == 1 && view.relays[0].lag_events == 0).await;
        emit(&handle, 6..8).await;
        until_saved(&handle).await;
        assert_eq!(handle.view().relays[0].condition, Condition::Ok);
    })
    .await;
    assert_eq!((log.remembered(), summary.view.relays[0].discarded), (vec![0, 1, 2, 4, 5, 6, 7], 1));
    let sums: BTreeSet<_> = sink.log.written().into_iter().collect();
    assert_eq!(sums, BTreeSet::from([100, 101, 102, 104, 105, 106, 107]));
}

#[tokio::test]
async fn a_relay_counts_each_event_once_through_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for (begin, end) in [(0, 50), (50, 100), (100, 100)] {
        let relay = Adds::new(1000);
        let log = Arc::clone(&relay.log);
        let built = pipeline().settings(on_disk(dir.path())).relay("counts", relay);
        run(built.build().await.unwrap(), async |handle| emit(&handle, begin..end).await).await;
        let expected = if begin == end { Vec::new() } else { (0..end).collect() };
        assert_eq!(log.remembered(), expected);
    }
}

#[tokio::test]
async fn a_relay_counts_each_event_once_through_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let built = pipeline().settings(on_disk(dir.path())).relay("counts", Adds::new(1000));
    let mut images = Vec::new();
    run(built.build().await.unwrap(), async |handle| {
        for round in 0..5 {
            for number in round * 10..(round + 1) * 10 {
                let receipt = handle.emit(vec![numbered(number)]).await;
                assert_eq!(receipt.outcome_now().await, Outcome::Stored);
            }
            if round % 2 == 1 {
                until_saved(&handle).await;
            }
            images.push(((round + 1) * 10, image(dir.path())));
        }
    })
    .await;
    for (emitted, image) in images {
        let relay = Adds::new(1000);
        let log = Arc::clone(&relay.log);
        let built = pipeline().settings(on_disk(image.path())).relay("counts", relay);
        // One more, so that the relay looks even if it had seen all.
        run(built.build().await.unwrap(), async |handle| emit(&handle, [emitted]).await).await;
        assert_eq!(log.remembered(), (0..=emitted).collect::<Vec<_>>());
    }
}

/// What a crash would leave. A relay stores what it knows before its place in the journal, so the journal comes first.
fn image(dir: &Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().unwrap();
    for part in ["journal", "state"] {
        copy(&dir.join(part), &image.path().join(part));
    }
    image
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else if let Err(error) = std::fs::copy(&from, &to) {
            // It was replaced or deleted just then.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }
}

#[tokio::test]
async fn a_relay_that_cannot_use_its_snapshot_begins_anew_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let settings = on_disk(dir.path());
    let first = pipeline().settings(settings.clone()).relay("counts", Text);
    run(first.build().await.unwrap(), async |handle| emit(&handle, 0..3).await).await;
    let relay = Adds::new(100);
    let log = Arc::clone(&relay.log);
    let second = pipeline().settings(settings).relay("counts", relay);
    run(second.build().await.unwrap(), async |handle| {
        emit(&handle, 3..5).await;
        until_saved(&handle).await;
        let told = "it begins anew, since it cannot go on where it was: invalid type: string \"v0\", expected a sequence";
        assert_eq!(handle.health(), [("counts".to_owned(), Condition::Warning(told.into()))]);
    })
    .await;
    assert_eq!(log.remembered(), [3, 4], "what it has passed does not come again");
}

/// Remembers a text.
#[derive(Clone, PartialEq)]
struct Text;

impl Relay for Text {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    fn observe(&mut self, _batch: &Batch, _out: &mut Vec<Event>) -> Result<(), RelayError> {
        Ok(())
    }

    fn snapshot(&self) -> Result<Option<serde_json::Value>, RelayError> {
        Ok(Some("v0".into()))
    }
}

#[async_trait]
impl Factory<Box<dyn Relay>> for Text {
    async fn build(&self, _build: Build) -> Result<Box<dyn Relay>, BuildError> {
        Ok(Box::new(self.clone()))
    }
}

impl IntoComponents<Box<dyn Relay>> for Text {
    fn into_components(self) -> Result<Vec<PlannedRelay>, PlanError> {
        Ok(vec![PlannedRelay::single(self)])
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_relay_takes_over_place_and_state_and_an_unchanged_one_runs_on() {
    let (kept, changed) = (Adds::new(100), Adds::new(1000));
    let plan = |revision| {
        pipeline().relay_with("kept", reading(["embedder"]), kept.clone()).relay_with(
            "changed",
            reading(["embedder"]),
            Adds { revision, ..changed.clone() },
        )
    };
    run(plan(0).relay("goes", Adds::new(1)).build().await.unwrap(), async |handle| {
        emit(&handle, 0..5).await;
        let reloaded = handle.reload(plan(1).plan().unwrap()).await.unwrap();
        let expected = Reloaded {
            restarted: vec!["relays.changed".into()],
            stopped: vec!["relays.goes".into()],
            unchanged: 1,
            left_behind: reloaded.left_behind.clone(),
            ..Reloaded::default()
        };
        assert_eq!(reloaded, expected);
        assert!(reloaded.left_behind[0].contains("forget goes"), "{:?}", reloaded.left_behind);
        emit(&handle, 5..10).await;
        until_saved(&handle).await;
        let emitted: Vec<_> =
            handle.view().relays.iter().map(|relay| (relay.name.clone(), relay.emitted)).collect();
        assert_eq!(emitted, [("kept".to_owned(), 10), ("changed".to_owned(), 10)]);
    })
    .await;
    for (relay, built) in [(kept, 1), (changed, 2)] {
        assert_eq!(relay.log.remembered(), (0..10).collect::<Vec<_>>());
        assert_eq!(relay.log.built.load(Ordering::Relaxed), built);
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_may_make_more_at_once_than_the_journal_can_hold() {
    let mut settings = PipelineSettings::default();
    settings.journal.max_bytes = Some("512KiB".parse().unwrap());
    let sink = Arc::new(Scripted::willing());
    let delivery = Delivery { overflow: Overflow::Block, ..Delivery::default() };
    let relay = Adds { times: 4000, ..Adds::new(10_000) };
    let built = pipeline().settings(settings).relay_with("many", reading(["embedder"]), relay);
    let built = built.sink_with("slow", delivery, Arc::clone(&sink)).build().await.unwrap();
    let summary = run(built, async |handle| {
        emit(&handle, 0..1).await;
        until(&handle, |view| view.sinks[0].delivered == 4001).await;
    })
    .await;
    assert_eq!((summary.view.relays[0].emitted, summary.view.relays[0].lost), (4000, 0));
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_fills_the_journal_itself_waits_for_room_and_blocks_nobody_for_ever() {
    let mut settings = PipelineSettings { shutdown_timeout: "1h".parse().unwrap(), ..Default::default() };
    settings.journal.max_bytes = Some("64KiB".parse().unwrap());
    let mut slow = Scripted::willing();
    slow.takes = Duration::from_millis(100);
    let slow = Arc::new(slow);
    let source = source_fn(|_, cx| async move {
        for number in 0..500 {
            cx.emitter.emit(vec![unpackable(number)]).await.ignore();
        }
        cx.shutdown.requested().await;
        Ok(())
    });
    let max_events = NonZeroUsize::new(10).unwrap();
    let delivery = Delivery { overflow: Overflow::Block, max_events, ..Delivery::default() };
    let built = pipeline()
        .settings(settings)
        .source("eager", source)
        .relay("counts", Adds::new(10_000))
        .sink_with("slow", delivery, Arc::clone(&slow));
    let summary = run(built.build().await.unwrap(), async |handle| {
        until(&handle, |view| {
            view.sources[0].emitted == 500 && view.relays[0].lag_events + view.sinks[0].lag_events == 0
        })
        .await;
    })
    .await;
    let relay = &summary.view.relays[0];
    assert_eq!(slow.log.written().len() as u64, 500 + relay.emitted);
    assert_eq!((relay.emitted + relay.discarded, relay.lost), (500, 0));
}

#[tokio::test(start_paused = true)]
async fn a_relay_is_seen_and_probed_like_the_others() {
    let plan = || pipeline().relay("counts.users", Adds::new(100)).sink("all", Arc::new(Scripted::willing()));
    let probes = plan().plan().unwrap().probe().await;
    assert_eq!(probes[0].component, "relays.counts.users");
    assert!(matches!(probes[0].outcome, ProbeOutcome::NothingToTry), "{:?}", probes[0].outcome);
    run(plan().build().await.unwrap(), async |handle| {
        let conditions = handle.conditions();
        assert!(conditions.contains(&("counts.users".to_owned(), Condition::Starting)), "{conditions:?}");
        emit(&handle, 0..3).await;
        until_saved(&handle).await;
        let view = handle.view();
        assert_eq!(view.relays.len(), 1);
        let relay = &view.relays[0];
        assert_eq!((&*relay.name, &relay.condition), ("counts.users", &Condition::Ok));
        assert_eq!((relay.emitted, relay.lost, relay.discarded, relay.restarts), (3, 0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_relay_whose_memory_cannot_be_read_waits_until_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let relay = Adds::new(100);
    let built = || pipeline().settings(on_disk(dir.path())).relay("counts", relay.clone()).build();
    run(built().await.unwrap(), async |handle| emit(&handle, 0..3).await).await;
    let (file, aside) =
        (dir.path().join("state/relays.counts.state/engine.relay.state"), dir.path().join("aside"));
    // What is a directory cannot be read as a file.
    std::fs::rename(&file, &aside).unwrap();
    std::fs::create_dir(&file).unwrap();
    run(built().await.unwrap(), async |handle| {
        emit(&handle, 3..5).await;
        until(&handle, |view| matches!(view.relays[0].condition, Condition::Failing(_))).await;
        std::fs::remove_dir(&file).unwrap();
        std::fs::rename(&aside, &file).unwrap();
        until_saved(&handle).await;
    })
    .await;
    assert_eq!(relay.log.remembered(), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_relay_that_could_not_store_what_it_knows_is_well_once_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let relay = Adds::new(100);
    let built = pipeline().settings(on_disk(dir.path())).relay("counts", relay.clone());
    let (place, aside) = (dir.path().join("state/relays.counts.state"), dir.path().join("aside"));
    run(built.build().await.unwrap(), async |handle| {
        emit(&handle, 0..3).await;
        until_saved(&handle).await;
        std::fs::rename(&place, &aside).unwrap();
        std::fs::write(&place, "a file").unwrap();
        emit(&handle, 3..5).await;
        until(&handle, |view| matches!(view.relays[0].condition, Condition::Warning(_))).await;
        std::fs::remove_file(&place).unwrap();
        std::fs::rename(&aside, &place).unwrap();
        until_saved(&handle).await;
        until(&handle, |view| view.relays[0].condition == Condition::Ok).await;
    })
    .await;
    assert_eq!(relay.log.remembered(), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_relay_remembers_only_what_is_stored_so_that_what_is_emitted_again_after_a_crash_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = on_disk(dir.path());
    settings.journal.fsync = Some("10m".parse().unwrap());
    // One that emits nothing has nothing of its own to wait for.
    let built = pipeline().settings(settings).relay("text", Text);
    let file = dir.path().join("state/relays.text.state/engine.relay.state");
    run(built.build().await.unwrap(), async |handle| {
        emit(&handle, 0..3).await;
        while !file.exists() {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(handle.view().journal.durable_events, 3);
    })
    .await;
}
