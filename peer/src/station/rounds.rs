//! Rounds: a sponsor introduces his relay; the coordinator verifies it like
//! any member, opens the control link and admits it.

use super::coordinator::{Coordinator, Event, Member};
use super::rate::MessageLimit;
use super::relay_line::RelayLine;
use link::{
    Clock, Emitter, Endpoint, Error, Node, Patience, Proof, RelayTrust, Reverification,
    open_channel,
};
use overlay::planner::Relay;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use wire::codec::{List, Text};
use wire::message::StreamKind;
use wire::message::control::{Admission, Down, Introduce, Name, NodeKind, RelayRefusal, Up};
use wire::statement::{CapacityClaim, Introduction, RunStatement};
use wire::{AskId, Reason, SpkiHash};

/// How long a relay may take to answer the coordinator's control stream.
const READY_MS_MAX: u64 = 5_000;

/// Pause between two calls of a relay that was part of the run before.
const CALL_PAUSE_MS: u64 = 500;

/// A relay that was verified and has answered.
pub(super) struct Ready {
    sponsor: SpkiHash,
    relay: SpkiHash,
    address: SocketAddr,
    admission: Admission,
    claim: certs::Verified<CapacityClaim>,
    proof: Arc<Proof>,
    key: wire::PublicKey,
    down: mpsc::UnboundedSender<Down>,
}

/// What an admission attempt needs; it runs in a task of its own.
#[derive(Clone)]
struct Attempt {
    ask: AskId,
    sponsor: SpkiHash,
    me: SpkiHash,
    introduction: certs::Verified<Introduction>,
    admission: Admission,
    endpoint: Arc<Endpoint>,
    trust: Arc<RelayTrust>,
    run: certs::Verified<RunStatement>,
    clock: Clock,
    reverification: Reverification,
    events: mpsc::UnboundedSender<Event>,
    messages: mpsc::Sender<Event>,
    limit: MessageLimit,
    node: Arc<Node>,
}

impl Coordinator {
    /// A sponsor brings his relay: verified against the order, in the
    /// background, before anybody hears of it.
    pub(super) fn introduced(&mut self, from: SpkiHash, introduce: Introduce) {
        let Introduce { ask, admission } = introduce;
        let verified = self.trust.introductions().verify(
            &admission.introduction,
            &self.keys.run,
            &admission.order,
            Some(&from),
        );
        let introduction = match verified {
            Ok(introduction) if !self.members.contains_key(&introduction.relay) => introduction,
            Ok(introduction) => {
                self.relay_failed(ask, from, introduction.relay, Reason::SpkiNotAdmitted);
                return;
            }
            Err(e) => {
                self.tell_refused(from, e.reason());
                self.relay_failed(ask, from, from, e.wire_reason());
                return;
            }
        };
        let order = certs::order::id(&admission.order);
        let check = self.settings.controls.dials;
        if let Err(reason) = self.introductions.begin(check, from, order) {
            // A grant that he may have is for the relay that he was granted.
            self.tell_relay_refused(from, introduction.relay, reason);
            return;
        }
        let attempt = self.attempt(ask, from, introduction, admission);
        tokio::spawn(attempt.run(self.emit.clone()));
    }

    fn attempt(
        &self,
        ask: AskId,
        sponsor: SpkiHash,
        introduction: certs::Verified<Introduction>,
        admission: Admission,
    ) -> Attempt {
        Attempt {
            ask,
            sponsor,
            me: self.me,
            introduction,
            admission,
            endpoint: self.endpoint.clone(),
            trust: self.trust.clone(),
            run: self.keys.run.clone(),
            clock: self.clock.clone(),
            reverification: self.node.reverification(),
            events: self.events.clone(),
            messages: self.messages.clone(),
            limit: self.settings.judging.messages.limit(MessageLimit::RELAY),
            node: self.node.clone(),
        }
    }

    pub(super) fn tell_verified(&self, relay: SpkiHash, proof: &Proof, on: VerifiedOn) {
        let banner = self.settings.banner.as_deref();
        let fields = verified_fields(relay, proof, on, banner);
        self.emit.tell("relay_verified", fields);
    }

    pub(super) fn tell_refused(&self, other: SpkiHash, reason: &str) {
        let fields = json!({"reason": reason, "other": other.to_hex()});
        self.emit.tell("attack_refused", fields);
    }

    pub(super) fn relay_failed(
        &mut self,
        ask: AskId,
        sponsor: SpkiHash,
        relay: SpkiHash,
        reason: Reason,
    ) {
        let now_ms = self.clock.mono_ms();
        let _ = self.planner.redeem_failed(now_ms, ask, sponsor);
        self.tell_relay_refused(sponsor, relay, reason);
    }

