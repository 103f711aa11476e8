//! How much is missing, whom that affects, and who has to go if nobody is
//! willing.

use super::forest::Ix;
use super::{Action, Member, Planner};
use crate::NodeId;
use std::collections::BTreeSet;
use wire::Reason;
use wire::statement::Cause;

/// What is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shortage {
    pub(super) cause: Cause,
    pub(super) edges: u32,
    /// Without the stream.
    pub(super) viewers: u32,
    /// Rounds that are still to be granted.
    pub(super) rounds_wanted: u32,
}

impl<N: NodeId> Planner<N> {
    /// Edges that are missing to parts that carry viewers; none if there are
    /// none.
    pub(super) fn shortage(&self) -> Option<Shortage> {
        if self.waiting.is_empty() {
            return None;
        }
        let count = u32::from(self.config.stripes.count());
        let whole = self.waiting.whole();
        let single = self.waiting.peers().saturating_sub(whole);
        let mut edges = single.saturating_add(whole.saturating_mul(count));
        let mut left = self.waiting.peers_left() > 0;
        for (relay, s) in self.waiting.relays() {
            if self.forest.part(relay, s).any(|node| self.is_peer(node)) {
                edges = edges.saturating_add(1);
                left = true;
            }
        }
        let needed = rounds(edges, self.config.round_slots, count);
        (edges > 0).then(|| Shortage {
            cause: if left { Cause::Leave } else { Cause::Join },
            edges,
            viewers: self.forest.starved(),
            rounds_wanted: needed.saturating_sub(self.asking.grants_len()),
        })
    }

    pub(super) fn is_peer(&self, node: Ix) -> bool {
        self.member(node).is_some_and(Member::is_peer)
    }

    /// Of these who wait, the peers, and the nearest peers below relays.
    pub(super) fn affected(&self, tops: Vec<(Ix, u8)>) -> Vec<Ix> {
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for (top, lane) in tops {
            let mut todo = vec![top];
            while let Some(node) = todo.pop() {
                if !self.is_peer(node) {
                    todo.extend(self.forest.children(node, lane));
                } else if seen.insert(node) {
                    found.push(node);
                }
            }
        }
        found
    }

    /// Nobody is willing. Who waits with nothing goes without; relays and who
    /// can watch are kept, but what hangs below them and cannot waits on its
    /// own from now on; of those who have too little, the least worthy goes,
    /// and what he had is for the others. True if anything changed.
    pub(super) fn refuse_waiting(&mut self) -> bool {
        let tops = self.waiting.in_order();
        let without =
            |(ix, _): &(Ix, u8)| self.forest.is_starved(*ix) && self.forest.rooted(*ix) == 0;
        let without: BTreeSet<Ix> = tops
            .iter()
            .filter(|t| without(t))
            .map(|(ix, _)| *ix)
            .collect();
        if !without.is_empty() {
            for (ix, _) in tops {
                // Once, though he may wait for several stripes.
                if without.contains(&ix) && self.waiting.waits(ix) {
                    self.refuse(ix);
                }
            }
            return true;
        }
        if self.dissolve(&tops) {
            return true;
        }
        let worst = tops
            .iter()
            .rev()
            .find(|(ix, _)| self.forest.is_starved(*ix));
        let worst = worst.map(|(ix, _)| *ix);
        if let Some(ix) = worst {
            self.refuse(ix);
        }
        worst.is_some()
    }

    /// Lets the children of those who are kept wait on their own, where there
    /// is somebody below who cannot watch.
    fn dissolve(&mut self, tops: &[(Ix, u8)]) -> bool {
        let mut changed = false;
        for (top, s) in tops.iter().copied() {
            let kept = !self.forest.is_starved(top) && s < self.nowhere();
            let mut below = self.forest.part(top, s);
            if !kept || !below.any(|node| self.forest.is_starved(node)) {
                continue;
            }
            drop(below);
            for child in self.forest.children(top, s) {
                self.forest.detach(child, s);
                self.wait(child, s, Cause::Leave);
                changed = true;
            }
        }
        changed
    }

    fn refuse(&mut self, ix: Ix) {
        let Some(node) = self.name_of(ix) else { return };
        self.end_all_edges(ix);
        self.forget(ix);
        self.actions.push_back(Action::Refuse {
            node,
            reason: Reason::NoCapacity,
        });
    }
}

/// Rounds that bring so many edges; a relay takes a slot itself, whose holder
/// moves under it.
fn rounds(deficit_edges: u32, round_slots: u32, edges_per_slot: u32) -> u32 {
    let gain = round_slots.saturating_sub(1).max(1);
    deficit_edges.div_ceil(gain.saturating_mul(edges_per_slot))
}
