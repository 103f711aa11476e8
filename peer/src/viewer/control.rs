//! A viewer's session: one task that hears the station, its own node, its
//! user and its page, and does what each of them may ask for.

use super::Options;
use super::admission::Membership;
use super::playout::{Played, Playout};
use crate::Error;
use crate::sponsor::{Choice, Sponsor, Step};
use certs::receipt::Accumulator;
use certs::seal::Openers;
use link::{Channel, Clock, Emitter, Endpoint, Node, NodeEvent, Proof, Receiver, Sender};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use wire::message::control::{
    Down, EdgeFailure, EdgeReport, Empty, Load, NodeKind, NodeRef, TreePicture, Up,
};
use wire::statement::ChunkKey;
use wire::{Reason, Rendition, SpkiHash, Stripe};

/// How often load and page are brought up to date.
const TICK_MS: u64 = 500;
/// How often a receipt is written.
const RECEIPT_MS: u64 = 5_000;
/// A chunk that comes later than this behind its publishing is late.
const IN_TIME_MS: u64 = 2_000;
/// Notices that the page shows.
const NOTICES_MAX: usize = 20;

/// A relay that this viewer has verified for itself.
pub(crate) type Proofs = BTreeMap<SpkiHash, Arc<Proof>>;

/// The session.
pub(crate) struct Session {
    pub(crate) options: Options,
    membership: Membership,
    pub(crate) node: Arc<Node>,
    pub(crate) clock: Clock,
    pub(crate) emit: Emitter,
    pub(crate) playout: Playout,
    pub(crate) page: Option<page::Running>,
    pub(crate) sponsor: Sponsor,
    pub(crate) proofs: Proofs,
    pub(crate) parent: Option<NodeRef>,
    pub(crate) tree: Option<TreePicture>,
    pub(crate) notices: Vec<page::Notice>,
    pub(crate) sent_bps: u64,
    endpoint: Arc<Endpoint>,
    openers: Openers,
    receipts: Option<Accumulator>,
    receipt_interval: u64,
    last_receipt_ms: u64,
    last_sent: (u64, u64),
    last_path: serde_json::Value,
    up: mpsc::UnboundedSender<Up>,
    outbox: mpsc::UnboundedReceiver<Up>,
}

/// Why a session ends.
enum End {
    /// The user or the station has ended it.
    Done,
    /// The station refused us, or is gone.
    Refused(Reason),
}

