//! Permits: the planner's actions as signed leave for both ends of an edge.

use super::coordinator::{Coordinator, Event, Member};
use super::membership::renewal_after_ms;
use super::permits::{Change, Pair};
use overlay::planner::{Action, Question};
use serde_json::json;
use tokio::sync::mpsc;
use wire::codec::{List, Text};
use wire::limits::{PERMIT_BUDGET_PERCENT, PERMIT_LIFE_MS_MAX};
use wire::message::control::{Down, EdgeFailure, EdgeOrder, Name, NodeKind, NodeRef};
use wire::statement::{Ask, BatchedPermit, Grant, Permit, PermitKind, Priority};
use wire::{OrderId, Reason, Rendition, SpkiHash, Stripe};

/// A permit's life.
pub(super) const PERMIT_LIFE_MS: u64 = 4 * 60 * 1000;
const _: () = assert!(PERMIT_LIFE_MS <= PERMIT_LIFE_MS_MAX);
/// Members' messages that are heard in one breath: few enough that the
/// station's own events do not wait for them.
const MESSAGES_PER_BATCH_MAX: usize = 32;
/// Blocks that an edge may carry beyond rate x life, in bytes: catching up
/// from what the parent keeps.
const CATCH_UP_BYTES: u64 = 16 * 1024 * 1024;

impl Coordinator {
    /// A message and what waits behind it: what a crowd wants at once becomes
    /// one batch of permits.
    pub(super) fn take_waiting(&mut self, first: Event, messages: &mut mpsc::Receiver<Event>) {
        self.take(first);
        for _ in 1..MESSAGES_PER_BATCH_MAX {
            let Ok(event) = messages.try_recv() else {
                return;
            };
            self.settle();
            self.take(event);
        }
    }

    /// Does what the planner wants, and signs the permits for it.
    pub(super) fn act(&mut self) {
        self.settle();
        self.permit_changes();
        self.neighbour_changes();
    }

    /// Does what the planner wants, until it wants nothing more; permits wait
    /// for [`Self::permit_changes`].
    pub(super) fn settle(&mut self) {
        while let Some(action) = self.next_action() {
            match action {
                Action::Attach {
                    stripe,
                    child,
                    parent,
                    priority,
                    ..
                } => self.attach(stripe, child, parent, priority),
                Action::Detach {
                    stripe,
                    child,
                    parent,
                } => self.detach(stripe, child, parent),
                Action::Orphaned { node } => {
                    self.emit
                        .tell_of(&self.name_of(node), "orphaned", json!({}));
                    self.starves(node);
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
                Action::Refuse { node, .. } if self.degrades(node) => {}
                Action::Refuse { node, reason } => self.refuse(node, reason),
            }
        }
    }

    /// One permit, or one end, for each pair whose stripes have changed; the
    /// permits are one batch.
    fn permit_changes(&mut self) {
        let mut due = Vec::new();
        for (pair, change) in self.permits.changes() {
            match change {
                Change::Permit => due.push(pair),
                Change::End => self.end_edge(pair),
            }
        }
        self.mint(&due);
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
        &mut self,
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
            regions: self.regions_of_waiting(),
        };
        self.tell_question(to, "sponsor_asked", question);
        self.say(to, Down::Ask(certs::sign(&self.keys.permit, &ask)));
    }

