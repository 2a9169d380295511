//! Asking a server on this machine, one question a connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use senseops_core::BoxError;

/// A program that is under load on a busy machine may take its time.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The body of the answer to `GET path`.
pub(crate) fn get(address: &str, path: &str) -> Result<String, BoxError> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer without a body")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status.starts_with('2') { Ok(body.to_owned()) } else { Err(format!("GET {path}: {status}").into()) }
}
