//! Nodes that are lost and come back: without standing for a while.

use super::Planner;
use super::config::FLAP_MS;
use super::forest::Ix;
use crate::NodeId;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub(super) struct Flaps<N> {
    /// Who was lost when, for [`FLAP_MS`].
    lost: BTreeMap<N, u64>,
    lost_order: BTreeSet<(u64, N)>,
    /// Who is back, until when it has no standing.
    back: BTreeMap<Ix, u64>,
    back_order: BTreeSet<(u64, Ix)>,
}

impl<N: NodeId> Flaps<N> {
    pub(super) fn new() -> Self {
        Self {
            lost: BTreeMap::new(),
            lost_order: BTreeSet::new(),
            back: BTreeMap::new(),
            back_order: BTreeSet::new(),
        }
    }

    pub(super) fn note_lost(&mut self, now_ms: u64, node: N) {
        if let Some(former) = self.lost.insert(node, now_ms) {
            self.lost_order.remove(&(former, node));
        }
        self.lost_order.insert((now_ms, node));
    }

    /// The node joins; true if it was lost a moment ago.
    fn is_back(&mut self, now_ms: u64, node: N, ix: Ix) -> bool {
        self.forget_lost(now_ms);
        let Some(lost_ms) = self.lost.remove(&node) else {
            return false;
        };
        self.lost_order.remove(&(lost_ms, node));
        let until_ms = now_ms.saturating_add(FLAP_MS);
        self.back.insert(ix, until_ms);
        self.back_order.insert((until_ms, ix));
        true
    }

    fn forget_lost(&mut self, now_ms: u64) {
        while let Some((at_ms, node)) = self.lost_order.first().copied()
            && now_ms.saturating_sub(at_ms) > FLAP_MS
        {
            self.lost_order.remove(&(at_ms, node));
            self.lost.remove(&node);
        }
    }

    /// Somebody who has been back for long enough; call until there is none.
    fn steady(&mut self, now_ms: u64) -> Option<Ix> {
        let (until_ms, ix) = self.back_order.first().copied()?;
        if until_ms > now_ms {
            return None;
        }
        self.forget(ix);
        Some(ix)
    }

    pub(super) fn forget(&mut self, ix: Ix) {
        if let Some(until_ms) = self.back.remove(&ix) {
            self.back_order.remove(&(until_ms, ix));
        }
    }
}

impl<N: NodeId> Planner<N> {
    /// The node has joined, possibly again.
    pub(super) fn note_return(&mut self, now_ms: u64, ix: Ix) {
        let Some(name) = self.name_of(ix) else { return };
        if self.flaps.is_back(now_ms, name, ix) {
            self.change_member(ix, |member| member.unsteady = true);
        }
    }

    /// Gives their standing back to those who have stayed.
    pub(super) fn end_flaps(&mut self, now_ms: u64) {
        self.flaps.forget_lost(now_ms);
        while let Some(ix) = self.flaps.steady(now_ms) {
            self.change_member(ix, |member| member.unsteady = false);
            self.bring_in_line(ix);
            self.requeue(ix);
        }
    }
}
