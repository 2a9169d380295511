//! A measurement cannot grow without end.

use std::sync::Arc;

use senseops_core::host::IntoComponents;
use senseops_core::{Batch, Body, Build, Event, Fields, Kind, LabelSet, Sink, Timestamp, WriteError};
use senseops_sink_influx::InfluxConfig;
use senseops_testkit::{Answer, HttpTarget, Recorded};
use serde_json::json;

use crate::events::{NOW, delivered, sink};

async fn capped(build: &Build, target: &HttpTarget, max_series: u32) -> Arc<dyn Sink> {
    sink(build.clone(), &json!({ "url": target.url(), "max_series": max_series })).await
}

/// An event of a user.
fn event(kind: &'static str, user: &str, field: &'static str) -> Event {
    let labels = Arc::new(LabelSet::default().with("user", user));
    Event::new(Kind::new(kind), &labels, Body::Measurement(Fields::default().with(field, 1)))
        .at(Timestamp::from_nanos(NOW))
}

fn batch(users: &[&str]) -> Batch {
    Batch::from(users.iter().map(|user| event("third.party", user, "n")).collect::<Vec<_>>())
}

/// The users of whom something was written, in order.
fn written(target: &HttpTarget) -> Vec<String> {
    let text: String = target.take_requests().iter().map(Recorded::text).collect();
    let user = |line: &str| Some(line.split_once("user=")?.1.split_once(' ')?.0.to_owned());
    text.lines().filter_map(user).collect()
}

fn counted(build: &Build) -> Vec<String> {
    let show = |reading: senseops_core::host::Reading| {
        format!("{} {} {}", reading.name, reading.labels, reading.value)
    };
    build.meter.readings().into_iter().map(show).collect()
}

#[tokio::test]
async fn events_that_would_begin_a_series_too_many_are_refused_and_the_others_go_on() {
    let (target, build) = (HttpTarget::start().await.unwrap(), Build::detached("influx.main"));
    let sink = capped(&build, &target, 2).await;
    sink.write(&batch(&["anna", "bo"])).await.unwrap();
    let (refused, writes) = delivered(&*sink, &batch(&["bo", "cecilia", "anna", "david"])).await;
    assert_eq!(writes, 1);
    insta::assert_debug_snapshot!(refused, @r#"
    [
        Rejection {
            index: 1,
            reason: "the measurement third_party has reached its limit of 2 series",
        },
        Rejection {
            index: 3,
            reason: "the measurement third_party has reached its limit of 2 series",
        },
    ]
    "#);
    assert_eq!(written(&target), ["anna", "bo", "bo", "anna"]);
    insta::assert_snapshot!(counted(&build).join("\n"), @"
    events_without_fields  0
    points  4
    refused_series measurement=third_party 2
    ");
}

#[tokio::test]
async fn a_sink_that_is_built_anew_knows_the_series_of_the_one_before() {
    let target = HttpTarget::start().await.unwrap();
    let config: InfluxConfig =
        serde_json::from_value(json!({ "url": target.url(), "max_series": 1 })).unwrap();
    let factory = config.into_components().unwrap().remove(0).factory;
    let build = async || factory.build(Build::detached("influx.main")).await.unwrap();
    build().await.write(&batch(&["anna"])).await.unwrap();
    let (refused, _) = delivered(&*build().await, &batch(&["anna", "bo"])).await;
    assert_eq!(refused.iter().map(|rejection| rejection.index).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_batch_of_nothing_but_further_series_needs_no_request() {
    let (target, build) = (HttpTarget::start().await.unwrap(), Build::detached("influx.main"));
    let sink = capped(&build, &target, 1).await;
    sink.write(&batch(&["anna"])).await.unwrap();
    let (refused, _) = delivered(&*sink, &batch(&["bo", "cecilia"])).await;
    assert_eq!(refused.len(), 2);
    assert_eq!(written(&target), ["anna"]);
}

#[tokio::test]
async fn while_the_target_is_away_nothing_is_refused_or_counted() {
    let (target, build) = (HttpTarget::start().await.unwrap(), Build::detached("influx.main"));
    let sink = capped(&build, &target, 1).await;
    target.answer_next(Answer::reset());
    let both = batch(&["anna", "bo"]);
    assert!(matches!(sink.write(&both).await, Err(WriteError::Unavailable { .. })));
    assert_eq!(counted(&build), ["events_without_fields  0", "points  0"]);
    let (refused, _) = delivered(&*sink, &both).await;
    assert_eq!(refused.iter().map(|rejection| rejection.index).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn points_that_are_refused_here_and_there_are_told_once_each() {
    let (target, build) = (HttpTarget::start().await.unwrap(), Build::detached("influx.main"));
    let sink = capped(&build, &target, 2).await;
    target.answer_with(|request| {
        let bad = request.text().lines().filter(|line| line.contains(" bad=")).count();
        if bad == 0 {
            return Answer::no_content();
        }
        let conflict = format!(
            "partial write: field type conflict: input field \"bad\" on measurement \"third_party\" is type integer, \
             already exists as type float dropped={bad}"
        );
        Answer::status(400.try_into().unwrap())
            .header("x-influxdb-version", "1.8.10")
            .body(json!({ "error": conflict }).to_string())
    });
    let batch = Batch::from(vec![
        event("third.party", "anna", "n"),
        event("third.party", "bo", "bad"),
        event("third.party", "cecilia", "n"),
    ]);
    let (refused, writes) = delivered(&*sink, &batch).await;
    assert_eq!(refused.iter().map(|rejection| rejection.index).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(writes, 2);
    assert!(
        counted(&build).contains(&"refused_series measurement=third_party 1".to_owned()),
        "{:?}",
        counted(&build)
    );
}
