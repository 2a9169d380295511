//! Showing a picture: live on a terminal, as plain text in a pipe or a log.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

const LIVE_REFRESH: Duration = Duration::from_millis(250);
/// The first picture comes soon, but not before there is something on it.
const FIRST_PLAIN: Duration = Duration::from_secs(1);
const PLAIN_REFRESH: Duration = Duration::from_secs(5);
const PLAIN_SIZE: Rect = Rect::new(0, 0, 110, 34);

/// Where the picture is shown.
pub(super) enum Screen {
    /// The whole terminal, which is given back on drop.
    Live(Box<Terminal>),
    /// One picture after the other, the next one after this time.
    Plain(Duration),
}

/// Owns the terminal.
pub(super) struct Terminal(DefaultTerminal);

impl Screen {
    pub(super) fn open(live: bool) -> io::Result<Self> {
        if live {
            Ok(Self::Live(Box::new(Terminal(ratatui::try_init()?))))
        } else {
            Ok(Self::Plain(FIRST_PLAIN))
        }
    }

    /// Waits until it is time for the next picture. Breaks when the user wants to leave.
    pub(super) async fn pause(&mut self) -> io::Result<ControlFlow<()>> {
        match self {
            Self::Live(_) => spawn_blocking(|| wait_for_key(LIVE_REFRESH)).await.map_err(io::Error::other)?,
            Self::Plain(pause) => {
                sleep(std::mem::replace(pause, PLAIN_REFRESH)).await;
                Ok(ControlFlow::Continue(()))
            }
        }
    }

    /// Shows the picture.
    pub(super) fn draw<'p, P>(&mut self, picture: &'p P) -> io::Result<()>
    where
        &'p P: Widget,
    {
        match self {
            Self::Live(terminal) => {
                terminal.0.draw(|frame| frame.render_widget(picture, frame.area()))?;
                Ok(())
            }
            Self::Plain(_) => writeln!(io::stdout().lock(), "{}\n", as_text(picture, PLAIN_SIZE)),
        }
    }
}

/// A terminal in raw mode reports Ctrl-C as a key, not as a signal.
fn wait_for_key(time: Duration) -> io::Result<ControlFlow<()>> {
    if event::poll(time)?
        && let Event::Key(key) = event::read()?
    {
        let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        if interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The picture without colours, for where there is no terminal.
pub(super) fn as_text(picture: impl Widget, size: Rect) -> String {
    let mut buffer = Buffer::empty(size);
    picture.render(size, &mut buffer);
    let lines = buffer.content().chunks(usize::from(size.width)).map(|row| {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
