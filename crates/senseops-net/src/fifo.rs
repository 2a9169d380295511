//! For tests: a pipe in the place of a file. Who opens it waits for somebody to write, as on a file system that hangs.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::Command;

use tokio::net::unix::pipe::{OpenOptions, Sender};
use tokio::task::yield_now;

/// Puts a pipe in the place of a file.
pub(crate) fn put(path: &Path) {
    let fifo = path.with_extension("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    std::fs::rename(fifo, path).unwrap();
}

/// Waits until somebody waits for the pipe, and keeps them waiting until what is returned is dropped.
pub(crate) async fn hanging(path: &Path) -> Sender {
    loop {
        match OpenOptions::new().open_sender(path) {
            Ok(sender) => return sender,
            Err(_nobody_waits) => yield_now().await,
        }
    }
}
