//! Edges that lose too much: they are left for a better place, with enough
//! patience that nobody goes back and forth.

use crate::NodeId;
use std::collections::BTreeMap;

/// Packets after which a window is judged: fewer say little.
const WINDOW_PACKETS: u64 = 64;
/// A window is bad from this on, in lost packets of a thousand: congestion
/// control by itself causes about one in a hundred.
const BAD_PERMILLE: u64 = 50;
/// Below this a window is good, and what was before is forgotten.
const GOOD_PERMILLE: u64 = 20;
/// Bad windows without a good one after which an edge is left.
const BAD_WINDOWS: u32 = 3;
/// After a move nothing of the child moves again for so long; twice as long
/// after the next one.
const PAUSE_MS: u64 = 60_000;
/// Moves without a good window in between: then it is the child's own line
/// that loses, and it stays where it is.
const MOVES_MAX: u32 = 3;

/// Packets of one direction of a link, since the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Sent.
    pub sent: u64,
    /// Of them, lost.
    pub lost: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    counts: Counts,
    bad: u32,
}

/// A child, with the windows of its edges by parent.
#[derive(Debug, Clone)]
struct Child<N> {
    windows: BTreeMap<N, Window>,
    moves: u32,
    after_ms: u64,
}

impl<N> Default for Child<N> {
    fn default() -> Self {
        Self {
            windows: BTreeMap::new(),
            moves: 0,
            after_ms: 0,
        }
    }
}

/// The lossy edges, at the coordinator.
#[derive(Debug, Clone)]
pub struct Loss<N> {
    children: BTreeMap<N, Child<N>>,
}

impl<N: NodeId> Default for Loss<N> {
    fn default() -> Self {
        Self {
            children: BTreeMap::new(),
        }
    }
}

impl<N: NodeId> Loss<N> {
    /// What went over the edge from `parent` to `child`, at `now_ms`; true if
    /// the child should go elsewhere. A packet may be found to be lost after the
    /// report of its sending.
    pub fn note(&mut self, now_ms: u64, child: N, parent: N, counts: Counts) -> bool {
        let child = self.children.entry(child).or_default();
        let window = child.windows.entry(parent).or_default();
        window.counts.sent = window.counts.sent.saturating_add(counts.sent);
        window.counts.lost = window.counts.lost.saturating_add(counts.lost);
        if window.counts.sent < WINDOW_PACKETS {
            return false;
        }
        let Counts { sent, lost } = std::mem::take(&mut window.counts);
        let permille = lost.saturating_mul(1_000) / sent.max(1);
        if permille < GOOD_PERMILLE {
            window.bad = 0;
            child.moves = 0;
        } else if permille >= BAD_PERMILLE {
            window.bad = window.bad.saturating_add(1);
        }
        window.bad >= BAD_WINDOWS && now_ms >= child.after_ms && child.moves < MOVES_MAX
    }

    /// The child was moved for it.
    pub fn moved(&mut self, now_ms: u64, child: N, parent: N) {
        let child = self.children.entry(child).or_default();
        child.windows.remove(&parent);
        let pause_ms = PAUSE_MS.saturating_mul(1 << child.moves.min(MOVES_MAX));
        child.moves = child.moves.saturating_add(1);
        child.after_ms = now_ms.saturating_add(pause_ms);
    }

    /// The edge is over.
    pub fn end(&mut self, child: N, parent: N) {
        if let Some(child) = self.children.get_mut(&child) {
            child.windows.remove(&parent);
        }
    }

    /// The member has gone. Those of its children end one by one.
    pub fn forget(&mut self, node: N) {
        self.children.remove(&node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BAD: Counts = Counts {
        sent: 100,
        lost: 10,
    };
    const GOOD: Counts = Counts { sent: 100, lost: 0 };

    #[test]
    fn an_edge_is_left_after_several_bad_windows_and_not_for_one() {
        let mut loss = Loss::default();
        assert!(!loss.note(0, 1, 9, BAD));
        assert!(!loss.note(5_000, 1, 9, BAD));
        assert!(!loss.note(10_000, 1, 9, GOOD), "a good one forgets");
        assert!(!loss.note(15_000, 1, 9, BAD));
        assert!(!loss.note(20_000, 1, 9, BAD));
        assert!(loss.note(25_000, 1, 9, BAD));
    }

    #[test]
    fn who_loses_under_everybody_stays() {
        let mut loss = Loss::default();
        let mut moves = 0;
        for n in 0..10_000u64 {
            let parent = 100 + moves;
            if loss.note(n * 5_000, 1, parent, BAD) {
                loss.moved(n * 5_000, 1, parent);
                moves += 1;
            }
        }
        assert_eq!(moves, MOVES_MAX);
        assert!(!loss.note(60_000_000, 1, 500, GOOD));
        let mut again = (0..3).map(|n| loss.note(60_100_000 + n, 1, 500, BAD));
        assert!(
            again.any(|leave| leave),
            "something came through in between"
        );
    }

    proptest! {
        /// Whatever is told, nobody is moved twice within the pause.
        #[test]
        fn nobody_flaps(told in proptest::collection::vec((0u64..6_000, 0u64..200, 0u64..200), 1..400)) {
            let (mut loss, mut now_ms, mut last_ms) = (Loss::default(), 0u64, None::<u64>);
            for (wait_ms, sent, lost) in told {
                now_ms += wait_ms;
                if loss.note(now_ms, 1u8, 2, Counts { sent, lost }) {
                    prop_assert!(last_ms.is_none_or(|at| now_ms - at >= PAUSE_MS));
                    loss.moved(now_ms, 1, 2);
                    last_ms = Some(now_ms);
                }
            }
        }

        /// An edge that loses less than the bound is never left.
        #[test]
        fn a_fair_edge_is_kept(told in proptest::collection::vec((64u64..200, 0u64..4), 1..100)) {
            let mut loss = Loss::default();
            for (sent, lost_percent) in told {
                let lost = sent * lost_percent / 100;
                let counts = Counts { sent, lost };
                prop_assert!(!loss.note(0, 1u8, 2, counts));
            }
        }
    }
}
