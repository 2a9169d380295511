//! The scenarios, in the order in which they run.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use senseops_core::{WriteError, chain};
use tokio::time::{Instant, sleep, timeout};

use super::stage::{Stage, WITHIN, behave, unexpected};
use super::{SinkHarness, TargetBehaviour};
use crate::contract::{Verdict, broken, ensure, in_time};

/// How long a write is left waiting before it is dropped.
const A_WHILE: Duration = Duration::from_millis(200);

/// After how many polls writes are dropped, at most.
const MAX_POLLS: usize = 12;

/// The pause that a busy target asks for.
const ASKED_PAUSE: Duration = Duration::from_secs(30);

/// What may be missing of it when the target says when, instead of how long.
const MISSING_PAUSE: Duration = Duration::from_secs(10);

pub(super) async fn accepts_is_stable<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::build(harness, harness.target().await).await?;
    let before = stage.sink.accepts();
    let events = stage.events(0..3);
    stage.deliver(&events).await?;
    ensure(stage.sink.accepts() == before, || "`accepts` changed, but the engine asks only once".into())
}

pub(super) async fn ok<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    for places in [1..2, 2..4, 4..11, 11..75] {
        let events = stage.events(places);
        stage.deliver(&events).await?;
    }
    stage.finish(&[]).await
}

pub(super) async fn flaky<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    for places in [1..2, 2..6, 6..20] {
        let events = stage.events(places);
        stage.behave(TargetBehaviour::Busy { retry_after: None }).await?;
        for _ in 0..2 {
            let pause = stage.write_fails_for_now(&events, "the target is busy").await?;
            ensure(pause.is_none(), || format!("the target asked for no pause, but the sink for {pause:?}"))?;
        }
        stage.behave(TargetBehaviour::Accept).await?;
        stage.deliver(&events).await?;
    }
    stage.finish(&[]).await
}

pub(super) async fn retry_after<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    stage.behave(TargetBehaviour::Busy { retry_after: Some(ASKED_PAUSE) }).await?;
    let events = stage.events(1..5);
    let asked = Instant::now();
    let pause = stage.write_fails_for_now(&events, "the target is busy").await?;
    ensure(asked.elapsed() < ASKED_PAUSE, || "the sink waited on its own; only the engine waits".into())?;
    let passed_on = pause.is_some_and(|pause| pause <= ASKED_PAUSE && pause + MISSING_PAUSE >= ASKED_PAUSE);
    ensure(passed_on, || {
        format!("the target asked for a pause of {ASKED_PAUSE:?}, but the sink passed on {pause:?}")
    })?;
    stage.behave(TargetBehaviour::Accept).await?;
    stage.deliver(&events).await?;
    stage.finish(&[]).await
}

pub(super) async fn refuse_some<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    let events = stage.events(1..12);
    let refused: Vec<u64> = events.iter().copied().skip(2).step_by(4).collect();
    stage.behave(TargetBehaviour::RefuseSome(refused.clone())).await?;
    stage.deliver(&events).await?;
    stage.behave(TargetBehaviour::Accept).await?;
    let more = stage.events(12..15);
    stage.deliver(&more).await?;
    stage.finish(&refused).await
}

pub(super) async fn refuse_all<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    let refused = stage.events(1..6);
    stage.behave(TargetBehaviour::RefuseAll).await?;
    stage.deliver(&refused).await?;
    stage.behave(TargetBehaviour::Accept).await?;
    let more = stage.events(6..9);
    stage.deliver(&more).await?;
    stage.finish(&refused).await
}

pub(super) async fn too_large<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    stage.behave(TargetBehaviour::AtMost(3)).await?;
    let events = stage.events(1..24);
    stage.deliver(&events).await?;
    stage.finish(&[]).await
}

pub(super) async fn denied<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    stage.behave(TargetBehaviour::Deny).await?;
    let events = stage.events(1..5);
    let result = stage.write(&stage.batch(&events), &events).await?;
    ensure_denied(&result)?;
    stage.behave(TargetBehaviour::Accept).await?;
    stage.deliver(&events).await?;
    stage.finish(&[]).await
}

pub(super) async fn crash_before_store<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    stage.behave(TargetBehaviour::LoseWrites).await?;
    let events = stage.events(1..5);
    stage.write_fails_for_now(&events, "the target crashed before it stored the batch").await?;
    stage.behave(TargetBehaviour::Accept).await?;
    stage.deliver(&events).await?;
    stage.finish(&[]).await
}

pub(super) async fn lost_answer<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    stage.behave(TargetBehaviour::LoseAnswers).await?;
    let events = stage.events(1..5);
    stage.write_fails_for_now(&events, "the target crashed before it answered").await?;
    stage.behave(TargetBehaviour::Accept).await?;
    stage.deliver(&events).await?;
    stage.finish(&[]).await
}

pub(super) async fn dropped_while_waiting<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    stage.behave(TargetBehaviour::Hang).await?;
    let events = stage.events(1..5);
    for _ in 0..3 {
        let batch = stage.batch(&events);
        if let Ok(result) = timeout(A_WHILE, stage.write(&batch, &events)).await {
            let result = result?;
            if !matches!(result, Err(WriteError::Unavailable { .. })) {
                return Err(unexpected("Unavailable or nothing", "the target does not answer", &result));
            }
        }
    }
    stage.behave(TargetBehaviour::Accept).await?;
    stage.deliver(&events).await?;
    stage.finish(&[]).await
}