impl Session {
    #[allow(clippy::too_many_arguments, reason = "made once, by the viewer")]
    pub(super) fn new(
        options: Options,
        membership: Membership,
        node: Arc<Node>,
        endpoint: Arc<Endpoint>,
        clock: Clock,
        emit: Emitter,
        mut playout: Playout,
        page: Option<page::Running>,
    ) -> Self {
        let scope = &membership.run.scope;
        let mut openers = Openers::new(scope.stream, scope.run);
        openers.add(
            membership.secrets.epoch,
            membership.secrets.epoch_secret.clone(),
        );
        playout.report.joined(clock.mono_ms());
        let (up, outbox) = mpsc::unbounded_channel();
        let sponsor = Sponsor::new(
            options.mode,
            options.desk.clone(),
            options.shared.data.clone(),
            options.shared.trust.relays.clone(),
            membership.run.clone(),
            membership.signed_run.clone(),
            membership.identity.spki(),
            options.shared.listen.ip(),
            clock,
        );
        Self {
            sponsor,
            proofs: Proofs::new(),
            parent: None,
            tree: None,
            notices: Vec::new(),
            sent_bps: 0,
            receipts: None,
            receipt_interval: 0,
            last_receipt_ms: 0,
            last_sent: (0, 0),
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
        mut events: mpsc::UnboundedReceiver<NodeEvent>,
        mut typed: mpsc::Receiver<String>,
    ) -> Result<u8, Error> {
        let (mut sender, mut receiver) = channel.split::<Down>();
        let me = self.membership.identity.spki();
        self.emit.tell("member", json!({"spki": me.to_hex()}));
        let claim = self
            .membership
            .claim(self.options.share_bps, self.clock.unix());
        sender.send(&Up::Claim(claim)).await?;
        let mut page_replies = self.page.as_mut().and_then(page::Running::answers);
        let mut tick = tokio::time::interval(Duration::from_millis(TICK_MS));
        let end = loop {
            let step = tokio::select! {
                message = receiver.recv() => self.hear(message),
                Some(event) = events.recv() => self.node_event(event),
                Some(line) = typed.recv() => self.typed(&line),
                Some(reply) = next_reply(&mut page_replies) => self.page_reply(reply),
                Some(step) = self.sponsor.next() => self.sponsor_step(step),
                Some(message) = self.outbox.recv() => {
                    sender.send(&message).await?;
                    Ok(None)
                }
                _ = tick.tick() => self.tick(),
            };
            if let Some(end) = step? {
                break end;
            }
        };
        self.finish(end, sender, &mut receiver).await
    }

    async fn finish(
        mut self,
        end: End,
        mut sender: Sender,
        _receiver: &mut Receiver<Down>,
    ) -> Result<u8, Error> {
        self.report_path();
        self.emit.tell(
            "viewer_report",
            self.playout.report.to_json(&self.last_path),
        );
        if matches!(end, End::Done) {
            let _ = sender.send(&Up::Leave(Empty {})).await;
            sender.finish().await;
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

    fn hear(&mut self, message: Result<Option<Down>, link::Error>) -> Result<Option<End>, Error> {
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) | Err(_) => {
                let reason = self.membership.link.close_reason();
                return Ok(Some(End::Refused(reason)));
            }
        };
        let run = self.membership.run.clone();
        let me = self.membership.identity.spki();
        let now = self.clock.unix();
        match message {
            Down::Refused(reason) => return Ok(Some(End::Refused(reason))),
            Down::Edge(order) => {
                if let Err(e) = self.node.order_edge(*order) {
                    self.notice(page::Level::Warning, format!("an edge was refused: {e}"));
                }
            }
            Down::EdgeEnd(end) => self.node.end_edge(end.other, end.child, end.reason),
            Down::Ask(ask) => {
                let ask = certs::asking::verify_ask(&ask, &run, &me, now)?;
                self.sponsor.asked(ask);
            }
            Down::Granted(grant) => self.sponsor.granted(&grant),
            Down::NotNeeded(ask) => {
                if self.sponsor.not_needed(ask) {
                    self.emit.tell("sponsor_withdrawn", json!({"ask": ask.0}));
                }
            }
            Down::Epoch(sealed) => self.epoch(&sealed)?,
            Down::Beacon(beacon) => {
                certs::beacon::verify(&beacon, &run)?;
            }
            Down::Revoked(revocation) => self.node.revoke(&revocation)?,
            Down::Tree(picture) => {
                self.tree = Some(picture);
                self.report_path();
            }
            Down::RelayAdmitted(relay) => {
                self.emit
                    .tell("my_relay_admitted", json!({"relay": relay.to_hex()}));
            }
            Down::RelayRefused(refusal) => {
                let fields = json!({
                    "relay": refusal.relay.to_hex(), "reason": refusal.reason.name(),
                });
                self.emit.tell("my_relay_refused", fields);
                self.notice(
                    page::Level::Error,
                    format!("your relay was refused: {}", refusal.reason),
                );
            }
            Down::Admitted(_) => return Err(link::Error::OutOfTurn("admitted twice").into()),
        }
        Ok(None)
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

    fn node_event(&mut self, event: NodeEvent) -> Result<Option<End>, Error> {
        match event {
            NodeEvent::RelayVerified { relay, proof } => {
                let fields = crate::station::verified_fields(relay.spki, &proof);
                self.emit.tell("relay_verified", fields);
                self.proofs.insert(relay.spki, proof);
            }
            NodeEvent::EdgeUp {
                other,
                child,
                resume,
            } => self.edge_up(other, child, resume.map(|r| r.next.0)),
            NodeEvent::EdgeDown {
                other,
                child,
                reason,
                name,
                detail,
                refusal,
            } => self.edge_down(other, child, reason, &name, &detail, refusal),
            NodeEvent::Chunk { key, from } => self.chunk(key, from)?,
            NodeEvent::Dropped { from, dropped } => {
                let fields = json!({
                    "from": from.to_hex(), "first": dropped.from.0, "next": dropped.to.0,
                    "reason": dropped.reason.name(),
                });
                self.emit.tell("chunks_left_out", fields);
                self.playout.skip(&dropped);
            }
            NodeEvent::Beacon(_) | NodeEvent::ByteCapReached => {}
        }
        Ok(None)
    }

    fn edge_up(&mut self, other: NodeRef, child: bool, resume_from: Option<u64>) {
        let fields = json!({
            "other": other.spki.to_hex(), "child": child, "kind": other.kind.name(),
        });
        self.emit.tell("edge_up", fields);
        if !child {
            return;
        }
        let _ = self.up.send(Up::EdgeUp(EdgeReport {
            other: other.spki,
            child,
        }));
        let me = self.membership.identity.spki();
        let scope = self.membership.run.scope.clone();
        self.receipts = Some(Accumulator::new(
            scope,
            me,
            other.spki,
            Stripe(0),
            Rendition(0),
        ));
        let old = self.parent.replace(other.clone());
        if let Some(old) = old {
            self.emit.tell(
                "reparented",
                json!({
                    "from": old.spki.to_hex(), "to": other.spki.to_hex(),
                    "resume_from": resume_from,
                }),
            );
        }
        self.report_path();
    }

    fn edge_down(
        &mut self,
        other: SpkiHash,
        child: bool,
        reason: Reason,
        name: &str,
        detail: &str,
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
            let fields = json!({"reason": name, "other": other.to_hex()});
            self.emit.tell("attack_refused", fields);
            self.notice(
                page::Level::Warning,
                format!("refused {}: {detail}", other.short()),
            );
        }
        let fields = json!({
            "other": other.to_hex(), "child": child, "reason": name, "detail": detail,
        });
        self.emit.tell("edge_down", fields);
        let _ = self.up.send(Up::EdgeDown(EdgeFailure {
            other,
            child,
            reason,
        }));
    }

    fn chunk(&mut self, key: ChunkKey, from: Option<SpkiHash>) -> Result<(), Error> {
        self.count_receipt(key);
        let now = (self.clock.unix(), self.clock.mono_ms());
        let first = self.playout.report.first_ms().is_none();
        let played = match self
            .playout
            .advance(&self.node, key, &mut self.openers, now)
        {
            Ok(played) => played,
            Err(Error::Certs(e)) => {
                // Signed by the sender and yet wrong: never the parent's fault.
                self.emit
                    .tell("chunk_unusable", json!({"reason": e.reason()}));
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        for chunk in &played {
            self.trace(chunk, from);
        }
        if first && let Some(ms) = self.playout.report.first_ms() {
            let from = from.map(|f| f.to_hex());
            self.emit
                .tell("first_chunk", json!({"from": from, "ms": ms}));
        }
        Ok(())
    }

    fn trace(&self, chunk: &Played, from: Option<SpkiHash>) {
        if !self.options.shared.trace_chunks {
            return;
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, &chunk.bytes);
        self.emit.tell(
            "chunk_received",
            json!({
                "init": chunk.key.init,
                "sequence": chunk.key.sequence.0,
                "key": chunk.keyframe,
                "sha256": data_encoding::HEXLOWER.encode(digest.as_ref()),
                "bytes": chunk.bytes.len(),
                "from": from.map(|f| f.to_hex()),
                "delay_ms": chunk.delay_ms,
            }),
        );
    }

    fn count_receipt(&mut self, key: ChunkKey) {
        let Some((header, blocks)) = self.node.chunk(key) else {
            return;
        };
        let in_time = self.clock.unix().since_ms(header.published) <= IN_TIME_MS;
        if let Some(receipts) = &mut self.receipts {
            for (index, block) in (0u16..).zip(&blocks) {
                let _ = receipts.add(&header, index, block, in_time);
            }
        }
    }

    fn typed(&mut self, line: &str) -> Result<Option<End>, Error> {
        let (word, ask) = match line.split_once(' ') {
            Some((word, rest)) => (word, rest.trim().parse::<u64>().ok()),
            None => (line, None),
        };
        match word {
            "accept" => self.answer(ask, Choice::Accept, true),
            "decline" => self.answer(ask, Choice::Decline, false),
            "never" => self.answer(ask, Choice::Never, false),
            "stop" => self.sponsor.stop(),
            "quit" => return Ok(Some(End::Done)),
            "" => {}
            _ => self
                .emit
                .say("commands: accept, decline, never, stop, quit"),
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
                self.answer(answer.ask.parse().ok(), choice, answer.show_name);
            }
            page::Reply::Stop(_) => self.sponsor.stop(),
        }
        Ok(None)
    }

    fn answer(&mut self, ask: Option<u64>, choice: Choice, show_name: bool) {
        match self.sponsor.answer(ask, choice, show_name) {
            Some(answer) => {
                let _ = self.up.send(Up::Answer(answer));
            }
            None => self.emit.say("nobody asks you at the moment"),
        }
    }

    /// What the sponsor's work in the background has brought.
    fn sponsor_step(&mut self, step: Step) -> Result<Option<End>, Error> {
        match step {
            Step::Tell(kind, fields) => self.emit.tell(kind, fields),
            Step::Say(text) => {
                self.emit.say(&text);
                self.notice(page::Level::Info, text);
            }
            Step::Prompt(text) => self.emit.say(&text),
            Step::Answer(answer) => {
                let _ = self.up.send(Up::Answer(answer));
            }
            Step::Introduce(introduce) => {
                let _ = self.up.send(Up::Introduce(*introduce));
            }
            Step::Failed(ask, error) => {
                if error.exit_code() == 3 {
                    let fields = json!({"reason": error.reason(), "other": ""});
                    self.emit.tell("attack_refused", fields);
                }
                let fields = json!({"ask": ask.0, "reason": error.reason()});
                self.emit.tell("redeem_failed", fields);
                self.notice(page::Level::Error, error.to_string());
                self.emit.say(&error.to_string());
                let _ = self.up.send(Up::RedeemFailed(ask));
            }
        }
        Ok(None)
    }

    fn tick(&mut self) -> Result<Option<End>, Error> {
        let now_ms = self.clock.mono_ms();
        let (children, sent_bytes) = self.node.load();
        let (then_ms, then_bytes) = self.last_sent;
        let span_ms = now_ms.saturating_sub(then_ms);
        if span_ms >= 1_000 {
            self.sent_bps = sent_bytes.saturating_sub(then_bytes) * 8_000 / span_ms;
            self.last_sent = (now_ms, sent_bytes);
            let _ = self.up.send(Up::Load(Load {
                children,
                sent_bytes,
                sent_bps: self.sent_bps,
                delay_ms: self.playout.report.delay_ms().unwrap_or(0),
            }));
        }
        if now_ms.saturating_sub(self.last_receipt_ms) >= RECEIPT_MS {
            self.last_receipt_ms = now_ms;
            self.send_receipt();
        }
        self.show();
        Ok(None)
    }

    fn send_receipt(&mut self) {
        let secrets = &self.membership.secrets;
        let Some(receipts) = &mut self.receipts else {
            return;
        };
        let interval = self.receipt_interval;
        if let Ok(receipt) = receipts.finish(interval, secrets.epoch, &secrets.receipt_key) {
            self.receipt_interval += 1;
            let _ = self.up.send(Up::Receipt(receipt));
        }
    }

    pub(crate) fn notice(&mut self, level: page::Level, text: String) {
        let at_ms = self.clock.unix().0;
        self.notices.insert(0, page::Notice { level, at_ms, text });
        self.notices.truncate(NOTICES_MAX);
    }

    /// Tells the path when it has changed.
    fn report_path(&mut self) {
        let hops: Vec<serde_json::Value> = self
            .path()
            .iter()
            .map(|hop| {
                let verified = if hop.by_me { "by_me" } else { "reported" };
                json!({"name": hop.name, "kind": hop.kind, "verified": verified,
                       "spki": hop.spki.map(|s| s.to_hex())})
            })
            .collect();
        let path = serde_json::Value::Array(hops);
        if path != self.last_path {
            self.emit.tell("path", json!({"hops": path}));
            self.last_path = path;
        }
    }

    /// From this viewer to the station: the first hop as this viewer knows
    /// it, the others as the coordinator reports them.
    pub(crate) fn path(&self) -> Vec<PathHop> {
        let mut hops = vec![PathHop {
            name: self.options.shared.name.clone(),
            kind: "you",
            by_me: true,
            spki: Some(self.membership.identity.spki()),
        }];
        let Some(parent) = &self.parent else {
            return hops;
        };
        let kind = parent.kind;
        hops.push(PathHop {
            name: parent.name.as_str().to_owned(),
            kind: kind.name(),
            by_me: kind != NodeKind::Relay || self.proofs.contains_key(&parent.spki),
            spki: Some(parent.spki),
        });
        let nodes = self.tree.iter().flat_map(|t| t.nodes.iter());
        let known: BTreeMap<SpkiHash, &wire::message::control::TreeNode> =
            nodes.map(|n| (n.spki, n)).collect();
        let mut at = known.get(&parent.spki).and_then(|n| n.parent);
        // A picture is the coordinator's word: a loop in it must not hang us.
        for _ in 0..known.len() {
            let Some(node) = at.and_then(|spki| known.get(&spki)) else {
                break;
            };
            hops.push(PathHop {
                name: node.name.as_str().to_owned(),
                kind: node.kind.name(),
                by_me: false,
                spki: Some(node.spki),
            });
            at = node.parent;
        }
        hops
    }
}

/// One hop of the path.
pub(crate) struct PathHop {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) by_me: bool,
    pub(crate) spki: Option<SpkiHash>,
}

async fn next_reply(replies: &mut Option<mpsc::Receiver<page::Reply>>) -> Option<page::Reply> {
    match replies {
        Some(replies) => replies.recv().await,
        None => std::future::pending().await,
    }
}

impl Session {
    pub(crate) fn membership_spki(&self) -> SpkiHash {
        self.membership.identity.spki()
    }

    pub(crate) fn station_name(&self) -> String {
        self.membership.station.as_str().to_owned()
    }

    pub(crate) fn stream_fingerprint(&self) -> String {
        self.membership.run.scope.stream.short()
    }
}
