//! Where a peer goes: where nobody comes to depend on one ancestor for more
//! than m stripes; then shallow; then under the strong. Who brings edges takes
//! the place of a weaker one nearer the root, who moves under him.

use super::config::{CANDIDATES_MAX, SUPPLANT_MAX};
use super::forest::{BUSY_RANKS, IDLE_RANKS, Ix, OWN_RANKS};
use super::{Member, Planner};
use crate::NodeId;
use wire::statement::Cause;

/// Every strength: leaves of any are meant.
const ANY_STRENGTH: u32 = 16;
/// Who may have to go is looked for among so many at each depth.
const WEAKER_MAX: usize = 4;

/// A leaf that makes room, where it hangs, and where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Victim {
    leaf: Ix,
    parent: Ix,
    to: Ix,
}

impl<N: NodeId> Planner<N> {
    pub(super) fn place_peer(&mut self, node: Ix, s: u8) -> bool {
        let best = self.best_free(node, s, true);
        if self.rise(node, s, best) {
            return true;
        }
        if let Some(parent) = best {
            return self.seat(node, parent, s);
        }
        if self.displace(node, s, true) {
            return true;
        }
        match self.best_free(node, s, false) {
            Some(parent) => self.seat(node, parent, s),
            None => self.displace(node, s, false),
        }
    }

    /// Whether the edge is allowed: a relay-only member links to the station
    /// and to relays, and nobody is sent where he failed before.
    pub(super) fn may_link(&self, child: Ix, parent: Ix) -> bool {
        let (Some(c), Some(p)) = (self.member(child), self.member(parent)) else {
            return false;
        };
        let avoids = c.has_failures && self.failures.avoids(child, p.name);
        !avoids && !p.leaving && !p.away && (p.is_hub() || !c.relay_only)
    }

    /// Whether the node, part and all, may hang there with nobody of it coming
    /// to depend on one ancestor for too much.
    pub(super) fn may_hang(&self, node: Ix, parent: Ix, s: u8) -> bool {
        self.may_link(node, parent)
            && !self.forest.is_within(parent, node, s)
            && self.forest.keeps_guarantee(node, parent, s)
    }

    /// Hangs `child` under `parent`.
    pub(super) fn hang(&mut self, child: Ix, parent: Ix, s: u8) -> bool {
        self.prefer(parent, s);
        self.forest.attach(child, parent, s)
    }

    /// A peer that feeds nobody yet feeds this stripe by preference from now on.
    pub(super) fn prefer(&mut self, parent: Ix, s: u8) {
        let peer = self.member(parent).is_some_and(Member::is_peer);
        if peer && self.forest.feeds_nobody(parent) && self.forest.primary(parent) != s {
            self.forest.set_primary(parent, s);
        }
    }

    pub(super) fn seat(&mut self, node: Ix, parent: Ix, s: u8) -> bool {
        let seated = self.hang(node, parent, s);
        if seated {
            self.note_seated(node, s);
        }
        seated
    }

    /// Who had no stripe and has one now waits for the others one by one.
    pub(super) fn note_seated(&mut self, node: Ix, s: u8) {
        self.waiting.remove(node, s);
        if let Some(entry) = self.waiting.remove(node, self.nowhere()) {
            for other in (0..self.nowhere()).filter(|t| *t != s) {
                if self.forest.parent(node, other).is_none() {
                    self.wait(node, other, entry.cause);
                }
            }
        }
    }