pub(super) async fn dropped_mid_write<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    for polls in 1..=MAX_POLLS {
        let events = stage.events(polls..polls + 3);
        let batch = stage.batch(&events);
        // What became of it is unknown to the engine, too: it writes the same batch again.
        let _unknown = in_time("write", WITHIN, polled_at_most(polls, stage.sink.write(&batch))).await?;
        stage.deliver(&events).await?;
    }
    stage.finish(&[]).await
}

pub(super) async fn down<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    for places in [1..4, 4..8] {
        stage.behave(TargetBehaviour::Down).await?;
        let events = stage.events(places);
        for _ in 0..2 {
            stage.write_fails_for_now(&events, "the target is down").await?;
        }
        stage.behave(TargetBehaviour::Accept).await?;
        stage.deliver(&events).await?;
    }
    stage.finish(&[]).await
}

pub(super) async fn down_at_start<H: SinkHarness>(harness: &H) -> Verdict {
    let target = harness.target().await;
    behave(harness, &target, TargetBehaviour::Down).await?;
    let mut stage = Stage::build(harness, target).await?;
    let events = stage.events(0..4);
    stage.write_fails_for_now(&events, "the target is down").await?;
    stage.behave(TargetBehaviour::Accept).await?;
    stage.deliver(&events).await?;
    stage.finish(&[]).await
}

pub(super) async fn written_twice<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    let events = stage.events(1..6);
    stage.deliver(&events).await?;
    stage.deliver(&events).await?;
    stage.finish(&[]).await
}

pub(super) async fn several_at_once<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    let [one, two, three] = [1..4, 4..9, 9..30].map(|places| stage.events(places));
    let write = async |events: &[u64]| stage.write(&stage.batch(events), events).await;
    let (first, second, third) = tokio::join!(write(&one), write(&two), write(&three));
    for (events, result) in [(one, first?), (two, second?), (three, third?)] {
        if let Err(error) = result {
            return Err(broken(format!("one of three writes at the same time failed: {}", chain(&error))));
        }
        stage.wrote_at_once(&events);
    }
    stage.finish(&[]).await
}

pub(super) async fn built_anew<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    for places in [1..4, 4..7] {
        let events = stage.events(places);
        stage.deliver(&events).await?;
        stage = stage.build_anew().await?;
    }
    let events = stage.events(7..10);
    stage.deliver(&events).await?;
    stage.finish(&[]).await
}

pub(super) async fn probe<H: SinkHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await?;
    let before = stage.stored().await;
    let answer = in_time("probe", WITHIN, stage.sink.probe()).await?;
    let answer =
        answer.map_err(|error| broken(format!("the target is there, but probe says: {}", chain(&*error))))?;
    let stored = stage.stored().await;
    ensure(stored == before, || format!("probe must not write, but the target has now {stored:?}"))?;
    if answer.is_some() && harness.behave(&stage.target, TargetBehaviour::Down).await {
        let answer = in_time("probe", WITHIN, stage.sink.probe()).await?;
        ensure(answer.is_err(), || format!("the target is down, but probe answered {answer:?}"))?;
    }
    Ok(())
}

pub(super) async fn close<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    let events = stage.events(1..6);
    stage.deliver(&events).await?;
    closed(&stage).await?;
    stage.finish(&[]).await?;
    let unused = Stage::build(harness, harness.target().await).await?;
    closed(&unused).await
}

pub(super) async fn close_while_down<H: SinkHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await?;
    stage.behave(TargetBehaviour::Down).await?;
    // It may fail, it may not hang.
    let _failed = in_time("close while the target is down", WITHIN, stage.sink.close()).await?;
    Ok(())
}

pub(super) async fn freed<H: SinkHarness>(harness: &H) -> Verdict {
    let mut stage = Stage::open(harness).await?;
    let events = stage.events(1..6);
    stage.deliver(&events).await?;
    closed(&stage).await?;
    let remains = stage.into_remains().await;
    let deadline = Instant::now() + WITHIN;
    while remains.strong_count() > 0 {
        ensure(Instant::now() < deadline, || {
            "the sink and its background were dropped, but something still holds the sink: a task of its own?"
                .into()
        })?;
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

async fn closed<H: SinkHarness>(stage: &Stage<'_, H>) -> Verdict {
    let result = in_time("close", WITHIN, Arc::clone(&stage.sink).close()).await?;
    result.map_err(|error| broken(format!("close failed: {}", chain(&*error))))
}

fn ensure_denied(result: &Result<(), WriteError>) -> Verdict {
    match result {
        Err(WriteError::Denied(_)) => Ok(()),
        other => Err(unexpected("Denied", "the target denies us", other)),
    }
}

/// Polls `work` so often at most, then drops it.
async fn polled_at_most<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = work.as_mut().poll(cx).map(Some);
        if left == 0 && polled.is_pending() { Poll::Ready(None) } else { polled }
    })
    .await
}
