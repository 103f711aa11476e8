//! A viewer's session: one task that hears the station, its own node, its
//! user and its page, and does what each of them may ask for.

use super::Options;
use super::admission::Membership;
use super::evidence::{Archive, Refused};
use super::leaving::Leaving;
use super::line::{Heard, Line};
use super::playout::Playout;
use super::receipts::Receipts;
use super::typed::{self, Typed};
use crate::Error;
use crate::signals::Interrupts;
use crate::sponsor::{Choice, Setting, Sponsor};
use certs::seal::Openers;
use link::{Channel, Clock, Emitter, Endpoint, Node, NodeEvent, NodeLoad, Proof};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use wire::message::control::{
    Down, EdgeFailure, EdgeOrder, EdgeReport, Empty, Load, NodeRef, TreePicture, Up,
};
use wire::statement::{CapacityClaim, Signed};
use wire::{Reason, Rendition, SpkiHash, Stripe, StripeSet};

/// How often load and page are brought up to date.
const TICK_MS: u64 = 500;
/// How often a receipt is written.
const RECEIPT_MS: u64 = 5_000;
/// Notices that the page shows.
const NOTICES_MAX: usize = 20;

/// A relay that this viewer has verified for itself.
pub(crate) type Proofs = BTreeMap<SpkiHash, Arc<Proof>>;

/// The session.
pub(crate) struct Session {
    pub(crate) options: Options,
    pub(super) membership: Membership,
    pub(crate) node: Arc<Node>,
    pub(crate) clock: Clock,
    pub(crate) emit: Emitter,
    pub(crate) playout: Playout,
    pub(crate) page: Option<page::Running>,
    pub(crate) sponsor: Sponsor,
    pub(crate) proofs: Proofs,
    /// Relays that this viewer refused, the latest first.
    pub(crate) refused: Vec<Refused>,
    pub(super) archive: Option<Archive>,
    /// Relays whose metadata have expired since they were verified.
    pub(crate) expired: BTreeSet<SpkiHash>,
    /// Who is the last to have brought a first block of each stripe.
    pub(crate) parents: BTreeMap<Stripe, NodeRef>,
    /// The tree, and when (Unix, in milliseconds) it was told.
    pub(crate) tree: Option<(TreePicture, u64)>,
    pub(crate) notices: Vec<page::Notice>,
    /// Whether no single node's end costs this viewer a chunk, by the station.
    pub(crate) guaranteed: Option<bool>,
    pub(crate) sent: link::SendRate,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) openers: Openers,
    pub(super) receipts: Receipts,
    last_receipt_ms: u64,
    /// What was pulled and given, as told last.
    pub(super) repairs: link::Repairs,
    pub(super) measuring: link::Measuring,
    pub(super) waiting: super::waiting::Waiting,
    pub(super) to_receipt: VecDeque<super::stream::Done>,
    pub(super) leaving: Leaving,
    pub(super) last_path: serde_json::Value,
    pub(super) up: mpsc::UnboundedSender<Up>,
    pub(super) outbox: mpsc::UnboundedReceiver<Up>,
}

/// What a session works with.
pub(super) struct Parts {
    pub(super) node: Arc<Node>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) clock: Clock,
    pub(super) emit: Emitter,
    pub(super) playout: Playout,
    pub(super) page: Option<page::Running>,
    pub(super) archive: Option<Archive>,
}

/// Why a session ends.
pub(super) enum End {
    /// The user or the station has ended it.
    Done,
    /// The station refused us, or is gone.
    Refused(Reason),
}

