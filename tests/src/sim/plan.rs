//! The planner as the simulation's coordinator calls it: per stripe. All that
//! depends on the planner's own interface is here.

use super::node::{Id, STATION};
use super::scenario::Rules;
use overlay::Planner;
use overlay::near::Coordinate;
use overlay::planner::{Action, Config, EdgeFault, Neighbours, Peer, Relay};
use overlay::slots::UNPROVEN_SLOTS;
use wire::message::control::{Choice, NodeKind};
use wire::statement::Priority;
use wire::{OrderId, Stripe, Stripes};

/// What is known of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) node: Id,
    pub(super) kind: NodeKind,
    /// By stripe.
    pub(super) parents: Vec<Option<Id>>,
    pub(super) edges: u32,
    pub(super) edges_used: u32,
    /// Of the deepest stripe.
    pub(super) depth: Option<u32>,
    pub(super) waiting: bool,
}

/// The coordinator's planner.
pub(super) struct Plan {
    planner: Planner<Id>,
    config: Config,
}

impl Plan {
    pub(super) fn new(edges: u32, stripes: Stripes, seed: u64, rules: Rules) -> Self {
        // As peer/src/station/coordinator.rs has it.
        let config = Config {
            stripes,
            round_slots: UNPROVEN_SLOTS,
            // A child that moves away moves with all its stripes.
            handover_edges_max: stripes.count().into(),
            lifts_max: rules.lifts_max,
            nears_max: rules.nears_max,
            ..Config::default()
        };
        Self {
            planner: Planner::new(STATION, edges, config, seed),
            config,
        }
    }

    /// Edges above its own that a parent may carry while a child moves.
    pub(super) const fn handover_edges_max(&self) -> u32 {
        self.config.handover_edges_max
    }

    pub(super) fn poll(&mut self) -> Option<Action<Id>> {
        self.planner.poll_action()
    }

    pub(super) fn join(&mut self, now_ms: u64, node: Id, edges: u32, never_ask: bool) {
        let peer = Peer {
            edges,
            never_ask,
            relay_only: false,
        };
        // A member that joins again under the same name does not exist here.
        let _ = self.planner.join(now_ms, node, peer);
    }

    pub(super) fn relay_admitted(
        &mut self,
        now_ms: u64,
        (node, sponsor): (Id, Id),
        edges: u32,
        lease_end_ms: u64,
    ) {
        let mut order = [0; 32];
        order[..4].copy_from_slice(&node.to_be_bytes());
        let relay = Relay {
            sponsor,
            order: OrderId(order),
            edges,
            lease_end_ms,
        };
        let _ = self.planner.relay_admitted(now_ms, node, relay);
    }

    /// Gone, with a word or without.
    pub(super) fn gone(&mut self, now_ms: u64, node: Id, graceful: bool) {
        let _ = if graceful {
            self.planner.leave(now_ms, node)
        } else {
            self.planner.lost(now_ms, node)
        };
    }

    pub(super) fn claim(&mut self, now_ms: u64, node: Id, edges: u32) {
        let _ = self.planner.claim(now_ms, node, edges);
    }

    pub(super) fn answer(&mut self, now_ms: u64, ask: wire::AskId, node: Id, choice: Choice) {
        // Refused and late ones have been told so by an action.
        let _ = self.planner.answer(now_ms, ask, node, choice);
    }

    pub(super) fn edge_up(&mut self, child: Id, parent: Id, stripe: u8) {
        self.planner.edge_up(child, parent, Stripe(stripe));
    }

    pub(super) fn edge_failed(&mut self, now_ms: u64, child: Id, parent: Id, fault: EdgeFault) {
        self.planner.edge_failed(now_ms, child, parent, fault);
    }

    pub(super) fn withheld(&mut self, now_ms: u64, child: Id, parent: Id, stripe: u8) {
        self.planner.withheld(now_ms, child, parent, Stripe(stripe));
    }

    /// Where a node is, by what was measured.
    pub(super) fn locate(&mut self, node: Id, at: Coordinate) {
        self.planner.locate(node, at);
    }

    /// Nobody is moved to a nearer parent meanwhile.
    pub(super) const fn hold_nearing(&mut self, held: bool) {
        self.planner.hold_nearing(held);
    }

    /// Whether the child is not sent to this parent any more.
    pub(super) fn avoids(&self, child: Id, parent: Id) -> bool {
        self.planner.avoids(child, parent)
    }

    pub(super) fn tick(&mut self, now_ms: u64) {
        self.planner.tick(now_ms);
    }

    pub(super) fn parent(&self, node: Id, stripe: u8) -> Option<Id> {
        let view = self.planner.node(node)?;
        view.parents.get(usize::from(stripe)).copied().flatten()
    }

    pub(super) fn priority(&self, child: Id, parent: Id) -> Priority {
        self.planner.priority(child, parent)
    }

    /// Gives neighbours to some who lack them.
    pub(super) fn tend(&self, neighbours: &mut Neighbours<Id>) {
        neighbours.tend(&self.planner);
    }

    /// Viewers whom no single node's end makes miss a chunk, and all.
    pub(super) fn guaranteed(&self) -> (u32, u32) {
        self.planner.guaranteed()
    }

    pub(super) fn seat(&self, node: Id) -> Option<Seat> {
        self.planner.node(node).map(seat)
    }

    /// Every node, parents before children.
    pub(super) fn seats(&self) -> Vec<Seat> {
        self.planner.view().into_iter().map(seat).collect()
    }
}

fn seat(view: overlay::planner::NodeView<Id>) -> Seat {
    Seat {
        node: view.node,
        kind: view.kind,
        parents: view.parents,
        edges: view.edges,
        edges_used: view.edges_used,
        depth: view.depth,
        waiting: view.waiting,
    }
}
