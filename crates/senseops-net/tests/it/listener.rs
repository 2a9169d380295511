//! What the listener gives to clients, and what it does not.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use futures::stream;
use senseops_core::host::ShutdownTrigger;
use senseops_core::settings::Size;
use senseops_core::{Files, Shutdown};
use senseops_net::{Limits, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::LONG;

/// Long enough for what should be in time also on a busy machine, and waited for by some tests.
const SHORT: Duration = Duration::from_secs(2);

/// A listener that serves until it is dropped.
struct Served {
    address: SocketAddr,
    stop: ShutdownTrigger,
    serving: JoinHandle<()>,
}

async fn serve(limits: Limits, router: Router) -> Served {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), None, "", &Files::default()).await.unwrap();
    let (address, stop) = (listener.local_addr(), ShutdownTrigger::default());
    let shutdown: Shutdown = stop.shutdown();
    #[expect(clippy::disallowed_methods, reason = "what a program does with its listener")]
    let serving = tokio::spawn(listener.with_limits(limits).serve(router, shutdown));
    Served { address, stop, serving }
}

fn echo() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }).post(|body: Bytes| async move { body.len().to_string() }))
}

impl Served {
    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// The status line, headers and body of what is answered before the connection ends.
    async fn answer(&self, request: &str) -> String {
        rest(self.send(request).await).await
    }
}

/// What comes until the other side ends the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // Bytes of ours that were never read turn the end into a reset.
    let ended = timeout(LONG, stream.read_to_end(&mut answer)).await.expect("the connection ends");
    assert!(ended.is_ok() || !answer.is_empty(), "{ended:?}");
    String::from_utf8(answer).unwrap()
}

/// Waits for a piece of an answer.
async fn piece(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 4096];
    let length = timeout(LONG, stream.read(&mut answer)).await.expect("an answer").unwrap();
    answer.truncate(length);
    String::from_utf8(answer).unwrap()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: sos\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: sos\r\nConnection: close\r\n";
