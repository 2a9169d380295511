//! Sending datagrams to a real socket.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use senseops_sim::{Amount, Sent, UserEvents, send};

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    socket
}

#[tokio::test]
async fn datagrams_arrive_in_order_and_again_from_the_start() {
    let socket = socket();
    let datagrams: Vec<Vec<u8>> = UserEvents::new(1).take(3).collect();
    let sent = send(&datagrams, socket.local_addr().unwrap(), 1000, Amount::Count(7)).await.unwrap();
    let mut buffer = [0; 2048];
    let mut bytes = 0;
    for expected in datagrams.iter().cycle().take(7) {
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], expected);
        bytes += length as u64;
    }
    assert_eq!(sent, Sent { datagrams: 7, bytes, unheard: 0 });
}

#[tokio::test]
async fn a_count_takes_its_time() {
    let socket = socket();
    let started = Instant::now();
    let sent = send(&[b"x".to_vec()], socket.local_addr().unwrap(), 1000, Amount::Count(50)).await.unwrap();
    assert_eq!(sent.datagrams, 50);
    assert!(started.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_time_ends_the_sending() {
    let socket = socket();
    let time = Amount::For(Duration::from_millis(500));
    let sent = send(&[b"x".to_vec()], socket.local_addr().unwrap(), 1000, time).await.unwrap();
    assert!((1..=500).contains(&sent.datagrams), "{sent:?}");
}

#[tokio::test]
async fn a_closed_port_is_no_error() {
    let address = socket().local_addr().unwrap();
    let sent = send(&[b"x".to_vec()], address, 10_000, Amount::Count(20)).await.unwrap();
    assert_eq!(sent.datagrams + sent.unheard, 20);
    assert!(sent.datagrams > 0);
}

#[tokio::test]
async fn nothing_to_send_or_no_rate_sends_nothing() {
    let address = socket().local_addr().unwrap();
    assert_eq!(send(&[], address, 1000, Amount::Count(1)).await.unwrap(), Sent::default());
    assert_eq!(send(&[b"x".to_vec()], address, 0, Amount::Count(1)).await.unwrap(), Sent::default());
}
