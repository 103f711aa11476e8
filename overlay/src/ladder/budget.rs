//! Whose upload the smaller renditions get: the station's is shared between its edges in the trees and the places
//! of smaller renditions: never more than all of it.

use super::{Ladder, Phase, Place, Step};
use crate::NodeId;
use crate::planner::Planner;
use wire::Rendition;
use wire::message::control::MoveCause;

impl<N: NodeId> Ladder<N> {
    /// Edges of the station's while nobody is on the ladder.
    #[must_use]
    pub fn edges_at_first(&self) -> u32 {
        self.edges_beside(0)
    }

    /// What the smaller renditions take of the station's upload, in bit/s.
    #[must_use]
    pub fn used_bps(&self) -> u64 {
        self.passed_bps(self.station)
            .saturating_add(self.feeds_bps())
    }

    /// Whether one more place of the smallest rendition could be had, for this
    /// viewer.
    #[must_use]
    pub fn has_place(&self, planner: &Planner<N>, node: N) -> bool {
        self.free_place(planner, node).is_some()
    }

    /// Who would feed this viewer the smallest rendition: a relay, so that the
    /// station keeps what relays still have to be given, or the station.
    fn free_place(&self, planner: &Planner<N>, node: N) -> Option<N> {
        let station = || {
            let has = self.spare_bps(planner) >= self.smallest_bps();
            has.then_some(self.station)
        };
        self.relay_for(planner, node).or_else(station)
    }

    /// What nobody uses, in the trees or here, in bit/s.
    pub(super) fn spare_bps(&self, planner: &Planner<N>) -> u64 {
        let (used, _) = planner.station_edges();
        let trees_bps = self.config.edge_bps().saturating_mul(u64::from(used));
        let taken_bps = trees_bps.saturating_add(self.used_bps());
        self.config.upload_bps.saturating_sub(taken_bps)
    }

    fn edges_beside(&self, used_bps: u64) -> u32 {
        let below_bps = used_bps.max(self.config.foot_bps());
        let rest_bps = self.config.upload_bps.saturating_sub(below_bps);
        u32::try_from(rest_bps / self.config.edge_bps()).unwrap_or(u32::MAX)
    }

    /// The station has so much upload for the stream from now on, in bit/s.
    pub fn uploads(&mut self, now_ms: u64, planner: &mut Planner<N>, upload_bps: u64) {
        self.config.upload_bps = upload_bps;
        for relay in self.fed().collect::<Vec<N>>() {
            self.share_relay(now_ms, planner, relay);
        }
        self.share(now_ms, planner);
    }

    /// Gives the trees what the smaller renditions leave of the upload.
    pub(super) fn share(&self, now_ms: u64, planner: &mut Planner<N>) {
        let (used, edges) = planner.station_edges();
        let due = self.edges_beside(self.used_bps()).max(used);
        if due != edges {
            let _ = planner.claim(now_ms, self.station, due);
        }
    }

    /// Gives a viewer the smallest rendition, if there is a place for it or can
    /// be one without anybody's losing the stream.
    pub(super) fn place(
        &mut self,
        now_ms: u64,
        planner: &mut Planner<N>,
        node: N,
        (cause, phase): (MoveCause, Phase),
    ) -> bool {
        let parent = loop {
            if let Some(parent) = self.free_place(planner, node) {
                break parent;
            }
            if !(self.lower_one(planner) || self.hand_over_one(now_ms, planner)) {
                return false;
            }
        };
        if parent != self.station {
            self.feed(parent);
        }
        let place = Place {
            rendition: self.config.smallest(),
            phase,
            parent,
        };
        self.put(planner, node, place, cause);
        self.share_relay(now_ms, planner, parent);
        self.share(now_ms, planner);
        true
    }

    /// The newest free rider whom the station feeds, or else a relay, gets the
    /// smallest rendition in his place; what is left of it is room. False if
    /// there is none.
    pub(super) fn make_room(&mut self, now_ms: u64, planner: &mut Planner<N>) -> bool {
        let riders = planner.free_riders().into_iter();
        let rider = riders
            .filter(|node| self.peers.contains_key(node) && !self.below.contains_key(node))
            .find(|node| planner.is_under_station(*node));
        let Some(node) = rider else {
            return self.make_room_at_relay(now_ms, planner);
        };
        let place = Place {
            rendition: self.config.smallest(),
            phase: Phase::Stays,
            parent: self.station,
        };
        self.put(planner, node, place, MoveCause::MadeRoom);
        let _ = planner.yield_place(now_ms, node, self.station);
        true
    }

    pub(super) fn put(&mut self, planner: &Planner<N>, node: N, place: Place<N>, cause: MoveCause) {
        let before = self.below.get(&node).map(|before| before.parent);
        self.put_from(planner, node, (before, place), cause);
    }

    pub(super) fn put_from(
        &mut self,
        planner: &Planner<N>,
        node: N,
        (before, place): (Option<N>, Place<N>),
        cause: MoveCause,
    ) {
        let priority = self.worth(planner, node).priority();
        self.below.insert(node, place);
        self.steps.push_back(Step::Place {
            node,
            parent: place.parent,
            from: before.filter(|before| *before != place.parent),
            rendition: Rendition(place.rendition),
            priority,
            cause,
        });
    }
}
