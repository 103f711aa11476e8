//! What one viewer sees: each chunk is due a fixed time after it was
//! published, and is there by then or is missed.

/// A viewer's playing.
#[derive(Debug, Clone, Default)]
pub(super) struct Playout {
    /// When the person wanted to watch.
    pub(super) joined_us: u64,
    /// When he left, or was refused.
    pub(super) left_us: Option<u64>,
    /// The first key frame that was there in time, and when.
    pub(super) first: Option<(u64, u64)>,
    /// Chunks that were there in time, as bits by sequence.
    in_time: Vec<u64>,
}

/// What became of a viewer's chunks in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub(super) due: u64,
    pub(super) in_time: u64,
    /// The longest run of missed chunks.
    pub(super) gap: u64,
}

impl Seen {
    pub(super) fn continuity(&self) -> Option<f64> {
        (self.due > 0).then(|| self.in_time as f64 / self.due as f64)
    }
}

impl Playout {
    pub(super) fn new(joined_us: u64) -> Self {
        Self {
            joined_us,
            ..Self::default()
        }
    }

    /// A chunk is complete `age_us` after it was published.
    pub(super) fn complete(&mut self, now_us: u64, sequence: u64, is_key: bool, in_time: bool) {
        if !in_time {
            return;
        }
        if self.first.is_none() && is_key {
            self.first = Some((sequence, now_us));
        }
        let word = usize::try_from(sequence / 64).unwrap_or(usize::MAX);
        if word >= self.in_time.len() {
            self.in_time.resize(word + 1, 0);
        }
        if let Some(bits) = self.in_time.get_mut(word) {
            *bits |= 1 << (sequence % 64);
        }
    }

    pub(super) fn has(&self, sequence: u64) -> bool {
        let word = usize::try_from(sequence / 64).unwrap_or(usize::MAX);
        let bits = self.in_time.get(word).copied().unwrap_or(0);
        bits >> (sequence % 64) & 1 == 1
    }

    /// The chunks that were due: from the first one played (or, for who never
    /// played, from the first one published after `patience_us`) to the last
    /// one whose time came before the viewer left. `due_us` says when each
    /// chunk is due.
    pub(super) fn seen(
        &self,
        chunks: u64,
        span_us: (u64, u64),
        patience_us: u64,
        due_us: impl Fn(u64) -> u64,
    ) -> Seen {
        let (from_us, to_us) = span_us;
        let end_us = self.left_us.unwrap_or(u64::MAX).min(to_us);
        let begins = |n: u64| match self.first {
            Some((first, _)) => n >= first,
            None => due_us(n) >= self.joined_us.saturating_add(patience_us),
        };
        let mut seen = Seen::default();
        let mut gap = 0;
        for n in (0..chunks).filter(|n| begins(*n)) {
            let at_us = due_us(n);
            if at_us < from_us || at_us >= end_us {
                continue;
            }
            seen.due += 1;
            if self.has(n) {
                seen.in_time += 1;
                gap = 0;
            } else {
                gap += 1;
                seen.gap = seen.gap.max(gap);
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE_US: u64 = 3_000_000;

    fn due_us(sequence: u64) -> u64 {
        sequence * 200_000 + 2_000_000
    }

    #[test]
    fn what_was_late_or_never_came_is_missed() {
        let mut playout = Playout::new(0);
        playout.complete(100, 4, false, true);
        assert_eq!(playout.first, None, "no key frame yet");
        playout.complete(200, 10, true, true);
        for n in 11..20 {
            playout.complete(300, n, false, !(13..16).contains(&n));
        }
        let seen = playout.seen(20, (0, u64::MAX), PATIENCE_US, due_us);
        assert_eq!((seen.due, seen.in_time, seen.gap), (10, 7, 3));
        playout.left_us = Some(due_us(12));
        let seen = playout.seen(20, (0, u64::MAX), PATIENCE_US, due_us);
        assert_eq!((seen.due, seen.in_time), (2, 2));
    }

    #[test]
    fn who_never_saw_anything_missed_it_all_the_same() {
        let playout = Playout::new(0);
        let seen = playout.seen(20, (0, u64::MAX), PATIENCE_US, due_us);
        assert_eq!((seen.due, seen.in_time, seen.gap), (15, 0, 15));
        assert_eq!(seen.continuity(), Some(0.0));
    }
}