impl Session {
    pub(super) fn new(options: Options, membership: Membership, parts: Parts) -> Self {
        let Parts {
            node,
            endpoint,
            clock,
            emit,
            playout,
            page,
            archive,
        } = parts;
        let scope = &membership.run.scope;
        let mut openers = Openers::new(scope.stream, scope.run);
        openers.add(
            membership.secrets.epoch,
            membership.secrets.epoch_secret.clone(),
        );
        let (up, outbox) = mpsc::unbounded_channel();
        let sponsor = Sponsor::new(Setting {
            mode: options.mode,
            asks: options.controls.asks,
            desk: options.desk.clone(),
            data: options.shared.data.clone(),
            trust: options.shared.trust.relays.clone(),
            run: membership.run.clone(),
            signed_run: membership.signed_run.clone(),
            me: membership.identity.spki(),
            local_ip: options.shared.listen.ip(),
            clock: clock.clone(),
            banner: options.shared.trust.banner.clone(),
            reverification: node.reverification(),
        });
        Self {
            sponsor,
            proofs: Proofs::new(),
            refused: Vec::new(),
            archive,
            expired: BTreeSet::new(),
            parents: BTreeMap::new(),
            tree: None,
            notices: Vec::new(),
            guaranteed: None,
            sent: link::SendRate::default(),
            receipts: Receipts::new(scope.clone(), membership.identity.spki()),
            last_receipt_ms: 0,
            repairs: link::Repairs::default(),
            measuring: link::Measuring::default(),
            waiting: super::waiting::Waiting::default(),
            to_receipt: VecDeque::new(),
            leaving: Leaving::No,
            last_path: serde_json::Value::Null,
            options,
            membership,
            node,
            endpoint,
            clock,
            emit,
            playout,
            page,
            openers,
            up,
            outbox,
        }
    }

    /// Runs until the station or the user ends it; the result is the exit
    /// code.
    pub(super) async fn run(
        mut self,
        channel: Channel,
        events: mpsc::UnboundedReceiver<NodeEvent>,
        typed: mpsc::Receiver<String>,
    ) -> Result<u8, Error> {
        let mut line = Line::up(channel);
        let ended = match self.attend(&mut line, events, typed).await {
            Ok(end) => self.finish(end, line).await,
            Err(e) => Err(e),
        };
        let written = self.playout.close().await;
        ended.and_then(|code| written.map(|()| code))
    }

    /// Does what comes, until something is the end.
    async fn attend(
        &mut self,
        line: &mut Line,
        mut events: mpsc::UnboundedReceiver<NodeEvent>,
        mut typed: mpsc::Receiver<String>,
    ) -> Result<End, Error> {
        let me = self.membership.identity.spki();
        self.emit.tell("member", json!({"spki": me.to_hex()}));
        line.send(&Up::Claim(self.claim())).await;
        let mut signals = Interrupts::listen();
        let mut page_replies = self.page.as_mut().and_then(page::Running::answers);
        let mut tick = tokio::time::interval(Duration::from_millis(TICK_MS));
        loop {
            let step = tokio::select! {
                heard = line.next() => match heard {
                    Heard::Word(Ok(Some(message))) => self.hear(message),
                    Heard::Word(ended) => self.line_ended(ended.err(), line).await,
                    Heard::Again(outcome) => {
                        self.rejoined(*outcome, &mut events, line).await
                    }
                },
                Some(event) = events.recv() => self.node_event(event),
                Some(line) = typed.recv() => self.typed(&line),
                () = signals.next() => Ok(self.quit()),
                Some(reply) = next_reply(&mut page_replies) => self.page_reply(reply),
                Some(step) = self.sponsor.next() => {
                    self.sponsor_step(step);
                    Ok(None)
                }
                Some(message) = self.outbox.recv(), if line.is_up() => {
                    line.send(&message).await;
                    Ok(None)
                }
                _ = tick.tick() => {
                    self.tick();
                    Ok(self.watch_membership(line))
                }
            };
            if let Some(end) = step? {
                return Ok(end);
            }
            if self.may_leave() {
                return Ok(End::Done);
            }
        }
    }

    /// This viewer's claim, signed now.
    pub(super) fn claim(&self) -> Signed<CapacityClaim> {
        let share_bps = self.options.share_bps;
        self.membership.claim(share_bps, self.clock.unix())
    }

