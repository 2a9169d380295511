//! Stopping and starting again.

use senseops_source_udp::UdpConfig;
use senseops_testkit::context;
use tokio::time::timeout;

use crate::support::{LONG, build, local, numbered, run_while, sender};

#[tokio::test]
async fn what_the_kernel_has_accepted_before_a_stop_is_still_emitted() {
    let test = context("udp.users");
    let sender = sender(&test);
    for number in 0..150 {
        sender.send(&numbered(number)).unwrap();
    }
    let mut source = build(local(), &test).await.unwrap();
    test.trigger.request();
    timeout(LONG, source.run(test.cx.clone())).await.unwrap().unwrap();
    assert_eq!(test.collector.events().len(), 150);
}

#[tokio::test]
async fn what_is_sent_while_the_source_is_rebuilt_is_received_by_the_next_one() {
    let test = context("udp.users");
    let sender = sender(&test);
    run_while(local(), &test, async {
        sender.send(&numbered(1)).unwrap();
        test.collector.wait_for(1, LONG).await.unwrap();
    })
    .await;

    for number in 2..=100 {
        sender.send(&numbered(number)).unwrap();
    }

    let again = test.again();
    run_while(local(), &again, async {
        again.collector.wait_for(99, LONG).await.unwrap();
        sender.send(&numbered(101)).unwrap();
        again.collector.wait_for(100, LONG).await.unwrap();
    })
    .await;
    let first = again.collector.events();
    assert_eq!(first[0].message(), "2");
    assert_eq!(first.len(), 100);
}

#[tokio::test]
async fn a_source_that_is_stopped_before_it_knows_who_may_send_leaves_the_datagrams_to_the_next_one() {
    let test = context("udp.users");
    let config = UdpConfig { allow: Some(vec!["localhost".parse().unwrap()]), ..local() };
    sender(&test).send(&numbered(1)).unwrap();
    let mut source = build(config.clone(), &test).await.unwrap();
    test.trigger.request();
    timeout(LONG, source.run(test.cx.clone())).await.unwrap().unwrap();
    assert_eq!(test.collector.events(), []);

    let again = test.again();
    run_while(config, &again, async { again.collector.wait_for(1, LONG).await.unwrap() }).await;
}
