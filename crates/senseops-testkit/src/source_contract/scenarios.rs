//! The scenarios, in the order in which they run.

use senseops_core::{Outcome, chain};
use tokio::time::sleep;

use super::stage::{A_WHILE, STOP_WITHIN, Stage, WITHIN};
use super::{Keeps, OriginBehaviour, SourceHarness};
use crate::contract::{
    Few, Verdict, broken, ensure, ensure_shared_labels, ensure_well_formed, in_time, supported,
};

/// How many events are provoked at once.
const MANY: u64 = 200;

pub(super) async fn emits<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    stage.run(stage.expect_each(1..=5)).await
}

pub(super) async fn emits_many<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    supported(stage.keeps() != Keeps::Latest, || "the origin has only what is true now".into())?;
    // Who keeps nothing may have told the first more than once before the source was there.
    let first = match stage.keeps() {
        Keeps::Nothing => 2,
        Keeps::Everything | Keeps::Latest => 1,
    };
    let script = async {
        stage.expect_each(1..=first - 1).await?;
        for number in first..=MANY {
            stage.provoke(number).await;
        }
        stage.expect(MANY).await
    };
    stage.run(script).await?;
    let told: Vec<u64> = stage.told().into_iter().filter(|number| *number >= first).collect();
    let lost: Vec<u64> = (first..=MANY).filter(|number| !told.contains(number)).collect();
    ensure(lost.is_empty(), || format!("of {MANY} events the source did not emit {}", Few(&lost)))?;
    let out_of_place = told.iter().zip(told.iter().skip(1)).find(|(one, next)| one >= next);
    match out_of_place {
        Some((one, next)) if one == next => Err(broken(format!("the source told event {one} twice"))),
        Some((one, next)) => Err(broken(format!("the source told event {one} before event {next}"))),
        None => Ok(()),
    }
}

pub(super) async fn well_formed_events<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    stage.run(stage.expect_each(1..=5)).await?;
    let events = stage.test.collector.events();
    ensure_well_formed(&events)?;
    ensure_shared_labels(&events)
}

pub(super) async fn stops<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    stage.run(async { Ok(()) }).await?;
    let stage = stage.again();
    stage.run(stage.expect_each(1..=1)).await
}

pub(super) async fn stops_before_it_starts<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    stage.test.trigger.request();
    let mut source = stage.source().await?;
    let ended =
        in_time("run after a stop was requested", STOP_WITHIN, source.run(stage.test.cx.clone())).await?;
    ended.map_err(|error| broken(format!("asked to stop, the source returned an error: {}", chain(&error))))
}

pub(super) async fn stops_without_room<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    stage.test.collector.set_room(false);
    let script = async {
        for number in 1..=3 {
            stage.provoke(number).await;
        }
        sleep(A_WHILE).await;
        Ok(())
    };
    stage.run(script).await
}

pub(super) async fn goes_on_when_there_is_room<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    let script = async {
        stage.test.collector.set_room(false);
        stage.provoke(1).await;
        sleep(A_WHILE).await;
        stage.test.collector.set_room(true);
        if stage.keeps() == Keeps::Everything {
            stage.expect(1).await?;
        }
        stage.expect_each(2..=3).await
    };
    stage.run(script).await
}

pub(super) async fn goes_on_after_a_loss<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    let script = async {
        for (number, outcome) in [(1, Outcome::Lost), (2, Outcome::Held)] {
            stage.test.collector.set_outcome(outcome);
            stage.provoke(number).await;
            sleep(A_WHILE).await;
        }
        stage.test.collector.set_outcome(Outcome::Stored);
        stage.expect_each(3..=4).await
    };
    stage.run(script).await
}

pub(super) async fn built_anew<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    stage.run(stage.expect_each(1..=2)).await?;
    let stage = stage.again();
    for number in 3..=5 {
        stage.provoke(number).await;
    }
    let script = async {
        if stage.keeps() == Keeps::Everything {
            for number in 3..=5 {
                stage.expect(number).await?;
            }
        }
        stage.expect_each(6..=7).await
    };
    stage.run(script).await
}

pub(super) async fn dropped<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    let mut source = stage.source().await?;
    let script = stage.expect_each(1..=2);
    tokio::select! {
        _ended = source.run(stage.test.cx.clone()) => return Err(broken("the source ended although no stop was requested")),
        result = script => result?,
    }
    drop(source);
    let stage = stage.again();
    stage.run(stage.expect_each(3..=4)).await
}

pub(super) async fn down<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    let script = async {
        stage.expect_each(1..=1).await?;
        stage.behave(OriginBehaviour::Down).await?;
        stage.expect_failing().await?;
        stage.behave(OriginBehaviour::Answer).await?;
        stage.expect_each(2..=3).await?;
        stage.expect_recovered().await
    };
    stage.run(script).await
}

pub(super) async fn down_at_start<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    stage.behave(OriginBehaviour::Down).await?;
    let script = async {
        stage.expect_failing().await?;
        stage.behave(OriginBehaviour::Answer).await?;
        stage.expect_each(1..=2).await?;
        stage.expect_recovered().await
    };
    stage.run(script).await
}

pub(super) async fn stops_while_waiting<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    stage.behave(OriginBehaviour::Hang).await?;
    let script = async {
        sleep(A_WHILE).await;
        Ok(())
    };
    stage.run(script).await
}

pub(super) async fn garbage<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    let script = async {
        stage.expect_each(1..=1).await?;
        stage.behave(OriginBehaviour::Garbage).await?;
        sleep(A_WHILE).await;
        stage.behave(OriginBehaviour::Answer).await?;
        stage.expect_each(2..=3).await
    };
    stage.run(script).await
}

pub(super) async fn probe<H: SourceHarness>(harness: &H) -> Verdict {
    let stage = Stage::open(harness).await;
    stage.provoke(1).await;
    let mut source = stage.source().await?;
    let answer = in_time("probe", WITHIN, source.probe()).await?;
    let answer =
        answer.map_err(|error| broken(format!("the origin answers, but probe says: {}", chain(&*error))))?;
    let told = stage.test.collector.events().len();
    ensure(told == 0, || format!("probe must not emit, but {told} events came"))?;
    if answer.is_some() && harness.behave(&stage.origin, OriginBehaviour::Down).await {
        let answer = in_time("probe", WITHIN, source.probe()).await?;
        ensure(answer.is_err(), || format!("the origin is down, but probe answered {answer:?}"))?;
    }
    Ok(())
}
