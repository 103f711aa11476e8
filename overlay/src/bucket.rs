//! The upload limit as a token bucket: what is sent now is paid for by
//! waiting afterwards, so one block larger than the burst still passes.

/// Tokens are bits times 10^6, so that microseconds times bit/s add up
/// without rounding.
const UNITS_PER_BIT: u128 = 1_000_000;

/// A rate in bit/s with a burst in bytes. Time is any monotonic clock in
/// microseconds.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate_bps: u64,
    burst_bytes: u64,
    /// What may be sent at once; negative while earlier bytes are unpaid.
    credit: i128,
    updated_us: u64,
}

impl TokenBucket {
    /// Burst of [`TokenBucket::new`]: two full blocks, so that a block never
    /// waits for the one before it on an idle uplink.
    pub const BURST_BYTES: u64 = 2 * wire::limits::BLOCK_BYTES_MAX as u64;

    /// A full bucket with the usual burst. A rate of 0 lets one burst pass
    /// and nothing more.
    #[must_use]
    pub fn new(rate_bps: u64, now_us: u64) -> Self {
        Self::with_burst(rate_bps, Self::BURST_BYTES, now_us)
    }

    /// A full bucket that holds `burst_bytes`.
    #[must_use]
    pub fn with_burst(rate_bps: u64, burst_bytes: u64, now_us: u64) -> Self {
        Self {
            rate_bps,
            burst_bytes,
            credit: units(burst_bytes),
            updated_us: now_us,
        }
    }

    /// The rate in bit/s.
    #[must_use]
    pub const fn rate_bps(&self) -> u64 {
        self.rate_bps
    }

    /// Charges `bytes` and returns how long to wait before they may be sent,
    /// in microseconds. Callers send in the order of their calls.
    #[must_use = "the bytes may be sent only after this time"]
    pub fn take(&mut self, bytes: u64, now_us: u64) -> u64 {
        self.refill(now_us);
        self.credit = self.credit.saturating_sub(units(bytes));
        self.owed_us()
    }

    /// Charges `bytes` if they may be sent at once; else changes nothing.
    #[must_use = "the bytes may be sent only if this is true"]
    pub fn try_take(&mut self, bytes: u64, now_us: u64) -> bool {
        self.refill(now_us);
        // A full bucket lets anything pass, else a large block never would.
        let full = self.credit >= units(self.burst_bytes);
        let fits = full || self.credit >= units(bytes);
        if fits {
            self.credit = self.credit.saturating_sub(units(bytes));
        }
        fits
    }

    /// How long until [`TokenBucket::try_take`] lets `bytes` pass, in
    /// microseconds, if nothing else is taken meanwhile.
    #[must_use]
    pub fn wait_us(&mut self, bytes: u64, now_us: u64) -> u64 {
        self.refill(now_us);
        let wanted = units(bytes).min(units(self.burst_bytes));
        self.until_us(wanted.saturating_sub(self.credit))
    }

    fn owed_us(&self) -> u64 {
        self.until_us(self.credit.saturating_neg())
    }

    /// How long it takes to earn so many units.
    fn until_us(&self, missing: i128) -> u64 {
        if missing <= 0 {
            return 0;
        }
        match u128::from(self.rate_bps) {
            0 => u64::MAX,
            rate => {
                let wait_us = missing.unsigned_abs().div_ceil(rate);
                u64::try_from(wait_us).unwrap_or(u64::MAX)
            }
        }
    }

    fn refill(&mut self, now_us: u64) {
        // A clock that jumps back refills nothing.
        let elapsed_us = now_us.saturating_sub(self.updated_us);
        self.updated_us = self.updated_us.max(now_us);
        let earned = u128::from(elapsed_us).saturating_mul(u128::from(self.rate_bps));
        let earned = i128::try_from(earned).unwrap_or(i128::MAX);
        self.credit = self
            .credit
            .saturating_add(earned)
            .min(units(self.burst_bytes));
    }
}

fn units(bytes: u64) -> i128 {
    let units = u128::from(bytes) * 8 * UNITS_PER_BIT;
    i128::try_from(units).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_at_the_rate_after_the_burst() {
        let mut bucket = TokenBucket::with_burst(8_000_000, 1_000, 0);
        assert_eq!(bucket.take(1_000, 0), 0);
        // 1,000 bytes at 1 byte per microsecond.
        assert_eq!(bucket.take(1_000, 0), 1_000);
        assert_eq!(bucket.take(500, 1_000), 500);
    }

    #[test]
    fn the_wait_for_bytes_is_as_long_as_it_says() {
        let mut bucket = TokenBucket::with_burst(8_000_000, 1_000, 0);
        assert_eq!(bucket.wait_us(5_000, 0), 0, "a full one lets all pass");
        assert!(bucket.try_take(1_500, 0));
        let wait_us = bucket.wait_us(300, 0);
        assert_eq!(wait_us, 800);
        assert!(!bucket.try_take(300, wait_us - 1));
        assert!(bucket.try_take(300, wait_us));
    }

    #[test]
    fn never_exceeds_rate_and_burst_in_any_window() {
        let mut bucket = TokenBucket::with_burst(1_000_000, 2_000, 0);
        let (mut sent, mut now_us) = (0u64, 0u64);
        while now_us < 1_000_000 {
            if bucket.try_take(700, now_us) {
                sent += 700;
            }
            now_us += 137;
        }
        assert!(sent <= 125_000 + 2_000, "{sent}");
        assert!(sent >= 123_000, "{sent}");
    }

    #[test]
    fn a_block_larger_than_the_burst_passes_when_the_bucket_is_full() {
        let mut bucket = TokenBucket::with_burst(8_000, 10, 0);
        assert!(bucket.try_take(1_000, 0));
        assert!(!bucket.try_take(1, 1_000));
    }

    #[test]
    fn a_rate_of_zero_and_a_clock_that_jumps_back_do_no_harm() {
        let mut bucket = TokenBucket::with_burst(0, 10, 5_000);
        assert_eq!(bucket.take(10, 0), 0);
        assert_eq!(bucket.take(1, u64::MAX), u64::MAX);
        assert!(TokenBucket::new(u64::MAX, 0).take(u64::MAX, 0) > 0);
    }
}
