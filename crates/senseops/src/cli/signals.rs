//! The signals that ask the program to stop.

use std::io;

use tokio::signal;

/// Installs the handlers now, so that no signal is missed. Gives what resolves with the first signal, and what resolves
/// with the second: whoever asks twice does not want to wait.
pub(super) fn stop_requested() -> io::Result<(impl Future<Output = ()>, impl Future<Output = ()>)> {
    let (mut first, mut second) = (Signals::install()?, Signals::install()?);
    Ok((async move { first.next().await }, async move {
        second.next().await;
        second.next().await;
    }))
}

/// SIGINT, SIGTERM, and SIGHUP: a terminal that is closed must not cost events.
#[cfg(unix)]
struct Signals {
    interrupt: signal::unix::Signal,
    terminate: signal::unix::Signal,
    hangup: signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
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
    fn install() -> io::Result<Self> {
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