    /// The station's end of the line is silent: it has said why, or it talks
    /// nonsense, or it is gone and may come back.
    async fn line_ended(
        &mut self,
        error: Option<link::Error>,
        line: &mut Line,
    ) -> Result<Option<End>, Error> {
        let link = &self.membership.link;
        if let Some(e @ link::Error::Decode(_)) = error {
            link.close(e.wire_reason());
            return Err(e.into());
        }
        match link.last_word().await {
            Reason::PeerGone => {
                self.rejoin(line);
                Ok(None)
            }
            reason => Ok(Some(End::Refused(reason))),
        }
    }

    async fn finish(&mut self, end: End, mut line: Line) -> Result<u8, Error> {
        self.report_path();
        self.tell_repairs();
        self.emit.tell(
            "viewer_report",
            self.playout.report.to_json(
                self.last_path
                    .get("hops")
                    .unwrap_or(&serde_json::Value::Null),
            ),
        );
        if matches!(end, End::Done) {
            line.send(&Up::Leave(Empty {})).await;
            line.finish().await;
        }
        self.endpoint.close(Reason::Done).await;
        match end {
            End::Done | End::Refused(Reason::RunEnded) => Ok(0),
            End::Refused(reason) => {
                self.emit.tell("refused", json!({"reason": reason.name()}));
                Err(if reason == Reason::PeerGone {
                    Error::StationGone(reason)
                } else {
                    Error::Refused(reason)
                })
            }
        }
    }

    fn hear(&mut self, message: Down) -> Result<Option<End>, Error> {
        let run = self.membership.run.clone();
        let me = self.membership.identity.spki();
        let now = self.clock.unix();
        match message {
            Down::Refused(reason) => return Ok(Some(End::Refused(reason))),
            Down::Edge(order) => {
                if let Err(e) = self.order_edge(*order) {
                    if matches!(e, Error::NotRelayOnly) {
                        self.tell_attack(&e.reason(), "");
                    }
                    self.notice(page::Level::Warning, format!("an edge was refused: {e}"));
                }
            }
            Down::EdgeEnd(end) => self.node.end_edge(end.other, end.child, end.reason),
            Down::Neighbour(order) => self.order_neighbour(*order),
            Down::NeighbourEnd(end) => self.node.end_neighbour(end.other, end.child, end.reason),
            Down::Ask(ask) => {
                let ask = self.options.controls.asks.ask(&ask, &run, &me, now)?;
                self.sponsor.asked(ask);
            }
            Down::Granted(grant) => self.sponsor.granted(&grant),
            Down::NotNeeded(ask) => {
                if self.sponsor.not_needed(ask) {
                    self.emit.tell("sponsor_withdrawn", json!({"ask": ask.0}));
                }
            }
            Down::Epoch(sealed) => self.epoch(&sealed)?,
            Down::Beacon(beacon) => self.node.take_beacon(&beacon)?,
            Down::Revoked(revocation) => self.node.revoke(&revocation)?,
            Down::Equivocation(proof) => self.node.take_equivocation(&proof)?,
            Down::Tree(picture) => {
                self.tree = Some((picture, now.0));
                self.report_path();
            }
            Down::RelayAdmitted(relay) => {
                self.emit
                    .tell("my_relay_admitted", json!({"relay": relay.to_hex()}));
                self.sponsor.admitted(relay);
            }
            Down::RelayRefused(refusal) => {
                let fields = json!({
                    "relay": refusal.relay.to_hex(), "reason": refusal.reason.name(),
                });
                self.emit.tell("my_relay_refused", fields);
                self.sponsor.refused(refusal.relay, refusal.reason);
                self.notice(
                    page::Level::Error,
                    format!("your relay was refused: {}", refusal.reason),
                );
            }
            Down::Guarantee(sure) => self.guarantee(sure),
            Down::Move(to) => self.moved(to),
            Down::Membership(certificate) => self.renewal(&certificate),
            Down::Sampling(rule) => self.receipts.sample(rule),
            Down::Admitted(_) | Down::Readmitted(_) => {
                return Err(link::Error::OutOfTurn("admitted twice").into());
            }
        }
        Ok(None)
    }

