//! Ctrl-C and SIGTERM: the first asks to end in order, a second to end now.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Counts the signals that ask this program to end. From the first of these
/// on they no longer kill it.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Listens from now on; where signals cannot be heard, they kill.
    pub(crate) fn listen() -> Self {
        let (count, heard) = watch::channel(0);
        let signals = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        if let (Ok(interrupt), Ok(terminate)) = signals {
            tokio::spawn(count_all(interrupt, terminate, count));
        }
        Self(heard)
    }

    /// Returns at each further signal.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the `nth` signal has come.
    pub(crate) async fn heard(&mut self, nth: u32) {
        if self.0.wait_for(|count| *count >= nth).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn count_all(mut interrupt: Signal, mut terminate: Signal, count: watch::Sender<u32>) {
    loop {
        let heard = tokio::select! {
            heard = interrupt.recv() => heard,
            heard = terminate.recv() => heard,
        };
        if heard.is_none() {
            return;
        }
        count.send_modify(|count| *count = count.saturating_add(1));
    }
}
