//! How fast a stream is: its bytes against its own clock.

use crate::item::Fragment;
use std::collections::VecDeque;

/// Fragments that [`Recent`] remembers at most: ten seconds of sound in packets
/// of 2.5 ms.
const FRAGMENTS_MAX: usize = 4_000;

/// The average of a whole stream, counted while it passes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Average {
    bytes: u64,
    first_us: Option<u64>,
    end_us: u64,
}

impl Average {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that take no time of their own: the init segment.
    pub fn add_bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// The next fragment.
    pub fn add(&mut self, fragment: &Fragment) {
        self.add_bytes(fragment.bytes.len());
        self.first_us.get_or_insert(fragment.decode_time_us);
        self.end_us = self.end_us.max(end_us(fragment));
    }

    /// Bit/s over all of it; none without a length of time.
    #[must_use]
    pub fn bps(&self) -> Option<u64> {
        bps(self.bytes, self.end_us.saturating_sub(self.first_us?))
    }
}

/// The rate of the last while, by the media's clock.
#[derive(Debug, Clone)]
pub struct Recent {
    window_us: u64,
    /// Decode time in µs and bytes of each.
    fragments: VecDeque<(u64, u64)>,
    bytes: u64,
    end_us: u64,
}

impl Recent {
    /// Looks back over at least `window_us`.
    #[must_use]
    pub fn new(window_us: u64) -> Self {
        Self {
            window_us: window_us.max(1),
            fragments: VecDeque::new(),
            bytes: 0,
            end_us: 0,
        }
    }

    /// The next fragment. A clock that goes back begins the window anew.
    pub fn add(&mut self, fragment: &Fragment) {
        let time_us = fragment.decode_time_us;
        if self
            .fragments
            .back()
            .is_some_and(|(last, _)| time_us < *last)
        {
            *self = Self::new(self.window_us);
        }
        let bytes = fragment.bytes.len() as u64;
        self.fragments.push_back((time_us, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        self.end_us = self.end_us.max(end_us(fragment));
        while self.fragments.len() > FRAGMENTS_MAX || self.is_full_without_first() {
            let (_, bytes) = self.fragments.pop_front().unwrap_or_default();
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }

    fn is_full_without_first(&self) -> bool {
        let second = self.fragments.get(1);
        second.is_some_and(|(at, _)| self.end_us.saturating_sub(*at) >= self.window_us)
    }

    /// Bit/s over the window; none until that is full.
    #[must_use]
    pub fn bps(&self) -> Option<u64> {
        let (first_us, _) = self.fragments.front()?;
        let span_us = self.end_us.saturating_sub(*first_us);
        (span_us >= self.window_us)
            .then(|| bps(self.bytes, span_us))
            .flatten()
    }
}

fn end_us(fragment: &Fragment) -> u64 {
    fragment.decode_time_us.saturating_add(fragment.duration_us)
}

fn bps(bytes: u64, span_us: u64) -> Option<u64> {
    let bits_per_s = (u128::from(bytes) * 8_000_000).checked_div(u128::from(span_us))?;
    Some(u64::try_from(bits_per_s).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const SECOND_US: u64 = 1_000_000;

    /// A second of `bytes` bytes.
    fn second(at_s: u64, bytes: usize) -> Fragment {
        Fragment {
            bytes: Bytes::from(vec![0; bytes]),
            sequence: 1,
            decode_time_us: at_s * SECOND_US,
            duration_us: SECOND_US,
            keyframe: true,
            spans: Vec::new(),
        }
    }

    #[test]
    fn an_average_counts_from_the_first_fragment_not_from_zero() {
        let mut average = Average::new();
        assert_eq!(average.bps(), None);
        average.add_bytes(100);
        for at_s in 3_600..3_610 {
            average.add(&second(at_s, 125));
        }
        assert_eq!(average.bps(), Some(1_080));
    }

    #[test]
    fn a_stream_without_time_has_no_rate() {
        let mut average = Average::new();
        let mut still = second(0, 125);
        still.duration_us = 0;
        average.add(&still);
        assert_eq!(average.bps(), None);
    }

    #[test]
    fn a_window_tells_what_is_so_now() {
        let mut recent = Recent::new(10 * SECOND_US);
        for at_s in 0..9 {
            recent.add(&second(at_s, 125));
            assert_eq!(recent.bps(), None, "after {at_s} s");
        }
        recent.add(&second(9, 125));
        assert_eq!(recent.bps(), Some(1_000));
        for at_s in 10..20 {
            recent.add(&second(at_s, 250));
        }
        assert_eq!(recent.bps(), Some(2_000), "the slow part is forgotten");
        recent.add(&second(0, 125));
        assert_eq!(recent.bps(), None, "another clock");
    }

    #[test]
    fn a_window_is_bounded_whatever_the_clock_says() {
        let mut recent = Recent::new(10 * SECOND_US);
        let mut still = second(0, 1);
        still.duration_us = 0;
        for _ in 0..2 * FRAGMENTS_MAX {
            recent.add(&still);
        }
        assert_eq!(recent.fragments.len(), FRAGMENTS_MAX);
        assert_eq!(recent.bps(), None);
    }
}