    fn tell_relay_refused(&self, sponsor: SpkiHash, relay: SpkiHash, reason: Reason) {
        if let Some(member) = self.members.get(&sponsor) {
            let refusal = RelayRefusal { relay, reason };
            let _ = member.down.send(Down::RelayRefused(refusal));
        }
        let fields = json!({"relay": relay.to_hex(), "reason": reason.name()});
        self.emit.tell("relay_refused", fields);
    }

    pub(super) fn relay_ready(&mut self, ready: Ready) {
        let Ready {
            sponsor,
            relay,
            address,
            admission,
            claim,
            proof,
            key,
            down,
        } = ready;
        self.introductions.end(sponsor);
        self.tell_verified(relay, &proof, VerifiedOn::Control);
        let order = certs::order::id(&admission.order);
        let parameters = proof.boot.parameters();
        let addresses = Text::new(address.to_string())
            .and_then(|a| List::new(vec![a]))
            .unwrap_or_default();
        let (now, now_ms) = (self.clock.unix(), self.clock.mono_ms());
        let returns = self.away.has(relay);
        let member = Member {
            name: Name::new(format!("relay {}", relay.short())).unwrap_or_default(),
            key,
            kind: NodeKind::Relay,
            addresses,
            sealing_key: None,
            receipt_key: None,
            relay_only: false,
            never_ask: true,
            down,
            admission: Some(admission),
            // The class's rate is the ceiling of every claim.
            claim_bps: claim.upload_bps.min(parameters.rate_bps),
            lease_end: parameters.lease_end,
            load: None,
            placed: true,
            receipts: super::receipts::Accounts::default(),
        };
        self.members.insert(relay, member);
        let ceiling = Some(parameters.rate_bps);
        self.proven.claim(relay, claim.upload_bps, ceiling);
        if returns {
            return self.relay_back(relay);
        }
        let planned = Relay {
            sponsor,
            order,
            edges: self.edges_of(relay),
            lease_end_ms: now_ms.saturating_add(parameters.lease_end.since_ms(now)),
        };
        if self.planner.relay_admitted(now_ms, relay, planned).is_err() {
            self.members.remove(&relay);
            return;
        }
        self.introductions.admitted(sponsor, order);
        if let Some(member) = self.members.get(&sponsor) {
            let _ = member.down.send(Down::RelayAdmitted(relay));
        }
        let text = format!("{} bought a round", self.name_of(sponsor));
        self.notice(page::Level::Info, text);
    }

    /// Calls a relay of the run's earlier life, for so long if need be.
    pub(super) fn call_relay(&self, relay: SpkiHash, sponsor: SpkiHash, patience_ms: u64) {
        let admission = self.members.get(&relay).and_then(|m| m.admission.clone());
        let Some(admission) = admission else { return };
        let run = &self.keys.run;
        let check = self.trust.introductions();
        let verified = check.verify(
            &admission.introduction,
            run,
            &admission.order,
            Some(&sponsor),
        );
        match verified {
            Ok(introduction) => {
                let attempt = self.attempt(AskId(0), sponsor, introduction, admission);
                tokio::spawn(attempt.run_for(patience_ms));
            }
            Err(e) => self.tell_refused(relay, e.reason()),
        }
    }

    /// A relay of the run's earlier life is on the line: what it got from other
    /// relays it still gets, until one of the two says otherwise.
    fn relay_back(&mut self, relay: SpkiHash) {
        let edges = self.planner.edges().into_iter();
        let held = edges.filter(|e| e.child == relay && e.parent != self.me);
        let held: Vec<(wire::Stripe, SpkiHash)> = held.map(|e| (e.stripe, e.parent)).collect();
        self.back(relay, &held);
        let now_ms = self.clock.mono_ms();
        let edges = self.edges_claimed(relay);
        let _ = self.planner.claim(now_ms, relay, edges);
        self.emit
            .tell("relay_returned", json!({"relay": relay.to_hex()}));
    }

    pub(super) fn tell_admitted(&self, relay: SpkiHash, parent: SpkiHash) {
        let Some(member) = self.members.get(&relay) else {
            return;
        };
        let order = member
            .admission
            .as_ref()
            .map(|a| certs::order::id(&a.order).to_hex());
        self.emit.tell(
            "relay_admitted",
            json!({
                "relay": relay.to_hex(), "parent": parent.to_hex(),
                "slots": self.settings.slots(self.edges_of(relay)), "order": order,
                "claim_mbps": super::as_mbps(member.claim_bps),
            }),
        );
    }
}

