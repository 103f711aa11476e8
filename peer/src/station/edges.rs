//! Permits: the planner's actions as signed leave for both ends of an edge.

use super::coordinator::{Coordinator, Member};
use overlay::planner::{Action, Question};
use serde_json::json;
use std::collections::BTreeMap;
use wire::codec::{List, Text};
use wire::limits::{PERMIT_BUDGET_PERCENT, PERMIT_LIFE_MS_MAX};
use wire::message::control::{Down, EdgeFailure, EdgeOrder, Name, NodeKind, NodeRef};
use wire::statement::{Ask, Grant, Permit, Priority, Signed};
use wire::{OrderId, Reason, Rendition, SpkiHash, Stripe};

/// A permit's life; renewed at half of it.
const PERMIT_LIFE_MS: u64 = 4 * 60 * 1000;
const _: () = assert!(PERMIT_LIFE_MS <= PERMIT_LIFE_MS_MAX);
/// Permits in a row that one edge may use up before their time: else a child
/// could drain its parent by asking for everything again and again.
const EARLY_RENEWALS_MAX: u8 = 3;
/// Blocks that an edge may carry beyond rate x life, in bytes: catching up
/// from what the parent keeps.
const CATCH_UP_BYTES: u64 = 16 * 1024 * 1024;

/// How long after its end an edge may be receipted: what its child last got,
/// it reports when it learns of the end.
const RECEIPT_AFTER_MS_MAX: u64 = 10_000;

/// The permits that were signed last, by edge (child, parent).
#[derive(Debug)]
pub(super) struct Permits {
    serial: u64,
    minted_ms: BTreeMap<(SpkiHash, SpkiHash), u64>,
    /// Renewals in a row because the bytes were spent.
    early: BTreeMap<(SpkiHash, SpkiHash), u8>,
    /// Edges that have ended, for [`RECEIPT_AFTER_MS_MAX`].
    ended_ms: BTreeMap<(SpkiHash, SpkiHash), u64>,
}

impl Permits {
    pub(super) const fn new() -> Self {
        Self {
            serial: 0,
            minted_ms: BTreeMap::new(),
            early: BTreeMap::new(),
            ended_ms: BTreeMap::new(),
        }
    }

    /// Whether an edge that has spent its bytes gets the next permit.
    pub(super) fn may_renew_early(&mut self, child: SpkiHash, parent: SpkiHash) -> bool {
        let renewals = self.early.entry((child, parent)).or_default();
        *renewals = renewals.saturating_add(1);
        *renewals <= EARLY_RENEWALS_MAX
    }

    /// Whether the child has, or had a moment ago, leave to take the stream
    /// from this parent.
    pub(super) fn fed(&self, child: SpkiHash, parent: SpkiHash, now_ms: u64) -> bool {
        let edge = (child, parent);
        let ended = self.ended_ms.get(&edge);
        self.minted_ms.contains_key(&edge) || ended.is_some_and(|at| recent(*at, now_ms))
    }

    fn end(&mut self, child: SpkiHash, parent: SpkiHash, now_ms: u64) {
        self.minted_ms.remove(&(child, parent));
        self.early.remove(&(child, parent));
        self.ended_ms.retain(|_, at| recent(*at, now_ms));
        self.ended_ms.insert((child, parent), now_ms);
    }

    pub(super) fn forget(&mut self, node: SpkiHash) {
        let other = |(child, parent): &(SpkiHash, SpkiHash)| *child != node && *parent != node;
        self.minted_ms.retain(|edge, _| other(edge));
        self.early.retain(|edge, _| other(edge));
    }
}

fn recent(ended_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(ended_ms) < RECEIPT_AFTER_MS_MAX
}

impl Coordinator {
    /// Does what the planner wants, until it wants nothing more.
    pub(super) fn act(&mut self) {
        while let Some(action) = self.planner.poll_action() {
            match action {
                Action::Attach {
                    stripe,
                    child,
                    parent,
                    priority,
                    ..
                } => self.attach(stripe, child, parent, priority),
                Action::Detach { child, parent, .. } => self.detach(child, parent),
                Action::Orphaned { node } => {
                    self.emit
                        .tell_of(&self.name_of(node), "orphaned", json!({}));
                }
                Action::CapacityShort {
                    cause,
                    deficit_edges,
                    viewers_short,
                } => {
                    let bps = self.rate_of(deficit_edges);
                    self.emit.tell(
                        "capacity_short",
                        json!({
                            "deficit_bps": bps, "cause": cause.name(),
                            "viewers_short": viewers_short,
                        }),
                    );
                }
                // Nobody buys an hour for the last seconds.
                Action::Ask { .. } if self.ends_ms.is_some() => {}
                Action::Ask {
                    to,
                    question,
                    deficit_edges,
                    viewers_short,
                    rounds_wanted,
                    deadline_ms,
                } => self.ask(
                    to,
                    &question,
                    deficit_edges,
                    viewers_short,
                    rounds_wanted,
                    deadline_ms,
                ),
                Action::Grant {
                    to,
                    question,
                    expiry_ms,
                } => self.grant(to, &question, expiry_ms),
                Action::NotNeeded { to, question } => {
                    self.tell_question(to, "sponsor_not_needed", &question);
                    self.say(to, Down::NotNeeded(question.ask));
                }
                Action::TimedOut { to, question } => {
                    self.tell_question(to, "sponsor_timed_out", &question);
                    self.say(to, Down::NotNeeded(question.ask));
                }
                Action::GrantExpired { to, question } => {
                    self.tell_question(to, "sponsor_grant_expired", &question);
                    self.say(to, Down::NotNeeded(question.ask));
                }
                Action::Refuse { node, reason } => self.refuse(node, reason),
            }
        }
    }

