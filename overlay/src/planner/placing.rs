//! Who waits, and in which order places are given: first to those who have too
//! little to watch, then to those who lack protection.

use super::forest::{HUB_RANKS, Ix};
use super::matching::Matching;
use super::standing::Class;
use super::waiting::Entry;
use super::{Member, Planner};
use crate::NodeId;
use std::cmp::Reverse;
use wire::statement::Cause;

/// Free edges, for each stripe, beyond which a joiner is placed without
/// counting first whether there are enough for him.
const PLENTY: u64 = 64;

impl<N: NodeId> Planner<N> {
    /// Puts a node into the queue of one stripe, or of those who have none.
    pub(super) fn wait(&mut self, ix: Ix, lane: u8, cause: Cause) {
        if let Some(entry) = self.entry(ix, lane, cause) {
            self.forest.set_watched(ix, true);
            self.waiting.insert(ix, lane, entry);
        }
    }

    fn entry(&self, ix: Ix, lane: u8, cause: Cause) -> Option<Entry> {
        let member = self.member(ix)?;
        let joins = cause == Cause::Join;
        let standing = if joins {
            (Class::FreeRider, Reverse(0), self.age(ix))
        } else {
            self.standing(ix, lane)
        };
        let relay = member.is_relay();
        let unprotected = lane < self.nowhere() && !relay && !self.forest.is_starved(ix);
        let special = relay
            || member.relay_only
            || member.has_failures
            || self.forest.edges(ix) > 0
            || !self.forest.feeds_nobody(ix)
            || self.sponsored.contains_key(&member.name);
        Some(Entry {
            cause,
            key: (unprotected, joins, standing),
            plain: !special,
            relay,
        })
    }

    /// What decides about a node's place in the queues may have changed.
    pub(super) fn requeue(&mut self, ix: Ix) {
        for (lane, former) in self.waiting.lanes_of(ix) {
            if let Some(entry) = self.entry(ix, lane, former.cause) {
                self.waiting.insert(ix, lane, entry);
            }
        }
    }

    /// A relay waits for places in as many stripes as it can be of use in: it
    /// takes an edge of each and should bring at least as many again.
    pub(super) fn want_stripes(&mut self, relay: Ix) {
        if !self.member(relay).is_some_and(Member::is_relay) {
            return;
        }
        let count = u32::from(self.config.stripes.count());
        let wanted = (self.forest.edges(relay) / 2).clamp(1, count);
        let primary = u32::from(self.forest.primary(relay));
        let first = if primary < count { primary } else { relay };
        for n in 0..wanted {
            let s = u8::try_from((first + n) % count).unwrap_or(0);
            let placed = self.forest.parent(relay, s).is_some();
            if !placed && self.waiting.get(relay, s).is_none() {
                self.wait(relay, s, Cause::Leave);
            }
        }
    }

    /// Gives places to those who wait, until nobody can be helped any more.
    pub(super) fn place_waiting(&mut self, now_ms: u64) {
        loop {
            self.requeue_touched();
            let mut placed = !self.waiting.is_empty() && self.serve_all(now_ms);
            placed |= self.move_doubted(now_ms);
            if !placed && !self.reunite_one() {
                break;
            }
        }
    }

    fn serve_all(&mut self, now_ms: u64) -> bool {
        let mut placed = false;
        let nowhere = self.nowhere();
        for unprotected in [false, true] {
            for lane in 0..=nowhere {
                placed |= self.serve(now_ms, lane, unprotected);
            }
        }
        placed
    }

    /// One queue in order. Of the plain ones, none is tried after one for whom
    /// there was nothing.
    fn serve(&mut self, now_ms: u64, lane: u8, unprotected: bool) -> bool {
        let special = self.waiting.special(lane, unprotected);
        let mut special = special.into_iter().peekable();
        let mut plain = self.waiting.plain_after(lane, unprotected, None);
        let mut placed = false;
        loop {
            let plain_first = match (plain, special.peek()) {
                (Some(p), Some(s)) => p < *s,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return placed,
            };
            let next = if plain_first { plain } else { special.next() };
            let Some((_, ix)) = next else { return placed };
            let found = self.waiting.get(ix, lane).is_some() && self.place_waiter(now_ms, ix, lane);
            placed |= found;
            if plain_first {
                plain = if found {
                    self.waiting.plain_after(lane, unprotected, plain)
                } else {
                    None
                };
            }
        }
    }