impl Attempt {
    /// Tries again until the relay is ready, is refused, or that long has
    /// passed.
    async fn run_for(self, patience_ms: u64) {
        let deadline = tokio::time::Instant::now() + Duration::from_millis(patience_ms);
        let relay = self.introduction.relay;
        loop {
            match self.clone().verify().await {
                Ok(ready) => {
                    let _ = self.events.send(Event::RelayReady(Box::new(ready)));
                    return;
                }
                Err(e) if e.is_refusal() || tokio::time::Instant::now() >= deadline => {
                    let (name, refusal) = (e.reason().to_owned(), e.is_refusal());
                    let _ = self.events.send(Event::RelayDistrusted {
                        relay,
                        name,
                        refusal,
                    });
                    return;
                }
                Err(e) => tracing::info!("the relay {} is away: {e}", relay.short()),
            }
            tokio::time::sleep(Duration::from_millis(CALL_PAUSE_MS)).await;
        }
    }

    async fn run(self, emit: Emitter) {
        let relay = self.introduction.relay;
        let (events, ask, sponsor) = (self.events.clone(), self.ask, self.sponsor);
        let event = match self.verify().await {
            Ok(ready) => Event::RelayReady(Box::new(ready)),
            Err(e) => {
                if e.is_refusal() {
                    let fields = json!({"reason": e.reason(), "other": relay.to_hex()});
                    emit.tell("attack_refused", fields);
                }
                tracing::warn!("the relay {} was not admitted: {e}", relay.short());
                Event::RelayFailed {
                    ask,
                    sponsor,
                    relay,
                    reason: e.wire_reason(),
                }
            }
        };
        let _ = events.send(event);
    }

    async fn verify(self) -> Result<Ready, Error> {
        let address: SocketAddr = self
            .introduction
            .address
            .as_str()
            .parse()
            .map_err(|_| Error::OutOfTurn("the relay's address is not IP:PORT"))?;
        let relay = self.introduction.relay;
        let link = self
            .endpoint
            .dial(address, Some(relay), Patience::Edge)
            .await?;
        let proof = link::verify_relay(
            &link,
            &self.admission,
            self.me,
            &self.trust,
            &self.run,
            &self.clock,
        )
        .await
        .map(Arc::new)
        .inspect_err(|e| link.close(e.wire_reason()))?;
        let mut channel = open_channel(&link, StreamKind::Control).await?;
        let ready = tokio::time::timeout(
            Duration::from_millis(READY_MS_MAX),
            channel.expect::<Up>("the relay says nothing"),
        )
        .await
        .map_err(|_| Error::Timeout("answer of the relay"))??;
        let Up::Ready(ready) = ready else {
            return Err(Error::OutOfTurn("the relay is not ready"));
        };
        let key = certs::x509::public_key(&link.certificate)?;
        let claim = certs::claim::verify(&ready.claim, &self.run, &key, self.clock.unix())?;
        let (down, down_messages) = mpsc::unbounded_channel();
        let line = RelayLine {
            expectation: self.trust.expectation(&self.admission, &self.run)?,
            link,
            me: self.me,
            proof: proof.clone(),
            trust: self.trust,
            node: self.node,
            clock: self.clock,
            reverification: self.reverification,
            events: self.events,
            messages: self.messages,
            limit: self.limit,
        };
        tokio::spawn(line.carry(channel, down_messages));
        Ok(Ready {
            sponsor: self.sponsor,
            relay,
            address,
            admission: self.admission,
            claim,
            proof,
            key,
            down,
        })
    }
}

/// On which link a relay was verified: an edge's verification is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerifiedOn {
    /// An edge, before its first block.
    Edge,
    /// The coordinator's control link, before the relay's admission.
    Control,
    /// The holder's command link, before its first command.
    Command,
}

impl VerifiedOn {
    const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Control => "control",
            Self::Command => "command",
        }
    }
}

/// The fields of a `relay_verified` event. A verdict is worth what the roots
/// and the policy are: `banner` says where these are unusual.
pub(crate) fn verified_fields(
    relay: SpkiHash,
    proof: &Proof,
    on: VerifiedOn,
    banner: Option<&str>,
) -> Value {
    json!({
        "relay": relay.to_hex(),
        "link": on.name(),
        "order": proof.boot.order().to_hex(),
        "evidence": proof.boot.kind().name(),
        "assurance": proof.boot.assurance().name(),
        "release": proof.boot.release().name,
        "banner": banner,
    })
}
