//! The coordinator's driver: one task that owns the planner, turns what
//! members say into its events, and its actions into permits and messages.

use super::Published;
use super::admission::JoinRate;
use super::keys::Keys;
use super::rounds::VerifiedOn;
use certs::receipt::{ReceiptCheck, ReceiptKey};
use certs::seal::EpochSecret;
use link::{Again, Clock, Emitter, Endpoint, Link, Node, NodeEvent, RelayTrust};
use overlay::ladder::Ladder;
use overlay::planner::{Answered, Config, EdgeFault, Peer, Planner};
use overlay::suspicion::Suspicion;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use wire::message::control::{
    Addresses, Admission, Answer, Down, Join, Load, Name, NodeKind, Rejoin, Up,
};
use wire::statement::{CapacityClaim, Holding, Signed};
use wire::{AskId, Epoch, PublicKey, Reason, SpkiHash, Stripes, UnixMs};
use zeroize::Zeroizing;

/// How often deadlines are looked at.
const TICK_MS: u64 = 50;
/// How often the picture of the tree and the beacon go out.
pub(super) const PICTURE_MS: u64 = 1_000;

/// What the station's options say to the coordinator.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) stream_bps: u64,
    /// Rates of the smaller renditions, the best first, in bit/s.
    pub(super) smaller_bps: Vec<u64>,
    /// What becomes of those for whom the trees have no place.
    pub(super) when_full: super::WhenFull,
    /// What a child needs for one stripe, in bit/s.
    pub(super) edge_bps: u64,
    /// Edges that the station itself feeds.
    pub(super) edges: u32,
    pub(super) stripes: Stripes,
    pub(super) ask_deadline_ms: u64,
    pub(super) ask_interval_ms: u64,
    pub(super) banner: Option<String>,
    pub(super) upload_bps: u64,
    pub(super) membership_ms: u64,
    /// How much of the stream is kept, and may be fetched after its end.
    pub(super) kept_ms: u64,
    /// Nobody pushes.
    pub(super) mesh: bool,
    /// Where `stream_bps` comes from.
    pub(super) basis: super::Basis,
    pub(super) receipts: ReceiptCheck,
    pub(super) judging: super::Judging,
    pub(super) invite: Zeroizing<String>,
    pub(super) controls: super::controls::Controls,
}

impl Settings {
    /// What a child needs for all stripes, in bit/s.
    pub(super) fn slot_bps(&self) -> u64 {
        self.edge_bps.saturating_mul(self.stripes.count().into())
    }

    /// How many children at the full rate so many edges are.
    pub(super) fn slots(&self, edges: u32) -> u32 {
        edges / u32::from(self.stripes.count().max(1))
    }
}

/// What the coordinator works with.
pub(super) struct Parts {
    pub(super) node: Arc<Node>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) trust: Arc<RelayTrust>,
    pub(super) epochs: Vec<mpsc::UnboundedSender<(Epoch, EpochSecret)>>,
    pub(super) head: watch::Receiver<Option<Published>>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) messages: mpsc::Sender<Event>,
    pub(super) page: Option<page::Running>,
    pub(super) traffic: Arc<super::traffic::Traffic>,
    pub(super) store: Option<super::saved::store::Store>,
}

/// What reaches the coordinator.
pub(super) enum Event {
    /// Somebody wants in.
    Join {
        link: Link,
        join: Join,
        /// What it still has, if it was in before.
        holding: Option<Signed<Holding>>,
        reply: oneshot::Sender<Result<mpsc::UnboundedReceiver<Down>, Reason>>,
    },
    /// A member or relay said something.
    Up { from: SpkiHash, message: Up },
    /// A control link has ended.
    Gone { node: SpkiHash, graceful: bool },
    /// One has gone silent, and nobody has closed it.
    Silent(SpkiHash),
    /// The station's own node.
    Node(NodeEvent),
    /// A relay was verified and is on the line.
    RelayReady(Box<super::rounds::Ready>),
    /// A relay was refused or did not answer.
    RelayFailed {
        ask: AskId,
        sponsor: SpkiHash,
        relay: SpkiHash,
        reason: Reason,
    },
    /// A relay was verified again on its control link.
    RelayAgain { relay: SpkiHash, again: Again },
    /// It has failed that by this name, or answers no more.
    RelayDistrusted {
        relay: SpkiHash,
        name: String,
        refusal: bool,
    },
    /// A child's word about its parent has waited long enough.
    Suspect { child: SpkiHash, parent: SpkiHash },
    /// The broadcaster throws a member out.
    Evict(String),
    /// The input's rate was measured, in bit/s.
    Measured(u64),
    /// The broadcaster has to know this.
    Notice(String),
    /// The last chunk is out; a second time: end at once.
    End,
}

