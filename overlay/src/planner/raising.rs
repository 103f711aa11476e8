//! The deepest come nearer to the root with whoever they hang below: a part that
//! moves costs one edge, however many are in it. Of the way up from one of the
//! deepest the highest that finds a better place takes it, a free one or that of a
//! leaf, who takes its place. The sum of all depths shrinks with every move, so
//! that this comes to an end.

use super::Planner;
use super::config::{LIFT_TRIES_MAX, RAISE_PLACES_MAX};
use super::forest::{IDLE_RANKS, Ix, OWN_RANKS};
use crate::NodeId;

/// Hops of a way up that are looked at.
const HOPS_MAX: usize = 16;

/// What brings a part nearer to the root.
#[derive(Debug, Clone, Copy)]
enum Raise {
    /// The part hangs under this node from now on.
    Free { top: Ix, parent: Ix },
    /// The part and a leaf change places.
    Leaf { top: Ix, leaf: Ix },
}

impl<N: NodeId> Planner<N> {
    /// Raises one part that holds one of the deepest; false if none can be.
    pub(super) fn raise(&mut self, now_ms: u64, s: u8) -> bool {
        match self.raisable(now_ms, s) {
            Some(Raise::Free { top, parent }) => self.rehang(top, parent, s),
            Some(Raise::Leaf { top, leaf }) => {
                let high = self.forest.parent(leaf, s);
                let low = self.forest.parent(top, s);
                let (Some(high), Some(low)) = (high, low) else {
                    return false;
                };
                self.trade((top, high), (leaf, low), s)
            }
            None => false,
        }
    }

    fn raisable(&self, now_ms: u64, s: u8) -> Option<Raise> {
        let deepest = self.forest.deepest(s);
        let places = self.forest.free_places(s, OWN_RANKS | IDLE_RANKS);
        let places: Vec<Ix> = places.take(RAISE_PLACES_MAX).collect();
        let mut looked_at = Vec::new();
        let mut tries = LIFT_TRIES_MAX;
        for node in self.forest.level(s, deepest).take(LIFT_TRIES_MAX) {
            let up = std::iter::once(node).chain(self.forest.ancestors(node, s));
            let mut way: Vec<Ix> = up.take(HOPS_MAX).collect();
            // The highest first; the station and who hangs under it stay.
            way.reverse();
            for top in way {
                let depth = self.forest.depth(top, s).unwrap_or(0);
                if depth < 2 || looked_at.contains(&top) {
                    continue;
                }
                looked_at.push(top);
                tries = tries.checked_sub(1)?;
                let found = self.better_place(now_ms, top, depth, s, &places);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    fn better_place(
        &self,
        now_ms: u64,
        top: Ix,
        depth: u32,
        s: u8,
        places: &[Ix],
    ) -> Option<Raise> {
        if self.under_own_relay(top, s) {
            return None;
        }
        let first = if self.ends_soon(now_ms, top) { 2 } else { 1 };
        let allowed = |parent: Ix| {
            let at = self.forest.depth(parent, s).map(|d| d.saturating_add(1));
            at.is_some_and(|at| at >= first && at < depth) && self.may_hang(top, parent, s)
        };
        let free = places.iter().copied().find(|p| allowed(*p));
        if let Some(parent) = free {
            return Some(Raise::Free { top, parent });
        }
        if !self.forest.is_inner(top, s) {
            return None;
        }
        let low = self.forest.parent(top, s)?;
        let class = self.class(top);
        let weaker = self.forest.strength(top, s).max(1);
        let fits = |leaf: &Ix| {
            self.class(*leaf) >= class
                && !self.under_own_relay(*leaf, s)
                && self.may_link(*leaf, low)
                && self.forest.keeps_guarantee(*leaf, low, s)
                && self.forest.parent(*leaf, s).is_some_and(allowed)
        };
        let leaf = (first..depth).find_map(|above| {
            let leaves = self.forest.leaves_at(s, above, weaker);
            leaves.take(RAISE_PLACES_MAX).find(|leaf| fits(leaf))
        })?;
        Some(Raise::Leaf { top, leaf })
    }
}
