//! Members that are away, and how they come back: with their membership, and
//! with what they still have, by the coordinator's own permits.

use super::coordinator::{Coordinator, Member};
use super::receipts::Accounts;
use certs::holding::HeldEdge;
use link::Link;
use overlay::planner::{Adopted, Peer, Standing};
use serde_json::json;
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use wire::message::control::{Down, EdgeFailure, NodeKind, Rejoin};
use wire::statement::Revocation;
use wire::{Reason, Rendition, SpkiHash, Stripe};

/// How long a member whose line has gone silent keeps its place: its edges may
/// still flow, and it calls again within seconds. It has been silent for as
/// long as a line may be before.
const AWAY_MS: u64 = 10_000;

/// Who is away, and until when.
#[derive(Debug, Default)]
pub(super) struct Away(BTreeMap<SpkiHash, u64>);

impl Away {
    pub(super) fn note(&mut self, node: SpkiHash, until_ms: u64) {
        self.0.insert(node, until_ms);
    }

    pub(super) fn has(&self, node: SpkiHash) -> bool {
        self.0.contains_key(&node)
    }

    pub(super) fn forget(&mut self, node: SpkiHash) {
        self.0.remove(&node);
    }

    fn take_over(&mut self, now_ms: u64) -> Vec<SpkiHash> {
        let over = self.0.iter().filter(|(_, until)| **until <= now_ms);
        let over: Vec<SpkiHash> = over.map(|(node, _)| *node).collect();
        self.0.retain(|_, until| *until > now_ms);
        over
    }
}

impl Coordinator {
    /// The line to a member has gone silent: nobody has closed it. Whom a child
    /// does not reach either is gone.
    pub(super) fn line_silent(&mut self, node: SpkiHash) {
        let placed = self.members.get(&node).is_some_and(|m| m.placed);
        let below = self.is_below(node);
        let dead = self.planner.is_suspected(node);
        if !placed || below || dead || !self.settings.judging.silence.keeps() {
            return self.gone(node, false);
        }
        let until_ms = self.clock.mono_ms().saturating_add(AWAY_MS);
        self.away.note(node, until_ms);
        self.planner.away(node);
        self.emit.tell_of(&self.name_of(node), "away", json!({}));
    }

    /// Who has not come back in time is lost.
    pub(super) fn end_away(&mut self) {
        for node in self.away.take_over(self.clock.mono_ms()) {
            self.gone(node, false);
        }
    }

    /// Lets a member in again, in its place. Who has no membership any more is
    /// let in as a new one.
    pub(super) fn rejoin(
        &mut self,
        link: &Link,
        rejoin: Rejoin,
    ) -> Result<mpsc::UnboundedReceiver<Down>, Reason> {
        let (run, now) = (&self.keys.run, self.clock.unix());
        let member = certs::x509::verify_member(&link.certificate, &run.ca_key, now);
        let away = self.away.has(link.peer);
        if member.is_err() || (self.members.contains_key(&link.peer) && !away) {
            if away {
                self.gone(link.peer, false);
            }
            return self.join(link, rejoin.join);
        }
        let Rejoin { join, holding } = rejoin;
        self.check_invited(link, &join)?;
        let key = certs::x509::public_key(&link.certificate).map_err(|e| e.wire_reason())?;
        let run = &self.keys.run;
        let held = certs::holding::verify(&holding, run, &key, &join.nonce, now)
            .map_err(|e| e.wire_reason())?;
        let former = self.members.remove(&link.peer);
        let let_in = self.let_in(link, join, |a| Down::Readmitted(Box::new(a)));
        let (member, receiver) = match let_in {
            Ok(let_in) => let_in,
            Err(reason) => {
                self.members
                    .extend(former.map(|former| (link.peer, former)));
                return Err(reason);
            }
        };
        self.take_back(link.peer, member, former, &held);
        Ok(receiver)
    }

