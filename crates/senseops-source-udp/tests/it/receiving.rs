//! Datagrams become events.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::net::UdpSocket;
use std::ops::Range;

use senseops_core::settings::Size;
use senseops_core::{Event, Timestamp};
use senseops_qlik::kinds::user_event;
use senseops_source_udp::UdpConfig;
use senseops_testkit::context;

use crate::support::{LONG, build, local, loopback, numbered, run_while, sender};

const NUMBERS: Range<u64> = 0..10_000;

/// Sends ten thousand datagrams in bursts that fit any buffer; each burst must arrive before the next one is sent.
async fn ten_thousand_arrive_in_order(config: UdpConfig) {
    let test = &context("udp.users");
    let sender = sender(test);
    run_while(config, test, async {
        for number in NUMBERS {
            sender.send(&numbered(number)).unwrap();
            if number % 100 == 99 {
                let sent = usize::try_from(number).unwrap() + 1;
                test.collector.wait_for(sent, LONG).await.unwrap();
            }
        }
    })
    .await;
    let events = test.collector.events();
    let expected: Vec<String> = NUMBERS.map(|number| number.to_string()).collect();
    assert_eq!(events.iter().map(Event::message).collect::<Vec<_>>(), expected);
    assert_eq!(test.cx.meter.counter("received", "", &[]).value(), 10_000);
}

#[tokio::test]
async fn ten_thousand_datagrams_in_bursts_that_fit_the_buffer_all_arrive_in_order() {
    ten_thousand_arrive_in_order(UdpConfig { receive_buffer: Size::from_bytes(65_536), ..local() }).await;
}

#[tokio::test]
async fn with_a_buffer_that_makes_it_patient_the_source_still_receives_everything_in_order() {
    ten_thousand_arrive_in_order(local()).await;
}

#[tokio::test]
async fn an_event_has_its_fields_and_the_time_of_its_receipt() {
    let test = context("udp.users");
    let sender = sender(&test);
    let before = Timestamp::now();
    let events = run_while(local(), &test, async {
        sender.send(&numbered(1)).unwrap();
        test.collector.wait_for(1, LONG).await.unwrap()
    })
    .await;
    assert!((before..=Timestamp::now()).contains(&events[0].time));
    assert_eq!(
        format!("{} {} {:?}", events[0].kind, events[0].fields(), *events[0].labels),
        "qlik.user_event message_type=qseow-proxy-session host=sense1 command=Start session user_directory=LAB \
         user_id=anna origin=Not available context= LabelSet([])"
    );
}

#[tokio::test]
async fn a_datagram_in_a_code_page_arrives_as_it_was_typed() {
    let test = context("udp.users");
    let mut config = local();
    config.fallback_encoding = Some("windows-1252".parse().unwrap());
    let sender = sender(&test);
    let events = run_while(config, &test, async {
        sender.send(b"sense1;Start session;M\xdcNCHEN;J\xf6rg").unwrap();
        test.collector.wait_for(1, LONG).await.unwrap()
    })
    .await;
    assert_eq!(user_event::USER_DIRECTORY.text_of(events[0].fields()), Some("MÜNCHEN"));
    assert_eq!(user_event::USER_ID.text_of(events[0].fields()), Some("Jörg"));
}

#[tokio::test]
async fn the_longest_datagram_is_received_whole_and_its_message_cut() {
    let test = context("udp.users");
    let sender = sender(&test);
    let mut datagram = numbered(1);
    datagram.resize(65_507, b'1');
    let events = run_while(local(), &test, async {
        sender.send(&datagram).unwrap();
        test.collector.wait_for(1, LONG).await.unwrap()
    })
    .await;
    assert_eq!(events[0].message(), "1".repeat(1000));
}

#[tokio::test]
async fn probing_tells_the_address_and_the_granted_buffer() {
    let test = context("udp.users");
    let mut source = build(local(), &test).await.unwrap();
    let address = test.cx.leases.udp(loopback(), 0).unwrap().socket.local_addr().unwrap();
    assert_eq!(
        source.probe().await.unwrap(),
        Some(format!("listening on udp {address}, receive buffer granted 8.0 MiB"))
    );
}

#[tokio::test]
async fn a_taken_port_is_an_error_of_the_listen_setting() {
    let taken = UdpSocket::bind(loopback()).unwrap();
    let address = taken.local_addr().unwrap();
    let config = UdpConfig::listen(address);
    let error = build(config, &context("udp.users")).await.err().unwrap();
    assert_eq!(error.key, "listen");
    assert_eq!(error.to_string(), format!("cannot listen on {address}"));
}
