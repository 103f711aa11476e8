//! What a viewer measured.

use serde_json::{Value, json};
use wire::{Sequence, UnixMs};

/// Delays that are remembered for the percentiles: an hour at 200 ms.
const DELAYS_MAX: usize = 18_000;

/// The longest delay that is believed: as long as a viewer may at most fall
/// behind and catch up. More than that, clocks disagree.
const DELAY_MS_MAX: u64 = 10 * 60_000;

/// From the sender's clock to this machine's. Two machines' clocks are no
/// stopwatch: one that says that a chunk came before it was sent, or absurdly
/// late, measures nothing.
pub(super) fn delay_ms(published: UnixMs, now: UnixMs) -> Option<u64> {
    let delay_ms = now.0.checked_sub(published.0)?;
    (delay_ms <= DELAY_MS_MAX).then_some(delay_ms)
}

/// Counts and times since the start.
#[derive(Debug, Default)]
pub(crate) struct Report {
    verified: u64,
    missed: u64,
    rejected: u64,
    bytes: u64,
    first_ms: Option<u64>,
    last_ms: u64,
    longest_gap_ms: u64,
    delays_ms: Vec<u64>,
    clocks_disagree: bool,
    head: Option<u64>,
}

impl Report {
    /// A chunk was put out; `mono_ms` counts from the program's start.
    pub(crate) fn played(&mut self, mono_ms: u64, delay_ms: Option<u64>, bytes: u64) {
        self.verified += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.first_ms.is_none() {
            self.first_ms = Some(mono_ms);
        } else {
            let gap_ms = mono_ms.saturating_sub(self.last_ms);
            self.longest_gap_ms = self.longest_gap_ms.max(gap_ms);
        }
        self.last_ms = mono_ms;
        self.clocks_disagree = delay_ms.is_none();
        if self.delays_ms.len() < DELAYS_MAX {
            self.delays_ms.extend(delay_ms);
        }
    }

    pub(crate) fn missed(&mut self, chunks: u64) {
        self.missed = self.missed.saturating_add(chunks);
    }

    pub(crate) fn rejected(&mut self) {
        self.rejected += 1;
    }

    /// The newest published chunk, by the station's beacon.
    pub(crate) fn published(&mut self, head: Sequence) {
        self.head = Some(head.0);
    }

    pub(crate) fn head(&self) -> Option<Sequence> {
        self.head.map(Sequence)
    }

    pub(crate) fn first_ms(&self) -> Option<u64> {
        self.first_ms
    }

    /// Median and 99th percentile of the delay, nearest rank.
    fn percentile_ms(&self, percent: usize) -> Option<u64> {
        let mut sorted = self.delays_ms.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }

    pub(crate) fn delay_ms(&self) -> Option<u64> {
        let last = self.delays_ms.last().copied();
        last.filter(|_| !self.clocks_disagree)
    }

    /// Whether the newest chunk's delay could not be measured.
    pub(crate) fn clocks_disagree(&self) -> bool {
        self.clocks_disagree
    }

    pub(crate) fn counters(&self) -> [(&'static str, u64); 4] {
        [
            ("chunks_verified", self.verified),
            ("chunks_missed", self.missed),
            ("chunks_rejected", self.rejected),
            ("bytes", self.bytes),
        ]
    }

    pub(crate) fn to_json(&self, path: &Value) -> Value {
        json!({
            "chunks_due": self.verified.saturating_add(self.missed),
            "chunks_verified": self.verified,
            "chunks_rejected": self.rejected,
            "bytes": self.bytes,
            "first_chunk_ms": self.first_ms,
            "longest_gap_ms": self.longest_gap_ms,
            "delay_ms_p50": self.percentile_ms(50),
            "delay_ms_p99": self.percentile_ms(99),
            "clocks_disagree": self.clocks_disagree,
            "head": self.head,
            "path": path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_lies_between_two_chunks_not_before_the_first() {
        let mut report = Report::default();
        report.played(5_000, Some(10), 1);
        report.played(5_200, Some(20), 1);
        report.played(6_000, Some(30), 1);
        report.published(Sequence(7));
        let json = report.to_json(&Value::Null);
        assert_eq!(json["first_chunk_ms"], 5_000);
        assert_eq!(json["longest_gap_ms"], 800);
        assert_eq!(json["head"], 7);
        assert_eq!(json["delay_ms_p50"], 20);
        assert_eq!(json["delay_ms_p99"], 30);
    }

    #[test]
    fn clocks_that_disagree_measure_nothing_instead_of_zero() {
        let (sent, minute) = (UnixMs(1_000_000), 60_000);
        assert_eq!(delay_ms(sent, sent.plus_ms(250)), Some(250));
        assert_eq!(delay_ms(sent, UnixMs(sent.0 - 1)), None, "before it was");
        assert_eq!(delay_ms(sent, sent.plus_ms(60 * minute)), None);
        let mut report = Report::default();
        report.played(0, Some(250), 1);
        assert_eq!(report.delay_ms(), Some(250));
        report.played(200, None, 1);
        assert_eq!(report.delay_ms(), None);
        assert!(report.clocks_disagree());
        assert_eq!(report.to_json(&Value::Null)["delay_ms_p99"], 250);
    }
}
