//! A writer that keeps what is written, and can fail like a console.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// Cheap to clone; clones share what is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paper(Arc<Mutex<Sheet>>);

#[derive(Debug, Default)]
struct Sheet {
    text: String,
    flushes: usize,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Every write fails.
    Error(ErrorKind),
    /// No write ever ends.
    Hang,
}

impl Paper {
    pub(crate) fn fail(&self, fault: Fault) {
        self.sheet().fault = fault;
    }

    /// What was written, and how often it was flushed.
    pub(crate) fn text(&self) -> (String, usize) {
        let sheet = self.sheet();
        (sheet.text.clone(), sheet.flushes)
    }

    fn sheet(&self) -> std::sync::MutexGuard<'_, Sheet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncWrite for Paper {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut sheet = self.sheet();
        match sheet.fault {
            Fault::None => {
                sheet.text.push_str(str::from_utf8(bytes).unwrap());
                Poll::Ready(Ok(bytes.len()))
            }
            Fault::Error(kind) => Poll::Ready(Err(kind.into())),
            Fault::Hang => Poll::Pending,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sheet().flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
