//! How often one permit bearer, holder or coordinator may challenge: a quote
//! costs the relay's platform up to a second.

use super::{CHALLENGES_MAX, RATE_WINDOW_MS};
use std::collections::VecDeque;

/// Too many challenges; the link answers `challenge_rate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "live: over {CHALLENGES_MAX} challenges in {RATE_WINDOW_MS} ms, or one is outstanding; wait"
)]
pub struct RateExceeded;

/// The relay's account of one challenger. One challenge may be outstanding.
#[derive(Debug, Clone, Default)]
pub struct Rate {
    begun_mono_ms: VecDeque<u64>,
    outstanding: bool,
}

impl Rate {
    /// Takes a challenge that arrived at `now_mono_ms`.
    ///
    /// # Errors
    /// [`RateExceeded`].
    pub fn begin(&mut self, now_mono_ms: u64) -> Result<(), RateExceeded> {
        self.begun_mono_ms
            .retain(|begun| now_mono_ms.saturating_sub(*begun) < RATE_WINDOW_MS);
        if self.outstanding || self.begun_mono_ms.len() >= CHALLENGES_MAX {
            return Err(RateExceeded);
        }
        self.begun_mono_ms.push_back(now_mono_ms);
        self.outstanding = true;
        Ok(())
    }

    /// Whether the account says no more than a new one would: nothing is
    /// outstanding, and what was is out of the window.
    #[must_use]
    pub fn is_idle(&self, now_mono_ms: u64) -> bool {
        let recent = |begun: &u64| now_mono_ms.saturating_sub(*begun) < RATE_WINDOW_MS;
        !self.outstanding && !self.begun_mono_ms.iter().any(recent)
    }

    /// The challenge was answered, or will not be.
    pub const fn end(&mut self) {
        self.outstanding = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_one_at_a_time_and_three_in_a_window() {
        let mut rate = Rate::default();
        assert_eq!(rate.begin(0), Ok(()));
        assert_eq!(rate.begin(1), Err(RateExceeded));
        rate.end();
        for now in [1, 2] {
            assert_eq!(rate.begin(now), Ok(()));
            rate.end();
        }
        assert_eq!(rate.begin(RATE_WINDOW_MS - 1), Err(RateExceeded));
        assert_eq!(rate.begin(RATE_WINDOW_MS), Ok(()));
        assert!(!rate.is_idle(9 * RATE_WINDOW_MS), "one is outstanding");
        rate.end();
        assert!(!rate.is_idle(2 * RATE_WINDOW_MS - 1));
        assert!(rate.is_idle(2 * RATE_WINDOW_MS));
    }
}
