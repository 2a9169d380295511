//! A configuration may plan several sinks, each with events, a delivery and troubles of its own.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use senseops_core::host::{IntoComponents, PlannedSink};
use senseops_core::{Event, Kind, PlanError, Sink, WriteError};
use senseops_engine::{Builder, Delivery, Only, Overflow, Pipeline, PipelineSettings, SinkOptions};
use tokio::time::sleep;

use crate::support::{Rebuilt, Scripted, from, numbered, run, source_fn, unpackable, until};

/// The sinks of one configuration.
struct Lanes(Vec<PlannedSink>);

impl IntoComponents<Arc<dyn Sink>> for Lanes {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(self.0)
    }
}

fn lane(name: &str, sink: &Arc<Scripted>) -> PlannedSink {
    PlannedSink::part(name, Rebuilt(Arc::clone(sink)))
}

/// Only events of these kinds.
fn kinds<const N: usize>(kinds: [&str; N]) -> Only {
    Only { kinds: kinds.map(|kind| kind.parse().unwrap()).into(), ..Only::default() }
}

/// Batches of this many events.
fn batches_of(max_events: usize) -> Delivery {
    Delivery { max_events: NonZeroUsize::new(max_events).unwrap(), ..Delivery::default() }
}

/// Even and odd numbers are of different kinds.
fn sorted_out(number: i64) -> Event {
    let kind = if number % 2 == 0 { Kind::new("number.even") } else { Kind::new("number.odd") };
    Event { kind, ..numbered(number) }
}

fn willing() -> Arc<Scripted> {
    Arc::new(Scripted::willing())
}

#[tokio::test(start_paused = true)]
async fn each_lane_gets_its_own_events_in_its_own_batches_of_those_that_the_operator_lets_through() {
    let emitting = |numbers: std::ops::Range<i64>| {
        source_fn(move |_, cx| {
            let events = numbers.clone().map(sorted_out).collect();
            async move {
                cx.emitter.emit(events).await.ignore();
                cx.shutdown.requested().await;
                Ok(())
            }
        })
    };
    let (all, even, odd, none) = (willing(), willing(), willing(), willing());
    let lanes = Lanes(vec![
        lane("all", &all),
        lane("even", &even).only(kinds(["number.even"])).delivered(batches_of(2)),
        lane("odd", &odd).only(kinds(["number.odd"])).delivered(batches_of(5)),
        lane("none", &none).only(from(["udp.logs"])),
    ]);
    let options = SinkOptions { only: from(["udp.users"]), delivery: batches_of(4) };
    let built = Pipeline::builder()
        .source("udp.users", emitting(0..10))
        .source("udp.logs", emitting(100..110))
        .sink_with("influx", options, lanes);
    let summary = run(built.build().await.unwrap(), async |_| sleep(Duration::from_secs(5)).await).await;
    assert_eq!((all.log.written(), all.log.sizes()), ((0..10).collect(), vec![4, 4, 2]));
    assert_eq!((even.log.written(), even.log.sizes()), (vec![0, 2, 4, 6, 8], vec![2, 2, 1]));
    assert_eq!((odd.log.written(), odd.log.sizes()), (vec![1, 3, 5, 7, 9], vec![5]));
    assert_eq!(none.log.sizes(), Vec::<usize>::new(), "each of both has its say");
    let delivered: Vec<_> =
        summary.view.sinks.iter().map(|sink| (&*sink.name, sink.delivered, sink.lag_events)).collect();
    assert_eq!(
        delivered,
        [("influx.all", 10, 0), ("influx.even", 5, 0), ("influx.odd", 5, 0), ("influx.none", 0, 0)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_may_miss_events_misses_them_while_one_that_may_not_makes_sources_wait() {
    let down = Arc::new(Scripted::new(|_, _| Err(WriteError::unavailable("down"))));
    let mut slow = Scripted::willing();
    slow.takes = Duration::from_secs(1);
    let slow = Arc::new(slow);
    let blocking = Delivery { overflow: Overflow::Block, ..batches_of(50) };
    let lanes = Lanes(vec![lane("slow", &slow).delivered(blocking), lane("down", &down)]);
    let mut settings = PipelineSettings::default();
    settings.journal.max_bytes = Some("64KiB".parse().unwrap());
    let source = source_fn(|_, cx| async move {
        for number in 0..500 {
            cx.emitter.emit(vec![unpackable(number)]).await.ignore();
        }
        cx.shutdown.requested().await;
        Ok(())
    });
    let built = Pipeline::builder().settings(settings).source("eager", source).sink("influx", lanes);
    let summary = run(built.build().await.unwrap(), async |handle| {
        assert_eq!(
            handle.view().sinks.iter().map(|sink| sink.overflow).collect::<Vec<_>>(),
            [Overflow::Block, Overflow::DropOldest]
        );
        until(&handle, |view| view.sinks[0].delivered == 500).await;
    })
    .await;
    assert_eq!(slow.log.written(), (0..500).collect::<Vec<_>>());
    let [slow, down] = &summary.view.sinks[..] else { panic!("two lanes") };
    assert_eq!((slow.discarded, down.delivered), (0, 0));
    assert!(down.discarded > 0, "{down:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reload_restarts_the_lanes_that_have_changed() {
    let (kept, narrowed, faster) = (willing(), willing(), willing());
    let plan = |only: Only, delivery: Delivery| -> Builder {
        Pipeline::builder().sink(
            "influx",
            Lanes(vec![
                lane("kept", &kept).only(kinds(["number.*"])),
                lane("narrowed", &narrowed).only(only),
                lane("faster", &faster).delivered(delivery),
            ]),
        )
    };
    let first = plan(Only::default(), batches_of(5));
    run(first.build().await.unwrap(), async |handle| {
        handle.emit((0..4).map(sorted_out).collect()).await.ignore();
        until(&handle, |view| view.sinks.iter().all(|sink| sink.lag_events == 0)).await;
        let second = plan(kinds(["number.odd"]), batches_of(2)).plan().unwrap();
        let reloaded = handle.reload(second).await.unwrap();
        assert_eq!(reloaded.restarted, ["sinks.influx.faster", "sinks.influx.narrowed"]);
        assert_eq!(reloaded.unchanged, 1);
        handle.emit((4..8).map(sorted_out).collect()).await.ignore();
        until(&handle, |view| view.sinks.iter().all(|sink| sink.lag_events == 0)).await;
    })
    .await;
    assert_eq!(kept.log.written(), (0..8).collect::<Vec<_>>());
    assert_eq!(narrowed.log.written(), [0, 1, 2, 3, 5, 7]);
    assert_eq!(faster.log.sizes(), [4, 2, 2]);
    assert_eq!([&kept, &narrowed, &faster].map(|sink| sink.log.built.load(Ordering::Relaxed)), [1, 2, 2]);
}
