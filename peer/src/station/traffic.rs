//! What control costs: the bytes of the viewers' control links, both ways,
//! counted where they are sent and received, and published for one viewer.

use super::coordinator::Coordinator;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often the rates are told.
const TOLD_MS: u64 = 10_000;

/// Bytes of messages with their lengths, on all control links of viewers
/// since the station began, from the answer to each join on; QUIC's own come
/// on top.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

impl Traffic {
    pub(super) fn received(&self, bytes: u64) {
        self.received_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The rates of one viewer over the last [`TOLD_MS`], in bit/s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PerViewer {
    pub(super) received_bps: u64,
    pub(super) sent_bps: u64,
}

/// Makes rates of the counts.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) traffic: Arc<Traffic>,
    told_ms: Option<u64>,
    told: (u64, u64),
    pub(super) rate: PerViewer,
}

impl Meter {
    pub(super) fn new(traffic: Arc<Traffic>) -> Self {
        Self {
            traffic,
            ..Self::default()
        }
    }

    /// Bytes received and sent in all.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let traffic = &self.traffic;
        (read(&traffic.received_bytes), read(&traffic.sent_bytes))
    }

    /// The rates, when their time has come.
    fn update(&mut self, now_ms: u64, viewers: u64) -> Option<PerViewer> {
        let told_ms = *self.told_ms.get_or_insert(now_ms);
        let elapsed_ms = now_ms.saturating_sub(told_ms);
        if elapsed_ms < TOLD_MS {
            return None;
        }
        let (received, sent) = self.bytes();
        let bps = |bytes: u64, before: u64| {
            let bits = bytes.saturating_sub(before).saturating_mul(8_000);
            bits / elapsed_ms.max(1) / viewers.max(1)
        };
        self.rate = PerViewer {
            received_bps: bps(received, self.told.0),
            sent_bps: bps(sent, self.told.1),
        };
        (self.told_ms, self.told) = (Some(now_ms), (received, sent));
        Some(self.rate)
    }
}

impl Coordinator {
    /// Publishes what a viewer's control costs.
    pub(super) fn tell_traffic(&mut self) {
        let viewers = self.members.values().filter(|m| m.receipt_key.is_some());
        let viewers = viewers.count() as u64;
        let now_ms = self.clock.mono_ms();
        let Some(rate) = self.traffic.update(now_ms, viewers) else {
            return;
        };
        let (received_bytes, sent_bytes) = self.traffic.bytes();
        let fields = json!({
            "viewers": viewers, "received_bytes": received_bytes, "sent_bytes": sent_bytes,
            "received_bps_per_viewer": rate.received_bps,
            "sent_bps_per_viewer": rate.sent_bps,
        });
        self.emit.tell("control_traffic", fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_one_viewer_s_over_the_time_since_the_last() {
        let traffic = Arc::new(Traffic::default());
        let mut meter = Meter::new(traffic.clone());
        traffic.received(1_000_000);
        assert_eq!(meter.update(5_000, 10), None, "the beginning");
        assert_eq!(meter.update(14_999, 10), None);
        traffic.sent(25_000);
        let rate = PerViewer {
            received_bps: 80_000,
            sent_bps: 2_000,
        };
        assert_eq!(meter.update(15_000, 10), Some(rate));
        traffic.sent(12_500);
        let rate = PerViewer {
            received_bps: 0,
            sent_bps: 10_000,
        };
        assert_eq!(meter.update(25_000, 0), Some(rate), "whoever it was");
        assert_eq!(meter.bytes(), (1_000_000, 37_500));
    }
}
