//! Who moves up when there is room, and who makes room for whom.

use super::{Ladder, Phase, Place, Worth};
use crate::NodeId;
use crate::planner::Planner;
use wire::message::control::MoveCause;

/// How often somebody may move up, or down for somebody else.
const LOOK_MS: u64 = 250;

impl<N: NodeId> Ladder<N> {
    /// At most one move up, and one down, in each [`LOOK_MS`].
    pub(super) fn climb(&mut self, now_ms: u64, planner: &mut Planner<N>) {
        if self.below.is_empty() || now_ms.saturating_sub(self.looked_ms) < LOOK_MS {
            return;
        }
        self.looked_ms = now_ms;
        self.note_room(now_ms, planner);
        if let Some(node) = self.next_up(now_ms, planner) {
            self.raise(now_ms, planner, node);
        } else if !planner.has_room(false) {
            self.relieve(now_ms, planner);
            self.raise_between(now_ms, planner);
        }
    }

    fn note_room(&mut self, now_ms: u64, planner: &Planner<N>) {
        if planner.has_room(false) {
            self.room_since_ms.get_or_insert(now_ms);
        } else {
            self.room_since_ms = None;
        }
    }

    /// Who is the next to get a place in the trees: sponsors, contributors,
    /// then free riders by lot, once the room has lasted.
    fn next_up(&mut self, now_ms: u64, planner: &Planner<N>) -> Option<N> {
        let stays = self.below.iter().filter(|(_, p)| p.phase == Phase::Stays);
        let fits = |node: &N| {
            let shy = self.peers.get(node).is_some_and(|peer| peer.relay_only);
            planner.has_room(shy)
        };
        let mut fitting: Vec<(Worth, N)> = stays
            .map(|(node, _)| *node)
            .filter(fits)
            .map(|node| (self.worth(planner, node), node))
            .collect();
        fitting.sort_unstable();
        let (best, first) = fitting.first().copied()?;
        if best != Worth::FreeRider {
            return Some(first);
        }
        let lasted = |since: u64| now_ms.saturating_sub(since) >= self.config.room_ms_min;
        if !self.room_since_ms.is_some_and(lasted) {
            return None;
        }
        self.lot = crate::planner::next_of_lot(self.lot);
        let count = u64::try_from(fitting.len()).unwrap_or(1).max(1);
        let at = usize::try_from(self.lot % count).unwrap_or(0);
        fitting.get(at).map(|(_, node)| *node)
    }

    fn raise(&mut self, now_ms: u64, planner: &mut Planner<N>, node: N) {
        let Some(peer) = self.peers.get(&node).copied() else {
            return;
        };
        if let Some(place) = self.below.get_mut(&node) {
            place.phase = Phase::Waits;
        }
        let _ = planner.join(now_ms, node, peer);
        self.look(now_ms, planner);
    }

    /// A free rider, the newest, moves down for somebody who gives or pays and
    /// has nothing better than he would have.
    fn relieve(&mut self, now_ms: u64, planner: &mut Planner<N>) {
        let wants = |(node, place): &(&N, &Place<N>)| {
            place.phase == Phase::Stays && self.worth(planner, **node) != Worth::FreeRider
        };
        let wanted = self.below.iter().filter(wants).count();
        let falling = |place: &&Place<N>| matches!(place.phase, Phase::Falls(_));
        if wanted <= self.below.values().filter(falling).count() {
            return;
        }
        let riders = planner.free_riders().into_iter();
        let rider = riders
            .filter(|node| self.peers.contains_key(node))
            .find(|node| !self.below.contains_key(node));
        let Some(rider) = rider else {
            return;
        };
        let to = (MoveCause::MadeRoom, Phase::Falls(now_ms));
        if !self.place(now_ms, planner, rider, to) {
            // It may do so the next time: there are several places of one.
            self.make_room(now_ms, planner);
        }
    }

    /// The worthiest of those who have the smallest rendition gets the next
    /// better one, as long as one more viewer would still find a place.
    fn raise_between(&mut self, now_ms: u64, planner: &mut Planner<N>) {
        let spare_bps = self.spare_bps(planner);
        let least_bps = self.config.slot_bps(self.config.smallest());
        let fits = |place: &Place<N>| {
            let better_bps = self.config.slot_bps(place.rendition.saturating_sub(1));
            let more_bps = better_bps.saturating_sub(self.config.slot_bps(place.rendition));
            place.rendition > 1
                && place.parent == self.station
                && matches!(place.phase, Phase::Stays | Phase::Waits)
                && more_bps.saturating_add(least_bps) <= spare_bps
        };
        let fitting = self.below.iter().filter(|(_, place)| fits(place));
        let best = fitting.min_by_key(|(node, _)| (self.worth(planner, **node), **node));
        if let Some((node, place)) = best.map(|(node, place)| (*node, *place)) {
            let rendition = place.rendition.saturating_sub(1);
            self.put(planner, node, Place { rendition, ..place }, MoveCause::Room);
            self.share(now_ms, planner);
        }
    }

    /// The least worthy of those who have something between the best and the
    /// smallest rendition gets the smallest. False if there is none.
    pub(super) fn lower_one(&mut self, planner: &Planner<N>) -> bool {
        let smallest = self.config.smallest();
        let between = self.below.iter().filter(|(_, p)| p.rendition < smallest);
        let worst = between.max_by_key(|(node, _)| (self.worth(planner, **node), **node));
        let Some((node, place)) = worst.map(|(node, place)| (*node, *place)) else {
            return false;
        };
        let place = Place {
            rendition: smallest,
            ..place
        };
        self.put(planner, node, place, MoveCause::MadeRoom);
        true
    }
}
