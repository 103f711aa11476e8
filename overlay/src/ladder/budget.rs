//! The station's upload, shared between its edges in the trees and the places
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

    /// What the smaller renditions take, in bit/s.
    #[must_use]
    pub fn used_bps(&self) -> u64 {
        let places = self.below.values();
        places.fold(0, |sum, p| {
            sum.saturating_add(self.config.slot_bps(p.rendition))
        })
    }

    /// Whether one more place of the smallest rendition could be had.
    #[must_use]
    pub fn has_place(&self, planner: &Planner<N>) -> bool {
        self.spare_bps(planner) >= self.config.slot_bps(self.config.smallest())
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
        while !self.has_place(planner) {
            if !self.lower_one(planner) {
                return false;
            }
        }
        let place = Place {
            rendition: self.config.smallest(),
            phase,
        };
        self.put(planner, node, place, cause);
        self.share(now_ms, planner);
        true
    }

    /// The newest free rider whom the station feeds gets the smallest rendition
    /// in his place; what is left of it is room. False if there is none.
    pub(super) fn make_room(&mut self, now_ms: u64, planner: &mut Planner<N>) -> bool {
        let riders = planner.free_riders().into_iter();
        let rider = riders
            .filter(|node| self.peers.contains_key(node) && !self.below.contains_key(node))
            .find(|node| planner.is_under_station(*node));
        let Some(node) = rider else {
            return false;
        };
        let place = Place {
            rendition: self.config.smallest(),
            phase: Phase::Stays,
        };
        self.put(planner, node, place, MoveCause::MadeRoom);
        let _ = planner.yield_place(now_ms, node);
        true
    }

    pub(super) fn put(&mut self, planner: &Planner<N>, node: N, place: Place, cause: MoveCause) {
        let priority = self.worth(planner, node).priority();
        self.below.insert(node, place);
        self.steps.push_back(Step::Place {
            node,
            rendition: Rendition(place.rendition),
            priority,
            cause,
        });
    }
}