    /// The best place with a free edge: of those who feed this stripe by
    /// preference, of those who feed nobody, of others. If it must be `safe`,
    /// only places that keep the guarantee of whoever moves.
    pub(super) fn best_free(&self, node: Ix, s: u8, safe: bool) -> Option<Ix> {
        let allowed = self.ranks_for(node);
        for ranks in [OWN_RANKS, IDLE_RANKS, BUSY_RANKS] {
            let ranks = ranks & allowed;
            let fitting = self
                .forest
                .free_places(s, ranks)
                .filter(|p| self.may_link(node, *p))
                .take(CANDIDATES_MAX);
            let fits = |p| !safe || self.may_hang(node, p, s);
            let found = self.nearest(node, s, fitting, fits);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// A node that feeds this stripe by preference takes a weaker one's place
    /// that is nearer to the root than the `best` free one.
    fn rise(&mut self, node: Ix, s: u8, best: Option<Ix>) -> bool {
        let strength = self.forest.strength(node, s);
        let free_depth = best.and_then(|p| self.forest.depth(p, s));
        let limit = free_depth.map_or(u32::MAX, |d| d.saturating_add(1));
        let limit = limit.min(self.forest.deepest(s).saturating_add(1));
        if strength == 0 {
            return false;
        }
        let room = self.forest.free_of(node) > 0;
        let to = if room { Some(node) } else { best };
        for depth in 1..limit {
            if let Some(to) = to
                && let Some(victim) = self.weaker_leaf(node, to, s, depth, strength)
            {
                return self.swap(node, victim, s);
            }
            if let Some(former) = self.weaker_inner(node, s, depth, strength) {
                return self.supplant(node, former, s);
            }
        }
        false
    }

    fn weaker_leaf(&self, node: Ix, to: Ix, s: u8, depth: u32, strength: u32) -> Option<Victim> {
        let class = self.class(node);
        self.forest
            .leaves_at(s, depth, strength)
            .take(WEAKER_MAX)
            .filter(|leaf| *leaf != to && self.class(*leaf) >= class)
            .find_map(|leaf| self.fitting(node, leaf, to, s, true))
    }

    /// The leaf as a victim, if all edges that follow are allowed and, if they
    /// must be `safe`, keep the guarantee.
    fn fitting(&self, node: Ix, leaf: Ix, to: Ix, s: u8, safe: bool) -> Option<Victim> {
        let parent = self.forest.parent(leaf, s)?;
        let fits = self.may_link(node, parent)
            && self.may_link(leaf, to)
            && !self.under_own_relay(leaf, s)
            && (!safe
                || self.forest.keeps_guarantee(node, parent, s)
                    && self.forest.keeps_guarantee(leaf, to, s));
        fits.then_some(Victim { leaf, parent, to })
    }

    /// `node` takes the victim's place, who moves to his new one.
    fn swap(&mut self, node: Ix, victim: Victim, s: u8) -> bool {
        let Victim { leaf, parent, to } = victim;
        self.forest.detach(leaf, s);
        let swapped = self.seat(node, parent, s) && self.hang(leaf, to, s);
        if !swapped {
            self.wait(leaf, s, Cause::Leave);
        }
        swapped
    }

    /// A weaker peer whose place, children and all, the node can take with an
    /// edge to spare for him.
    fn weaker_inner(&self, node: Ix, s: u8, depth: u32, strength: u32) -> Option<Ix> {
        if !self.forest.feeds_nobody(node) {
            return None;
        }
        let class = self.class(node);
        let free = self.forest.free_of(node) as usize;
        let fits = |former: &Ix| {
            let children = self.forest.children(*former, s);
            children.len() < free
                && children.len() <= SUPPLANT_MAX
                && self.class(*former) >= class
                && !self.under_own_relay(*former, s)
                && self.may_link(*former, node)
                && children.iter().all(|c| self.may_link(*c, node))
                && self.forest.parent(*former, s).is_some_and(|p| {
                    self.may_link(node, p) && self.forest.keeps_guarantee(node, p, s)
                })
        };
        let mut weaker = self.forest.inner_at(s, depth, strength).take(WEAKER_MAX);
        weaker.find(fits)
    }

    fn supplant(&mut self, node: Ix, former: Ix, s: u8) -> bool {
        if !self.forest.supplant(former, node, s) {
            return false;
        }
        self.note_seated(node, s);
        if !self.hang(former, node, s) {
            self.wait(former, s, Cause::Leave);
        }
        true
    }

    /// A node that brings a free edge is worth a leaf's place: the leaf moves
    /// under it, and nobody loses anything.
    fn displace(&mut self, node: Ix, s: u8, safe: bool) -> bool {
        let mut part = self.forest.part(node, s);
        let spare = part.find(|n| self.forest.free_of(*n) > 0);
        drop(part);
        let victim = spare.and_then(|spare| self.victim(node, spare, s, safe));
        victim.is_some_and(|victim| self.swap(node, victim, s))
    }

    /// The shallowest, weakest leaf that can make room for the node and hang
    /// on `spare` in its part.
    pub(super) fn victim(&self, node: Ix, spare: Ix, s: u8, safe: bool) -> Option<Victim> {
        let most = if safe { CANDIDATES_MAX } else { usize::MAX };
        (1..=self.forest.deepest(s))
            .flat_map(|depth| self.forest.leaves_at(s, depth, ANY_STRENGTH))
            .filter(|leaf| *leaf != node)
            .take(most)
            .find_map(|leaf| self.fitting(node, leaf, spare, s, safe))
    }
}
