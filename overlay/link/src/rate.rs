//! How fast a node sends, from its running count of bytes.

/// Over shorter spans single chunks would show as bursts; a little under the
/// second at which the callers' clocks tick, so that no tick is missed.
const SPAN_MS_MIN: u64 = 900;

/// The rate over the last whole span.
#[derive(Debug, Default)]
pub struct SendRate {
    then_ms: u64,
    then_bytes: u64,
    bps: u64,
}

impl SendRate {
    /// Measures again if a span is over, and tells whether it was. `now_ms`
    /// is monotonic; `sent_bytes` counts from the node's start.
    pub fn update(&mut self, now_ms: u64, sent_bytes: u64) -> bool {
        let span_ms = now_ms.saturating_sub(self.then_ms);
        if span_ms < SPAN_MS_MIN {
            return false;
        }
        let bytes = sent_bytes.saturating_sub(self.then_bytes);
        self.bps = bytes.saturating_mul(8_000) / span_ms;
        (self.then_ms, self.then_bytes) = (now_ms, sent_bytes);
        true
    }

    /// Bits per second.
    #[must_use]
    pub fn bps(&self) -> u64 {
        self.bps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_over_whole_spans_only() {
        let mut rate = SendRate::default();
        assert!(rate.update(1_000, 125_000));
        assert_eq!(rate.bps(), 1_000_000);
        assert!(!rate.update(1_200, 999_999));
        assert_eq!(rate.bps(), 1_000_000);
        assert!(rate.update(3_000, 125_000));
        assert_eq!(rate.bps(), 0);
    }
}
