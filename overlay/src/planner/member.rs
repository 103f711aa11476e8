//! What the planner knows of a node.

use super::config::{AVOIDED_MAX, TRIES_MAX, UNREACHED_MAX};
use super::forest::Ix;
use super::nearing::Near;
use crate::NodeId;
use std::collections::BTreeMap;
use wire::OrderId;
use wire::message::control::NodeKind;

/// A viewer, as he joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Peer {
    /// Edges that he can feed, k+m for a child at its full rate; a free rider
    /// has none.
    pub edges: u32,
    /// He is never asked to sponsor.
    pub never_ask: bool,
    /// He links to relays and the station only, and so feeds nobody.
    pub relay_only: bool,
}

/// A relay, as it is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relay<N> {
    /// Who pays; need not be a member any more.
    pub sponsor: N,
    /// Its order; opaque here.
    pub order: OrderId,
    /// Edges that it can feed.
    pub edges: u32,
    /// End of the paid time on the planner's clock.
    pub lease_end_ms: u64,
}

/// Of a member, what everybody has; the rest is in tables beside.
#[derive(Debug, Clone)]
pub(super) struct Member<N> {
    pub(super) name: N,
    /// Order of arrival: who came later has the greater serial.
    pub(super) serial: u64,
    /// Edges by claim and receipts, before rules such as relay-only.
    pub(super) edges: u32,
    pub(super) kind: NodeKind,
    pub(super) never_ask: bool,
    pub(super) relay_only: bool,
    /// Children in a row that could not reach him.
    pub(super) unreached: u8,
    /// He has failed attempts, see [`Failures`].
    pub(super) has_failures: bool,
    /// It left without a word a moment ago.
    pub(super) unsteady: bool,
    /// It wants to go, and serves until its children have been moved.
    pub(super) leaving: bool,
    /// Nobody is on the line to it; what it feeds may still flow.
    pub(super) away: bool,
    /// Where it is, by what was measured.
    pub(super) near: Near,
}

impl<N> Member<N> {
    pub(super) fn new(name: N, kind: NodeKind, serial: u64, edges: u32) -> Self {
        Self {
            name,
            serial,
            edges,
            kind,
            never_ask: false,
            relay_only: false,
            unreached: 0,
            has_failures: false,
            unsteady: false,
            leaving: false,
            away: false,
            near: Near::default(),
        }
    }

    pub(super) fn is_peer(&self) -> bool {
        self.kind == NodeKind::Peer
    }

    pub(super) fn is_relay(&self) -> bool {
        self.kind == NodeKind::Relay
    }

    /// Station and relays may feed everybody.
    pub(super) fn is_hub(&self) -> bool {
        !self.is_peer()
    }

    pub(super) fn may_be_asked(&self) -> bool {
        self.is_peer() && !self.never_ask
    }

    /// Edges that the trees may use.
    pub(super) fn edges_usable(&self) -> u32 {
        let unreachable = self.is_peer() && self.unreached >= UNREACHED_MAX;
        if self.relay_only || unreachable {
            0
        } else {
            self.edges
        }
    }
}

/// Failed attempts by child and parent, of the few who have any.
#[derive(Debug, Clone)]
pub(super) struct Failures<N>(BTreeMap<Ix, BTreeMap<N, u8>>);

impl<N: NodeId> Failures<N> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn avoids(&self, child: Ix, parent: N) -> bool {
        let tries = self.0.get(&child).and_then(|f| f.get(&parent));
        tries.is_some_and(|n| *n >= TRIES_MAX)
    }

    /// Notes a failed edge; `tries` of [`TRIES_MAX`] rule the parent out.
    pub(super) fn note(&mut self, child: Ix, parent: N, tries: u8) {
        let failures = self.0.entry(child).or_default();
        if failures.len() >= AVOIDED_MAX {
            failures.clear();
        }
        let count = failures.entry(parent).or_insert(0);
        *count = count.saturating_add(tries);
    }

    pub(super) fn forget(&mut self, child: Ix) {
        self.0.remove(&child);
    }
}