    /// The rate of so many edges, in bit/s.
    fn rate_of(&self, edges: u32) -> u64 {
        self.settings.edge_bps.saturating_mul(u64::from(edges))
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

    pub(super) fn refuse(&mut self, node: SpkiHash, reason: Reason) {
        let fields = json!({"reason": reason.name()});
        self.emit
            .tell_of(&self.name_of(node), "join_refused_no_capacity", fields);
        self.say(node, Down::Refused(reason));
        self.members.remove(&node);
        self.mesh.leave(node);
        self.permits.forget(node);
    }

    fn attach(&mut self, stripe: Stripe, child: SpkiHash, parent: SpkiHash, priority: Priority) {
        self.suspicion.forget(stripe, child);
        let pair = (child, parent);
        let permitted = self.permits.get(pair);
        if !permitted.is_some_and(|p| p.stripes.has(stripe)) {
            self.open_account(child, (parent, Rendition(0), stripe));
        }
        let new = self.permits.attach(pair, stripe, priority);
        let fields = json!({
            "child": child.to_hex(), "parent": parent.to_hex(), "stripe": stripe.0,
        });
        self.emit.tell("attached", fields);
        if new && self.is_relay(child) {
            self.tell_admitted(child, parent);
        }
    }

    /// Signs a permit for all stripes of each of these edges and gives it to
    /// both ends: one batch.
    pub(super) fn mint(&mut self, pairs: &[Pair]) {
        let mut edges = Vec::with_capacity(pairs.len());
        let mut permits = Vec::with_capacity(pairs.len());
        for (child, parent) in pairs.iter().copied() {
            let ends = self.node_ref(child).zip(self.node_ref(parent));
            if let Some((child_ref, parent_ref)) = ends
                && let Some(permit) = self.permit((&child_ref, &parent_ref))
            {
                edges.push((child_ref, parent_ref));
                permits.push(permit);
            }
        }
        let permits = certs::permit::sign_batch(&self.keys.permit, &permits);
        for ((child_ref, parent_ref), permit) in edges.into_iter().zip(permits) {
            let (child, parent) = (child_ref.spki, parent_ref.spki);
            let child_dials = dials(child_ref.kind, parent_ref.kind);
            self.give(child, permit.clone(), parent_ref, child_dials);
            self.give(parent, permit, child_ref, !child_dials);
        }
    }

    /// The next permit of an edge, not yet signed.
    fn permit(&mut self, (child, parent): (&NodeRef, &NodeRef)) -> Option<Permit> {
        let pair = (child.spki, parent.spki);
        if self.away.has(child.spki) || self.away.has(parent.spki) {
            // It is signed when both are on the line.
            return None;
        }
        let permitted = self.permits.get(pair)?;
        let (rendition, stripes) = permitted.flow();
        let issued = self.clock.unix();
        // Without randomness the next one is early, and that is all.
        let dice = super::keys::random(&self.keys.rng).unwrap_or_default();
        let due_ms = renewal_after_ms(PERMIT_LIFE_MS, u16::from_be_bytes(dice));
        let now_ms = self.clock.mono_ms();
        self.permits.minted(pair, now_ms.saturating_add(due_ms));
        Some(Permit {
            scope: self.keys.scope(),
            serial: self.permits.next_serial(),
            kind: PermitKind::Push,
            stripes,
            rendition,
            parent: parent.spki,
            child: child.spki,
            parent_order: order_of(parent),
            child_order: order_of(child),
            priority: permitted.priority,
            byte_budget: self.byte_budget_of(rendition, stripes.len().into()),
            issued,
            expiry: issued.plus_ms(PERMIT_LIFE_MS),
        })
    }

    /// What so many stripes take over a permit's life, and to catch up, in
    /// bytes: a stripe is a k-th of the stream, of parity, too.
    pub(super) fn byte_budget(&self, stripes: u64) -> u64 {
        self.byte_budget_of(Rendition(0), stripes)
    }

    pub(super) fn byte_budget_of(&self, rendition: Rendition, stripes: u64) -> u64 {
        let rate_bytes = self.budget_bps(rendition) / 8;
        let stream = rate_bytes
            .saturating_mul(PERMIT_LIFE_MS / 1000)
            .saturating_mul(PERMIT_BUDGET_PERCENT)
            / 100;
        let k = u64::from(self.keys.run.stripes.k());
        stream
            .saturating_add(CATCH_UP_BYTES)
            .saturating_mul(stripes)
            .div_ceil(k.max(1))
    }

    fn give(&mut self, to: SpkiHash, permit: BatchedPermit, other: NodeRef, dial: bool) {
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

    pub(super) fn node_ref(&self, node: SpkiHash) -> Option<NodeRef> {
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

    fn detach(&mut self, stripe: Stripe, child: SpkiHash, parent: SpkiHash) {
        let now_ms = self.clock.mono_ms();
        self.permits.detach((child, parent), stripe, now_ms);
        self.close_account(child, (parent, Rendition(0), stripe));
    }

    /// Tells both ends of an edge that it is over.
    fn end_edge(&mut self, (child, parent): Pair) {
        let reason = Reason::Reparented;
        // Other renditions come to a relay by other edges, see `feeds`.
        let rendition = Rendition(0);
        for (at, other, is_child) in [(child, parent, true), (parent, child, false)] {
            if at == self.me {
                self.node.end_one_edge(other, is_child, rendition, reason);
            } else {
                let end = EdgeFailure {
                    other,
                    child: is_child,
                    rendition,
                    reason,
                };
                self.say(at, Down::EdgeEnd(end));
            }
        }
    }

    /// Renews permits whose time has come: between half and two thirds of
    /// their life, each at a random moment of its own.
    pub(super) fn renew_permits(&mut self) {
        let due = self.permits.take_due(self.clock.mono_ms());
        self.renew(&due);
        self.renew_feeds();
    }

    /// New permits for every edge: a new epoch has begun.
    pub(super) fn mint_all(&mut self) {
        let pairs = self.permits.pairs();
        self.renew(&pairs);
        self.mint_feeds();
        self.mint_neighbours();
    }

    /// The next permits, by what each child's standing is now.
    pub(super) fn renew(&mut self, pairs: &[Pair]) {
        for pair in pairs {
            let priority = self.planner.priority(pair.0, pair.1);
            self.permits.stand(*pair, priority);
        }
        self.mint(pairs);
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
mod tests;
