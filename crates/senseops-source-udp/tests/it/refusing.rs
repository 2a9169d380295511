//! Who and what is not let in.

use senseops_core::Condition;
use senseops_qlik::kinds::user_event;
use senseops_source_udp::{UdpConfig, UserPattern};
use senseops_testkit::context;

use crate::support::{LONG, counted, local, loopback, numbered, run_while, sender};

#[tokio::test]
async fn a_sender_that_is_not_listed_is_refused_and_counted() {
    let test = context("udp.users");
    let config = UdpConfig { allow: Some(vec!["10.0.0.0/8".parse().unwrap()]), ..local() };
    let sender = sender(&test);
    run_while(config, &test, async {
        for number in 0..10 {
            sender.send(&numbered(number)).unwrap();
        }
        counted(&test, "refused", "reason=source_not_allowed", 10).await;
    })
    .await;
    assert_eq!(test.collector.events(), []);
}

#[tokio::test]
async fn a_sender_whose_name_is_listed_is_let_in() {
    let test = context("udp.users");
    let config = UdpConfig { allow: Some(vec!["localhost".parse().unwrap()]), ..local() };
    let sender = sender(&test);
    run_while(config, &test, async {
        sender.send(&numbered(1)).unwrap();
        test.collector.wait_for(1, LONG).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_list_of_which_nothing_has_an_address_admits_nobody_and_says_so() {
    let test = context("udp.users");
    // No label of a host name is longer than 63 letters, so that no name server has to be asked.
    let name = "x".repeat(64);
    let config = UdpConfig { allow: Some(vec![name.parse().unwrap()]), ..local() };
    let sender = sender(&test);
    run_while(config, &test, async {
        sender.send(&numbered(1)).unwrap();
        counted(&test, "refused", "reason=source_not_allowed", 1).await;
    })
    .await;
    let Condition::Failing(reason) = test.cx.health.condition() else { panic!("not failing") };
    assert_eq!(reason, format!("nobody may send: no address is known for {name}; check the name server"));
    assert_eq!(test.collector.events(), []);
}

#[tokio::test]
async fn without_an_allow_list_everybody_is_let_in_with_a_warning() {
    let test = context("udp.users");
    let sender = sender(&test);
    run_while(UdpConfig::listen(loopback()), &test, async {
        sender.send(&numbered(1)).unwrap();
        test.collector.wait_for(1, LONG).await.unwrap();
    })
    .await;
    let Condition::Warning(reason) = test.cx.health.condition() else { panic!("no warning") };
    assert!(
        reason.starts_with("no allow-list, so everybody who reaches the port can send events"),
        "{reason}"
    );
}

#[tokio::test]
async fn events_of_excluded_users_are_left_out_and_counted() {
    let test = context("udp.users");
    let mut config = local();
    config.exclude = vec![
        UserPattern { directory: "INTERNAL".into(), user_id: "sa_*".into() },
        UserPattern { directory: "LAB".into(), user_id: "testuser1".into() },
    ];
    let sender = sender(&test);
    let events = run_while(config, &test, async {
        for user in ["INTERNAL;sa_repository", "LAB;TestUser1", "LAB;testuser2", "LAB;anna"] {
            sender.send(format!("sense1;Start session;{user}").as_bytes()).unwrap();
        }
        test.collector.wait_for(2, LONG).await.unwrap()
    })
    .await;
    let users: Vec<_> =
        events.iter().map(|event| user_event::USER_ID.text_of(event.fields()).unwrap()).collect();
    assert_eq!(users, ["testuser2", "anna"]);
    assert_eq!(test.cx.meter.counter("excluded", "", &[]).value(), 2);
}

#[tokio::test]
async fn malformed_datagrams_are_counted_by_reason_and_do_no_harm() {
    let test = context("udp.users");
    let sender = sender(&test);
    run_while(local(), &test, async {
        // The longest that fits into a packet, in one field.
        let longest = vec![b'x'; 65_507];
        for datagram in [&b""[..], b"\n", b"hello", b"//proxy-session//;x", &[0xff; 3000], &longest] {
            sender.send(datagram).unwrap();
        }
        sender.send(&numbered(1)).unwrap();
        test.collector.wait_for(1, LONG).await.unwrap();
    })
    .await;
    for (reason, expected) in [("empty", 2), ("unknown_type", 4)] {
        assert_eq!(test.cx.meter.counter("refused", "", &[("reason", reason)]).value(), expected, "{reason}");
    }
}
