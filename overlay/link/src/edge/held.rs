//! What a node has of its parents, for a coordinator that was away.

use crate::node::{Node, lock};
use wire::statement::Held;
use wire::{SpkiHash, StripeSet};

impl Node {
    /// The edges that bring this node something: the newest permit of each,
    /// and the stripes of which blocks have come.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        let table = lock(&self.edges.table);
        let edges = table.edges.iter().filter(|((_, child, _), _)| *child);
        let held = edges.map(|(_, slot)| Held {
            permit: slot.order.permit.clone(),
            stripes: slot.flow.working().both(slot.permit.stripes),
        });
        held.filter(|held| !held.stripes.is_empty()).collect()
    }

    /// The same in short: by parent, the stripes that it brings.
    #[must_use]
    pub fn working(&self) -> Vec<(SpkiHash, StripeSet)> {
        let table = lock(&self.edges.table);
        let edges = table.edges.iter().filter(|((_, child, _), _)| *child);
        let brings = edges.map(|((parent, ..), slot)| (*parent, slot.flow.working()));
        brings.filter(|(_, stripes)| !stripes.is_empty()).collect()
    }
}
