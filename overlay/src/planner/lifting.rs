//! Nearer to the root, a little in each tick: receipts prove strength long
//! after a place was given, and places fall free. The deepest come up, see
//! [`Planner::raise`]; one that feeds others changes places with a weaker one
//! above it, part and all. Nobody comes to hang deeper than the deepest did, and
//! make before break loses nothing.

use super::Planner;
use super::config::LIFT_TRIES_MAX;
use super::forest::{Ix, NONE};
use crate::NodeId;
use wire::statement::Cause;

/// Weaker ones of one level that are looked at.
const WEAKER_MAX: usize = 4;
/// Members of one level and strength that are looked at.
const STRONGER_MAX: usize = 8;
/// A place is not taken from one who is only a little weaker: receipts go up
/// and down.
const STRONGER_BY: u32 = 2;
/// Members of whom in a tick as many are moved as the configuration says.
const LIFTERS: usize = 4_000;
/// Members of a part that are looked at for its height.
const PART_MAX: usize = 256;

impl<N: NodeId> Planner<N> {
    /// Moves a few members nearer to the root.
    pub(super) fn lift(&mut self, now_ms: u64) {
        if !self.waiting.is_empty() || now_ms < self.lift_after_ms {
            return;
        }
        let count = self.config.stripes.count();
        let groups = u32::try_from(self.index.len() / LIFTERS).unwrap_or(u32::MAX);
        let most = groups.saturating_add(1);
        let most = most.saturating_mul(self.config.lifts_max);
        let mut moved = 0;
        for n in 0..count.saturating_mul(2) {
            let (s, exchanges) = (self.lift_next.wrapping_add(n) % count, n >= count);
            while moved < most && self.lift_one(now_ms, s, exchanges) {
                moved = moved.saturating_add(1);
            }
        }
        self.lift_next = self.lift_next.saturating_add(1) % count;
        if moved == 0 {
            self.lift_after_ms = now_ms.saturating_add(super::config::LIFT_PAUSE_MS);
        } else {
            self.publish();
        }
    }

    /// The deepest come up, or one `exchanges` places with another.
    fn lift_one(&mut self, now_ms: u64, s: u8, exchanges: bool) -> bool {
        if exchanges {
            let found = self.exchangeable(s);
            found.is_some_and(|(node, weaker)| self.exchange(node, weaker, s))
        } else {
            self.raise(now_ms, s)
        }
    }

    /// A node that feeds others in this stripe, from the lowest levels, and a
    /// weaker one above it.
    fn exchangeable(&self, s: u8) -> Option<(Ix, Ix)> {
        let mut tries = 0;
        for depth in (2..=self.forest.deepest(s)).rev() {
            for strength in (1..super::forest::STRENGTHS).rev() {
                for node in self.forest.inner_of(s, depth, strength).take(STRONGER_MAX) {
                    tries += 1;
                    if tries > LIFT_TRIES_MAX {
                        return None;
                    }
                    let found = self.weaker_above(node, s, (depth, strength));
                    if found.is_some() {
                        return found.map(|weaker| (node, weaker));
                    }
                }
            }
        }
        None
    }

    fn weaker_above(&self, node: Ix, s: u8, (depth, strength): (u32, u32)) -> Option<Ix> {
        if self.under_own_relay(node, s) {
            return None;
        }
        (1..depth).find_map(|above| {
            let leaves = self.forest.leaves_at(s, above, strength).take(WEAKER_MAX);
            let weaker = strength.saturating_sub(STRONGER_BY).saturating_add(1);
            let inner = self.forest.inner_at(s, above, weaker).take(WEAKER_MAX);
            let mut found = leaves.chain(inner);
            found.find(|weaker| self.may_exchange(node, *weaker, s))
        })
    }

    /// Where both hang after they have changed places: `node`, and the weaker
    /// one, who comes under it if it was above.
    fn exchanged(&self, node: Ix, weaker: Ix, s: u8) -> Option<(Ix, Ix)> {
        let high = self.forest.parent(weaker, s)?;
        let below = self.forest.is_within(node, weaker, s);
        let low = if below {
            Some(node).filter(|node| self.forest.free_of(*node) > 0)
        } else {
            self.forest.parent(node, s)
        };
        Some((high, low?))
    }

    /// Whether both may hang where the other does, and nobody comes to hang
    /// deeper than anybody below `node` does.
    fn may_exchange(&self, node: Ix, weaker: Ix, s: u8) -> bool {
        let Some((high, low)) = self.exchanged(node, weaker, s) else {
            return false;
        };
        let (top, bottom) = (self.forest.depth(weaker, s), self.bottom(node, NONE, s));
        let down = if low == node {
            1
        } else {
            let depth = self.forest.depth(node, s).unwrap_or(0);
            depth.saturating_sub(top.unwrap_or(0))
        };
        self.class(weaker) >= self.class(node)
            && !self.under_own_relay(weaker, s)
            && self.bottom(weaker, node, s).saturating_add(down) <= bottom
            && self.may_hang(node, high, s)
            && self.may_link(weaker, low)
            && self.forest.keeps_guarantee(weaker, low, s)
    }

    /// Depth of the deepest in the node's part, without the part of `but`.
    fn bottom(&self, node: Ix, but: Ix, s: u8) -> u32 {
        let part = self.forest.part(node, s).take(PART_MAX);
        let counted = part.filter(|n| but == NONE || !self.forest.is_within(*n, but, s));
        let depths = counted.filter_map(|n| self.forest.depth(n, s));
        depths.max().unwrap_or(0)
    }

    /// `node`, part and all, goes from its parent to another.
    pub(super) fn rehang(&mut self, node: Ix, parent: Ix, s: u8) -> bool {
        let former = self.forest.parent(node, s);
        self.forest.detach(node, s);
        if self.hang(node, parent, s) {
            return true;
        }
        if !former.is_some_and(|former| self.hang(node, former, s)) {
            self.wait(node, s, Cause::Leave);
        }
        false
    }

    /// The two take each other's place.
    fn exchange(&mut self, node: Ix, weaker: Ix, s: u8) -> bool {
        let Some((high, low)) = self.exchanged(node, weaker, s) else {
            return false;
        };
        self.trade((node, high), (weaker, low), s)
    }

    /// Both go to other parents, part and all; who cannot hang there waits.
    /// True if both do hang.
    pub(super) fn trade(&mut self, one: (Ix, Ix), other: (Ix, Ix), s: u8) -> bool {
        self.forest.detach(one.0, s);
        self.forest.detach(other.0, s);
        let mut hang = true;
        for (child, parent) in [one, other] {
            if !self.hang(child, parent, s) {
                self.wait(child, s, Cause::Leave);
                hang = false;
            }
        }
        hang
    }
}
