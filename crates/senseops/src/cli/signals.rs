//! The signals that ask the program to stop.

use std::io;

use tokio::signal;

/// Installs the handlers now, so that no signal is missed, and returns what resolves with the first one.
pub(super) fn stop_requested() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    #[cfg(windows)]
    let mut terminate = signal::windows::ctrl_shutdown()?;
    Ok(async move {
        tokio::select! {
            result = signal::ctrl_c() => {
                if let Err(error) = result {
                    tracing::error!(%error, "cannot wait for Ctrl-C");
                    std::future::pending::<()>().await;
                }
            }
            _ = terminate.recv() => {}
        }
    })
}
