//! The signals that ask the program to stop, or to read its configuration anew.

use std::io;

use tokio::signal;
use tokio::sync::oneshot;

/// What a hangup asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hangup {
    /// To stop: the terminal was closed.
    Stops,
    /// To read the configuration anew, see [`hangups`].
    Reloads,
}

/// Installs the handlers now, so that no signal is missed. Gives what resolves with the first signal, and what resolves
/// with one after that: whoever asks twice does not want to wait.
pub(super) fn stop_requested(
    hangup: Hangup,
) -> io::Result<(impl Future<Output = ()>, impl Future<Output = ()>)> {
    let mut signals = Signals::install(hangup)?;
    // Handed on, not counted: signals between two looks are seen as one.
    let (after_the_first, signals_after) = oneshot::channel();
    let first = async move {
        signals.next().await;
        let _nobody_waits_for_a_second = after_the_first.send(signals);
    };
    let second = async move {
        match signals_after.await {
            Ok(mut signals) => signals.next().await,
            Err(_never_asked) => std::future::pending().await,
        }
    };
    Ok((first, second))
}

/// The hangups from now on. There are none where the system does not know them.
pub(super) fn hangups() -> io::Result<Hangups> {
    Hangups::install()
}

/// SIGINT and SIGTERM, and SIGHUP where it stops.
#[cfg(unix)]
struct Signals {
    interrupt: signal::unix::Signal,
    terminate: signal::unix::Signal,
    hangup: Option<Hangups>,
}

#[cfg(unix)]
impl Signals {
    fn install(hangup: Hangup) -> io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: match hangup {
                Hangup::Stops => Some(Hangups::install()?),
                Hangup::Reloads => None,
            },
        })
    }

    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangups) => hangups.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hangup => {}
        }
    }
}

/// SIGHUP.
#[cfg(unix)]
pub(super) struct Hangups(signal::unix::Signal);

#[cfg(unix)]
impl Hangups {
    fn install() -> io::Result<Self> {
        signal::unix::signal(signal::unix::SignalKind::hangup()).map(Self)
    }

    pub(super) async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// Ctrl-C, Ctrl-Break, a closed console, and the end of the system.
#[cfg(windows)]
struct Signals {
    interrupt: signal::windows::CtrlC,
    pause: signal::windows::CtrlBreak,
    close: signal::windows::CtrlClose,
    shutdown: signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn install(_hangup: Hangup) -> io::Result<Self> {
        use signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self {
            interrupt: ctrl_c()?,
            pause: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.pause.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}

/// There are none.
#[cfg(windows)]
pub(super) struct Hangups;

#[cfg(windows)]
impl Hangups {
    fn install() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) {
        std::future::pending().await
    }
}
