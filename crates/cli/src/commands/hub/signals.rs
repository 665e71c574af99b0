//! How an operator stops the hub: a first signal asks it to, a second one insists.

use anyhow::Context;
use tokio::sync::watch;

/// Whether the hub is stopping.
pub(super) type Stopping = watch::Receiver<bool>;

/// Waits for Ctrl-C or SIGTERM, says so to everyone, and resolves when it comes again.
///
/// # Errors
/// If the system does not tell of signals.
pub(super) async fn listen(stop: watch::Sender<bool>) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("Ctrl-C and SIGTERM cannot be noticed")?;
    signals.next().await;
    stop.send_replace(true);
    eprintln!("stopping: the streams are ended and requests under way finished; Ctrl-C again stops at once");
    signals.next().await;
    Ok(())
}

/// Resolves when the hub is to stop.
pub(super) async fn stop_wanted(mut stopping: Stopping) {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        // Nobody is left who could ask for it.
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
struct Signals {
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
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