/// A member or an admitted relay.
pub(super) struct Member {
    pub(super) name: Name,
    pub(super) key: PublicKey,
    pub(super) kind: NodeKind,
    pub(super) addresses: Addresses,
    pub(super) sealing_key: Option<[u8; 32]>,
    pub(super) receipt_key: Option<ReceiptKey>,
    pub(super) relay_only: bool,
    pub(super) never_ask: bool,
    pub(super) down: mpsc::UnboundedSender<Down>,
    pub(super) admission: Option<Admission>,
    pub(super) claim_bps: u64,
    /// Of a relay: the end of its paid time.
    pub(super) lease_end: UnixMs,
    pub(super) load: Option<Load>,
    /// Part of the planner's tree: a member from its first claim on.
    pub(super) placed: bool,
    pub(super) receipts: super::receipts::Accounts,
}

/// The coordinator.
pub(super) struct Coordinator {
    pub(super) keys: Keys,
    pub(super) settings: Settings,
    pub(super) me: SpkiHash,
    pub(super) planner: Planner<SpkiHash>,
    pub(super) ladder: Option<Ladder<SpkiHash>>,
    pub(super) members: BTreeMap<SpkiHash, Member>,
    pub(super) join_rate: JoinRate,
    pub(super) renewals: super::membership::Renewals,
    pub(super) evicted: BTreeSet<SpkiHash>,
    pub(super) shown_sponsors: BTreeSet<SpkiHash>,
    pub(super) permits: super::permits::Permits,
    pub(super) mesh: super::neighbours::Mesh,
    pub(super) nearness: super::nearness::Nearness,
    pub(super) regions: super::regions::Told,
    pub(super) proven: super::receipts::Proven,
    pub(super) pictures: super::picture::Pictures,
    pub(super) node: Arc<Node>,
    pub(super) sent: link::SendRate,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) clock: Clock,
    pub(super) emit: Emitter,
    pub(super) trust: Arc<RelayTrust>,
    pub(super) head: watch::Receiver<Option<Published>>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) messages: mpsc::Sender<Event>,
    pub(super) introductions: super::introductions::Introductions,
    pub(super) page: Option<page::Running>,
    pub(super) traffic: super::traffic::Meter,
    pub(super) room: overlay::room::Room,
    pub(super) beacon_turns: overlay::rota::Rota<SpkiHash>,
    pub(super) suspicion: Suspicion<SpkiHash>,
    pub(super) notices: Vec<page::Notice>,
    pub(super) guarantees: super::guarantee::Guarantees,
    /// What was measured of the stream, in bit/s.
    pub(super) measured_bps: Option<u64>,
    /// When the run ends at the latest, once its last chunk is out.
    pub(super) ends_ms: Option<u64>,
    pub(super) epochs: Vec<mpsc::UnboundedSender<(Epoch, EpochSecret)>>,
    pub(super) away: super::returning::Away,
    /// Where the run is saved, and whether it was told that it could not be.
    pub(super) store: Option<super::saved::store::Store>,
    pub(super) saving: super::saving::Saving,
}

