//! Nobody reads more than they asked for.

use senseops_net::{BodyError, TlsSettings, read_limited};

use crate::support::{LONG, answer_once, client};

async fn read(answer: &str, limit: usize) -> Result<String, BodyError> {
    let (address, _server) = answer_once(answer).await;
    let client = client(&TlsSettings::default(), LONG).await;
    let response = client.get(format!("http://{address}/")).send().await?;
    read_limited(response, limit).await.map(|body| String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_body_within_the_limit_is_read_whole() {
    assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 5).await.unwrap(), "hello");
    assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 5).await.unwrap(), "");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    assert_eq!(read(chunked, 5).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_announced_or_not() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello!",
    ] {
        assert!(matches!(read(answer, 5).await, Err(BodyError::TooLarge { limit: 5 })), "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_ends_early_is_a_failure() {
    let cut = read("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", 100).await;
    assert!(matches!(cut, Err(BodyError::Failed(_))), "{cut:?}");
}
