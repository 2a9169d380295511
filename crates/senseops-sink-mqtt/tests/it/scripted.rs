//! What happens when the broker does what a real one cannot be made to do.

use std::time::Duration;

use senseops_core::{Batch, Build, WriteError};
use senseops_testkit::{TargetBehaviour, sample};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::broker::Broker;
use crate::support::{LONGEST, Running, built, said};

#[tokio::test]
async fn a_broker_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let running = Running::start(json!({ "broker": format!("mqtt://{address}"), "timeout": "50ms" })).await;
    insta::assert_snapshot!(said(&*running.sink, address.port()).await, @"target unavailable: mqtt://127.0.0.1:PORT did not answer within 50ms; check the address, and that it is an MQTT broker that listens there");
}

#[tokio::test]
async fn a_broker_that_acknowledges_nothing_is_given_up() {
    let broker = Broker::start(TargetBehaviour::Hang).await;
    let running = Running::start(json!({ "broker": broker.url(), "timeout": "2s" })).await;
    insta::assert_snapshot!(said(&*running.sink, broker.address.port()).await, @"target unavailable: mqtt://127.0.0.1:PORT acknowledged nothing for 2s; check the log of the broker");
    assert_eq!(running.reading("unacknowledged"), 1);
    broker.behave(TargetBehaviour::Accept).await;
    assert_eq!(running.deliver(sample::events(0..5)).await, []);
    assert_eq!(broker.stored(), [0, 1, 2, 3, 4]);
}

/// The answers to pings are not answers to messages.
#[tokio::test]
async fn a_broker_that_only_answers_pings_is_given_up() {
    let broker = Broker::start(TargetBehaviour::Hang).await;
    let config = json!({ "broker": broker.url(), "keep_alive": "1s", "timeout": "2s" });
    let running = Running::start(config).await;
    insta::assert_snapshot!(said(&*running.sink, broker.address.port()).await, @"target unavailable: mqtt://127.0.0.1:PORT acknowledged nothing for 2s; check the log of the broker");
}

#[tokio::test]
async fn a_broker_that_does_not_want_us_is_told_apart() {
    let broker = Broker::start(TargetBehaviour::Deny).await;
    let running = Running::start(json!({ "broker": broker.url() })).await;
    let port = broker.address.port();
    insta::assert_snapshot!(said(&*running.sink, port).await, @"target denied the write: mqtt://127.0.0.1:PORT does not authorize us; set username and password, or tls.cert and tls.key");
    broker.behave(TargetBehaviour::Busy { retry_after: None }).await;
    insta::assert_snapshot!(said(&*running.sink, port).await, @"target unavailable: mqtt://127.0.0.1:PORT says that it is unavailable");
    broker.behave(TargetBehaviour::Down).await;
    insta::assert_snapshot!(said(&*running.sink, port).await, @"target unavailable: mqtt://127.0.0.1:PORT refused the connection; check that the service runs and that the port is right");
}

#[tokio::test]
async fn a_write_without_background_work_ends() {
    let broker = Broker::start(TargetBehaviour::Accept).await;
    let sink = built(&Build::detached("mqtt.main"), json!({ "broker": broker.url() })).await;
    insta::assert_snapshot!(said(&*sink, broker.address.port()).await, @"target unavailable: the connection to mqtt://127.0.0.1:PORT is not being kept");
    drop(sink.background());
    insta::assert_snapshot!(said(&*sink, broker.address.port()).await, @"target unavailable: the connection to mqtt://127.0.0.1:PORT is not being kept");
}

/// The engine repeats a write that took too long; what was not sent of the first one must not be sent by it, too.
#[tokio::test]
async fn a_dropped_write_sends_nothing_more() {
    let broker = Broker::start(TargetBehaviour::Hang).await;
    let running =
        Running::start(json!({ "broker": broker.url(), "max_in_flight": 2, "timeout": "10s" })).await;
    let batch = Batch::from(sample::events(0..10));
    let two_are_sent = async {
        while broker.offered().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        result = running.sink.write(&batch) => panic!("nothing was acknowledged, but {result:?}"),
        sent = timeout(LONGEST, two_are_sent) => sent.unwrap(),
    }
    for _ in 0..2 {
        assert!(timeout(Duration::from_millis(100), running.sink.write(&batch)).await.is_err());
    }
    assert_eq!(broker.offered(), [0, 1], "the window is full of the first write");
    broker.behave(TargetBehaviour::Accept).await;
    assert_eq!(running.deliver(sample::events(0..10)).await, []);
    assert_eq!(broker.stored(), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_acknowledged_before_a_break_is_not_sent_again() {
    let broker = Broker::start(TargetBehaviour::RefuseSome(vec![3])).await;
    let running = Running::start(json!({ "broker": broker.url(), "max_in_flight": 1 })).await;
    let error = running.sink.write(&Batch::from(sample::events(0..6))).await.unwrap_err();
    assert!(
        matches!(&error, WriteError::Partial { retry, refused } if *retry == [3, 4, 5] && refused.is_empty()),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_message_that_makes_the_broker_hang_up_is_found() {
    let broker = Broker::start(TargetBehaviour::RefuseSome(vec![50, 51, 99])).await;
    for (status, max_in_flight) in [(json!("status"), 500), (json!(null), 500), (json!(null), 1)] {
        let config = json!({ "broker": broker.url(), "status": status, "max_in_flight": max_in_flight });
        let running = Running::start(config).await;
        let refusals = running.deliver(sample::events(0..100)).await;
        let reason = "the broker closes the connection over its message".to_owned();
        assert_eq!(refusals, [50, 51, 99].map(|number| (number, reason.clone())));
    }
}

#[tokio::test]
async fn a_broker_that_was_lost_while_nobody_writes_is_found_again() {
    let broker = Broker::start(TargetBehaviour::Accept).await;
    let running = Running::start(json!({ "broker": broker.url() })).await;
    running.deliver(sample::events(0..1)).await;
    broker.behave(TargetBehaviour::Down).await;
    broker.behave(TargetBehaviour::Accept).await;
    let deadline = Instant::now() + LONGEST;
    while running.reading("reconnects") == 0 {
        assert!(Instant::now() < deadline, "still lost");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let [first, .., last] = &broker.connects()[..] else { panic!("two connections") };
    assert_eq!(first, last);
    insta::assert_debug_snapshot!(first.will.as_ref().map(|will| (&will.topic, will.text(), will.retain)), @r#"
    Some(
        (
            "butler-sos/status",
            "offline",
            true,
        ),
    )
    "#);
}

/// Whoever only looks may be cut off, and is no reason to say that the sink is gone.
#[tokio::test]
async fn a_probe_leaves_no_last_will_and_pushes_nobody_out() {
    let broker = Broker::start(TargetBehaviour::Accept).await;
    let running = Running::start(json!({ "broker": broker.url() })).await;
    running.deliver(sample::events(0..1)).await;
    running.sink.probe().await.unwrap();
    let [sink, probe] = &broker.connects()[..] else { panic!("two connections") };
    assert_eq!((sink.will.is_some(), probe.will.is_some()), (true, false));
    assert_ne!(sink.client_id, probe.client_id);
}

#[tokio::test]
async fn the_broker_is_asked_whether_it_is_there() {
    let broker = Broker::start(TargetBehaviour::Accept).await;
    let running = Running::start(json!({ "broker": broker.url(), "keep_alive": "1s" })).await;
    running.deliver(sample::events(0..1)).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(broker.connects().len(), 1);
    assert_eq!(broker.connects()[0].keep_alive_seconds, 1);
}