    /// The member is on the line again, with these edges.
    fn take_back(
        &mut self,
        node: SpkiHash,
        member: Member,
        former: Option<Member>,
        held: &[HeldEdge],
    ) {
        let now_ms = self.clock.mono_ms();
        let known = former.is_some();
        let member = Member {
            name: former.map_or_else(|| member.name.clone(), |former| former.name),
            placed: true,
            ..member
        };
        self.pictures.forget(node);
        self.guarantees.forget(node);
        let pairs = |held: &HeldEdge| {
            let parent = held.parent;
            let stripes: Vec<Stripe> = held.stripes.iter().collect();
            stripes.into_iter().map(move |stripe| (stripe, parent))
        };
        let parents: Vec<(Stripe, SpkiHash)> = held.iter().flat_map(pairs).collect();
        let (name, peer) = (member.name.clone(), member.as_peer());
        self.members.insert(node, member);
        if !known {
            // It came in the moment before the state was saved last.
            self.planner.adopt(
                now_ms,
                &[Adopted {
                    node,
                    standing: Standing::Peer(peer),
                    parents: parents.clone(),
                }],
            );
        }
        let foreign = self.back(node, &parents);
        let ended: std::collections::BTreeSet<SpkiHash> =
            foreign.iter().map(|(_, parent)| *parent).collect();
        for parent in ended {
            if self.permits.get((node, parent)).is_none() {
                let end = EdgeFailure {
                    other: parent,
                    child: true,
                    // A run of several renditions is not taken up again.
                    rendition: Rendition(0),
                    reason: Reason::Reparented,
                };
                self.say(node, Down::EdgeEnd(end));
            }
        }
        let fields = json!({"edges": parents.len(), "spki": node.to_hex()});
        self.emit.tell_of(name.as_str(), "returned", fields);
    }

    /// A member or relay is on the line again. It hears who is out, and gets
    /// the permits of its edges; the result is what it has and should not.
    pub(super) fn back(
        &mut self,
        node: SpkiHash,
        held: &[(Stripe, SpkiHash)],
    ) -> Vec<(Stripe, SpkiHash)> {
        let now_ms = self.clock.mono_ms();
        self.away.forget(node);
        let down = self.members.get(&node).map(|member| &member.down);
        for member in &self.evicted {
            let revocation = Revocation {
                scope: self.keys.scope(),
                member: *member,
                issued: self.clock.unix(),
            };
            let revocation = certs::sign(&self.keys.permit, &revocation);
            if let Some(down) = down {
                let _ = down.send(Down::Revoked(revocation));
            }
        }
        let foreign = self.planner.returned(now_ms, node, held);
        self.permit_held(node, held);
        self.act();
        let pairs = self.permits.pairs_of(node);
        self.mint(&pairs);
        foreign
    }

    /// Edges of this child that are planned as they are count as permitted.
    fn permit_held(&mut self, child: SpkiHash, held: &[(Stripe, SpkiHash)]) {
        let now_ms = self.clock.mono_ms();
        let planned = self
            .planner
            .node(child)
            .map_or_else(Vec::new, |n| n.parents);
        for (stripe, parent) in held {
            let as_planned = planned.get(usize::from(stripe.0)) == Some(&Some(*parent));
            if as_planned && *parent != self.me {
                let priority = self.planner.priority(child, *parent);
                self.permits
                    .adopt((child, *parent), *stripe, priority, now_ms);
            }
        }
    }

    /// Edges that a member's claim gives it: never fewer than it feeds and
    /// claims to feed, even if nothing proves them yet.
    pub(super) fn edges_claimed(&self, node: SpkiHash) -> u32 {
        let claimed = self.proven.claimed_edges(node, self.settings.edge_bps);
        let used = self.planner.node(node).map_or(0, |n| n.edges_used);
        self.edges_of(node).max(used.min(claimed))
    }
}

impl Member {
    fn as_peer(&self) -> Peer {
        Peer {
            edges: 0,
            never_ask: self.never_ask,
            relay_only: self.relay_only,
        }
    }

    /// A peer that was just let in, and has said nothing yet.
    pub(super) fn new_peer(
        join: wire::message::control::Join,
        name: wire::message::control::Name,
        key: wire::PublicKey,
        receipt_key: certs::receipt::ReceiptKey,
        down: mpsc::UnboundedSender<Down>,
    ) -> Self {
        Self {
            name,
            key,
            kind: NodeKind::Peer,
            addresses: join.addresses,
            sealing_key: Some(join.sealing_key),
            receipt_key: Some(receipt_key),
            relay_only: join.relay_only,
            never_ask: join.never_ask,
            down,
            admission: None,
            claim_bps: 0,
            lease_end: wire::UnixMs(0),
            load: None,
            placed: false,
            receipts: Accounts::default(),
        }
    }
}