    pub(super) fn say(&self, to: SpkiHash, message: Down) {
        if let Some(member) = self.members.get(&to) {
            let _ = member.down.send(message);
        }
    }

    pub(super) fn name_of(&self, node: SpkiHash) -> String {
        if node == self.me {
            return self.settings.name.clone();
        }
        self.members
            .get(&node)
            .map_or_else(|| node.short(), |m| m.name.as_str().to_owned())
    }

    /// Tells an event of an ask, as happening to the member.
    pub(super) fn tell_question(&self, to: SpkiHash, kind: &str, question: &Question) {
        self.emit.tell_of(
            &self.name_of(to),
            kind,
            json!({
                "ask": question.ask.0,
                "cause": question.cause.name(),
                "step": question.step.name(),
            }),
        );
    }

    fn ask(
        &self,
        to: SpkiHash,
        question: &Question,
        deficit_edges: u32,
        viewers_short: u32,
        rounds_wanted: u32,
        deadline_ms: u64,
    ) {
        let ask = Ask {
            scope: self.keys.scope(),
            ask: question.ask,
            member: to,
            cause: question.cause,
            step: question.step,
            deficit_bps: self.rate_of(deficit_edges),
            viewers_short,
            rounds_wanted,
            deadline_ms,
            issued: self.clock.unix(),
        };
        self.tell_question(to, "sponsor_asked", question);
        self.say(to, Down::Ask(certs::sign(&self.keys.permit, &ask)));
    }

    /// The rate of so many slots, in bit/s.
    fn rate_of(&self, slots: u32) -> u64 {
        self.settings.slot_bps.saturating_mul(u64::from(slots))
    }

    fn grant(&mut self, to: SpkiHash, question: &Question, expiry_ms: u64) {
        self.introductions.grant(to);
        let grant = Grant {
            scope: self.keys.scope(),
            ask: question.ask,
            member: to,
            expiry: self.clock.unix().plus_ms(expiry_ms),
        };
        self.tell_question(to, "sponsor_granted", question);
        self.say(to, Down::Granted(certs::sign(&self.keys.permit, &grant)));
    }

    fn refuse(&mut self, node: SpkiHash, reason: Reason) {
        let fields = json!({"reason": reason.name()});
        self.emit
            .tell_of(&self.name_of(node), "join_refused_no_capacity", fields);
        self.say(node, Down::Refused(reason));
        self.members.remove(&node);
        self.permits.forget(node);
    }

    fn attach(&mut self, stripe: Stripe, child: SpkiHash, parent: SpkiHash, priority: Priority) {
        if !self.permits.minted_ms.contains_key(&(child, parent)) {
            self.close_account(child, parent);
        }
        self.mint(stripe, child, parent, priority);
        let fields = json!({"child": child.to_hex(), "parent": parent.to_hex()});
        self.emit.tell("attached", fields);
        if self.is_relay(child) {
            self.tell_admitted(child, parent);
        }
    }

    /// Signs a permit and gives it to both ends.
    pub(super) fn mint(
        &mut self,
        stripe: Stripe,
        child: SpkiHash,
        parent: SpkiHash,
        priority: Priority,
    ) {
        let Some((child_ref, parent_ref)) = self.node_ref(child).zip(self.node_ref(parent)) else {
            return;
        };
        let issued = self.clock.unix();
        self.permits.serial = self.permits.serial.saturating_add(1);
        let permit = Permit {
            scope: self.keys.scope(),
            serial: self.permits.serial,
            stripe,
            rendition: Rendition(0),
            parent,
            child,
            parent_order: order_of(&parent_ref),
            child_order: order_of(&child_ref),
            priority,
            byte_budget: self.byte_budget(),
            issued,
            expiry: issued.plus_ms(PERMIT_LIFE_MS),
        };
        let permit = certs::sign(&self.keys.permit, &permit);
        let now_ms = self.clock.mono_ms();
        self.permits.minted_ms.insert((child, parent), now_ms);
        let child_dials = dials(child_ref.kind, parent_ref.kind);
        self.give(child, permit.clone(), parent_ref, child_dials);
        self.give(parent, permit, child_ref, !child_dials);
    }

