//! The tree to look at: for the driver's permits and for the page.

use super::member::Kind;
use super::{Member, Planner};
use crate::NodeId;
use wire::message::control::NodeKind;
use wire::statement::Priority;
use wire::{OrderId, Stripe};

/// One node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeView<N> {
    /// The node.
    pub node: N,
    /// What it is.
    pub kind: NodeKind,
    /// Its planned parent.
    pub parent: Option<N>,
    /// Children that it may have.
    pub slots: u32,
    /// Children that it has.
    pub children: u32,
    /// Planned edges to the station; none if it cannot be reached.
    pub depth: Option<u32>,
    /// It has no place, and waits for one.
    pub waiting: bool,
    /// Every edge from the station to it works.
    pub fed: bool,
}

/// One edge, for permits and their renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeView<N> {
    /// The stripe.
    pub stripe: Stripe,
    /// Who receives.
    pub child: N,
    /// Who sends.
    pub parent: N,
    /// The child's standing at this parent.
    pub priority: Priority,
    /// An old edge, kept until the child's new one works.
    pub old: bool,
}

/// One bought round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundView<N> {
    /// The relay.
    pub relay: N,
    /// Who pays.
    pub sponsor: N,
    /// Its order.
    pub order: OrderId,
    /// End of the paid time on the planner's clock.
    pub lease_end_ms: u64,
    /// Viewers below the relay.
    pub carries: u32,
}

impl<N: NodeId> Planner<N> {
    /// Every node, parents before children, those without a place last.
    #[must_use]
    pub fn view(&self) -> Vec<NodeView<N>> {
        let mut nodes: Vec<NodeView<N>> = self
            .members
            .keys()
            .filter_map(|node| self.node(*node))
            .collect();
        nodes.sort_by_key(|v| (v.depth.unwrap_or(u32::MAX), self.serial_of(v.node)));
        nodes
    }

    /// One node; none if it is not a member.
    #[must_use]
    pub fn node(&self, node: N) -> Option<NodeView<N>> {
        let member = self.members.get(&node)?;
        Some(NodeView {
            node,
            kind: member.node_kind(),
            parent: self.tree.parent(node),
            slots: self.tree.slots(node),
            children: self.tree.children_len(node),
            depth: self.tree.depth(node),
            waiting: self.waiting.contains_key(&node),
            fed: self.is_fed(node),
        })
    }

    /// Every edge that is permitted now, old ones included.
    #[must_use]
    pub fn edges(&self) -> Vec<EdgeView<N>> {
        self.links
            .edges()
            .map(|(parent, child)| EdgeView {
                stripe: Self::STRIPE,
                child,
                parent,
                priority: self.priority(child, parent),
                old: self.tree.parent(child) != Some(parent),
            })
            .collect()
    }

    /// The relays, in the order in which they came.
    #[must_use]
    pub fn rounds(&self) -> Vec<RoundView<N>> {
        let mut relays: Vec<(&N, &Member<N>)> =
            self.members.iter().filter(|(_, m)| m.is_relay()).collect();
        relays.sort_by_key(|(_, member)| member.serial);
        relays
            .into_iter()
            .filter_map(|(node, member)| match &member.kind {
                Kind::Relay(relay) => Some(RoundView {
                    relay: *node,
                    sponsor: relay.sponsor,
                    order: relay.order,
                    lease_end_ms: relay.lease_end_ms,
                    carries: self.viewers_within(*node),
                }),
                Kind::Station | Kind::Peer(_) => None,
            })
            .collect()
    }
}
