//! Make before break for relays that no longer answer: whoever hangs on one
//! gets another parent while the old edge still carries.

use super::config::{HANDOVER_MS_MAX, TRIES_MAX};
use super::{Member, Planner};
use crate::NodeId;
use wire::statement::Cause;

/// An edge that should be replaced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doubt<N> {
    parent: N,
    until_ms: u64,
}

impl<N: NodeId> Planner<N> {
    /// The edge works, but one of its ends can no longer verify the other:
    /// the child moves as soon as there is a place, and is not sent back.
    /// Stale reports are ignored. If no place is found in time, the report
    /// that the edge has ended follows, see [`Planner::edge_failed`].
    pub fn edge_doubted(&mut self, now_ms: u64, child: N, parent: N) {
        if self.doubt(now_ms, child, parent) {
            self.settle(now_ms);
        }
    }

    /// The relay can no longer be verified by the coordinator: its children
    /// move as far as there are places. [`Planner::lost`] should follow.
    pub fn relay_doubted(&mut self, now_ms: u64, relay: N) {
        if !self.members.get(&relay).is_some_and(Member::is_relay) {
            return;
        }
        for child in self.tree.children(relay) {
            self.doubt(now_ms, child, relay);
        }
        self.settle(now_ms);
    }

    fn doubt(&mut self, now_ms: u64, child: N, parent: N) -> bool {
        if self.tree.parent(child) != Some(parent) {
            return false;
        }
        let Some(member) = self.members.get_mut(&child) else {
            return false;
        };
        member.note_failure(parent, TRIES_MAX);
        let until_ms = now_ms.saturating_add(HANDOVER_MS_MAX);
        self.doubts.insert(child, Doubt { parent, until_ms });
        true
    }

    /// Moves those whose edge is in doubt and for whom there is a place; true
    /// if somebody moved.
    pub(super) fn move_doubted(&mut self, now_ms: u64) -> bool {
        let tree = &self.tree;
        self.doubts.retain(|child, doubt| {
            tree.parent(*child) == Some(doubt.parent) && now_ms < doubt.until_ms
        });
        let doubts: Vec<(N, Doubt<N>)> = self.doubts.iter().map(|(n, d)| (*n, *d)).collect();
        let mut moved = false;
        for (child, doubt) in doubts {
            // An earlier move may have taken it along.
            let stays = self.tree.parent(child) == Some(doubt.parent);
            if stays && self.tree.depth(child).is_some() {
                moved |= self.move_from(now_ms, child, doubt.parent);
            }
        }
        moved
    }

    /// Gives the child another place, or leaves it where it is.
    fn move_from(&mut self, now_ms: u64, child: N, parent: N) -> bool {
        self.tree.detach(child);
        self.place(now_ms, child);
        if self.tree.parent(child).is_some() {
            self.doubts.remove(&child);
            return true;
        }
        if !self.tree.attach(child, parent) {
            self.waiting.insert(child, Cause::Leave);
        }
        false
    }
}
