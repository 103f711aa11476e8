//! The children of a peer who leaves, while places are plenty: those who bring
//! nothing in a stripe go from him to the best free place at once. Waiting
//! first would come to the same, since none of them could take a better one's
//! place, and costs far more.

use super::forest::Ix;
use super::{Member, Planner};
use crate::NodeId;

impl<N: NodeId> Planner<N> {
    /// Moves what can be moved so; others stay for [`Planner::forget`].
    pub(super) fn shift_children(&mut self, leaving: Ix) {
        let peer = self.member(leaving).is_some_and(Member::is_peer);
        if !peer || !self.waiting.is_empty() {
            return;
        }
        // Nobody is sent where he comes from.
        self.change_member(leaving, |member| member.leaving = true);
        for (child, s) in self.forest.all_children(leaving) {
            let brings = self.forest.strength(child, s) > 0 || self.forest.is_inner(child, s);
            if brings || !self.has_plenty(child) || self.own_relay(child, s).is_some() {
                continue;
            }
            let below = |p: Ix| self.forest.is_within(p, leaving, s);
            let best = self.best_free(child, s, true);
            if let Some(parent) = best.filter(|p| !below(*p)) {
                self.prefer(parent, s);
                self.forest.shift(child, parent, s);
            }
        }
    }
}
