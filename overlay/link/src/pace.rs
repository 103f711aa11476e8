//! The upload limit, enforced where bytes are sent.

use crate::Clock;
use overlay::bucket::TokenBucket;
use std::time::Duration;
use tokio::sync::Mutex;

/// One token bucket for all that a node sends. Waiters are served in turn
/// (tokio's mutex is fair), so no child starves another.
#[derive(Debug)]
pub(crate) struct Pace {
    bucket: Mutex<TokenBucket>,
    clock: Clock,
}

impl Pace {
    /// `rate_bps` in bit/s.
    pub(crate) fn new(rate_bps: u64, clock: Clock) -> Self {
        Self {
            bucket: Mutex::new(TokenBucket::new(rate_bps, clock.mono_us())),
            clock,
        }
    }

    /// Changes the limit, e.g. to the holder's `rate_bps_max`.
    pub(crate) async fn limit(&self, rate_bps: u64) {
        *self.bucket.lock().await = TokenBucket::new(rate_bps, self.clock.mono_us());
    }

    /// Waits until `bytes` may be sent.
    pub(crate) async fn acquire(&self, bytes: usize) {
        let mut bucket = self.bucket.lock().await;
        let wait_us = bucket.take(bytes as u64, self.clock.mono_us());
        if wait_us > 0 {
            tokio::time::sleep(Duration::from_micros(wait_us)).await;
        }
    }
}
