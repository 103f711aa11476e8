//! How much of the past is still of use to who plays live. Who writes a file
//! wants everything, and has no such limit.

use wire::Sequence;

/// Plays each chunk so long after it was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    delay_ms: u64,
}

impl Live {
    /// This far behind the sender, in milliseconds.
    #[must_use]
    pub const fn behind_ms(delay_ms: u64) -> Self {
        Self { delay_ms }
    }

    /// The first chunk that can still be played, while `head` is the newest and
    /// each lasts `chunk_us` microseconds.
    #[must_use]
    pub const fn plays_from(self, head: Sequence, chunk_us: u64) -> Sequence {
        back(head, self.delay_ms, chunk_us)
    }

    /// The first chunk that is worth asking a new parent for: it has to come
    /// before it is played, so half of the delay is left for that.
    #[must_use]
    pub const fn resumes_from(self, head: Sequence, chunk_us: u64) -> Sequence {
        back(head, self.delay_ms / 2, chunk_us)
    }
}

const fn back(head: Sequence, ms: u64, chunk_us: u64) -> Sequence {
    match ms.saturating_mul(1_000).checked_div(chunk_us) {
        Some(chunks) => Sequence(head.0.saturating_sub(chunks)),
        // Chunks without a length are never late.
        None => Sequence(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_counted_in_chunks_from_the_head() {
        let live = Live::behind_ms(2_000);
        assert_eq!(live.plays_from(Sequence(100), 200_000), Sequence(90));
        assert_eq!(live.resumes_from(Sequence(100), 200_000), Sequence(95));
        assert_eq!(live.plays_from(Sequence(3), 200_000), Sequence(0));
        assert_eq!(live.plays_from(Sequence(100), 0), Sequence(0), "no length");
        let never = Live::behind_ms(u64::MAX);
        assert_eq!(never.plays_from(Sequence(100), 1), Sequence(0));
    }
}