    fn byte_budget(&self) -> u64 {
        let rate_bytes = self.budget_bps() / 8;
        rate_bytes
            .saturating_mul(PERMIT_LIFE_MS / 1000)
            .saturating_mul(PERMIT_BUDGET_PERCENT)
            / 100
            + CATCH_UP_BYTES
    }

    fn give(&self, to: SpkiHash, permit: Signed<Permit>, other: NodeRef, dial: bool) {
        let order = EdgeOrder {
            permit,
            other,
            dial,
        };
        if to == self.me {
            if let Err(e) = self.node.order_edge(order) {
                tracing::warn!("the station's own edge was refused: {e}");
            }
        } else {
            self.say(to, Down::Edge(Box::new(order)));
        }
    }

    fn node_ref(&self, node: SpkiHash) -> Option<NodeRef> {
        if node == self.me {
            let address = Text::new(self.settings.address.to_string()).ok()?;
            return Some(NodeRef {
                spki: node,
                kind: NodeKind::Station,
                name: Name::new(self.settings.name.clone()).unwrap_or_default(),
                addresses: List::new(vec![address]).ok()?,
                admission: None,
            });
        }
        self.members.get(&node).map(|member| member.node_ref(node))
    }

    /// What the child receipts of this edge is counted from zero.
    fn close_account(&mut self, child: SpkiHash, parent: SpkiHash) {
        if let Some(member) = self.members.get_mut(&child) {
            member.receipts.close(parent);
        }
    }

    fn detach(&mut self, child: SpkiHash, parent: SpkiHash) {
        self.permits.end(child, parent, self.clock.mono_ms());
        self.close_account(child, parent);
        let reason = Reason::Reparented;
        for (at, other, is_child) in [(child, parent, true), (parent, child, false)] {
            if at == self.me {
                self.node.end_edge(other, is_child, reason);
            } else {
                let end = EdgeFailure {
                    other,
                    child: is_child,
                    reason,
                };
                self.say(at, Down::EdgeEnd(end));
            }
        }
    }

    /// Renews permits at half their life.
    pub(super) fn renew_permits(&mut self) {
        let now_ms = self.clock.mono_ms();
        for edge in self.planner.edges() {
            let minted = self.permits.minted_ms.get(&(edge.child, edge.parent));
            if minted.is_some_and(|at| now_ms.saturating_sub(*at) > PERMIT_LIFE_MS / 2) {
                self.permits.early.remove(&(edge.child, edge.parent));
                self.mint(edge.stripe, edge.child, edge.parent, edge.priority);
            }
        }
    }

    /// New permits for every edge: a new epoch has begun.
    pub(super) fn mint_all(&mut self) {
        for edge in self.planner.edges() {
            self.mint(edge.stripe, edge.child, edge.parent, edge.priority);
        }
    }
}

impl Member {
    pub(super) fn node_ref(&self, spki: SpkiHash) -> NodeRef {
        NodeRef {
            spki,
            kind: self.kind,
            name: self.name.clone(),
            addresses: self.addresses.clone(),
            admission: self.admission.clone(),
        }
    }
}

fn order_of(node: &NodeRef) -> Option<OrderId> {
    node.admission.as_ref().map(|a| certs::order::id(&a.order))
}

/// Everybody dials a relay; else the child dials.
const fn dials(child: NodeKind, parent: NodeKind) -> bool {
    matches!(
        (child, parent),
        (_, NodeKind::Relay) | (NodeKind::Peer | NodeKind::Station, _)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_may_be_receipted_until_a_moment_after_its_end() {
        let (child, parent) = (SpkiHash([1; 32]), SpkiHash([2; 32]));
        let mut permits = Permits::new();
        assert!(!permits.fed(child, parent, 0));
        permits.minted_ms.insert((child, parent), 0);
        assert!(permits.fed(child, parent, 1_000_000));
        assert!(
            !permits.fed(parent, child, 0),
            "the other way round is none"
        );
        permits.end(child, parent, 1_000_000);
        let last_ms = 1_000_000 + RECEIPT_AFTER_MS_MAX;
        assert!(permits.fed(child, parent, last_ms - 1));
        assert!(!permits.fed(child, parent, last_ms));
    }

    #[test]
    fn an_edge_that_spends_its_permits_again_and_again_is_refused_the_next() {
        let (child, parent) = (SpkiHash([1; 32]), SpkiHash([2; 32]));
        let mut permits = Permits::new();
        let renewed = |permits: &mut Permits| permits.may_renew_early(child, parent);
        assert!((0..EARLY_RENEWALS_MAX).all(|_| renewed(&mut permits)));
        assert!(!renewed(&mut permits));
        assert!(permits.may_renew_early(parent, child), "another edge");
        permits.forget(child);
        assert!(renewed(&mut permits), "another membership");
    }
}
