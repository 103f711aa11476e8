//! Which edge of a pair of nodes. Who plays the stream has one edge with a
//! parent, which changes its rendition in place; a relay passes several
//! renditions on, and gets each by an edge of its own.

use super::table::{EdgeKey, Slot, Table};
use wire::statement::Permit;
use wire::{Rendition, SpkiHash};

/// A child of this node, and which of its edges.
pub(crate) type ChildId = (SpkiHash, Rendition);

/// What edges are told apart by that have the same ends: the rendition, if the
/// child is a relay.
const fn lane(permit: &Permit) -> Rendition {
    match permit.child_order {
        Some(_) => permit.rendition,
        None => Rendition(0),
    }
}

/// The edge of this permit, at the node `me`.
pub(super) fn key_of(permit: &Permit, me: SpkiHash) -> EdgeKey {
    let child = permit.child == me;
    let other = if child { permit.parent } else { permit.child };
    (other, child, lane(permit))
}

/// All edges with this other end, in this direction.
pub(super) const fn all_of(other: SpkiHash, child: bool) -> std::ops::RangeInclusive<EdgeKey> {
    (other, child, Rendition(0))..=(other, child, Rendition(u8::MAX))
}

impl Table {
    /// The edge by which this parent sends this rendition.
    pub(super) fn parent_of(
        &self,
        parent: SpkiHash,
        rendition: Rendition,
    ) -> Option<(EdgeKey, &Slot)> {
        let mut edges = self.edges.range(all_of(parent, true));
        let first = edges.clone().next();
        let own = edges.find(|(_, slot)| slot.permit.rendition == rendition);
        own.or(first).map(|(key, slot)| (*key, slot))
    }
}

impl Slot {
    /// Whether a block of this rendition may come by this edge at all: who
    /// plays may hear late of another one, a relay asks for each by itself.
    pub(super) fn carries(&self, rendition: Rendition) -> bool {
        self.permit.child_order.is_none() || self.permit.rendition == rendition
    }
}
