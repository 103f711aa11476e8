//! The tree to look at: for the driver's permits and for the page.

use super::forest::Ix;
use super::{Member, Planner};
use crate::NodeId;
use std::collections::BTreeSet;
use wire::message::control::NodeKind;
use wire::statement::Priority;
use wire::{OrderId, Stripe};

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView<N> {
    /// The node.
    pub node: N,
    /// What it is.
    pub kind: NodeKind,
    /// Its planned parents, by stripe.
    pub parents: Vec<Option<N>>,
    /// Edges that it may feed, in all stripes together.
    pub edges: u32,
    /// Edges that it feeds.
    pub edges_used: u32,
    /// Planned edges to the station in the stripe where they are most; none if
    /// it cannot be reached in any.
    pub depth: Option<u32>,
    /// It lacks a parent, and waits for one.
    pub waiting: bool,
    /// Stripes of which every edge from the station to it works.
    pub fed: u8,
    /// It has all stripes, and no single ancestor but the station carries more
    /// than m of them: no end of another node makes it miss a chunk.
    pub guaranteed: bool,
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
    /// Every node; at 1+0 parents before children, those without a place
    /// last. Walks through all members.
    #[must_use]
    pub fn view(&self) -> Vec<NodeView<N>> {
        let mut nodes: Vec<(u64, NodeView<N>)> = self
            .index
            .all()
            .filter_map(|(_, ix)| Some((self.serial_of(ix), self.view_of(ix)?)))
            .collect();
        nodes.sort_by_key(|(serial, v)| (v.depth.unwrap_or(u32::MAX), *serial));
        nodes.into_iter().map(|(_, view)| view).collect()
    }

    /// One node; none if it is not a member.
    #[must_use]
    pub fn node(&self, node: N) -> Option<NodeView<N>> {
        self.view_of(self.ix(node)?)
    }

    /// Whether the child is not sent to this parent any more: it could not be
    /// reached, refuses, or sends nothing.
    #[must_use]
    pub fn avoids(&self, child: N, parent: N) -> bool {
        self.ix(child)
            .is_some_and(|child| self.failures.avoids(child, parent))
    }

    fn view_of(&self, ix: Ix) -> Option<NodeView<N>> {
        let member = self.member(ix)?;
        let stripes = 0..self.config.stripes.count();
        let parent = |s| self.forest.parent(ix, s).and_then(|p| self.name_of(p));
        let fed = stripes.clone().filter(|s| self.is_fed(ix, *s)).count();
        Some(NodeView {
            node: member.name,
            kind: member.kind,
            parents: stripes.clone().map(parent).collect(),
            edges: self.forest.edges(ix),
            edges_used: self.forest.used(ix),
            depth: stripes.filter_map(|s| self.forest.depth(ix, s)).max(),
            waiting: self.waiting.waits(ix),
            fed: u8::try_from(fed).unwrap_or(u8::MAX),
            guaranteed: self.forest.is_guaranteed(ix),
        })
    }

    /// Every viewer, and whether no single node's end makes him miss a chunk,
    /// see [`NodeView::guaranteed`]. Walks through all members.
    #[must_use]
    pub fn guarantees(&self) -> Vec<(N, bool)> {
        let all = self.index.in_order().into_iter();
        all.filter(|(_, ix)| self.is_peer(*ix))
            .map(|(node, ix)| (node, self.forest.is_guaranteed(ix)))
            .collect()
    }

    /// Viewers whom no single node's end makes miss a chunk, see
    /// [`NodeView::guaranteed`], and all viewers. Walks through all members.
    #[must_use]
    pub fn guaranteed(&self) -> (u32, u32) {
        let peers = self.index.all().filter(|(_, ix)| self.is_peer(*ix));
        peers.fold((0, 0), |(sure, all), (_, ix)| {
            (sure + u32::from(self.forest.is_guaranteed(ix)), all + 1)
        })
    }

    /// All members, in the order in which they came.
    #[must_use]
    pub fn by_age(&self) -> Vec<N> {
        let members = self.index.all();
        let mut members: Vec<(u64, N)> = members
            .filter(|(_, ix)| *ix != super::forest::ROOT)
            .map(|(node, ix)| (self.serial_of(ix), node))
            .collect();
        members.sort_unstable();
        members.into_iter().map(|(_, node)| node).collect()
    }

    /// Every edge that is permitted now, old ones included.
    #[must_use]
    pub fn edges(&self) -> Vec<EdgeView<N>> {
        let mut edges = Vec::new();
        for (child, ix) in self.index.in_order() {
            for stripe in self.config.stripes.all() {
                let planned = self.forest.parent(ix, stripe.0);
                let target = self.links.target(ix, stripe.0);
                let old = self.links.old_of(ix, stripe.0);
                for parent in target.into_iter().chain(old) {
                    let Some(name) = self.name_of(parent) else {
                        continue;
                    };
                    edges.push(EdgeView {
                        stripe,
                        child,
                        parent: name,
                        priority: self.priority_of(ix, parent),
                        old: planned != Some(parent),
                    });
                }
            }
        }
        edges
    }

    /// The relays, in the order in which they came.
    #[must_use]
    pub fn rounds(&self) -> Vec<RoundView<N>> {
        let mut relays: Vec<Ix> = self.relays.keys().copied().collect();
        relays.sort_by_key(|ix| self.serial_of(*ix));
        let round = |ix: &Ix| {
            let relay = self.relays.get(ix)?;
            Some(RoundView {
                relay: self.name_of(*ix)?,
                sponsor: relay.sponsor,
                order: relay.order,
                lease_end_ms: relay.lease_end_ms,
                carries: self.viewers_below(*ix),
            })
        };
        relays.iter().filter_map(round).collect()
    }

    /// Viewers who get any stripe through this node.
    fn viewers_below(&self, ix: Ix) -> u32 {
        let parts = self.forest.inner_stripes(ix);
        let below: BTreeSet<Ix> = parts
            .flat_map(|s| self.forest.part(ix, s))
            .filter(|node| self.member(*node).is_some_and(Member::is_peer))
            .collect();
        u32::try_from(below.len()).unwrap_or(u32::MAX)
    }
}
