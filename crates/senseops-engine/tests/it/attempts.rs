//! Attempts to write: what is measured about them, and how a denied one is repaired.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use senseops_core::host::{IntoComponents, PlannedSink};
use senseops_core::{Build, BuildError, Condition, Factory, PlanError, Sink, WriteError, async_trait};
use senseops_engine::{AttemptsView, Delivery, Pipeline};

use crate::support::{Scripted, emit, run, until};

/// Where a password is that somebody may repair; `None` while it cannot be read.
#[derive(Clone)]
struct Login {
    password: Arc<Mutex<Option<&'static str>>>,
    built: Arc<AtomicUsize>,
}

impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.password, &other.password)
    }
}

#[async_trait]
impl Factory<Arc<dyn Sink>> for Login {
    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        let password = *self.password.lock().unwrap();
        let password = password.ok_or_else(|| BuildError::at("password", "read the password"))?;
        self.built.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Scripted::new(move |_, _| match password {
            "right" => Ok(()),
            _ => Err(WriteError::Denied("wrong password".into())),
        })))
    }
}

impl IntoComponents<Arc<dyn Sink>> for Login {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

#[tokio::test(start_paused = true)]
async fn a_repaired_password_is_noticed_without_a_restart() {
    let login = Login { password: Arc::new(Mutex::new(Some("wrong"))), built: Arc::default() };
    let pipeline = Pipeline::builder().sink("strict", login.clone()).build().await.unwrap();
    run(pipeline, async |handle| {
        emit(&handle, 0..3).await;
        until(&handle, |view| view.sinks[0].attempts.denied == 2).await;
        assert_eq!(handle.view().sinks[0].condition, Condition::Failing("wrong password".into()));
        assert_eq!(login.built.load(Ordering::Relaxed), 2, "built anew before the second attempt");

        *login.password.lock().unwrap() = None;
        until(&handle, |view| view.sinks[0].attempts.denied == 3).await;
        assert_eq!(login.built.load(Ordering::Relaxed), 2, "the old one stays in use");

        *login.password.lock().unwrap() = Some("right");
        until(&handle, |view| view.sinks[0].delivered == 3).await;
        assert_eq!(handle.health(), []);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_by_what_they_came_to_and_timed() {
    let mut sink = Scripted::new(|attempt, batch| match attempt {
        0 => Err(WriteError::unavailable("down")),
        1 => Err(WriteError::Denied("wrong password".into())),
        2 if batch.len() > 1 => Err(WriteError::Split("too large".into())),
        _ => Ok(()),
    });
    sink.takes = Duration::from_secs(2);
    let delivery = Delivery { max_age: "1s".parse().unwrap(), ..Delivery::default() };
    let pipeline = Pipeline::builder().sink_with("slow", delivery, Arc::new(sink)).build().await.unwrap();
    let summary = run(pipeline, async |handle| {
        emit(&handle, 0..2).await;
        until(&handle, |view| view.sinks[0].delivered == 2).await;
    })
    .await;
    let view = &summary.view.sinks[0];
    let expected =
        AttemptsView { written: 2, unavailable: 1, denied: 1, split: 1, ..AttemptsView::default() };
    assert_eq!(view.attempts, expected);
    assert_eq!(view.write_seconds.counts.iter().sum::<u64>(), 5);
    let at = view.write_seconds.bounds.iter().position(|bound| *bound >= 2.5).unwrap();
    assert_eq!(view.write_seconds.counts[at], 5);
    assert!((view.write_seconds.sum - 10.0).abs() < 0.1, "{}", view.write_seconds.sum);
}
