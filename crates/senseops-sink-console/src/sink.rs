//! Writes lines.

use std::env;
use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};

use senseops_core::{Accepts, Batch, BoxError, Sink, WriteError, async_trait};
use tokio::io::{AsyncWrite, AsyncWriteExt, Stdout};
use tokio::sync::Mutex;

use crate::Format;
use crate::pretty::Pretty;

/// Writes every event as a line.
pub struct ConsoleSink<W = Stdout> {
    format: Format,
    is_coloured: bool,
    /// Locked while a batch is written, so that lines of two batches do not mix.
    out: Mutex<W>,
}

const TYPICAL_LINE_BYTES: usize = 512;

impl ConsoleSink {
    /// A sink for standard output, in colour if that is a terminal and `NO_COLOR` is not set.
    pub fn stdout(format: Format) -> Self {
        let wants_colour = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let sink = Self::to(tokio::io::stdout(), format);
        Self { is_coloured: wants_colour && io::stdout().is_terminal(), ..sink }
    }
}

impl<W> ConsoleSink<W> {
    /// A sink for any writer, without colour.
    pub fn to(out: W, format: Format) -> Self {
        Self { format, is_coloured: false, out: Mutex::new(out) }
    }

    fn lines(&self, batch: &Batch) -> Result<Vec<u8>, BoxError> {
        let mut lines = Vec::with_capacity(TYPICAL_LINE_BYTES * batch.len());
        for event in batch.iter() {
            match self.format {
                Format::Pretty if self.is_coloured => write!(lines, "{}", Pretty::coloured(event))?,
                Format::Pretty => write!(lines, "{}", Pretty::plain(event))?,
                Format::Json => serde_json::to_writer(&mut lines, event)?,
            }
            lines.push(b'\n');
        }
        Ok(lines)
    }
}

#[async_trait]
impl<W: AsyncWrite + Send + Unpin> Sink for ConsoleSink<W> {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        let lines = self.lines(batch).map_err(WriteError::Split)?;
        let mut out = self.out.lock().await;
        let written = async {
            out.write_all(&lines).await?;
            out.flush().await
        };
        written.await.map_err(|error| {
            // Whoever read our output is gone, and does not come back soon.
            let is_closed = error.kind() == ErrorKind::BrokenPipe;
            if is_closed { WriteError::Denied(error.into()) } else { WriteError::unavailable(error) }
        })
    }
}

impl<W> fmt::Debug for ConsoleSink<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleSink").field("format", &self.format).finish_non_exhaustive()
    }
}
