//! The guarantee, mended a little in each tick: places fall free, relays come,
//! and who was given what there was may now hang so that no single node takes
//! more than m stripes from him. Make before break loses nothing.

use super::Planner;
use super::config::{MEND_PAUSE_MS, MEND_SWAPS_MAX, MEND_TRIES_MAX, MENDS_MAX};
use super::forest::{Ix, STRENGTHS};
use crate::NodeId;

/// Where the last tick left off.
#[derive(Debug, Clone, Default)]
pub(super) struct Mending {
    next: Ix,
    after_ms: u64,
}

impl<N: NodeId> Planner<N> {
    /// Moves a few viewers who depend on one node for too much. Nothing is done
    /// while somebody waits: places are scarce then.
    pub(super) fn mend(&mut self, now_ms: u64) {
        let due = now_ms >= self.mending.after_ms && self.waiting.is_empty();
        if self.config.stripes.m() == 0 || !due {
            return;
        }
        self.mending.after_ms = now_ms.saturating_add(MEND_PAUSE_MS);
        let all = Ix::try_from(self.members.len()).unwrap_or(Ix::MAX).max(1);
        let mut moved = 0;
        for _ in 0..MEND_TRIES_MAX.min(all) {
            let ix = self.mending.next % all;
            self.mending.next = ix.saturating_add(1);
            if self.is_peer(ix) && !self.forest.is_guaranteed(ix) {
                moved += u32::from(self.mend_one(ix));
            }
            if moved >= MENDS_MAX {
                break;
            }
        }
        if moved > 0 {
            self.publish();
        }
    }

    /// Moves one stripe of the viewer to where it depends on nobody for too
    /// much; his own children in it come along.
    fn mend_one(&mut self, ix: Ix) -> bool {
        (0..self.config.stripes.count()).any(|s| {
            let Some(parent) = self.forest.parent(ix, s) else {
                return false;
            };
            let stays = self.under_own_relay(ix, s) || self.forest.keeps_guarantee(ix, parent, s);
            !stays && self.mend_in(ix, parent, s)
        })
    }

    fn mend_in(&mut self, ix: Ix, parent: Ix, s: u8) -> bool {
        match self.best_free(ix, s, true) {
            Some(better) => self.rehang(ix, better, s),
            None => self.mend_by_exchange(ix, parent, s),
        }
    }

    /// Where nothing is free, the viewer and a leaf elsewhere change parents,
    /// if neither comes to depend on anybody for too much.
    fn mend_by_exchange(&mut self, ix: Ix, parent: Ix, s: u8) -> bool {
        let fits = |leaf: &Ix| {
            let to = self.forest.parent(*leaf, s);
            to.is_some_and(|to| {
                *leaf != ix
                    && to != parent
                    && !self.under_own_relay(*leaf, s)
                    && self.may_hang(ix, to, s)
                    && self.may_hang(*leaf, parent, s)
            })
        };
        let found = (1..=self.forest.deepest(s))
            .flat_map(|depth| self.forest.leaves_at(s, depth, STRENGTHS))
            .take(MEND_SWAPS_MAX)
            .find(fits);
        let Some(leaf) = found else { return false };
        let Some(to) = self.forest.parent(leaf, s) else {
            return false;
        };
        self.trade((ix, to), (leaf, parent), s)
    }
}
