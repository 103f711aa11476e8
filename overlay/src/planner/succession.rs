//! Who takes the place of an inner node that is gone: a lower relay, as in the
//! paper (section 2.2), or else a peer that can feed all who hung there, so
//! that nobody comes to hang deeper.

use super::Planner;
use super::forest::Ix;
use super::standing::Class;
use crate::NodeId;
use std::cmp::Reverse;
use wire::statement::Cause;

/// Leaves of one level that are looked at for an heir.
const HEIRS_MAX: usize = 8;

/// Who comes to hang where the leaving node hung.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heir {
    stripe: u8,
    node: Ix,
    parent: Ix,
    relay: bool,
}

impl<N: NodeId> Planner<N> {
    /// The heirs of an inner node, in the stripes where it has children.
    pub(super) fn heirs(&self, now_ms: u64, leaving: Ix) -> Vec<Heir> {
        let mut heirs: Vec<Heir> = Vec::new();
        for s in self.forest.inner_stripes(leaving) {
            let (Some(depth), Some(parent)) = (
                self.forest.depth(leaving, s),
                self.forest.parent(leaving, s),
            ) else {
                continue;
            };
            let relay = self.successor(now_ms, leaving, s, depth, parent);
            let peer = || {
                let taken = |ix: Ix| heirs.iter().any(|h| h.node == ix);
                self.peer_heir(leaving, s, depth, parent, taken)
            };
            if let Some(node) = relay.or_else(peer) {
                heirs.push(Heir {
                    stripe: s,
                    node,
                    parent,
                    relay: relay.is_some(),
                });
            }
        }
        heirs
    }

    /// The strongest of the lower relays, by preference one that hangs below
    /// the leaving node anyway.
    fn successor(&self, now_ms: u64, leaving: Ix, s: u8, depth: u32, parent: Ix) -> Option<Ix> {
        self.relays
            .keys()
            .copied()
            .filter(|node| {
                self.forest.depth(*node, s).is_some_and(|d| d > depth)
                    && self.forest.edges(*node) > 0
                    && self.may_link(*node, parent)
                    && !self.ends_soon(now_ms, *node)
            })
            .min_by_key(|node| {
                (
                    Reverse(self.forest.edges(*node)),
                    !self.forest.is_within(*node, leaving, s),
                    self.forest.depth(*node, s),
                    self.serial_of(*node),
                )
            })
    }

    /// A peer from the lowest levels that has an edge for each of the leaving
    /// node's children: one that feeds nobody or else, so that no part comes
    /// to hang at the bottom, one that feeds leaves alone.
    fn peer_heir(
        &self,
        leaving: Ix,
        s: u8,
        depth: u32,
        parent: Ix,
        taken: impl Fn(Ix) -> bool,
    ) -> Option<Ix> {
        let children = self.forest.children(leaving, s);
        let least = u32::try_from(children.len()).ok()?;
        let fits = |peer: &Ix| {
            !taken(*peer)
                && !self.under_own_relay(*peer, s)
                && self.may_link(*peer, parent)
                && children
                    .iter()
                    .all(|c| c == peer || self.may_link(*c, *peer))
                && self.forest.keeps_guarantee(*peer, parent, s)
        };
        let idle = |peer: &Ix| {
            self.forest.feeds_nobody(*peer) && self.forest.free_of(*peer) >= least && fits(peer)
        };
        let deepest = self.forest.deepest(s);
        let found = (depth.saturating_add(1)..=deepest).rev().find_map(|at| {
            let leaves = self.forest.strong_leaves_at(s, at, least);
            leaves.take(HEIRS_MAX).find(idle)
        });
        if found.is_some() || !children.iter().any(|c| self.forest.is_inner(*c, s)) {
            return found;
        }
        let low = |peer: &Ix| {
            let mut below = self.forest.children(*peer, s).into_iter();
            self.forest.edges(*peer) >= least
                && self.forest.inner_stripes(*peer).eq([s])
                && below.all(|c| !self.forest.is_inner(c, s))
                && fits(peer)
        };
        (depth.saturating_add(2)..=deepest).rev().find_map(|at| {
            let inner = self.forest.strong_inner_at(s, at, least);
            inner.take(HEIRS_MAX).find(low)
        })
    }

    /// The peers among the heirs take the leaving node's places, children and
    /// all.
    pub(super) fn inherit(&mut self, leaving: Ix, heirs: &[Heir]) {
        for heir in heirs.iter().filter(|heir| !heir.relay) {
            for leaf in self.forest.children(heir.node, heir.stripe) {
                self.forest.detach(leaf, heir.stripe);
                self.wait(leaf, heir.stripe, Cause::Leave);
            }
            self.forest.detach(heir.node, heir.stripe);
            if !self.forest.supplant(leaving, heir.node, heir.stripe) {
                self.wait(heir.node, heir.stripe, Cause::Leave);
            }
        }
    }

    /// The relays among the heirs move up, once the leaving node is gone.
    pub(super) fn succeed(&mut self, now_ms: u64, heirs: &[Heir], orphans: &[(Ix, u8)]) {
        for heir in heirs.iter().filter(|heir| heir.relay) {
            let s = heir.stripe;
            self.forest.detach(heir.node, s);
            if !self.seat(heir.node, heir.parent, s) {
                self.wait(heir.node, s, Cause::Leave);
                continue;
            }
            self.reunite(heir.node);
            let mut orphans: Vec<Ix> = orphans
                .iter()
                .filter(|(ix, t)| *t == s && *ix != heir.node)
                .map(|(ix, _)| *ix)
                .collect();
            orphans.sort_by_cached_key(|ix| self.standing(*ix, s));
            self.take_places(now_ms, heir.node, &orphans, s);
        }
    }

    /// Orphans that are no free riders may take the places of free riders
    /// under the relay that has moved up, the last to come first.
    fn take_places(&mut self, now_ms: u64, relay: Ix, orphans: &[Ix], s: u8) {
        for node in orphans.iter().copied() {
            let served = self.class(node) == Class::FreeRider
                || self.waiting.get(node, s).is_none()
                || self.place(now_ms, node, s);
            if served || !self.may_link(node, relay) {
                continue;
            }
            let leaf = |n: Ix, t: u8| t == s && self.class(n) == Class::FreeRider;
            let worst = self.worst_child(relay, leaf);
            if self.evict(worst) {
                self.seat(node, relay, s);
            }
        }
    }
}
