//! A scripted target that fails in every way that HTTP knows, under a numbered load.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use senseops_core::BoxError;
use senseops_testkit::{Answer, Recorded};
use tokio::time::sleep;

use super::account::Account;
use super::lab::{Lab, RATE, Scene, caught_up, influx, numbered, settle};
use super::target::{Line, Ruling, Target, influxdb};
use crate::program::{Ended, Sos};

/// The most that memory may grow by while a backlog is on disk, in MiB.
const GROWTH_MIB: f64 = 64.0;
/// How long memory may take to be given back.
const SETTLE: Duration = Duration::from_secs(2);
/// How many lines a program may log in a scenario: states change a few times, attempts fail a thousand times.
const MOST_LINES: u64 = 60;
/// Larger than a batch of a tenth of a second, smaller than the batches after a pause.
const MAX_BODY_BYTES: usize = 40_000;

/// A target under a load of numbered events.
struct Stage {
    scene: Scene,
    target: Target,
    sos: Sos,
    account: Account,
}

impl Stage {
    /// Starts everything, and lets it run until it is warm. The sink has these further settings.
    async fn set(lab: &Lab, sink: &str) -> Result<Self, BoxError> {
        let (scene, target) = (Scene::new()?, Target::start().await?);
        let yaml = scene.on_disk("") + &numbered(RATE, "") + &influx(&target.url(), sink, "");
        let sos = scene.start(&lab.chaos, &yaml)?;
        sleep(lab.seconds(10, 1)).await;
        let resident = sos.resident_mib()?;
        let account = Account { resident: Some((resident, resident)), ..lab.account() };
        Ok(Self { scene, target, sos, account })
    }

