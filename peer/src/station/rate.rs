//! How often one member may speak: each message costs the coordinator, who
//! serves all, some work and some a signature check.

/// So many messages at once, and so many in a second from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageLimit {
    pub(super) burst: u32,
    pub(super) per_s: u32,
}

impl MessageLimit {
    /// Of a viewer: a report each second, a receipt each five, and at the
    /// worst moment one word about each of hundreds of edges.
    pub(super) const MEMBER: Self = Self {
        burst: 512,
        per_s: 32,
    };
    /// Of a relay, which reports the edges of thousands.
    pub(super) const RELAY: Self = Self {
        burst: 8_192,
        per_s: 512,
    };
}

/// One speaker's account. Time is any monotonic clock.
#[derive(Debug)]
pub(super) struct MessageRate {
    limit: MessageLimit,
    /// Thousandths of messages, so that milliseconds add up without rounding.
    credit_milli: u64,
    updated_ms: u64,
}

impl MessageRate {
    pub(super) const fn new(limit: MessageLimit, now_ms: u64) -> Self {
        Self {
            limit,
            credit_milli: limit.burst as u64 * 1_000,
            updated_ms: now_ms,
        }
    }

    /// Whether one more message is within the limit.
    pub(super) fn admit(&mut self, now_ms: u64) -> bool {
        let elapsed_ms = now_ms.saturating_sub(self.updated_ms);
        self.updated_ms = self.updated_ms.max(now_ms);
        let earned_milli = elapsed_ms.saturating_mul(u64::from(self.limit.per_s));
        let most_milli = u64::from(self.limit.burst) * 1_000;
        let credit_milli = self.credit_milli.saturating_add(earned_milli);
        self.credit_milli = credit_milli.min(most_milli);
        match self.credit_milli.checked_sub(1_000) {
            Some(left_milli) => {
                self.credit_milli = left_milli;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let limit = MessageLimit {
            burst: 10,
            per_s: 4,
        };
        let mut rate = MessageRate::new(limit, 1_000);
        let admitted =
            |rate: &mut MessageRate, now_ms| (0..100).filter(|_| rate.admit(now_ms)).count();
        assert_eq!(admitted(&mut rate, 1_000), 10);
        assert_eq!(admitted(&mut rate, 1_249), 0);
        assert_eq!(admitted(&mut rate, 2_000), 4);
        assert_eq!(admitted(&mut rate, 900_000), 10);
    }
}
