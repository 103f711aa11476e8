//! What must hold at every step. The planner's actions build a second picture
//! of the tree here, which its own view is compared with.

use super::node::{Id, STATION};
use super::plan::Seat;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// An invariant that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Invariant {
    /// A node is below itself.
    #[error("loop: node {node} is below itself in stripe {stripe}")]
    Loop {
        /// The node.
        node: u32,
        /// The stripe.
        stripe: u8,
    },
    /// A parent carries more than it has edges, and one that moves away.
    #[error("over capacity: node {parent} carries {carried} edges of {edges}")]
    OverCapacity {
        /// The parent.
        parent: u32,
        /// What it carries.
        carried: u32,
        /// What it has.
        edges: u32,
    },
    /// An edge with somebody who is no member.
    #[error("gone: node {node} has an edge and is no member any more")]
    Gone {
        /// The node.
        node: u32,
    },
    /// Actions and view do not agree.
    #[error("view: node {node} hangs elsewhere than its actions said")]
    View {
        /// The node.
        node: u32,
    },
    /// Somebody is asked to pay though there is room.
    #[error("asked with room: {used} of {edges} edges are used, and node {waiting} waits")]
    AskedWithRoom {
        /// Edges in use.
        used: u64,
        /// Edges there are.
        edges: u64,
        /// Who could have a place.
        waiting: u32,
    },
    /// A block was sent to a child twice.
    #[error("sent twice: a block from node {parent} to node {child}")]
    SentTwice {
        /// The parent.
        parent: u32,
        /// The child.
        child: u32,
    },
    /// Bytes were made or lost on a link.
    #[error("bytes: the link from node {parent} to node {child} lost or made some")]
    Bytes {
        /// The parent.
        parent: u32,
        /// The child.
        child: u32,
    },
    /// An uplink sent more than its rate and burst.
    #[error("uplink: node {node} sent more than its rate and burst allow")]
    Uplink {
        /// The node.
        node: u32,
    },
    /// Time went back.
    #[error("time went back")]
    Time,
}

/// A broken invariant, and where: seed and step find it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("invariant broken with seed {seed} at step {step} ({at_us} us): {invariant}")]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// Events before it.
    pub step: u64,
    /// Virtual time.
    pub at_us: u64,
    /// What does not hold.
    pub invariant: Invariant,
}

/// The tree as the planner's actions tell it.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    members: BTreeSet<Id>,
    /// Where a child of a stripe was attached last.
    target: BTreeMap<(u8, Id), Id>,
    /// Every permitted edge of a stripe.
    edges: BTreeSet<(Id, u8, Id)>,
    carried: BTreeMap<Id, u32>,
    /// Children that moved, and parents that got one, since the last check.
    touched: BTreeSet<(u8, Id)>,
    parents: BTreeSet<Id>,
}

impl Shadow {
    pub(super) fn joined(&mut self, node: Id) {
        self.members.insert(node);
    }

    pub(super) fn gone(&mut self, node: Id) {
        self.members.remove(&node);
    }

    pub(super) fn attach(&mut self, stripe: u8, child: Id, parent: Id) {
        self.target.insert((stripe, child), parent);
        if self.edges.insert((parent, stripe, child)) {
            *self.carried.entry(parent).or_default() += 1;
        }
        self.touched.insert((stripe, child));
        self.parents.insert(parent);
    }

    pub(super) fn detach(&mut self, stripe: u8, child: Id, parent: Id) {
        if self.target.get(&(stripe, child)) == Some(&parent) {
            self.target.remove(&(stripe, child));
        }
        if self.edges.remove(&(parent, stripe, child))
            && let Some(carried) = self.carried.get_mut(&parent)
        {
            *carried -= 1;
        }
    }

    fn is_member(&self, node: Id) -> bool {
        node == STATION || self.members.contains(&node)
    }

