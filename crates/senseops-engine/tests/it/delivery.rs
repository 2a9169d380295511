//! What each kind of failed write leads to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use senseops_core::host::{IntoComponents, PlannedSink};
use senseops_core::{
    Build, BuildError, Condition, Factory, PlanError, Rejection, Sink, WriteError, async_trait, sink_fn,
};
use senseops_engine::{Delivery, Pipeline};
use tokio::time::Instant;

use crate::support::{Rebuilt, Scripted, emit, number, numbers, run, until};

const SECOND: Duration = Duration::from_secs(1);

fn down() -> WriteError {
    WriteError::unavailable("connection refused")
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_recovers_gets_everything_once_and_in_order() {
    let sink = Arc::new(Scripted::new(|attempt, _| if attempt < 3 { Err(down()) } else { Ok(()) }));
    let pipeline = Pipeline::builder().sink("flaky", Arc::clone(&sink)).build().await.unwrap();
    let summary = run(pipeline, async |handle| {
        emit(&handle, 0..20).await;
        until(&handle, |view| view.sinks[0].retries == 1).await;
        let failing = Condition::Failing("connection refused".into());
        assert_eq!(handle.health(), [("flaky".to_owned(), failing)]);
        until(&handle, |view| view.sinks[0].delivered == 20).await;
        assert_eq!(handle.health(), []);
    })
    .await;
    assert_eq!(sink.log.written(), (0..20).collect::<Vec<_>>());
    assert_eq!((summary.view.sinks[0].retries, summary.view.sinks[0].writes), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_and_a_requested_pause_is_granted() {
    let sink = Arc::new(Scripted::new(|attempt, _| match attempt {
        0..3 => Err(down()),
        3 => Err(WriteError::Unavailable { source: "busy".into(), retry_after: Some(90 * SECOND) }),
        _ => Ok(()),
    }));
    let pipeline = Pipeline::builder().sink("slow", Arc::clone(&sink)).build().await.unwrap();
    run(pipeline, async |handle| {
        emit(&handle, [1]).await;
        until(&handle, |view| view.sinks[0].delivered == 1).await;
    })
    .await;
    let times: Vec<Instant> = sink.log.attempts().into_iter().map(|(at, _)| at).collect();
    let pauses: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    let bounds = [(0.25, 0.51), (0.5, 1.01), (1.0, 2.01), (90.0, 90.1)];
    for (pause, (least, most)) in pauses.iter().zip(bounds) {
        assert!((least..most).contains(pause), "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_batch_is_kept_and_tried_slowly() {
    let allowed = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&allowed);
    let sink = Arc::new(Scripted::new(move |_, _| {
        if gate.load(Ordering::Relaxed) { Ok(()) } else { Err(WriteError::Denied("wrong password".into())) }
    }));
    let pipeline = Pipeline::builder().sink("strict", Arc::clone(&sink)).build().await.unwrap();
    run(pipeline, async |handle| {
        emit(&handle, 0..3).await;
        tokio::time::sleep(Duration::from_mins(10)).await;
        assert!((9..=11).contains(&sink.log.attempts().len()), "{}", sink.log.attempts().len());
        assert_eq!(handle.view().sinks[0].condition, Condition::Failing("wrong password".into()));
        allowed.store(true, Ordering::Relaxed);
        until(&handle, |view| view.sinks[0].delivered == 3).await;
    })
    .await;
    assert_eq!(sink.log.written(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn one_poison_event_is_found_by_halving_and_costs_only_itself() {
    let sink = Arc::new(Scripted::new(|_, batch| {
        if numbers(batch).contains(&13) {
            Err(WriteError::Split("field type conflict".into()))
        } else {
            Ok(())
        }
    }));
    let pipeline = Pipeline::builder().sink("picky", Arc::clone(&sink)).build().await.unwrap();
    let summary = run(pipeline, async |handle| emit(&handle, 0..100).await).await;
    assert_eq!(sink.log.written(), (0..100).filter(|n| *n != 13).collect::<Vec<_>>());
    assert_eq!((summary.view.sinks[0].delivered, summary.view.sinks[0].refused), (99, 1));
    assert!(sink.log.attempts().len() <= 16, "{:?}", sink.log.sizes());
}

#[tokio::test(start_paused = true)]
async fn of_a_partial_write_only_what_may_come_again_does() {
    let sink = Arc::new(Scripted::new(|attempt, _| match attempt {
        0 => Err(WriteError::Partial {
            retry: vec![4, 1],
            refused: vec![Rejection { index: 2, reason: "too old".into() }],
        }),
        _ => Ok(()),
    }));
    let pipeline = Pipeline::builder().sink("partly", Arc::clone(&sink)).build().await.unwrap();
    let summary = run(pipeline, async |handle| {
        emit(&handle, 0..6).await;
        until(&handle, |view| view.sinks[0].delivered == 5).await;
    })
    .await;
    assert_eq!(sink.log.written(), [0, 3, 5, 1, 4]);
    assert_eq!(summary.view.sinks[0].refused, 1);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_refuses_some_of_each_batch_is_no_target_that_is_down() {
    // As InfluxDB does when the type of a field has changed: it names one, and what it says of the rest is not known.
    let sink =
        Arc::new(Scripted::new(|_, batch| match batch.iter().position(|event| number(event) % 10 == 3) {
            Some(index) => {
                let retry = (0..batch.len()).filter(|other| *other != index).collect();
                Err(WriteError::Partial {
                    retry,
                    refused: vec![Rejection { index, reason: "another type".into() }],
                })
            }
            None => Ok(()),
        }));
    let pipeline = Pipeline::builder().sink("picky", Arc::clone(&sink)).build().await.unwrap();
    run(pipeline, async |handle| {
        for batch in 0..20 {
            emit(&handle, batch * 50..(batch + 1) * 50).await;
            let delivered = u64::try_from(batch + 1).unwrap() * 45;
            until(&handle, |view| {
                let condition = &view.sinks[0].condition;
                assert!(!matches!(condition, Condition::Failing(_)), "{condition:?}");
                view.sinks[0].delivered == delivered
            })
            .await;
        }
        let refused = "the target refuses events: another type; they are not kept, since neither pipeline.state_dir nor pipeline.dead_letters.path is set";
        assert_eq!(handle.view().sinks[0].condition, Condition::Warning(refused.into()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn positions_that_make_no_sense_lose_nothing() {
    let sink = Arc::new(Scripted::new(|attempt, _| match attempt {
        0 => Err(WriteError::Partial {
            retry: vec![1, 1, 99],
            refused: [1, 1, 50].map(|index| Rejection { index, reason: "odd".into() }).into(),
        }),
        _ => Ok(()),
    }));
    let pipeline = Pipeline::builder().sink("confused", Arc::clone(&sink)).build().await.unwrap();
    let summary = run(pipeline, async |handle| emit(&handle, 0..3).await).await;
    assert_eq!((summary.view.sinks[0].delivered, summary.view.sinks[0].refused), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_is_built_anew_and_gets_the_batch_again() {
    let sink =
        Rebuilt(Arc::new(Scripted::new(|attempt, _| if attempt == 0 { panic!("boom") } else { Ok(()) })));
    let pipeline = Pipeline::builder().sink("brittle", sink.clone()).build().await.unwrap();
    let summary = run(pipeline, async |handle| {
        emit(&handle, 0..4).await;
        until(&handle, |view| view.sinks[0].delivered == 4).await;
    })
    .await;
    assert_eq!(sink.0.log.built.load(Ordering::Relaxed), 2);
    assert_eq!(summary.view.sinks[0].restarts, 1);
    assert_eq!(summary.view.sinks[0].condition, Condition::Ok);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_always_makes_the_sink_panic_does_not_block_the_others() {
    let sink = Rebuilt(Arc::new(Scripted::new(|_, batch| {
        assert!(!numbers(batch).contains(&2), "boom");
        Ok(())
    })));
    let pipeline = Pipeline::builder().sink("brittle", sink.clone()).build().await.unwrap();
    let summary = run(pipeline, async |handle| {
        emit(&handle, 0..8).await;
        until(&handle, |view| view.sinks[0].delivered == 7).await;
    })
    .await;
    assert_eq!(sink.0.log.written(), [0, 1, 3, 4, 5, 6, 7]);
    assert_eq!(summary.view.sinks[0].refused, 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_is_given_up_and_repeated() {
    let mut sink = Scripted::willing();
    sink.takes = Duration::from_hours(1);
    let sink = Arc::new(sink);
    let delivery = Delivery { timeout: "10s".parse().unwrap(), ..Delivery::default() };
    let pipeline =
        Pipeline::builder().sink_with("hanging", delivery, Arc::clone(&sink)).build().await.unwrap();
    run(pipeline, async |handle| {
        emit(&handle, [7]).await;
        until(&handle, |view| view.sinks[0].retries == 2).await;
        let said = handle.health().remove(0).1.reason().to_owned();
        assert_eq!(said, "the write took longer than 10s");
    })
    .await;
    assert!(sink.log.attempts().iter().all(|(_, numbers)| numbers == &[7]));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_down_delays_no_other() {
    let down = Arc::new(Scripted::new(|_, _| Err(down())));
    let pipeline = Pipeline::builder()
        .sink("down", down)
        .sink("up", sink_fn(|_| async { Ok(()) }))
        .build()
        .await
        .unwrap();
    let summary = run(pipeline, async |handle| {
        emit(&handle, 0..1000).await;
        until(&handle, |view| view.sinks[1].delivered == 1000).await;
    })
    .await;
    assert_eq!(summary.view.sinks[0].lag_events, 1000);
    assert_eq!(summary.view.undelivered(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_takes_part_of_a_batch_is_up_again_and_its_refusals_are_shown() {
    let sink = Arc::new(Scripted::new(|attempt, _| match attempt {
        0 => Err(down()),
        _ => Err(WriteError::Partial {
            retry: vec![],
            refused: vec![Rejection { index: 0, reason: "too old".into() }],
        }),
    }));
    let pipeline = Pipeline::builder().sink("picky", Arc::clone(&sink)).build().await.unwrap();
    run(pipeline, async |handle| {
        emit(&handle, 0..3).await;
        until(&handle, |view| view.sinks[0].delivered == 2).await;
        let warning = Condition::Warning(
            "the target refuses events: too old; they are not kept, since neither pipeline.state_dir nor \
             pipeline.dead_letters.path is set"
                .into(),
        );
        until(&handle, |view| view.sinks[0].condition == warning).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_whatever_it_gets_does_not_eat_the_events() {
    let sink = Rebuilt(Arc::new(Scripted::new(|_, _| panic!("always"))));
    let pipeline = Pipeline::builder().sink("broken", sink.clone()).build().await.unwrap();
    let summary = run(pipeline, async |handle| {
        emit(&handle, 0..100).await;
        tokio::time::sleep(Duration::from_mins(30)).await;
    })
    .await;
    assert!(summary.view.sinks[0].refused < 10, "{:?}", summary.view.sinks[0]);
}

#[tokio::test(start_paused = true)]
async fn why_a_sink_cannot_be_built_anew_is_shown() {
    let sink = Unbuildable(AtomicBool::default());
    let pipeline = Pipeline::builder().sink("brittle", sink).build().await.unwrap();
    run(pipeline, async |handle| {
        emit(&handle, [1]).await;
        let missing = Condition::Failing("read root.pem".into());
        until(&handle, |view| view.sinks[0].condition == missing).await;
        tokio::time::sleep(Duration::from_mins(5)).await;
        assert_eq!(handle.view().sinks[0].condition, missing);
    })
    .await;
}

/// Can be built once; its sink panics.
struct Unbuildable(AtomicBool);

impl PartialEq for Unbuildable {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

#[async_trait]
impl Factory<Arc<dyn Sink>> for Unbuildable {
    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        if self.0.swap(true, Ordering::Relaxed) {
            return Err(BuildError::at("tls.ca", "read root.pem"));
        }
        Ok(Arc::new(Scripted::new(|_, _| panic!("boom"))))
    }
}

impl IntoComponents<Arc<dyn Sink>> for Unbuildable {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}
