//! Who is worth more to the others, and so is placed first and dropped last:
//! relays, sponsors, contributors by what hangs on them, free riders by age.

use super::Planner;
use super::forest::Ix;
use crate::NodeId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use wire::statement::Priority;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Relay,
    Sponsor,
    Contributor,
    FreeRider,
}

/// Smaller is better: class, then what hangs on the node (edges for a
/// relay), then age.
pub(super) type Standing = (Class, Reverse<u64>, u64);

/// Until when a sponsor's money runs, even if his relay was lost.
#[derive(Debug, Clone)]
pub(super) struct Paid<N> {
    until_ms: BTreeMap<N, u64>,
    ends: BTreeSet<(u64, N)>,
}

impl<N: NodeId> Paid<N> {
    pub(super) fn new() -> Self {
        Self {
            until_ms: BTreeMap::new(),
            ends: BTreeSet::new(),
        }
    }

    /// Money for a relay, which is there, until then.
    pub(super) fn extend(&mut self, sponsor: N, until_ms: u64) {
        let until = self.until_ms.entry(sponsor).or_insert(0);
        self.ends.remove(&(*until, sponsor));
        *until = until_ms.max(*until);
    }

    /// The last relay is gone: from now on the time alone counts.
    pub(super) fn relays_gone(&mut self, sponsor: N) {
        if let Some(until) = self.until_ms.get(&sponsor) {
            self.ends.insert((*until, sponsor));
        }
    }

    pub(super) fn has_paid(&self, sponsor: N) -> bool {
        !self.until_ms.is_empty() && self.until_ms.contains_key(&sponsor)
    }

    /// Somebody whose time is over; call until there is none.
    pub(super) fn expire(&mut self, now_ms: u64) -> Option<N> {
        let (until_ms, sponsor) = self.ends.first().copied()?;
        if until_ms > now_ms {
            return None;
        }
        self.ends.remove(&(until_ms, sponsor));
        self.until_ms.remove(&sponsor);
        Some(sponsor)
    }
}

impl<N: NodeId> Planner<N> {
    pub(super) fn class(&self, node: Ix) -> Class {
        let Some(member) = self.member(node) else {
            return Class::FreeRider;
        };
        if member.is_hub() {
            Class::Relay
        } else if member.unsteady {
            Class::FreeRider
        } else if self.paid.has_paid(member.name) {
            Class::Sponsor
        } else if member.edges_usable() > 0 {
            Class::Contributor
        } else {
            Class::FreeRider
        }
    }

    /// The standing in one stripe.
    pub(super) fn standing(&self, node: Ix, s: u8) -> Standing {
        let class = self.class(node);
        let weight = match class {
            Class::Relay => u64::from(self.forest.edges(node)),
            Class::Sponsor | Class::Contributor => self.forest.part(node, s).count() as u64,
            Class::FreeRider => 0,
        };
        (class, Reverse(weight), self.age(node))
    }

    /// The serial, or for a node without standing one after all others'.
    pub(super) fn age(&self, node: Ix) -> u64 {
        let late = |m: &super::Member<N>| if m.unsteady { 1 << 63 } else { 0 };
        self.member(node).map_or(u64::MAX, |m| m.serial | late(m))
    }

    pub(super) fn serial_of(&self, node: Ix) -> u64 {
        self.member(node).map_or(u64::MAX, |m| m.serial)
    }

    /// Whether `sponsor` pays for `relay`.
    pub(super) fn pays_for(&self, sponsor: Ix, relay: Ix) -> bool {
        let named = self.member(sponsor).map(|m| m.name);
        !self.relays.is_empty() && named == self.relays.get(&relay).map(|r| r.sponsor)
    }

    /// Whether the node hangs directly under a relay of its own.
    pub(super) fn under_own_relay(&self, node: Ix, s: u8) -> bool {
        !self.relays.is_empty()
            && self
                .forest
                .parent(node, s)
                .is_some_and(|parent| self.pays_for(node, parent))
    }

    /// The child's standing at this parent when its uplink is full (paper,
    /// sections 2.3 and 2.4).
    #[must_use]
    pub fn priority(&self, child: N, parent: N) -> Priority {
        match (self.index.get(child), self.index.get(parent)) {
            (Some(child), Some(parent)) => self.priority_of(child, parent),
            _ => Priority::FreeRider,
        }
    }

    pub(super) fn priority_of(&self, child: Ix, parent: Ix) -> Priority {
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

    /// The edge of `parent` that is missed least among those that `may` go:
    /// its own sponsor's last, before that of who needs it to watch, then by
    /// standing.
    pub(super) fn worst_child(&self, parent: Ix, may: impl Fn(Ix, u8) -> bool) -> Option<(Ix, u8)> {
        let k = u32::from(self.forest.stripes().k());
        self.forest
            .all_children(parent)
            .into_iter()
            .filter(|(child, s)| may(*child, *s))
            .max_by_key(|(child, s)| {
                let spare = self.forest.rooted(*child) > k;
                let own = self.pays_for(*child, parent);
                (!own, spare, self.standing(*child, *s), *s)
            })
    }
}