impl Coordinator {
    pub(super) fn new(
        keys: Keys,
        settings: Settings,
        parts: Parts,
        clock: Clock,
        emit: Emitter,
    ) -> Self {
        let me = keys.identity.spki();
        let config = Config {
            stripes: settings.stripes,
            ask_deadline_ms: settings.ask_deadline_ms,
            ask_interval_ms: settings.ask_interval_ms,
            // What a relay may carry before receipts have proven it.
            round_slots: overlay::slots::UNPROVEN_SLOTS,
            ..Config::default()
        };
        // The seed only breaks ties; the run's random number serves.
        let seed = keys
            .run
            .scope
            .run
            .0
            .iter()
            .fold(0u64, |s, b| s << 8 | u64::from(*b));
        let ladder = settings.ladder(me, seed);
        let edges = ladder.as_ref().map(Ladder::edges_at_first);
        Self {
            planner: Planner::new(me, edges.unwrap_or(settings.edges), config, seed),
            ladder,
            permits: super::permits::Permits::of_life(keys.lives),
            mesh: super::neighbours::Mesh::new(me, seed, settings.mesh),
            nearness: super::nearness::Nearness::new(me, settings.judging.agreement),
            regions: super::regions::Told::default(),
            proven: super::receipts::Proven::new(settings.judging),
            pictures: super::picture::Pictures::new(settings.upload_bps, clock.mono_us()),
            members: BTreeMap::new(),
            join_rate: JoinRate::new(settings.judging.joins),
            renewals: super::membership::Renewals::new(settings.membership_ms),
            evicted: BTreeSet::new(),
            shown_sponsors: BTreeSet::new(),
            notices: Vec::new(),
            guarantees: super::guarantee::Guarantees::default(),
            measured_bps: None,
            ends_ms: None,
            keys,
            settings,
            me,
            clock,
            emit,
            node: parts.node,
            sent: link::SendRate::default(),
            endpoint: parts.endpoint,
            trust: parts.trust,
            head: parts.head,
            events: parts.events,
            messages: parts.messages,
            introductions: super::introductions::Introductions::default(),
            page: parts.page,
            traffic: super::traffic::Meter::new(parts.traffic),
            room: overlay::room::Room::default(),
            beacon_turns: overlay::rota::Rota::default(),
            suspicion: Suspicion::default(),
            epochs: parts.epochs,
            away: super::returning::Away::default(),
            store: parts.store,
            saving: super::saving::Saving::default(),
        }
    }

