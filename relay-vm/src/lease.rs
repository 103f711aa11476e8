//! When a relay ends: paid time, bytes, its holder's word, or its desk gone.

use link::Clock;
use std::time::Duration;
use tokio::sync::watch;
use wire::{Reason, UnixMs};

/// Notice before an end that is known beforehand (design: 10 s).
const NOTICE_MS: u64 = 10_000;
/// How long before that end a relay takes its leave, if it still has children.
const LAST_WORD_MS: u64 = 500;
/// How often the clock is read again, in ms: a beacon may have raised it.
const LOOK_MS: u64 = 1_000;

/// The end of a relay: announced first, so that the tree can be rebuilt.
#[derive(Debug, Clone)]
pub(crate) struct End {
    announced: watch::Sender<Option<Reason>>,
}

impl End {
    pub(crate) fn new() -> Self {
        Self {
            announced: watch::Sender::new(None),
        }
    }

    /// Announces the end; the first reason stays.
    pub(crate) fn announce(&self, reason: Reason) {
        self.announced.send_if_modified(|end| {
            let first = end.is_none();
            if first {
                *end = Some(reason);
            }
            first
        });
    }

    /// Waits for the announcement.
    pub(crate) async fn announced(&self) -> Reason {
        let mut watch = self.announced.subscribe();
        match watch.wait_for(Option::is_some).await {
            Ok(reason) => (*reason).unwrap_or(Reason::Done),
            Err(_) => Reason::Done,
        }
    }

    /// Waits for the announcement, and for the notice to pass if that reason
    /// leaves time for one.
    pub(crate) async fn reached(&self) -> Reason {
        self.announced_for(NOTICE_MS).await
    }

    /// Waits for the announcement, and for all but the last moment of the
    /// notice.
    pub(crate) async fn nearly_reached(&self) -> Reason {
        self.announced_for(NOTICE_MS.saturating_sub(LAST_WORD_MS))
            .await
    }

    async fn announced_for(&self, notice_ms: u64) -> Reason {
        let reason = self.announced().await;
        if matches!(reason, Reason::StoppedByHolder | Reason::LeaseEnded) {
            tokio::time::sleep(Duration::from_millis(notice_ms)).await;
        }
        reason
    }

    /// Announces the end of the paid time, early enough for the notice.
    /// A clock that its machine's owner keeps back ends no later than one
    /// that goes right, once a beacon has come.
    pub(crate) async fn watch_lease(&self, clock: &Clock, lease_end: UnixMs) {
        loop {
            let left_ms = lease_end.since_ms(clock.unix()).saturating_sub(NOTICE_MS);
            if left_ms == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(left_ms.min(LOOK_MS))).await;
        }
        self.announce(Reason::LeaseEnded);
    }
}
