//! Relays that pass the smallest rendition on: each gets it once from the
//! station, and feeds it to viewers with upload that the trees do not use, or
//! that serves more of them so.

use super::{Ladder, Phase, Place, Step};
use crate::NodeId;
use crate::planner::Planner;
use wire::Rendition;
use wire::message::control::MoveCause;

impl<N: NodeId> Ladder<N> {
    /// Edges that a relay gives to smaller renditions, and not to the trees.
    #[must_use]
    pub fn edges_taken(&self, relay: N) -> u32 {
        self.fed.get(&relay).copied().unwrap_or(0)
    }

    /// Relays that get the smallest rendition from the station.
    pub fn fed(&self) -> impl Iterator<Item = N> + '_ {
        self.fed.keys().copied()
    }

    /// Who gives this viewer a smaller rendition, and which.
    #[must_use]
    pub fn source(&self, node: N) -> Option<(N, Rendition)> {
        let place = self.below.get(&node)?;
        Some((place.parent, Rendition(place.rendition)))
    }

    /// What a relay gives to smaller renditions, in bit/s.
    #[must_use]
    pub fn passed_bps(&self, relay: N) -> u64 {
        let places = self.below.values().filter(|p| p.parent == relay);
        places.fold(0, |sum, p| {
            sum.saturating_add(self.config.slot_bps(p.rendition))
        })
    }

    /// The station takes part in the trees and feeds relays: these, in bit/s.
    pub(super) fn feeds_bps(&self) -> u64 {
        let feeds = u64::try_from(self.fed.len()).unwrap_or(u64::MAX);
        self.smallest_bps().saturating_mul(feeds)
    }

    pub(super) fn smallest_bps(&self) -> u64 {
        self.config.slot_bps(self.config.smallest())
    }

    /// Relays that may pass something on, and edges that the trees leave them.
    fn relays(&self, planner: &Planner<N>) -> Vec<(N, u32)> {
        let mut relays = planner.relays_free();
        relays.retain(|(relay, _)| !self.shunned.contains(relay));
        relays
    }

    /// Upload of a relay for one more place: what is left of the edges that it
    /// has given up, and edges that the trees do not use.
    fn relay_spare_bps(&self, relay: N, free_edges: u32) -> u64 {
        let edges = self.edges_taken(relay).saturating_add(free_edges);
        let all_bps = self.config.edge_bps().saturating_mul(edges.into());
        all_bps.saturating_sub(self.passed_bps(relay))
    }

    fn may_have(&self, planner: &Planner<N>, node: N, relay: N) -> bool {
        !planner.avoids(node, relay) && !self.apart.contains(&(node, relay))
    }

    /// The relay that one more viewer would get the smallest rendition from:
    /// one that has it, or else one that it pays to give it to.
    pub(super) fn relay_for(&self, planner: &Planner<N>, node: N) -> Option<N> {
        let least_bps = self.smallest_bps();
        let relays = self.relays(planner);
        let usable = || {
            let relays = relays
                .iter()
                .filter(|(relay, _)| self.may_have(planner, node, *relay));
            relays.map(|(relay, free)| (*relay, self.relay_spare_bps(*relay, *free)))
        };
        let has = usable().find(|(r, bps)| self.fed.contains_key(r) && *bps >= least_bps);
        let could = || {
            // One viewer alone is as well fed by the station.
            let two_bps = least_bps.saturating_mul(2);
            let feeds = self.spare_bps(planner) >= least_bps;
            usable().find(|(r, bps)| feeds && !self.fed.contains_key(r) && *bps >= two_bps)
        };
        has.or_else(could).map(|(relay, _)| relay)
    }

    /// The relay gets the smallest rendition from now on, if it does not yet.
    pub(super) fn feed(&mut self, relay: N) {
        if self.fed.insert(relay, self.edges_taken(relay)).is_none() {
            let rendition = Rendition(self.config.smallest());
            self.steps.push_back(Step::Feed { relay, rendition });
        }
    }

    /// A relay that could pass the smallest rendition on gets it in the place
    /// of a viewer whom the station feeds, and that viewer with it. False if
    /// there is none.
    pub(super) fn hand_over_one(&mut self, now_ms: u64, planner: &mut Planner<N>) -> bool {
        let two_bps = self.smallest_bps().saturating_mul(2);
        let relays = self.relays(planner).into_iter();
        let mut unfed = relays.filter(|(relay, _)| !self.fed.contains_key(relay));
        let relay = unfed.find(|(r, free)| self.relay_spare_bps(*r, *free) >= two_bps);
        let Some((relay, _)) = relay else {
            return false;
        };
        let Some((node, place)) = self.one_for(planner, relay) else {
            return false;
        };
        self.below.remove(&node);
        self.feed(relay);
        self.hand_to(planner, (node, place), relay);
        self.share_relay(now_ms, planner, relay);
        true
    }

    /// A viewer whom the station feeds the smallest rendition, and this relay
    /// could.
    fn one_for(&self, planner: &Planner<N>, relay: N) -> Option<(N, Place<N>)> {
        let steady = |place: &Place<N>| matches!(place.phase, Phase::Stays | Phase::Waits);
        let mut places = self.below.iter().filter(|(_, place)| {
            place.parent == self.station
                && place.rendition == self.config.smallest()
                && steady(place)
        });
        let found = places.find(|(node, _)| self.may_have(planner, **node, relay));
        found.map(|(node, place)| (*node, *place))
    }

    fn hand_to(&mut self, planner: &Planner<N>, (node, place): (N, Place<N>), relay: N) {
        let from = Some(place.parent);
        let place = Place {
            parent: relay,
            ..place
        };
        self.put_from(planner, node, (from, place), MoveCause::Full);
    }

    /// The newest free rider whom a relay feeds gets the smallest rendition of
    /// that relay in his place: what is left of it is room. False if there is
    /// none, or the relay could get that rendition in nobody's place.
    pub(super) fn make_room_at_relay(&mut self, now_ms: u64, planner: &mut Planner<N>) -> bool {
        let riders = planner.free_riders();
        let mut riders = riders
            .into_iter()
            .filter(|node| self.peers.contains_key(node) && !self.below.contains_key(node));
        let found = riders.find_map(|node| Some((node, self.roomy_parent(planner, node)?)));
        let Some((node, relay)) = found else {
            return false;
        };
        let yielded = planner.yield_place(now_ms, node, relay).unwrap_or(0);
        let taken = self.edges_taken(relay).saturating_add(yielded);
        if !self.fed.contains_key(&relay) {
            let moved = if self.spare_bps(planner) < self.smallest_bps() {
                self.one_for(planner, relay)
            } else {
                None
            };
            if let Some((other, place)) = moved {
                self.below.remove(&other);
                self.feed(relay);
                self.hand_to(planner, (other, place), relay);
            }
            self.feed(relay);
        }
        self.fed.insert(relay, taken);
        let place = Place {
            rendition: self.config.smallest(),
            phase: Phase::Stays,
            parent: relay,
        };
        self.put(planner, node, place, MoveCause::MadeRoom);
        true
    }

    /// A relay under which this free rider hangs, if his place there is worth
    /// more than what would have to fit into it.
    fn roomy_parent(&self, planner: &Planner<N>, node: N) -> Option<N> {
        let least_bps = self.smallest_bps();
        let feeds = self.spare_bps(planner) >= least_bps;
        let relays = self.relays(planner);
        let roomy = |(relay, free): &(N, u32)| {
            let edges = planner.edges_between(node, *relay);
            if edges < planner.enough() || !self.may_have(planner, node, *relay) {
                return false;
            }
            let fed = self.fed.contains_key(relay);
            // He himself, whom it is done for, and whose place the relay takes.
            let places: u64 = if fed || feeds { 2 } else { 3 };
            let spare_bps = self.relay_spare_bps(*relay, free.saturating_add(edges));
            let possible = fed || feeds || self.one_for(planner, *relay).is_some();
            possible && spare_bps >= least_bps.saturating_mul(places)
        };
        let mut relays = relays.iter();
        relays.find(|relay| roomy(relay)).map(|(relay, _)| *relay)
    }

    /// Takes as many edges of the relay from the trees as its smaller places
    /// need, and gives back what they do not; who passes nothing on gets
    /// nothing for it.
    pub(super) fn share_relay(&mut self, now_ms: u64, planner: &mut Planner<N>, relay: N) {
        let Some(taken) = self.fed.get(&relay).copied() else {
            return;
        };
        let passed_bps = self.passed_bps(relay);
        let due = passed_bps.div_ceil(self.config.edge_bps());
        let due = u32::try_from(due).unwrap_or(u32::MAX);
        if passed_bps == 0 {
            self.fed.remove(&relay);
            self.steps.push_back(Step::Unfeed { relay });
        } else {
            self.fed.insert(relay, due);
        }
        if due != taken
            && let Some(view) = planner.node(relay)
        {
            let edges = view.edges.saturating_add(taken).saturating_sub(due);
            let _ = planner.claim(now_ms, relay, edges);
        }
    }

    /// The relay is gone, or goes: whom it gave a smaller rendition gets it
    /// elsewhere, the worthiest first, or waits for a place in the trees.
    pub fn relay_gone(&mut self, now_ms: u64, planner: &mut Planner<N>, relay: N) {
        self.shunned.insert(relay);
        if self.fed.remove(&relay).is_none() {
            return;
        }
        self.steps.push_back(Step::Unfeed { relay });
        let left = self.below.iter().filter(|(_, p)| p.parent == relay);
        let mut left: Vec<_> = left
            .map(|(node, place)| (self.worth(planner, *node), *node, *place))
            .collect();
        left.sort_unstable_by_key(|(worth, node, _)| (*worth, *node));
        for (_, node, _) in &left {
            self.below.remove(node);
        }
        for (_, node, place) in left {
            self.place_again(now_ms, planner, node, place);
        }
        self.share(now_ms, planner);
    }

    /// This viewer cannot have the smaller rendition from where he was given
    /// it; true if that was so.
    pub fn failed(&mut self, now_ms: u64, planner: &mut Planner<N>, node: N, parent: N) -> bool {
        let place = self.below.get(&node).copied();
        let Some(place) = place.filter(|p| p.parent == parent && parent != self.station) else {
            return false;
        };
        self.below.remove(&node);
        self.apart.insert((node, parent));
        self.steps.push_back(Step::Release { node, parent });
        self.place_again(now_ms, planner, node, place);
        self.share_relay(now_ms, planner, parent);
        true
    }

    fn place_again(&mut self, now_ms: u64, planner: &mut Planner<N>, node: N, place: Place<N>) {
        if matches!(place.phase, Phase::Rises(_)) {
            // The trees have a place for him, and he is on his way there.
            return;
        }
        let to = (MoveCause::Full, place.phase);
        let placed = self.place(now_ms, planner, node, to)
            || self.make_room(now_ms, planner) && self.place(now_ms, planner, node, to);
        if placed || planner.has(node) {
            return;
        }
        if let Some(peer) = self.peers.get(&node).copied() {
            // He waits like everybody who comes, and is refused by name if
            // nobody sponsors.
            let _ = planner.join(now_ms, node, peer);
        }
    }
}
