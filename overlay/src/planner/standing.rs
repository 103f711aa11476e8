//! Who is worth more to the others, and so is placed first and dropped last:
//! relays, sponsors, contributors by what hangs on them, free riders by age.

use super::{Member, Planner};
use crate::NodeId;
use std::cmp::Reverse;
use wire::statement::Priority;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Relay,
    Sponsor,
    Contributor,
    FreeRider,
}

/// Smaller is better: class, then what hangs on the node (slots for a
/// relay), then age.
pub(super) type Standing = (Class, Reverse<u64>, u64);

impl<N: NodeId> Planner<N> {
    pub(super) fn class(&self, node: N) -> Class {
        let Some(member) = self.members.get(&node) else {
            return Class::FreeRider;
        };
        if member.is_hub() {
            Class::Relay
        } else if self.paid.contains_key(&node) {
            Class::Sponsor
        } else if member.slots_usable() > 0 {
            Class::Contributor
        } else {
            Class::FreeRider
        }
    }

    pub(super) fn standing(&self, node: N) -> Standing {
        let class = self.class(node);
        let weight = match class {
            Class::Relay => u64::from(self.tree.slots(node)),
            Class::Sponsor | Class::Contributor => self.tree.subtree(node).len() as u64,
            Class::FreeRider => 0,
        };
        (class, Reverse(weight), self.serial_of(node))
    }

    pub(super) fn serial_of(&self, node: N) -> u64 {
        self.members.get(&node).map_or(u64::MAX, |m| m.serial)
    }

    /// Whether `sponsor` pays for `relay`.
    pub(super) fn pays_for(&self, sponsor: N, relay: N) -> bool {
        self.members
            .get(&relay)
            .and_then(Member::relay)
            .is_some_and(|r| r.sponsor == sponsor)
    }

    /// Whether the node hangs directly under a relay of its own.
    pub(super) fn under_own_relay(&self, node: N) -> bool {
        self.tree
            .parent(node)
            .is_some_and(|parent| self.pays_for(node, parent))
    }

    /// The child's standing at this parent when its uplink is full (paper,
    /// sections 2.3 and 2.4).
    #[must_use]
    pub fn priority(&self, child: N, parent: N) -> Priority {
        if self.pays_for(child, parent) {
            return Priority::OwnSponsor;
        }
        match self.class(child) {
            Class::Relay => Priority::Relay,
            Class::Sponsor => Priority::Sponsor,
            Class::Contributor => Priority::Contributor,
            Class::FreeRider => Priority::FreeRider,
        }
    }

    /// The worst child of `parent` that `may` go, its own sponsor last.
    pub(super) fn worst_child(&self, parent: N, may: impl Fn(N) -> bool) -> Option<N> {
        self.tree
            .children(parent)
            .into_iter()
            .filter(|child| may(*child))
            .max_by_key(|child| (!self.pays_for(*child, parent), self.standing(*child)))
    }
}