    fn place_waiter(&mut self, now_ms: u64, ix: Ix, lane: u8) -> bool {
        if lane < self.nowhere() {
            self.place(now_ms, ix, lane)
        } else {
            self.place_whole(now_ms, ix)
        }
    }

    /// Gives a node that has no stripe all of them, or as many as there are if
    /// they are enough to watch; else nothing.
    fn place_whole(&mut self, now_ms: u64, ix: Ix) -> bool {
        let count = self.config.stripes.count();
        let plan = if count == 1 || self.has_plenty(ix) {
            Vec::new()
        } else {
            match self.plan_for(ix) {
                Some(plan) => plan,
                None => return false,
            }
        };
        let Some(entry) = self.waiting.remove(ix, self.nowhere()) else {
            return false;
        };
        for (s, parent) in (0..).zip(plan) {
            if let Some(parent) = parent {
                self.seat(ix, parent, s);
            }
        }
        let first = self.forest.primary(ix);
        for n in 0..count {
            let s = (first + n) % count;
            if self.forest.parent(ix, s).is_none() {
                self.place(now_ms, ix, s);
            }
        }
        let lacking: Vec<u8> = (0..count)
            .filter(|s| self.forest.parent(ix, *s).is_none())
            .collect();
        if lacking.len() == usize::from(count) {
            self.waiting.insert(ix, self.nowhere(), entry);
            return false;
        }
        for s in lacking {
            self.wait(ix, s, entry.cause);
        }
        true
    }

    /// Whether a joiner who may hang anywhere will surely find enough.
    pub(super) fn has_plenty(&self, ix: Ix) -> bool {
        let bound = self
            .member(ix)
            .is_some_and(|m| m.relay_only || m.has_failures);
        let enough = PLENTY * u64::from(self.config.stripes.count());
        !bound && self.forest.free_total() >= enough
    }

    /// Whether the node can be given enough to watch; if it does not matter
    /// who takes which edge, without parents, else with them.
    fn plan_for(&self, ix: Ix) -> Option<Vec<Option<Ix>>> {
        let count = self.config.stripes.count();
        let k = u32::from(self.config.stripes.k());
        let ranks = self.ranks_for(ix);
        // More than `count` offers for one stripe make no difference.
        let offers = |s| -> Vec<(Ix, u32)> {
            let free = self.forest.free_places(s, ranks);
            free.filter(|p| self.may_link(ix, *p))
                .take(usize::from(count))
                .map(|p| (p, self.forest.free_of(p)))
                .collect()
        };
        let offers: Vec<Vec<(Ix, u32)>> = (0..count).map(offers).collect();
        // Every stripe finds an edge, whatever the others take.
        let ample =
            |o: &Vec<(Ix, u32)>| o.iter().map(|(_, free)| free).sum::<u32>() >= u32::from(count);
        if offers.iter().filter(|o| ample(o)).count() >= k as usize {
            return Some(Vec::new());
        }
        let matching = Matching::new(&offers);
        let mut found = matching.len();
        let mut own = self.forest.free_of(ix);
        let parents = matching.parents();
        for (s, parent) in (0..).zip(&parents) {
            if parent.is_some() {
                continue;
            }
            if self.own_relay(ix, s).is_some() {
                found += 1;
            } else if own > 0 && self.victim(ix, ix, s, false).is_some() {
                own -= 1;
                found += 1;
            }
        }
        (found >= k).then_some(parents)
    }

    /// Whom the node may hang under.
    pub(super) fn ranks_for(&self, ix: Ix) -> u64 {
        let relay_only = self.member(ix).is_some_and(|m| m.relay_only);
        if relay_only { HUB_RANKS } else { u64::MAX }
    }

    /// Gives the node, which has no parent in this stripe, a place there.
    pub(super) fn place(&mut self, now_ms: u64, node: Ix, s: u8) -> bool {
        let Some(member) = self.member(node) else {
            return false;
        };
        if member.is_relay() {
            return self.place_relay(now_ms, node, s);
        }
        if let Some(relay) = self.own_relay(node, s) {
            return self.seat_sponsor(node, relay, s);
        }
        self.place_peer(node, s)
    }

    /// The child loses this edge and waits; false if there is none.
    pub(super) fn evict(&mut self, edge: Option<(Ix, u8)>) -> bool {
        let Some((child, s)) = edge else { return false };
        self.forest.detach(child, s);
        self.wait(child, s, Cause::Leave);
        true
    }
}