const GET_ONE: &str = "GET / HTTP/1.1\r\nHost: sos\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn requests_are_served_one_after_the_other_on_a_connection() {
    let served = serve(Limits::default(), echo()).await;
    let mut stream = served.send(GET).await;
    assert!(piece(&mut stream).await.ends_with("hello"));
    stream.write_all(GET_ONE.as_bytes()).await.unwrap();
    assert!(rest(stream).await.ends_with("hello"));
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_request_is_cut() {
    let served = serve(Limits { head_time: SHORT, ..Limits::default() }, echo()).await;
    assert_eq!(served.answer("").await, "");
    assert_eq!(served.answer("GET / HTTP/1.1\r\nHost:").await, "");
    let idle = served.answer(GET).await;
    assert!(idle.ends_with("hello"), "{idle}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let served = serve(Limits { body_time: SHORT, ..Limits::default() }, echo()).await;
    let answer = served.answer("POST / HTTP/1.1\r\nHost: sos\r\nContent-Length: 9\r\n\r\nhalf").await;
    assert_eq!(status(&answer), "400", "{answer}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_announced_or_not() {
    let served = serve(Limits { body_size: Size::from_bytes(8), ..Limits::default() }, echo()).await;
    let sized = |body: &str| format!("{POST}Content-Length: {}\r\n\r\n{body}", body.len());
    let chunked = |body: &str| {
        format!("{POST}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    };
    for (request, expected) in [
        (sized("12345678"), "200"),
        (chunked("12345678"), "200"),
        (sized("123456789"), "413"),
        (chunked("123456789"), "413"),
    ] {
        let answer = served.answer(&request).await;
        assert_eq!(status(&answer), expected, "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_of_no_concern_to_the_listener() {
    let router = Router::new().route("/", post(|| async { "unread" }));
    let served = serve(Limits { body_size: Size::from_bytes(8), ..Limits::default() }, router).await;
    let answer = served.answer(&format!("{POST}Content-Length: 9\r\n\r\n123456789")).await;
    assert!(answer.ends_with("unread"), "{answer}");
}

#[tokio::test]
async fn a_client_that_announces_too_much_is_not_asked_to_send_it() {
    let served = serve(Limits { body_size: Size::from_bytes(8), ..Limits::default() }, echo()).await;
    let head = format!("{POST}Expect: 100-continue\r\n");
    let answer = served.answer(&format!("{head}Content-Length: 9\r\n\r\n")).await;
    assert_eq!(status(&answer), "413", "{answer}");
    let answer = served.answer(&format!("{head}Content-Length: 8\r\n\r\n12345678")).await;
    assert_eq!(status(&answer), "100", "{answer}");
}

#[tokio::test]
async fn what_is_no_request_is_refused_without_a_word() {
    let served = serve(Limits::default(), echo()).await;
    let answer = served.answer("garbage\r\n\r\n").await;
    let answer = answer.split("date:").next().unwrap();
    assert_eq!(answer, "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n");
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused() {
    let served = serve(Limits::default(), echo()).await;
    for (bytes, expected) in [(8 * 1024, "200"), (17 * 1024, "431")] {
        let cookie = "x".repeat(bytes);
        let answer = served
            .answer(&format!("GET / HTTP/1.1\r\nHost: sos\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"))
            .await;
        assert_eq!(status(&answer), expected, "{bytes} bytes");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let (alive, mut dropped) = oneshot::channel::<()>();
    let alive = Arc::new(Mutex::new(Some(alive)));
    let endless = get(move || {
        let alive = alive.lock().unwrap().take();
        async move {
            Body::from_stream(stream::unfold(alive, |alive| async move {
                Some((Ok::<_, Infallible>(Bytes::from(vec![b'x'; 64 * 1024])), alive))
            }))
        }
    });
    let served =
        serve(Limits { write_time: SHORT, ..Limits::default() }, Router::new().route("/", endless)).await;
    let _unread = served.send(GET).await;
    assert!(timeout(LONG, &mut dropped).await.expect("the answer is given up").is_err());
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_for_one_that_ends() {
    let served = serve(Limits { connections: 1, ..Limits::default() }, echo()).await;
    let mut first = served.send(GET).await;
    assert!(piece(&mut first).await.ends_with("hello"));
    let mut second = served.send(GET_ONE).await;
    assert!(timeout(SHORT, second.readable()).await.is_err(), "the second is served beside the first");
    drop(first);
    assert!(piece(&mut second).await.ends_with("hello"));
}

#[tokio::test]
async fn a_stop_lets_requests_end_that_have_begun() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        move || async move {
            begun.notify_one();
            go_on.notified().await;
            "the end"
        }
    };
    let served = serve(Limits::default(), Router::new().route("/", post(handler))).await;
    let working = served.send("POST / HTTP/1.1\r\nHost: sos\r\nContent-Length: 0\r\n\r\n").await;
    begun.notified().await;
    served.stop.request();
    // Nobody else is let in: the socket is closed before the last answer.
    while TcpStream::connect(served.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go_on.notify_one();
    let answer = rest(working).await;
    assert!(answer.ends_with("the end"), "{answer}");
    timeout(LONG, served.serving).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let begun = Arc::new(Notify::new());
    let handler = {
        let begun = Arc::clone(&begun);
        move || async move {
            begun.notify_one();
            std::future::pending::<&'static str>().await
        }
    };
    let served =
        serve(Limits { stop_time: SHORT, ..Limits::default() }, Router::new().route("/", get(handler))).await;
    let hanging = served.send(GET).await;
    begun.notified().await;
    served.stop.request();
    timeout(LONG, served.serving).await.expect("it ends").unwrap();
    assert_eq!(rest(hanging).await, "");
}

#[tokio::test]
async fn a_request_that_panics_costs_only_its_connection() {
    let panics = get(|| async { if true { panic!("in a handler") } else { "" } });
    let served = serve(Limits::default(), echo().route("/panic", panics)).await;
    assert_eq!(served.answer(&GET.replace("/ ", "/panic ")).await, "");
    assert!(served.answer(GET_ONE).await.ends_with("hello"));
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_its_setting() {
    let served = serve(Limits::default(), echo()).await;
    let error = Listener::bind(served.address, None, "web", &Files::default()).await.unwrap_err();
    assert_eq!(error.key, "web.listen");
    assert_eq!(error.message, format!("listen on {}", served.address));

    let free = "127.0.0.1:0".parse().unwrap();
    let mut listener = Listener::bind(free, None, "web", &Files::default()).await.unwrap();
    let before = listener.local_addr();
    assert_eq!(listener.move_to(served.address, "web").await.unwrap_err().key, "web.listen");
    assert_eq!(listener.local_addr(), before);
    listener.move_to(free, "web").await.unwrap();
    assert_ne!(listener.local_addr(), before);
    assert!(TcpStream::connect(listener.local_addr()).await.is_ok());
    assert!(TcpStream::connect(before).await.is_err());
}