    /// Lets the target fail for some time and at so many writes at least, then lets everything catch up.
    async fn suffer(
        &mut self,
        time: Duration,
        writes: u64,
        rule: impl Fn(&Recorded, &[Line<'_>]) -> Ruling + Send + Sync + 'static,
    ) -> Result<(), BoxError> {
        self.target.rule(rule);
        self.target.pass_and_rule(time, writes).await?;
        self.target.recover();
        self.catch_up().await
    }

    async fn catch_up(&mut self) -> Result<(), BoxError> {
        caught_up(&mut self.account, &self.sos).await?;
        // What deliveries in haste have taken from the system is given back within a moment.
        sleep(SETTLE).await;
        let after = self.sos.resident_mib()?;
        self.account.resident = self.account.resident.map(|(before, _)| (before, after));
        Ok(())
    }

    fn end(mut self) -> Result<(Account, Ended, Scene), BoxError> {
        let lines = self.sos.lines();
        self.account.demand(lines < MOST_LINES, || format!("{lines} lines in the log"));
        self.account.demand_memory(GROWTH_MIB);
        let ended = settle(&mut self.account, self.sos, &self.target)?;
        Ok((self.account, ended, self.scene))
    }

    /// Ends it, with nothing lost.
    fn end_with_all(self) -> Result<Account, BoxError> {
        let (mut account, _, _) = self.end()?;
        account.demand_all();
        Ok(account)
    }
}

pub(super) async fn status_500(lab: &Lab) -> Result<Account, BoxError> {
    let mut stage = Stage::set(lab, "").await?;
    let answer = || influxdb(500).body(r#"{"error":"out of order"}"#);
    stage.suffer(lab.seconds(600, 4), 2, move |_, _| Ruling::Refuse(answer())).await?;
    stage.end_with_all()
}

pub(super) async fn retry_after(lab: &Lab) -> Result<Account, BoxError> {
    let mut stage = Stage::set(lab, "").await?;
    let (time, pause) = (lab.seconds(60, 5), lab.seconds(10, 2));
    let attempts = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&attempts);
    let refuse = move |_: &Recorded, _: &[Line<'_>]| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ruling::Refuse(influxdb(429).retry_after(pause))
    };
    let began = Instant::now();
    stage.target.rule(refuse);
    stage.target.pass_and_rule(time, 2).await?;
    stage.target.recover();
    let (attempts, most) =
        (attempts.load(Ordering::Relaxed), began.elapsed().as_secs() / pause.as_secs() + 1);
    stage.catch_up().await?;
    stage
        .account
        .demand(attempts <= most, || format!("{attempts} attempts, where {most} were asked for at most"));
    stage.end_with_all()
}

/// The target gets another password, and a while later so does the file that the sink reads it from.
pub(super) async fn wrong_password(lab: &Lab) -> Result<Account, BoxError> {
    const OLD: &str = "Basic YW5uYTpvbGQ="; // anna:old
    const NEW: &str = "Basic YW5uYTpuZXc="; // anna:new
    let secrets = Scene::new()?;
    let password = secrets.write("password", "old")?;
    let login = format!(", username: anna, password: {{ file: '{}' }}", password.display());
    let asks_for = |login: &'static str| {
        move |request: &Recorded, _: &[Line<'_>]| match request.header("authorization") {
            Some(given) if given == login => Ruling::Take,
            Some(_) | None => Ruling::Refuse(influxdb(401).body(r#"{"error":"authorization failed"}"#)),
        }
    };
    let mut stage = Stage::set(lab, &login).await?;
    stage.target.rule(asks_for(OLD));
    stage.target.pass_and_rule(Duration::from_secs(1), 1).await?;
    stage.target.rule(asks_for(NEW));
    stage.target.pass_and_rule(lab.seconds(60, 3), 1).await?;
    secrets.write("password", "new")?;
    stage.catch_up().await?;
    stage.end_with_all()
}

pub(super) async fn too_large(lab: &Lab) -> Result<Account, BoxError> {
    let mut stage = Stage::set(lab, "").await?;
    // A pause first, so that batches are large.
    stage.target.rule(|_, _| Ruling::Refuse(influxdb(503)));
    sleep(lab.seconds(10, 2)).await;
    let limit = |request: &Recorded, _: &[Line<'_>]| {
        let is_too_large = request.body.len() > MAX_BODY_BYTES;
        if is_too_large { Ruling::Refuse(influxdb(413)) } else { Ruling::Take }
    };
    stage.suffer(lab.seconds(60, 3), 1, limit).await?;
    stage.end_with_all()
}

/// The target says of every second event that it cannot be read. These are counted and kept as dead letters, and cost
/// the others nothing.
pub(super) async fn half_refused(lab: &Lab) -> Result<Account, BoxError> {
    let mut stage = Stage::set(lab, "").await?;
    let refuse = |_: &Recorded, lines: &[Line<'_>]| {
        let refused: Vec<_> = lines.iter().filter(|line| line.key % 2 == 1).collect();
        if refused.is_empty() {
            return Ruling::Take;
        }
        let reasons = refused.iter().map(|line| format!("unable to parse '{}': bad number", line.text));
        let error = reasons.collect::<Vec<_>>().join("\n");
        let answer = influxdb(400).body(serde_json::json!({ "error": error }).to_string());
        Ruling::TakeAllBut(refused.iter().map(|line| line.key).collect(), answer)
    };
    stage.suffer(lab.seconds(30, 3), 2, refuse).await?;
    let (mut account, ended, scene) = stage.end()?;
    account.balance();
    let (refused, kept) = (ended.sinks.of("refused"), scene.dead_letters()?);
    account.demand(refused == kept, || format!("{refused} events refused, but {kept} dead letters"));
    account.demand(refused > 0, || "nothing was refused".into());
    Ok(account)
}

/// Every second answer never ends, after the target has taken the events or not.
pub(super) async fn unfinished(lab: &Lab) -> Result<Account, BoxError> {
    let body = || influxdb(503).body("an answer that nobody will ever read to its end").stall();
    every_second(lab, move |turn| match turn % 3 {
        0 => Ruling::Refuse(body()),
        1 => Ruling::TakeAnd(body()),
        _ => Ruling::TakeAnd(Answer::hang()),
    })
    .await
}

/// Every second connection is reset, after the target has taken the events or not.
pub(super) async fn reset(lab: &Lab) -> Result<Account, BoxError> {
    every_second(lab, |turn| match turn % 3 {
        0 => Ruling::Refuse(Answer::reset()),
        1 => Ruling::TakeAnd(Answer::reset()),
        _ => Ruling::TakeAnd(influxdb(200).body("an answer that is cut").cut()),
    })
    .await
}

async fn every_second(
    lab: &Lab,
    fail: impl Fn(u64) -> Ruling + Send + Sync + 'static,
) -> Result<Account, BoxError> {
    let mut stage = Stage::set(lab, "").await?;
    let turns = AtomicU64::new(0);
    let rule = move |_: &Recorded, _: &[Line<'_>]| {
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        if turn.is_multiple_of(2) { fail(turn / 2) } else { Ruling::Take }
    };
    // Each of the three ways to fail, and a success after each.
    stage.suffer(lab.seconds(60, 6), 6, rule).await?;
    stage.end_with_all()
}
