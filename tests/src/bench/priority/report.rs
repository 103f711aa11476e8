//! What came out, and whether it is what standing promises.

use super::scene::Way;
use super::{Arguments, CHILDREN, CHUNK_BYTES, CHUNK_MS, UPLINK_PERCENT};
use serde_json::{Value, json};
use wire::statement::Priority;

/// Every standing, the best first.
pub(super) const STANDINGS: [Priority; 5] = [
    Priority::OwnSponsor,
    Priority::Relay,
    Priority::Sponsor,
    Priority::Contributor,
    Priority::FreeRider,
];

/// What the children of one standing got.
#[derive(Debug, Clone, Default)]
pub(super) struct Got {
    /// Whole chunks, of all children together.
    pub(super) chunks: u64,
    /// From publishing to the whole chunk, in milliseconds.
    pub(super) delays_ms: Vec<u64>,
}

/// By standing, in the order of [`STANDINGS`].
pub(super) type Shares = [Got; 5];

/// All that was measured.
pub(super) struct Report {
    commit: Option<String>,
    standing: bool,
    chunks: u64,
    ways: Vec<(Way, Shares)>,
}

impl Report {
    pub(super) fn new(arguments: &Arguments, chunks: u64) -> Self {
        Self {
            commit: arguments.commit.clone(),
            standing: !arguments.without_standing,
            chunks,
            ways: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, way: Way, shares: Shares) {
        self.ways.push((way, shares));
    }

    /// Chunks that the children of one standing should get together.
    fn due(&self) -> u64 {
        self.chunks.saturating_mul(CHILDREN as u64)
    }

    pub(super) fn json(&self) -> Value {
        let ways: serde_json::Map<String, Value> = self
            .ways
            .iter()
            .map(|(way, shares)| (way.name().to_owned(), self.way(shares)))
            .collect();
        json!({
            "schema": "roundcast.priority-bench/1",
            "commit": self.commit,
            "standing": self.standing,
            "children_per_standing": CHILDREN,
            "chunks": self.chunks,
            "chunk_bytes": CHUNK_BYTES,
            "chunk_ms": CHUNK_MS,
            "uplink_children": UPLINK_PERCENT as f64 / 100.0,
            "ways": ways,
        })
    }

    fn way(&self, shares: &Shares) -> Value {
        let of = |got: &Got| {
            let share = got.chunks as f64 / self.due().max(1) as f64;
            json!({
                "chunks": got.chunks,
                "share": (share * 1e4).round() / 1e4,
                "delay_ms_p50": rank(&got.delays_ms, 50),
                "delay_ms_p99": rank(&got.delays_ms, 99),
            })
        };
        let all = STANDINGS.iter().zip(shares);
        all.map(|(standing, got)| (standing.name().to_owned(), of(got)))
            .collect::<serde_json::Map<String, Value>>()
            .into()
    }

    /// What is not as standing promises: counts alone, no times.
    pub(super) fn faults(&self) -> Vec<String> {
        self.ways
            .iter()
            .flat_map(|(way, shares)| faults(*way, shares, self.due()))
            .collect()
    }
}

fn faults(way: Way, shares: &Shares, due: u64) -> Vec<String> {
    let mut faults = Vec::new();
    let chunks: Vec<u64> = shares.iter().map(|got| got.chunks).collect();
    let named = STANDINGS.iter().zip(&chunks);
    for ((better, more), (worse, less)) in named.clone().zip(named.skip(1)) {
        if less > more {
            let (better, worse) = (better.name(), worse.name());
            faults.push(format!(
                "{}: {worse} got {less}, {better} {more}",
                way.name()
            ));
        }
    }
    let (first, last) = (chunks.first().copied(), chunks.last().copied());
    if first.unwrap_or(0) < due {
        faults.push(format!(
            "{}: the best standing missed something",
            way.name()
        ));
    }
    if last.unwrap_or(due) >= due {
        faults.push(format!("{}: the uplink was not full", way.name()));
    }
    faults
}

/// By nearest rank; none of nothing.
fn rank(delays_ms: &[u64], percent: usize) -> Option<u64> {
    let mut sorted = delays_ms.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(chunks: [u64; 5]) -> Shares {
        chunks.map(|chunks| Got {
            chunks,
            delays_ms: Vec::new(),
        })
    }

    #[test]
    fn falling_shares_of_a_full_uplink_are_right_and_nothing_else_is() {
        let of = |chunks| faults(Way::Push, &shares(chunks), 100).len();
        assert_eq!(of([100, 100, 60, 0, 0]), 0);
        assert_eq!(
            of([100, 100, 60, 1, 2]),
            1,
            "a free rider before a contributor"
        );
        assert_eq!(of([99, 90, 60, 1, 0]), 1, "the sponsor missed one");
        assert_eq!(of([100; 5]), 1, "there was room for all");
    }
}
