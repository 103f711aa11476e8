//! The tree as everybody sees it, and what receipts prove about it.

use super::coordinator::Coordinator;
use crate::page_view;
use certs::receipt::StripeDigests;
use overlay::slots::{Ledger, Summary};
use page::{Role, Status, Upload, View};
use serde_json::json;
use std::collections::BTreeMap;
use wire::codec::List;
use wire::limits::TREE_NODES_MAX;
use wire::message::control::{Down, Name, Round, TreeNode, TreePicture};
use wire::message::receipt::Receipt;
use wire::statement::ChunkKey;
use wire::{Sequence, SpkiHash};

/// Chunks whose receipt digests are kept: a minute at 200 ms.
const DIGESTS_MAX: usize = 300;
/// Notices that the page shows.
const NOTICES_MAX: usize = 20;
/// Rounds in one picture.
const ROUNDS_MAX: usize = 16;

/// What receipts are checked against, and what they have proven.
#[derive(Debug)]
pub(super) struct Proven {
    digests: BTreeMap<Sequence, StripeDigests>,
    capacity: Ledger<SpkiHash>,
}

impl Proven {
    pub(super) fn new() -> Self {
        Self {
            digests: BTreeMap::new(),
            capacity: Ledger::new(),
        }
    }

    /// A node's claim, bounded by its class if it is a relay.
    pub(super) fn claim(&mut self, node: SpkiHash, claim_bps: u64, ceiling_bps: Option<u64>) {
        self.capacity.claim(node, claim_bps, ceiling_bps);
    }

    pub(super) fn forget(&mut self, node: SpkiHash) {
        self.capacity.forget(node);
    }

    pub(super) fn proven_bps(&self, node: SpkiHash, now_ms: u64) -> u64 {
        self.capacity.proven_bps(now_ms, node)
    }
}

impl Coordinator {
    /// Keeps the receipt digests of a chunk that the station published.
    pub(super) fn note_chunk(&mut self, key: ChunkKey) {
        if key.init {
            return;
        }
        let Some((header, blocks)) = self.node.chunk(key) else {
            return;
        };
        if let Ok(digests) = StripeDigests::new(&header, &blocks) {
            self.proven.digests.insert(key.sequence, digests);
            while self.proven.digests.len() > DIGESTS_MAX {
                self.proven.digests.pop_first();
            }
        }
    }

    /// Slots by claim and receipts.
    pub(super) fn slots_of(&self, node: SpkiHash) -> u32 {
        let now_ms = self.clock.mono_ms();
        self.proven
            .capacity
            .slots(now_ms, node, self.settings.slot_bps)
    }

    /// A member's word about its parent: checked, counted once, and turned
    /// into slots (design, "Cheating").
    pub(super) fn receipt(&mut self, from: SpkiHash, receipt: &Receipt) {
        let Some(member) = self.members.get_mut(&from) else {
            return;
        };
        let Some(key) = &member.receipt_key else {
            return;
        };
        let lookup = |sequence: Sequence| self.proven.digests.get(&sequence);
        let receipts = self.settings.receipts;
        let checked = receipts.check(receipt, &self.keys.run, key, lookup);
        let checked = checked.and_then(|counted| {
            member
                .receipts_of(counted.parent())
                .accept(&counted)
                .map(|()| counted)
        });
        let counted = match checked {
            Ok(counted) if counted.member() == from => counted,
            Ok(_) => return,
            Err(e) => {
                let fields = json!({"reason": e.reason(), "other": from.to_hex()});
                self.emit.tell("receipt_refused", fields);
                return;
            }
        };
        let in_time = counted.in_time().len() as u64;
        let summary = Summary {
            bytes: counted.bytes(),
            due: in_time + counted.late().len() as u64,
            in_time,
        };
        let (parent, now_ms) = (counted.parent(), self.clock.mono_ms());
        self.proven.capacity.receipt(now_ms, parent, summary);
        if parent != self.me {
            let slots = self.slots_of(parent);
            let planned = self.planner.node(parent).map(|n| n.slots);
            // Slots grow with proof; what falls silent is not cut at once.
            if planned.is_some_and(|planned| slots > planned) {
                let _ = self.planner.claim(now_ms, parent, slots);
            }
        }
    }

