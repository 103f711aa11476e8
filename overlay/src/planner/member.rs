//! What the planner knows of a node.

use super::Question;
use super::config::{AVOIDED_MAX, TRIES_MAX};
use crate::NodeId;
use std::collections::BTreeMap;
use wire::OrderId;
use wire::message::control::NodeKind;
use wire::statement::Cause;

/// A viewer, as he joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Peer {
    /// Children that he can feed; a free rider has none.
    pub slots: u32,
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
    /// Children that it can feed.
    pub slots: u32,
    /// End of the paid time on the planner's clock.
    pub lease_end_ms: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<N> {
    Station,
    Peer(Peer),
    Relay(Relay<N>),
}

#[derive(Debug, Clone)]
pub(super) struct Member<N> {
    pub(super) kind: Kind<N>,
    /// Order of arrival: who came later has the greater serial.
    pub(super) serial: u64,
    /// Slots by claim and receipts, before rules such as relay-only.
    pub(super) slots: u32,
    /// When he last was asked, by cause.
    asked: BTreeMap<Cause, u64>,
    /// The question that he was asked last.
    pub(super) question: Option<Question>,
    /// Children in a row that could not reach him.
    pub(super) unreached: u32,
    /// Failed attempts by parent.
    failures: BTreeMap<N, u8>,
}

impl<N: NodeId> Member<N> {
    pub(super) fn new(kind: Kind<N>, serial: u64, slots: u32) -> Self {
        Self {
            kind,
            serial,
            slots,
            asked: BTreeMap::new(),
            question: None,
            unreached: 0,
            failures: BTreeMap::new(),
        }
    }

    pub(super) fn node_kind(&self) -> NodeKind {
        match self.kind {
            Kind::Station => NodeKind::Station,
            Kind::Peer(_) => NodeKind::Peer,
            Kind::Relay(_) => NodeKind::Relay,
        }
    }

    pub(super) fn is_peer(&self) -> bool {
        matches!(self.kind, Kind::Peer(_))
    }

    pub(super) fn is_relay(&self) -> bool {
        matches!(self.kind, Kind::Relay(_))
    }

    /// Station and relays may feed everybody.
    pub(super) fn is_hub(&self) -> bool {
        !self.is_peer()
    }

    pub(super) fn relay(&self) -> Option<&Relay<N>> {
        match &self.kind {
            Kind::Relay(relay) => Some(relay),
            Kind::Station | Kind::Peer(_) => None,
        }
    }

    pub(super) fn relay_only(&self) -> bool {
        matches!(
            self.kind,
            Kind::Peer(Peer {
                relay_only: true,
                ..
            })
        )
    }

    pub(super) fn may_be_asked(&self) -> bool {
        matches!(
            self.kind,
            Kind::Peer(Peer {
                never_ask: false,
                ..
            })
        )
    }

    pub(super) fn never_ask(&mut self) {
        if let Kind::Peer(peer) = &mut self.kind {
            peer.never_ask = true;
        }
    }

    /// Slots that the tree may use.
    pub(super) fn slots_usable(&self) -> u32 {
        let unreachable = self.is_peer() && self.unreached >= super::config::UNREACHED_MAX;
        if self.relay_only() || unreachable {
            0
        } else {
            self.slots
        }
    }

    /// Whether asking again for this cause would be too soon.
    pub(super) fn asked_within(&self, cause: Cause, now_ms: u64, interval_ms: u64) -> bool {
        self.asked
            .get(&cause)
            .is_some_and(|at| now_ms.saturating_sub(*at) < interval_ms)
    }

    pub(super) fn note_asked(&mut self, question: Question, now_ms: u64) {
        self.asked.insert(question.cause, now_ms);
        self.question = Some(question);
    }

    pub(super) fn avoids(&self, parent: N) -> bool {
        self.failures.get(&parent).is_some_and(|n| *n >= TRIES_MAX)
    }

    /// Notes a failed edge; `tries` of [`TRIES_MAX`] rule the parent out.
    pub(super) fn note_failure(&mut self, parent: N, tries: u8) {
        if self.failures.len() >= AVOIDED_MAX {
            self.failures.clear();
        }
        let count = self.failures.entry(parent).or_insert(0);
        *count = count.saturating_add(tries);
    }
}
