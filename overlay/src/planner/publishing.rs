//! From the plan to edges: what is to be permitted, what is to end, and when
//! a former edge has done its service.

use super::forest::{Ix, ROOT};
use super::{Action, Planner};
use crate::NodeId;
use std::collections::BTreeSet;
use wire::Stripe;
use wire::statement::Cause;

/// Old edges of one stripe that are looked at one by one; of more, only those
/// below the edge that came up.
const OLD_FEW: usize = 64;

/// An edge to permit.
#[derive(Debug, Clone, Copy)]
struct Attached {
    stripe: u8,
    child: Ix,
    parent: Ix,
}

impl<N: NodeId> Planner<N> {
    /// Turns changes of the plan into edges to make and to end. Ends come
    /// first, so that no parent is over its edges in between.
    pub(super) fn publish(&mut self) {
        let mut attached = Vec::new();
        let mut burdened = BTreeSet::new();
        let mut orphaned = Vec::new();
        for (child, s) in self.moved_in_order() {
            let change = self.links.retarget(child, s, self.forest.parent(child, s));
            for parent in change.detach {
                self.push_detach(parent, child, s);
            }
            burdened.extend(change.replaces);
            if let Some(parent) = change.attach {
                burdened.insert(parent);
                attached.push(Attached {
                    stripe: s,
                    child,
                    parent,
                });
            } else if self.is_orphaned(child, s) && !orphaned.contains(&child) {
                orphaned.push(child);
            }
        }
        for child in orphaned {
            if let Some(node) = self.name_of(child) {
                self.actions.push_back(Action::Orphaned { node });
            }
        }
        self.end_surplus(&burdened);
        for edge in attached {
            self.push_attach(edge);
        }
    }

    /// Parents first.
    fn moved_in_order(&mut self) -> Vec<(Ix, u8)> {
        let mut moved = self.forest.take_moved();
        moved.sort_by_cached_key(|(ix, s)| {
            let depth = self.forest.depth(*ix, *s).unwrap_or(u32::MAX);
            (depth, self.serial_of(*ix), *s)
        });
        moved
    }

    fn is_orphaned(&self, child: Ix, s: u8) -> bool {
        let waits = self.waiting.get(child, s);
        let left = waits.is_some_and(|entry| entry.cause == Cause::Leave);
        let relay = self.relays.contains_key(&child) && self.forest.rooted(child) == 0;
        left && (relay || self.forest.is_starved(child))
    }

    /// Ends old edges of parents that carry more than they may.
    pub(super) fn end_surplus(&mut self, parents: &BTreeSet<Ix>) {
        for parent in parents {
            let most = self
                .forest
                .edges(*parent)
                .saturating_add(self.config.handover_edges_max);
            let old = self.links.old_from(*parent);
            let len = u32::try_from(old.len()).unwrap_or(u32::MAX);
            let carried = self.forest.used(*parent).saturating_add(len);
            for (child, s) in old.into_iter().take(carried.saturating_sub(most) as usize) {
                self.links.end_old(child, s);
                self.push_detach(*parent, child, s);
            }
        }
    }

    fn push_attach(&mut self, edge: Attached) {
        let names = (self.name_of(edge.child), self.name_of(edge.parent));
        let (Some(child), Some(parent)) = names else {
            return;
        };
        let replaces = self.links.old_of(edge.child, edge.stripe);
        self.actions.push_back(Action::Attach {
            stripe: Stripe(edge.stripe),
            child,
            parent,
            priority: self.priority_of(edge.child, edge.parent),
            replaces: replaces.and_then(|old| self.name_of(old)),
        });
    }

    fn push_detach(&mut self, parent: Ix, child: Ix, s: u8) {
        if let (Some(child), Some(parent)) = (self.name_of(child), self.name_of(parent)) {
            self.actions.push_back(Action::Detach {
                stripe: Stripe(s),
                child,
                parent,
            });
        }
    }

    /// Whether every edge of this stripe from the station to the node works.
    pub(super) fn is_fed(&self, node: Ix, s: u8) -> bool {
        let mut at = node;
        while at != ROOT {
            match self.forest.parent(at, s) {
                Some(parent) if self.links.is_up(at, s) => at = parent,
                _ => return false,
            }
        }
        true
    }

    /// An edge to `child` came up: whoever is fed by it now needs no old edge
    /// any more.
    pub(super) fn end_replaced(&mut self, child: Ix, s: u8) {
        let Some(olds) = self.links.olds(s).filter(|olds| !olds.is_empty()) else {
            return;
        };
        if !self.is_fed(child, s) {
            return;
        }
        let fed: Vec<Ix> = if olds.len() <= OLD_FEW {
            let old = olds.keys().copied();
            old.filter(|ix| self.is_fed(*ix, s)).collect()
        } else {
            let mut fed = Vec::new();
            let mut todo = vec![child];
            while let Some(at) = todo.pop() {
                if self.links.is_up(at, s) {
                    fed.push(at);
                    todo.extend(self.forest.children(at, s));
                }
            }
            fed
        };
        for ix in fed {
            if let Some(parent) = self.links.end_old(ix, s) {
                self.push_detach(parent, ix, s);
            }
        }
    }

    /// Whether any child's edge from this parent works, planned or old: an
    /// edge is kept as an old one only if it worked.
    pub(super) fn feeds_somebody(&self, parent: Ix) -> bool {
        if !self.links.old_from(parent).is_empty() {
            return true;
        }
        let children = self.forest.all_children(parent);
        children.into_iter().any(|(child, s)| {
            self.links.is_up(child, s) && self.links.target(child, s) == Some(parent)
        })
    }

    /// Ends the edges of these stripes between the two; the stripes of those
    /// that were planned.
    pub(super) fn end_pair(
        &mut self,
        child: Ix,
        parent: Ix,
        stripes: std::ops::Range<u8>,
    ) -> Vec<u8> {
        let mut planned = Vec::new();
        for s in stripes {
            if self.links.target(child, s) == Some(parent) {
                self.links.drop_target(child, s);
                planned.push(s);
            } else if self.links.old_of(child, s) == Some(parent) {
                self.links.end_old(child, s);
            } else {
                continue;
            }
            self.push_detach(parent, child, s);
        }
        planned
    }

    /// Ends all edges of a node that is going.
    pub(super) fn end_all_edges(&mut self, node: Ix) {
        for s in 0..self.config.stripes.count() {
            for parent in self.links.retarget(node, s, None).detach {
                self.push_detach(parent, node, s);
            }
        }
        for (child, s) in self.forest.all_children(node) {
            if self.links.target(child, s) == Some(node) {
                self.links.drop_target(child, s);
                self.push_detach(node, child, s);
            }
        }
        for (child, s) in self.links.old_from(node) {
            self.links.end_old(child, s);
            self.push_detach(node, child, s);
        }
    }
}
