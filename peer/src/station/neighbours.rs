//! Neighbours: who may pull from whom, as signed leave for both ends.

use super::coordinator::Coordinator;
use super::edges::PERMIT_LIFE_MS;
use overlay::planner::{Everybody, NeighbourChange, Neighbours, Peer};
use overlay::room::Pressure;
use serde_json::json;
use std::collections::BTreeMap;
use wire::message::control::{Down, EdgeFailure, EdgeOrder, NodeKind, NodeRef};
use wire::statement::{BatchedPermit, Permit, PermitKind, Priority};
use wire::{Reason, Rendition, SpkiHash, StripeSet};

/// Who pulls, and who answers.
type Pair = (SpkiHash, SpkiHash);

/// The neighbours of a run.
#[derive(Debug)]
pub(super) struct Mesh {
    choice: Choice,
    /// The links, and when their permits were signed.
    minted_ms: BTreeMap<Pair, u64>,
}

/// Who may pull from whom.
#[derive(Debug)]
enum Choice {
    /// A few beside the trees.
    Few(Neighbours<SpkiHash>),
    /// There are no trees.
    All(Everybody<SpkiHash>),
}

impl Mesh {
    /// For a run of `station`; `pull_only` says that there are no trees.
    pub(super) const fn new(station: SpkiHash, seed: u64, pull_only: bool) -> Self {
        let choice = if pull_only {
            Choice::All(Everybody::new(station))
        } else {
            Choice::Few(Neighbours::new(seed))
        };
        Self {
            choice,
            minted_ms: BTreeMap::new(),
        }
    }

    pub(super) fn leave(&mut self, node: SpkiHash) {
        match &mut self.choice {
            Choice::Few(few) => few.leave(node),
            Choice::All(all) => all.leave(node),
        }
    }

    /// The node plays the best rendition again.
    pub(super) fn join_again(&mut self, node: SpkiHash) {
        if let Choice::Few(few) = &mut self.choice {
            few.join(node);
        }
    }

    fn poll_change(&mut self) -> Option<NeighbourChange<SpkiHash>> {
        match &mut self.choice {
            Choice::Few(few) => few.poll_change(),
            Choice::All(all) => all.poll_change(),
        }
    }

    /// A link is gone; false if there was none.
    fn broke(&mut self, child: SpkiHash, parent: SpkiHash) -> bool {
        let had = match &self.choice {
            Choice::Few(few) => few.has(child, parent),
            Choice::All(all) => all.has(child, parent),
        };
        match &mut self.choice {
            Choice::Few(few) => few.broke(child, parent),
            Choice::All(all) => all.broke(child, parent),
        }
        had
    }
}

impl Coordinator {
    /// A member is part of the tree from now on, or of the mesh where there is
    /// none.
    pub(super) fn place(&mut self, now_ms: u64, node: SpkiHash, peer: Peer) {
        let gives = self.members.get(&node).is_some_and(|m| m.claim_bps > 0);
        match &mut self.mesh.choice {
            Choice::Few(few) => {
                let _ = self.planner.join(now_ms, node, peer);
                few.join(node);
                self.ladder_joined(now_ms, node, peer);
            }
            Choice::All(all) => {
                if !all.join(node, !peer.relay_only, gives) {
                    self.refuse(node, Reason::NoCapacity);
                }
            }
        }
    }

    /// Gives neighbours to who lacks some, and renews permits at half their
    /// life.
    pub(super) fn tend_neighbours(&mut self) {
        if let Choice::Few(few) = &mut self.mesh.choice
            && self.room.pressure() < Pressure::Most
        {
            few.tend(&self.planner);
        }
        let now_ms = self.clock.mono_ms();
        let old = |at: &u64| now_ms.saturating_sub(*at) > PERMIT_LIFE_MS / 2;
        let links = self.mesh.minted_ms.iter();
        let old: Vec<Pair> = links.filter(|(_, at)| old(at)).map(|(p, _)| *p).collect();
        for pair in old {
            self.mint_neighbour(pair);
        }
    }

    /// In between, while many lack some.
    pub(super) fn hurry_neighbours(&mut self) {
        if let Choice::Few(few) = &mut self.mesh.choice
            && few.is_behind()
            && self.room.pressure() < Pressure::Most
        {
            few.tend(&self.planner);
        }
    }

