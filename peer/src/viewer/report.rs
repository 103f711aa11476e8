//! What a viewer measured.

use serde_json::{Value, json};
use wire::Sequence;

/// Delays that are remembered for the percentiles: an hour at 200 ms.
const DELAYS_MAX: usize = 18_000;

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
    head: Option<u64>,
}

impl Report {
    /// A chunk was put out; `mono_ms` counts from the program's start.
    pub(crate) fn played(&mut self, mono_ms: u64, delay_ms: u64, bytes: u64) {
        self.verified += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.first_ms.is_none() {
            self.first_ms = Some(mono_ms);
        } else {
            let gap_ms = mono_ms.saturating_sub(self.last_ms);
            self.longest_gap_ms = self.longest_gap_ms.max(gap_ms);
        }
        self.last_ms = mono_ms;
        if self.delays_ms.len() < DELAYS_MAX {
            self.delays_ms.push(delay_ms);
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
        self.delays_ms.last().copied()
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
        report.played(5_000, 10, 1);
        report.played(5_200, 20, 1);
        report.played(6_000, 30, 1);
        report.published(Sequence(7));
        let json = report.to_json(&Value::Null);
        assert_eq!(json["first_chunk_ms"], 5_000);
        assert_eq!(json["longest_gap_ms"], 800);
        assert_eq!(json["head"], 7);
        assert_eq!(json["delay_ms_p50"], 20);
        assert_eq!(json["delay_ms_p99"], 30);
    }
}