    /// Runs until the end of the run. The station's own events and its clock
    /// come first: what members say waits, and with it who says too much.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<Event>,
        mut messages: mpsc::Receiver<Event>,
    ) {
        let mut tick = tokio::time::interval(Duration::from_millis(TICK_MS));
        let mut picture = tokio::time::interval(Duration::from_millis(PICTURE_MS));
        loop {
            tokio::select! {
                biased;
                event = inbox.recv() => match event {
                    Some(event) => self.take(event),
                    None => break,
                },
                _ = tick.tick() => {
                    self.blame();
                    self.planner.tick(self.clock.mono_ms());
                    self.hurry_neighbours();
                    self.renew_memberships();
                    self.end_away();
                }
                _ = picture.tick() => {
                    self.send_beacon();
                    self.sample_receipts();
                    self.lower_edges();
                    self.tell_proven();
                    self.tell_traffic();
                    self.make_room();
                    self.show_tree();
                    self.renew_permits();
                    self.tend_neighbours();
                    self.tend_nearness();
                    self.save_in_turn();
                }
                Some(event) = messages.recv() => self.take_waiting(event, &mut messages),
            }
            self.act();
            if self.has_ended() {
                break;
            }
        }
        self.farewell().await;
        self.end_saved();
    }

    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Join {
                link,
                join,
                holding,
                reply,
            } => {
                let outcome = match self.ends_ms {
                    Some(_) => Err(Reason::RunEnded),
                    None => match holding {
                        Some(holding) => self.rejoin(&link, Rejoin { join, holding }),
                        None => self.join(&link, join),
                    },
                };
                if outcome.is_ok() {
                    self.nearness.call(&link);
                }
                if let Err(reason) = &outcome {
                    let fields = json!({"reason": reason.name(), "other": link.peer.to_hex()});
                    self.emit.tell("join_refused", fields);
                }
                let _ = reply.send(outcome);
            }
            Event::Up { from, message } => self.hear(from, message),
            Event::Gone { node, graceful } => self.gone(node, graceful),
            Event::Silent(node) => self.line_silent(node),
            Event::Node(event) => self.node_event(event),
            Event::RelayReady(ready) => self.relay_ready(*ready),
            Event::RelayFailed {
                ask,
                sponsor,
                relay,
                reason,
            } => {
                self.introductions.end(sponsor);
                self.relay_failed(ask, sponsor, relay, reason);
            }
            Event::RelayAgain { relay, again } => match again {
                Again::Verified(proof) => self.tell_verified(relay, &proof, VerifiedOn::Control),
                Again::Expired(reason) => self.relay_expired(relay, reason),
                Again::Unresponsive => self.relay_unresponsive(relay),
            },
            Event::RelayDistrusted {
                relay,
                name,
                refusal,
            } => self.relay_distrusted(relay, &name, refusal),
            Event::Suspect { child, parent } => {
                let now_ms = self.clock.mono_ms();
                self.planner
                    .edge_failed(now_ms, child, parent, EdgeFault::Unreachable);
            }
            Event::Evict(name) => self.evict(&name),
            Event::Measured(bps) => self.measured(bps),
            Event::Notice(text) => self.notice(page::Level::Warning, text),
            Event::End => self.begin_end(),
        }
    }

    fn hear(&mut self, from: SpkiHash, message: Up) {
        match message {
            Up::Claim(claim) => self.claim(from, &claim),
            Up::Answer(answer) => self.answer(from, &answer),
            Up::Introduce(introduce) => self.introduced(from, introduce),
            Up::EdgeUp(edge) if edge.child => {
                for stripe in edge.stripes.iter() {
                    self.planner.edge_up(from, edge.other, stripe);
                }
            }
            Up::Playing(rendition) => self.playing(from, rendition),
            Up::Withheld(withheld) => self.withheld(from, &withheld),
            Up::EdgeDown(edge) => self.edge_down(from, &edge),
            Up::EdgeDoubt(edge) => self.edge_doubted(from, &edge),
            Up::Leaving(_) => self.leaving(from),
            Up::NeighbourDown(link) => self.neighbour_down(from, &link),
            Up::Receipt(receipt) => self.receipt(from, &receipt),
            Up::Lines(lines) => self.lines(from, &lines),
            Up::Regions(regions) => self.regions(from, &regions),
            Up::Equivocation(proof) => self.equivocation(from, &proof),
            Up::RedeemFailed(ask) => {
                let now_ms = self.clock.mono_ms();
                let _ = self.planner.redeem_failed(now_ms, ask, from);
            }
            Up::Load(load) => {
                if let Some(member) = self.members.get_mut(&from) {
                    member.load = Some(load);
                }
            }
            Up::EdgeUp(_) => {}
            Up::Join(_) | Up::Rejoin(_) | Up::Leave(_) | Up::Ready(_) => {
                self.throw_out(from, Reason::Nonsense);
            }
        }
    }

    /// A claim places its maker: the first one makes it part of the tree.
    fn claim(&mut self, from: SpkiHash, claim: &Signed<CapacityClaim>) {
        let now = self.clock.unix();
        let Some(member) = self.members.get_mut(&from) else {
            return;
        };
        let Ok(claim) = certs::claim::verify(claim, &self.keys.run, &member.key, now) else {
            self.throw_out(from, Reason::Nonsense);
            return;
        };
        member.claim_bps = claim.upload_bps;
        self.proven.claim(from, claim.upload_bps, None);
        let edges = self.edges_claimed(from);
        self.tell_unproven(from, edges);
        let now_ms = self.clock.mono_ms();
        let Some(member) = self.members.get_mut(&from) else {
            return;
        };
        let peer = Peer {
            edges,
            never_ask: member.never_ask,
            relay_only: member.relay_only,
        };
        if member.placed {
            let _ = self.planner.claim(now_ms, from, edges);
            self.ladder_joined(now_ms, from, peer);
            return;
        }
        member.placed = true;
        self.pictures.forget(from);
        let slots = self.settings.slots(edges);
        let fields = json!({"slots": slots, "edges": edges, "spki": from.to_hex()});
        self.emit.tell_of(member.name.as_str(), "joined", fields);
        self.place(now_ms, from, peer);
    }

    fn answer(&mut self, from: SpkiHash, answer: &Answer) {
        let now_ms = self.clock.mono_ms();
        let answered = self.planner.answer(now_ms, answer.ask, from, answer.choice);
        match answered {
            Ok(Answered::Granted(question)) => {
                if answer.show_name {
                    self.shown_sponsors.insert(from);
                }
                self.tell_question(from, "sponsor_accepted", &question);
            }
            Ok(Answered::Declined(question)) => {
                self.tell_question(from, "sponsor_declined", &question);
            }
            Ok(Answered::Late(_)) | Err(_) => {}
        }
    }

    pub(super) fn is_relay(&self, node: SpkiHash) -> bool {
        self.members
            .get(&node)
            .is_some_and(|m| m.kind == NodeKind::Relay)
    }

    pub(super) fn gone(&mut self, node: SpkiHash, graceful: bool) {
        let Some(member) = self.members.remove(&node) else {
            return;
        };
        self.nearness.forget(node);
        self.regions.forget(node);
        let now_ms = self.clock.mono_ms();
        if member.kind == NodeKind::Relay {
            let kind = if graceful { "relay_left" } else { "relay_lost" };
            self.emit.tell(kind, json!({"relay": node.to_hex()}));
            let text = format!("{} has gone", member.name);
            self.notice(page::Level::Warning, text);
        } else {
            self.emit
                .tell_of(member.name.as_str(), "left", json!({"graceful": graceful}));
        }
        if !member.placed {
            return;
        }
        let _ = if graceful {
            self.planner.leave(now_ms, node)
        } else {
            self.planner.lost(now_ms, node)
        };
        self.ladder_left(now_ms, node);
        self.away.forget(node);
        self.permits.forget(node);
        self.mesh.leave(node);
        self.proven.forget(node);
        self.shown_sponsors.remove(&node);
    }

    fn node_event(&mut self, event: NodeEvent) {
        match event {
            NodeEvent::RelayVerified { relay, proof } => {
                self.tell_verified(relay.spki, &proof, VerifiedOn::Edge);
            }
            NodeEvent::RelayExpired { relay, reason } => self.relay_expired(relay.spki, reason),
            NodeEvent::RelayUnresponsive { relay, .. } => self.relay_unresponsive(relay.spki),
            NodeEvent::EdgeUp { other, child, .. } => {
                let fields = json!({"other": other.spki.to_hex(), "child": child});
                self.emit.tell("edge_up", fields);
            }
            NodeEvent::EdgeDown {
                other,
                child: false,
                reason,
                name,
                refusal,
                detail,
                ..
            } => {
                tracing::info!(other = %other.short(), "an edge of the station ended: {detail}");
                if refusal {
                    let fields = json!({"reason": name, "other": other.to_hex()});
                    self.emit.tell("attack_refused", fields);
                }
                let now_ms = self.clock.mono_ms();
                if super::doubt::puts_out(reason) && self.is_relay(other) {
                    self.gone(other, false);
                } else if refusal {
                    let me = self.me;
                    self.planner
                        .edge_failed(now_ms, other, me, EdgeFault::Refused);
                }
            }
            NodeEvent::Chunk { key, .. } => self.note_chunk(key),
            event @ NodeEvent::SenderEquivocated { .. } => self.sender_equivocated(event),
            NodeEvent::LeftOut { child, dropped } => {
                let fields = link::left_out_fields(child, &dropped);
                self.emit.tell("child_left_out", fields);
            }
            _ => {}
        }
    }
}