    /// Does what has changed since the last time.
    pub(super) fn neighbour_changes(&mut self) {
        while let Some(change) = self.mesh.poll_change() {
            match change {
                NeighbourChange::Link { child, parent } => self.mint_neighbour((child, parent)),
                NeighbourChange::End { child, parent } => self.end_neighbour((child, parent)),
            }
        }
    }

    /// New permits for every link: a new epoch has begun.
    pub(super) fn mint_neighbours(&mut self) {
        self.neighbour_changes();
        let links: Vec<Pair> = self.mesh.minted_ms.keys().copied().collect();
        for pair in links {
            self.mint_neighbour(pair);
        }
    }

    /// A viewer's link to a neighbour, or its link to him, is gone. Whoever
    /// pulls gets another neighbour.
    pub(super) fn neighbour_down(&mut self, from: SpkiHash, link: &EdgeFailure) {
        let (child, parent) = if link.child {
            (from, link.other)
        } else {
            (link.other, from)
        };
        if !self.mesh.broke(child, parent) {
            return;
        }
        let fields = json!({
            "child": child.to_hex(), "parent": parent.to_hex(), "reason": link.reason.name(),
        });
        self.emit.tell("neighbour_down", fields);
    }

    fn mint_neighbour(&mut self, pair: Pair) {
        let (child, parent) = pair;
        let Some((child_ref, parent_ref)) = self.node_ref(child).zip(self.node_ref(parent)) else {
            return;
        };
        let stripes = StripeSet::from(self.keys.run.stripes);
        let issued = self.clock.unix();
        let permit = Permit {
            scope: self.keys.scope(),
            serial: self.permits.next_serial(),
            kind: PermitKind::Repair,
            stripes,
            rendition: Rendition(0),
            parent,
            child,
            parent_order: None,
            child_order: None,
            priority: self.standing_of(child, parent),
            // All that the child may miss: parity is not needed beside it.
            byte_budget: self.byte_budget(self.keys.run.stripes.k().into()),
            issued,
            expiry: issued.plus_ms(PERMIT_LIFE_MS),
        };
        let permit = certs::permit::sign(&self.keys.permit, &permit);
        let now_ms = self.clock.mono_ms();
        let new = self.mesh.minted_ms.insert(pair, now_ms).is_none();
        if new {
            let fields = json!({"child": child.to_hex(), "parent": parent.to_hex()});
            self.emit.tell("neighbours", fields);
        }
        self.give_neighbour(child, permit.clone(), parent_ref, true);
        self.give_neighbour(parent, permit, child_ref, false);
    }

    fn standing_of(&self, child: SpkiHash, parent: SpkiHash) -> Priority {
        let gives = self.members.get(&child).is_some_and(|m| m.claim_bps > 0);
        match self.mesh.choice {
            Choice::Few(_) => self.planner.priority(child, parent),
            Choice::All(_) if gives => Priority::Contributor,
            Choice::All(_) => Priority::FreeRider,
        }
    }

    fn give_neighbour(&self, to: SpkiHash, permit: BatchedPermit, other: NodeRef, dial: bool) {
        let order = EdgeOrder {
            permit,
            other,
            dial,
        };
        if to == self.me {
            if let Err(e) = self.node.order_neighbour(order) {
                tracing::warn!("the station's own neighbour was refused: {e}");
            }
        } else if self.members.get(&to).map(|m| m.kind) == Some(NodeKind::Peer) {
            self.say(to, Down::Neighbour(Box::new(order)));
        }
    }

    fn end_neighbour(&mut self, pair: Pair) {
        self.mesh.minted_ms.remove(&pair);
        let (child, parent) = pair;
        for (at, other, is_child) in [(child, parent, true), (parent, child, false)] {
            if at == self.me {
                self.node.end_neighbour(other, is_child, Reason::Reparented);
            } else {
                self.say(
                    at,
                    Down::NeighbourEnd(EdgeFailure {
                        other,
                        child: is_child,
                        // Neighbours have the best rendition alone.
                        rendition: Rendition(0),
                        reason: Reason::Reparented,
                    }),
                );
            }
        }
    }
}
