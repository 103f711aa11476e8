//! A file at the pace of its own clock.

use std::time::Duration;
use tokio::time::Instant;

/// Lets the first fragment go at once, and each other one as much later as
/// its decode time is. Times of a file need not begin at zero: a recording of
/// a stream that was joined late begins where it was joined.
#[derive(Debug, Default)]
pub(super) struct Pace {
    begun: Option<(Instant, u64)>,
}

impl Pace {
    /// Waits until the fragment of this decode time is due.
    pub(super) async fn wait(&mut self, decode_time_us: u64) {
        tokio::time::sleep_until(self.due(decode_time_us, Instant::now())).await;
    }

    fn due(&mut self, decode_time_us: u64, now: Instant) -> Instant {
        let (start, first_us) = *self.begun.get_or_insert((now, decode_time_us));
        start + Duration::from_micros(decode_time_us.saturating_sub(first_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_begins_late_is_sent_at_once_and_then_by_its_clock() {
        const HOUR_US: u64 = 3_600_000_000;
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert_eq!(pace.due(HOUR_US, now), now);
        let second = Duration::from_secs(1);
        assert_eq!(pace.due(HOUR_US + 1_000_000, now + second), now + second);
        // The next pass of a loop goes on counting.
        assert_eq!(pace.due(HOUR_US + 10_000_000, now), now + 10 * second);
    }
}