    /// The station hangs this viewer under somebody, or somebody under it.
    fn order_edge(&mut self, order: EdgeOrder) -> Result<(), Error> {
        if self.options.relay_only {
            let links = self.options.controls.links;
            links.allows(&order.other, self.membership.run.coordinator)?;
        }
        self.order_flow(order)
    }

    fn epoch(&mut self, sealed: &[u8]) -> Result<(), Error> {
        let me = self.membership.identity.spki();
        let scope = &self.membership.run.scope;
        let secrets = certs::bundle::open(sealed, &self.membership.sealing, scope, &me)?;
        self.openers
            .add(secrets.epoch, secrets.epoch_secret.clone());
        self.membership.secrets = secrets;
        Ok(())
    }

    pub(super) fn node_event(&mut self, event: NodeEvent) -> Result<Option<End>, Error> {
        match event {
            NodeEvent::RelayVerified { relay, proof } => self.relay_verified(&relay, proof),
            NodeEvent::RelayExpired { relay, reason } => self.relay_expired(&relay, reason),
            NodeEvent::RelayUnresponsive { relay, child } => {
                self.relay_unresponsive(&relay, child);
            }
            NodeEvent::EdgeUp {
                other,
                child,
                rendition,
                stripes,
                resume,
            } => {
                let resume_from = resume.map(|r| r.next.0);
                self.edge_up(&other, child, (rendition, stripes), resume_from);
            }
            NodeEvent::EdgeDown {
                other,
                child,
                rendition,
                reason,
                name,
                detail,
                refusal,
                verdict,
            } => {
                if let Some(verdict) = verdict {
                    self.relay_refused(other, *verdict);
                }
                let (name, detail) = (name.as_str(), detail.as_str());
                let why = (reason, name, detail);
                self.edge_down((other, child, rendition), why, refusal);
            }
            event @ (NodeEvent::NeighbourUp { .. } | NodeEvent::NeighbourDown { .. }) => {
                self.neighbour_event(event);
            }
            NodeEvent::Chunk { key, from } => self.chunk(key, from)?,
            NodeEvent::Dropped { from, dropped } => {
                let fields = json!({
                    "from": from.to_hex(), "first": dropped.from.0, "next": dropped.to.0,
                    "reason": dropped.reason.name(),
                });
                self.emit.tell("chunks_left_out", fields);
                let of = self.node.rendition_from(from);
                if of.is_none() || of == self.playout.rendition() {
                    self.playout.skip(&dropped);
                }
            }
            NodeEvent::LeftOut { child, dropped } => {
                let fields = link::left_out_fields(child, &dropped);
                self.emit.tell("child_left_out", fields);
            }
            NodeEvent::Beacon(beacon) => self.head_is(&beacon),
            NodeEvent::Withheld {
                from,
                rendition,
                stripes,
                head,
                newest,
            } => self.withheld((from, rendition), stripes, head, newest),
            event @ NodeEvent::SenderEquivocated { .. } => self.sender_equivocated(event),
            NodeEvent::ByteCapReached => {}
        }
        Ok(None)
    }

    /// An edge works: as a parent's, or these stripes of a parent.
    fn edge_up(
        &mut self,
        other: &NodeRef,
        child: bool,
        (rendition, stripes): (Rendition, StripeSet),
        resume_from: Option<u64>,
    ) {
        let fields = json!({
            "other": other.spki.to_hex(), "child": child, "node": other.kind.name(),
            "stripes": numbers(stripes),
        });
        self.emit.tell("edge_up", fields);
        if !child {
            return;
        }
        let _ = self.up.send(Up::EdgeUp(EdgeReport {
            other: other.spki,
            child,
            rendition,
            stripes,
        }));
        if self.parents.values().all(|p| p.spki != other.spki) {
            let text = format!("the stream comes from {}", other.name);
            self.notice(page::Level::Info, text);
        }
        let striped = self.membership.run.stripes.count() > 1;
        for stripe in stripes.iter() {
            self.receipts.open(other.spki, rendition, stripe);
            let old = self.parents.insert(stripe, other.clone());
            if let Some(old) = old.filter(|old| old.spki != other.spki || stripes.len() == 1) {
                self.emit.tell(
                    "reparented",
                    json!({
                        "from": old.spki.to_hex(), "to": other.spki.to_hex(),
                        "stripe": striped.then_some(stripe.0), "resume_from": resume_from,
                    }),
                );
            }
        }
        self.report_path();
    }

