//! The tree as everybody sees it.

use super::coordinator::Coordinator;
use crate::page_view;
use link::NodeLoad;
use overlay::planner::NodeView;
use page::{Role, Status, Upload, View};
use serde_json::json;
use std::collections::BTreeMap;
use wire::codec::List;
use wire::limits::TREE_NODES_MAX;
use wire::message::control::{Name, Round, TreeNode, TreeParent, TreePicture};
use wire::{Rendition, SpkiHash, Stripe};

/// Notices that the page shows.
const NOTICES_MAX: usize = 20;
/// Rounds in one picture.
const ROUNDS_MAX: usize = 16;

/// Whom a node gets its stripes from, the parent of the first one first, with
/// their places in the picture.
pub(super) fn parents_of(
    node: &NodeView<SpkiHash>,
    places: &BTreeMap<SpkiHash, u16>,
) -> Vec<TreeParent> {
    let mut parents: Vec<TreeParent> = Vec::new();
    for (parent, stripe) in node.parents.iter().zip((0..).map(Stripe)) {
        let Some(place) = parent.and_then(|parent| places.get(&parent)) else {
            continue;
        };
        match parents.iter_mut().find(|p| p.node == *place) {
            Some(known) => known.stripes = known.stripes.with(stripe),
            None => parents.push(TreeParent {
                node: *place,
                rendition: Rendition(0),
                stripes: stripe.into(),
            }),
        }
    }
    parents
}

impl Coordinator {
    fn picture(&self) -> TreePicture {
        let now_ms = self.clock.mono_ms();
        let mut view = self.planner.view();
        view.extend(self.views_below());
        view.truncate(TREE_NODES_MAX);
        let places: BTreeMap<SpkiHash, u16> = view.iter().map(|n| n.node).zip(0..).collect();
        let mut nodes = Vec::new();
        for node in view {
            let load = self.members.get(&node.node).and_then(|m| m.load.as_ref());
            nodes.push(TreeNode {
                spki: node.node,
                kind: node.kind,
                name: Name::new(self.name_of(node.node)).unwrap_or_default(),
                parents: self.shown_parents(&node, &places),
                edges: node.edges,
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
            carries: round.carries.saturating_add(self.passed_on(round.relay)),
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

    /// Shows the tree to the members and on the station's own page.
    pub(super) fn show_tree(&mut self) {
        let load = self.node.load();
        self.sent.update(self.clock.mono_ms(), load.sent_bytes);
        self.tell_guarantees();
        let picture = self.picture();
        self.send_picture(&picture);
        self.show_page(&picture, &load);
    }

    fn show_page(&self, picture: &TreePicture, load: &NodeLoad) {
        let Some(page) = &self.page else { return };
        let now_ms = self.clock.unix().0;
        let counters = [
            ("children", u64::from(load.children)),
            ("members", self.members.len() as u64),
            ("viewers_guaranteed", u64::from(self.guarantees.sure())),
            (
                "control_received_bps_per_viewer",
                self.traffic.rate.received_bps,
            ),
            ("control_sent_bps_per_viewer", self.traffic.rate.sent_bps),
        ];
        // It is the station's own word.
        let known = picture.nodes.iter().map(|n| n.spki).collect();
        let view = View {
            role: Role::Station,
            stream: self.settings.name.clone(),
            fingerprint: self.keys.run.scope.stream.short(),
            status: Status::Verified,
            banner: self.settings.banner.clone(),
            tree: page_view::tree(picture, self.me, &known),
            upload: Upload {
                bytes: load.sent_bytes,
                rate_bps: self.sent.bps(),
                limit_bps: Some(self.settings.upload_bps),
            },
            rounds: page_view::rounds(picture, now_ms, &page_view::Whose::Station),
            invite: Some(page::Invite::new(self.settings.invite.to_string())),
            counters: counters
                .into_iter()
                .chain(page_view::left_out(load))
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
                "in_time_permille": self.proven.in_time_permille(round.relay, now_ms),
                "slots": self.settings.slots(self.edges_of(round.relay)),
                "carries": round.carries, "passes_on": self.passed_on(round.relay),
            });
            self.emit.tell("relay_proven", fields);
        }
    }
}