    fn picture(&self) -> TreePicture {
        let now_ms = self.clock.mono_ms();
        let mut nodes = Vec::new();
        for node in self.planner.view().into_iter().take(TREE_NODES_MAX) {
            let load = self.members.get(&node.node).and_then(|m| m.load.as_ref());
            nodes.push(TreeNode {
                spki: node.node,
                kind: node.kind,
                name: Name::new(self.name_of(node.node)).unwrap_or_default(),
                parent: node.parent,
                slots: node.slots,
                delay_ms: load.map_or(0, |l| l.delay_ms),
                sent_bps: match load {
                    Some(load) => load.sent_bps,
                    None if node.node == self.me => self.sent.bps(),
                    None => 0,
                },
            });
        }
        let rounds = self.planner.rounds().into_iter().take(ROUNDS_MAX);
        let rounds = rounds.map(|round| Round {
            relay: round.relay,
            sponsor: self.shown_name(round.sponsor),
            left_ms: round.lease_end_ms.saturating_sub(now_ms),
            carries: round.carries,
        });
        TreePicture {
            nodes: List::new(nodes).unwrap_or_default(),
            rounds: List::new(rounds.collect()).unwrap_or_default(),
        }
    }

    /// The sponsor's name, if he wants it on the round.
    fn shown_name(&self, sponsor: SpkiHash) -> Name {
        if self.shown_sponsors.contains(&sponsor) {
            Name::new(self.name_of(sponsor)).unwrap_or_default()
        } else {
            Name::default()
        }
    }

    /// Tells the broadcaster on the station's page.
    pub(super) fn notice(&mut self, level: page::Level, text: String) {
        let at_ms = self.clock.unix().0;
        self.notices.insert(0, page::Notice { level, at_ms, text });
        self.notices.truncate(NOTICES_MAX);
    }

    /// Gives the picture to everybody and to the station's own page.
    pub(super) fn send_picture(&mut self) {
        let (children, sent_bytes) = self.node.load();
        self.sent.update(self.clock.mono_ms(), sent_bytes);
        let picture = self.picture();
        for member in self.members.values().filter(|m| m.placed) {
            let _ = member.down.send(Down::Tree(picture.clone()));
        }
        let Some(page) = &self.page else { return };
        let now_ms = self.clock.unix().0;
        let counters = [
            ("children", u64::from(children)),
            ("members", self.members.len() as u64),
        ];
        let view = View {
            role: Role::Station,
            stream: self.settings.name.clone(),
            fingerprint: self.keys.run.scope.stream.short(),
            status: Status::Verified,
            banner: self.settings.banner.clone(),
            tree: page_view::tree(&picture, self.me),
            upload: Upload {
                bytes: sent_bytes,
                rate_bps: self.sent.bps(),
                limit_bps: Some(self.settings.upload_bps),
            },
            rounds: page_view::rounds(&picture, now_ms, |_| false),
            invite: Some(page::Invite::new(self.settings.invite.to_string())),
            counters: counters
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect(),
            notices: self.notices.clone(),
            ..View::default()
        };
        if let Err(e) = page.set_view(view) {
            tracing::warn!("the page was not brought up to date: {e}");
        }
    }

    /// What receipts have proven of the relays, for the record.
    pub(super) fn tell_proven(&self) {
        let now_ms = self.clock.mono_ms();
        for round in self.planner.rounds() {
            let claim_bps = self.members.get(&round.relay).map_or(0, |m| m.claim_bps);
            let fields = json!({
                "relay": round.relay.to_hex(),
                "claim_mbps": super::as_mbps(claim_bps),
                "proven_mbps": super::as_mbps(self.proven.proven_bps(round.relay, now_ms)),
                "slots": self.slots_of(round.relay),
                "carries": round.carries,
            });
            self.emit.tell("relay_proven", fields);
        }
    }
}
