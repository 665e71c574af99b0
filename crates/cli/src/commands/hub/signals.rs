//! How an operator stops the hub: a first signal asks it to, a second one insists.

use anyhow::Context;
use tokio::sync::watch;

/// Whether the hub is stopping.
pub(super) type Stopping = watch::Receiver<bool>;

/// Notices Ctrl-C and SIGTERM from now on: before anybody is told that the hub is there, because whoever knows may stop it.
///
/// # Errors
/// If the system does not tell of signals.
pub(super) fn notice() -> anyhow::Result<Signals> {
    Signals::new().context("Ctrl-C and SIGTERM cannot be noticed")
}

/// Waits for a signal, says so to everyone, and resolves when it comes again.
pub(super) async fn listen(mut signals: Signals, stop: watch::Sender<bool>) {
    signals.next().await;
    stop.send_replace(true);
    eprintln!("stopping: the streams are ended and requests under way finished; Ctrl-C again stops at once");
    signals.next().await;
}

/// Resolves when the hub is to stop.
pub(super) async fn stop_wanted(mut stopping: Stopping) {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        // Nobody is left who could ask for it.
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
pub(super) struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