    /// Checks what changed since the last time; `edges_of` says what a parent
    /// may carry.
    pub(super) fn check_changes(
        &mut self,
        handover_max: u32,
        edges_of: impl Fn(Id) -> Option<u32>,
    ) -> Result<(), Invariant> {
        for (stripe, child) in std::mem::take(&mut self.touched) {
            self.check_way_up(stripe, child)?;
        }
        for parent in std::mem::take(&mut self.parents) {
            let carried = self.carried.get(&parent).copied().unwrap_or(0);
            let Some(edges) = edges_of(parent) else {
                if carried == 0 {
                    continue;
                }
                return Err(Invariant::Gone { node: parent });
            };
            if carried > edges.saturating_add(handover_max) {
                return Err(Invariant::OverCapacity {
                    parent,
                    carried,
                    edges,
                });
            }
        }
        Ok(())
    }

    fn check_way_up(&self, stripe: u8, child: Id) -> Result<(), Invariant> {
        let mut at = child;
        let mut steps = 0;
        while let Some(parent) = self.target.get(&(stripe, at)) {
            steps += 1;
            if *parent == child || steps > self.members.len() + 1 {
                return Err(Invariant::Loop {
                    node: child,
                    stripe,
                });
            }
            for node in [at, *parent] {
                if !self.is_member(node) {
                    return Err(Invariant::Gone { node });
                }
            }
            at = *parent;
        }
        Ok(())
    }

    /// Compares all of it with the planner's own view.
    pub(super) fn check_all(&self, seats: &[Seat]) -> Result<(), Invariant> {
        for seat in seats {
            if !self.is_member(seat.node) {
                return Err(Invariant::Gone { node: seat.node });
            }
            if seat.edges_used > seat.edges {
                return Err(Invariant::OverCapacity {
                    parent: seat.node,
                    carried: seat.edges_used,
                    edges: seat.edges,
                });
            }
            for (stripe, parent) in (0u8..).zip(&seat.parents) {
                self.check_way_up(stripe, seat.node)?;
                // A part that waits keeps its planned edges below.
                if self.target.get(&(stripe, seat.node)) != parent.as_ref() {
                    return Err(Invariant::View { node: seat.node });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(edges: &[(Id, Id)]) -> Shadow {
        let mut shadow = Shadow::default();
        for (parent, child) in edges {
            shadow.joined(*parent);
            shadow.joined(*child);
            shadow.attach(0, *child, *parent);
        }
        shadow
    }

    #[test]
    fn a_tree_passes() {
        let mut shadow = tree(&[(STATION, 1), (1, 2), (1, 3)]);
        assert_eq!(shadow.check_changes(1, |_| Some(2)), Ok(()));
    }

    #[test]
    fn a_loop_is_named() {
        let mut shadow = tree(&[(1, 2), (2, 3), (3, 1)]);
        let broken = shadow.check_changes(1, |_| Some(2)).unwrap_err();
        assert_eq!(broken, Invariant::Loop { node: 1, stripe: 0 });
    }

    #[test]
    fn too_many_children_and_those_who_went_are_named() {
        let mut shadow = tree(&[(STATION, 1), (STATION, 2), (STATION, 3)]);
        let broken = shadow.check_changes(1, |_| Some(1)).unwrap_err();
        assert!(matches!(broken, Invariant::OverCapacity { carried: 3, .. }));
        let mut shadow = tree(&[(STATION, 1), (1, 2)]);
        shadow.gone(1);
        let broken = shadow.check_changes(1, |_| Some(2)).unwrap_err();
        assert_eq!(broken, Invariant::Gone { node: 1 });
    }

    #[test]
    fn a_view_that_differs_is_named() {
        let shadow = tree(&[(STATION, 1), (STATION, 2)]);
        let seat = |node, parent| Seat {
            node,
            kind: wire::message::control::NodeKind::Peer,
            parents: vec![parent],
            edges: 2,
            edges_used: 0,
            depth: Some(1),
            waiting: false,
        };
        assert_eq!(shadow.check_all(&[seat(1, Some(STATION))]), Ok(()));
        let broken = shadow.check_all(&[seat(2, Some(1))]);
        assert_eq!(broken, Err(Invariant::View { node: 2 }));
    }
}
