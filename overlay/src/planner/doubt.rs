//! Make before break for relays that no longer answer: whoever hangs on one
//! gets another parent while the old edge still carries.

use super::config::{HANDOVER_MS_MAX, TRIES_MAX};
use super::forest::Ix;
use super::{Member, Planner};
use crate::NodeId;
use wire::statement::Cause;

/// An edge of one stripe that should be replaced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doubt {
    parent: Ix,
    until_ms: u64,
}

impl<N: NodeId> Planner<N> {
    /// The edges between the two work, but one end can no longer verify the
    /// other: the child moves, in all stripes, as soon as there are places,
    /// and is not sent back. Stale reports are ignored. If no place is found
    /// in time, the report that the edge has ended follows, see
    /// [`Planner::edge_failed`].
    pub fn edge_doubted(&mut self, now_ms: u64, child: N, parent: N) {
        let (Some(child), Some(parent)) = (self.ix(child), self.ix(parent)) else {
            return;
        };
        let stripes = self.forest.stripes().count();
        let doubted = (0..stripes).filter(|s| self.doubt(now_ms, child, parent, *s));
        if doubted.count() > 0 {
            self.settle(now_ms);
        }
    }

    /// The relay can no longer be verified by the coordinator: its children
    /// move as far as there are places. [`Planner::lost`] should follow.
    pub fn relay_doubted(&mut self, now_ms: u64, relay: N) {
        let Some(relay) = self.ix(relay) else { return };
        if !self.member(relay).is_some_and(Member::is_relay) {
            return;
        }
        for (child, s) in self.forest.all_children(relay) {
            self.doubt(now_ms, child, relay, s);
        }
        self.settle(now_ms);
    }

    fn doubt(&mut self, now_ms: u64, child: Ix, parent: Ix, s: u8) -> bool {
        if self.forest.parent(child, s) != Some(parent) {
            return false;
        }
        self.note_failure(child, parent, TRIES_MAX);
        let until_ms = now_ms.saturating_add(HANDOVER_MS_MAX);
        self.doubts.insert((child, s), Doubt { parent, until_ms });
        true
    }

    /// Moves those whose edge is in doubt and for whom there is a place; true
    /// if somebody moved.
    pub(super) fn move_doubted(&mut self, now_ms: u64) -> bool {
        if self.doubts.is_empty() {
            return false;
        }
        let forest = &self.forest;
        self.doubts.retain(|(child, s), doubt| {
            forest.parent(*child, *s) == Some(doubt.parent) && now_ms < doubt.until_ms
        });
        let doubts: Vec<((Ix, u8), Doubt)> = self.doubts.iter().map(|(n, d)| (*n, *d)).collect();
        let mut moved = false;
        for ((child, s), doubt) in doubts {
            // An earlier move may have taken it along.
            let stays = self.forest.parent(child, s) == Some(doubt.parent);
            if stays && self.forest.is_rooted(child, s) {
                moved |= self.move_from(now_ms, child, doubt.parent, s);
            }
        }
        moved
    }

    /// Gives the child another place, or leaves it where it is.
    fn move_from(&mut self, now_ms: u64, child: Ix, parent: Ix, s: u8) -> bool {
        self.forest.detach(child, s);
        self.place(now_ms, child, s);
        if self.forest.parent(child, s).is_some() {
            self.doubts.remove(&(child, s));
            return true;
        }
        if !self.forest.attach(child, parent, s) {
            self.wait(child, s, Cause::Leave);
        }
        false
    }
}
