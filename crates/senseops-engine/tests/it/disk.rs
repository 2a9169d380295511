//! A journal on disk outlives the program.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use senseops_core::{Outcome, WriteError};
use senseops_engine::{JournalSettings, Pipeline, PipelineSettings};
use tokio::time::timeout;

use crate::support::{Scripted, numbered, run};

#[tokio::test]
async fn what_one_run_could_not_deliver_the_next_one_does() {
    let dir = tempfile::tempdir().unwrap();
    let settings = PipelineSettings {
        journal: JournalSettings { path: Some(dir.path().join("journal")), ..JournalSettings::default() },
        shutdown_timeout: "10m".parse().unwrap(),
        ..PipelineSettings::default()
    };

    let begin = std::time::Instant::now();
    let down = Arc::new(Scripted::new(|_, _| Err(WriteError::unavailable("down"))));
    let first = Pipeline::builder().settings(settings.clone()).sink("target", down).build().await.unwrap();
    let summary = run(first, async |handle| {
        for number in 0..100 {
            let receipt = handle.emit(vec![numbered(number)]).await;
            if number == 99 {
                assert_eq!(receipt.outcome().await, Outcome::Stored);
            }
        }
    })
    .await;
    assert!(summary.view.journal.on_disk);
    assert_eq!(summary.view.undelivered(), 100);
    assert!(begin.elapsed() < Duration::from_mins(5), "what is kept is not waited for");

    let up = Arc::new(Scripted::willing());
    let second =
        Pipeline::builder().settings(settings).sink("target", Arc::clone(&up)).build().await.unwrap();
    let summary = run(second, async |_| {}).await;
    assert_eq!(up.log.written(), (0..100).collect::<Vec<_>>());
    assert_eq!(summary.view.undelivered(), 0);
}

#[tokio::test]
async fn two_programs_cannot_use_one_journal() {
    let dir = tempfile::tempdir().unwrap();
    let settings = PipelineSettings {
        journal: JournalSettings { path: Some(dir.path().to_owned()), ..JournalSettings::default() },
        ..PipelineSettings::default()
    };
    let first = Pipeline::builder().settings(settings.clone()).build().await.unwrap();
    let refused = Pipeline::builder().settings(settings).build().await.unwrap_err();
    assert_eq!(refused.errors[0].component, "pipeline.journal");
    assert_eq!(refused.errors[0].source.key, "path");
    drop(first);
}

#[tokio::test]
async fn a_pipeline_that_is_dropped_in_mid_run_gives_its_journal_back() {
    let dir = tempfile::tempdir().unwrap();
    let settings = PipelineSettings {
        journal: JournalSettings { path: Some(dir.path().to_owned()), ..JournalSettings::default() },
        ..PipelineSettings::default()
    };
    let first = Pipeline::builder().settings(settings.clone()).build().await.unwrap();
    let cut_short = timeout(Duration::from_millis(50), first.run_until(std::future::pending())).await;
    assert!(cut_short.is_err());
    let reopened = async {
        while Pipeline::builder().settings(settings.clone()).build().await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(Duration::from_mins(5), reopened).await.is_ok());
}

#[tokio::test]
async fn what_a_failed_disk_cannot_keep_is_delivered_before_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let settings = PipelineSettings {
        journal: JournalSettings { path: Some(path.clone()), ..JournalSettings::default() },
        ..PipelineSettings::default()
    };
    let flaky = Arc::new(Scripted::new(|attempt, _| match attempt {
        0 | 1 => Err(WriteError::unavailable("down")),
        _ => Ok(()),
    }));
    let pipeline =
        Pipeline::builder().settings(settings).sink("target", Arc::clone(&flaky)).build().await.unwrap();
    let summary = run(pipeline, async |handle| {
        std::fs::rename(&path, dir.path().join("gone")).unwrap();
        // What is not a directory cannot be made one, so the disk stays away to the end.
        std::fs::write(&path, "").unwrap();
        let receipt = handle.emit(vec![numbered(7)]).await;
        assert_eq!(receipt.outcome().await, Outcome::Held);
    })
    .await;
    assert!(!summary.view.journal.outlives_the_program);
    assert_eq!((flaky.log.written(), summary.view.undelivered()), (vec![7], 0));
}

#[tokio::test]
async fn who_waits_for_an_answer_has_it_long_before_the_next_sync_and_so_have_those_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = JournalSettings {
        path: Some(dir.path().to_owned()),
        fsync: Some("10m".parse().unwrap()),
        ..JournalSettings::default()
    };
    let settings = PipelineSettings { journal, ..PipelineSettings::default() };
    let sink = Arc::new(Scripted::willing());
    let pipeline =
        Pipeline::builder().settings(settings).sink("target", Arc::clone(&sink)).build().await.unwrap();
    run(pipeline, async |handle| {
        let answered = async {
            let patient = handle.emit(vec![numbered(0)]).await;
            let urgent = (1..100).map(|number| {
                let handle = handle.clone();
                async move { handle.emit(vec![numbered(number)]).await.outcome_now().await }
            });
            assert_eq!(join_all(urgent).await, [Outcome::Stored; 99]);
            assert_eq!(patient.outcome().await, Outcome::Stored);
        };
        assert!(timeout(Duration::from_mins(5), answered).await.is_ok(), "it waits for the next sync");
    })
    .await;
    assert_eq!(sink.log.written().len(), 100);
}