    fn edge_down(
        &mut self,
        (other, child, rendition): (SpkiHash, bool, Rendition),
        (reason, name, detail): (Reason, &str, &str),
        refusal: bool,
    ) {
        if refusal {
            let rejected = matches!(
                reason,
                Reason::BlockProofMismatch | Reason::HeaderSignatureInvalid
            );
            if rejected {
                self.playout.report.rejected();
                let fields = json!({"from": other.to_hex(), "reason": name});
                self.emit.tell("chunk_rejected", fields);
            }
            self.tell_attack(name, &other.to_hex());
            self.notice(
                page::Level::Warning,
                format!("refused {}: {detail}", other.short()),
            );
        }
        let fields = json!({
            "other": other.to_hex(), "child": child, "reason": name, "detail": detail,
        });
        self.emit.tell("edge_down", fields);
        if child {
            self.keep_receipts(other, StripeSet::EMPTY);
        }
        let _ = self.up.send(Up::EdgeDown(EdgeFailure {
            other,
            child,
            rendition,
            reason,
        }));
    }

    fn typed(&mut self, line: &str) -> Result<Option<End>, Error> {
        match typed::parse(line) {
            Ok(Typed::Answer {
                ask,
                choice,
                show_name,
            }) => self.answer(ask, choice, show_name),
            Ok(Typed::Stop) => self.sponsor.stop(),
            Ok(Typed::Quit) => return Ok(self.quit()),
            Ok(Typed::Nothing) => {}
            Err(e) => self.emit.say(&e.to_string()),
        }
        Ok(None)
    }

    fn page_reply(&mut self, reply: page::Reply) -> Result<Option<End>, Error> {
        match reply {
            page::Reply::Answer(answer) => {
                let choice = match answer.answer {
                    page::Choice::Accept => Choice::Accept,
                    page::Choice::Decline => Choice::Decline,
                    page::Choice::Never => Choice::Never,
                };
                match typed::ask_id(&answer.ask) {
                    Ok(ask) => self.answer(Some(ask), choice, answer.show_name),
                    Err(e) => self.notice(page::Level::Warning, e.to_string()),
                }
            }
            page::Reply::Stop(_) => self.sponsor.stop(),
        }
        Ok(None)
    }

    fn tick(&mut self) {
        let now_ms = self.clock.mono_ms();
        let NodeLoad {
            children,
            sent_bytes,
            ..
        } = self.node.load();
        if self.sent.update(now_ms, sent_bytes) {
            let _ = self.up.send(Up::Load(Load {
                children,
                sent_bytes,
                sent_bps: self.sent.bps(),
                delay_ms: self.playout.report.delay_ms().unwrap_or(0),
            }));
        }
        if now_ms.saturating_sub(self.last_receipt_ms) >= RECEIPT_MS {
            self.last_receipt_ms = now_ms;
            self.send_receipts();
            self.tell_repairs();
        }
        self.tell_lines(now_ms);
        self.note_waiting(now_ms);
        self.show();
    }

    pub(super) fn tell_attack(&self, reason: &str, other: &str) {
        let fields = json!({"reason": reason, "other": other});
        self.emit.tell("attack_refused", fields);
    }

    pub(crate) fn notice(&mut self, level: page::Level, text: String) {
        let at_ms = self.clock.unix().0;
        self.notices.insert(0, page::Notice { level, at_ms, text });
        self.notices.truncate(NOTICES_MAX);
    }
}

/// Stripes as they are told.
pub(super) fn numbers(stripes: StripeSet) -> Vec<u8> {
    stripes.iter().map(|stripe| stripe.0).collect()
}

async fn next_reply(replies: &mut Option<mpsc::Receiver<page::Reply>>) -> Option<page::Reply> {
    match replies {
        Some(replies) => replies.recv().await,
        None => std::future::pending().await,
    }
}
