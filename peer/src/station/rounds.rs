//! Rounds: a sponsor introduces his relay; the coordinator verifies it like
//! any member, opens the control link and admits it.

use super::coordinator::{Coordinator, Event, Member};
use link::{Clock, Endpoint, Error, Link, Patience, Proof, RelayTrust, open_channel};
use overlay::planner::Relay;
use serde_json::{Value, json};
use std::collections::BTreeMap;
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

/// A relay that was verified and has answered.
pub(super) struct Ready {
    sponsor: SpkiHash,
    relay: SpkiHash,
    address: SocketAddr,
    admission: Admission,
    claim: certs::Verified<CapacityClaim>,
    proof: Proof,
    key: wire::PublicKey,
    down: mpsc::UnboundedSender<Down>,
}

/// What an admission attempt needs; it runs in a task of its own.
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
    events: mpsc::UnboundedSender<Event>,
}

impl Coordinator {
    /// A sponsor brings his relay: verified against the order, in the
    /// background, before anybody hears of it.
    pub(super) fn introduced(&mut self, from: SpkiHash, introduce: Introduce) {
        let Introduce { ask, admission } = introduce;
        let verified = self.trust.introductions.verify(
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
        let attempt = Attempt {
            ask,
            sponsor: from,
            me: self.me,
            introduction,
            admission,
            endpoint: self.endpoint.clone(),
            trust: self.trust.clone(),
            run: self.keys.run.clone(),
            clock: self.clock.clone(),
            events: self.events.clone(),
        };
        let emit = self.emit.clone();
        tokio::spawn(async move {
            let relay = attempt.introduction.relay;
            let (events, ask, sponsor) = (attempt.events.clone(), attempt.ask, attempt.sponsor);
            let event = match attempt.verify().await {
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
        });
    }

    fn tell_refused(&self, other: SpkiHash, reason: &str) {
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
        self.emit
            .tell("relay_verified", verified_fields(relay, &proof));
        let order = certs::order::id(&admission.order);
        let parameters = proof.boot.parameters();
        let addresses = Text::new(address.to_string())
            .and_then(|a| List::new(vec![a]))
            .unwrap_or_default();
        let (now, now_ms) = (self.clock.unix(), self.clock.mono_ms());
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
            load: None,
            placed: true,
            receipts: BTreeMap::new(),
        };
        self.members.insert(relay, member);
        let ceiling = Some(parameters.rate_bps);
        self.proven.claim(relay, claim.upload_bps, ceiling);
        let planned = Relay {
            sponsor,
            order,
            slots: self.slots_of(relay),
            lease_end_ms: now_ms.saturating_add(parameters.lease_end.since_ms(now)),
        };
        if self.planner.relay_admitted(now_ms, relay, planned).is_err() {
            self.members.remove(&relay);
            return;
        }
        if let Some(member) = self.members.get(&sponsor) {
            let _ = member.down.send(Down::RelayAdmitted(relay));
        }
        let text = format!("{} bought a round", self.name_of(sponsor));
        self.notice(page::Level::Info, text);
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
                "slots": self.slots_of(relay), "order": order,
                "claim_mbps": super::as_mbps(member.claim_bps),
            }),
        );
    }
}

impl Attempt {
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
        let (down, messages) = mpsc::unbounded_channel();
        tokio::spawn(carry(link, channel, messages, self.events.clone()));
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

/// The control link to a relay: edges down, reports up.
async fn carry(
    link: Link,
    channel: link::Channel,
    mut down: mpsc::UnboundedReceiver<Down>,
    events: mpsc::UnboundedSender<Event>,
) {
    let from = link.peer;
    let (mut sender, mut receiver) = channel.split::<Up>();
    let graceful = loop {
        tokio::select! {
            message = down.recv() => match message {
                None | Some(Down::Refused(_)) => break true,
                Some(message) => if sender.send(&message).await.is_err() {
                    break false;
                },
            },
            message = receiver.recv() => match message {
                Ok(Some(Up::Leave(_))) => break true,
                Ok(Some(message)) => {
                    let _ = events.send(Event::Up { from, message });
                }
                Ok(None) | Err(_) => break false,
            },
        }
    };
    let _ = events.send(Event::Gone {
        node: from,
        graceful,
    });
    if graceful {
        // The relay ends by itself; what is planned around it goes on
        // until then.
        tokio::time::sleep(Duration::from_millis(READY_MS_MAX)).await;
    }
    link.close(Reason::Done);
}

/// The fields of a `relay_verified` event.
pub(crate) fn verified_fields(relay: SpkiHash, proof: &Proof) -> Value {
    json!({
        "relay": relay.to_hex(),
        "order": proof.boot.order().to_hex(),
        "evidence": proof.boot.kind().name(),
        "assurance": proof.boot.assurance().name(),
        "release": proof.boot.release().name,
    })
}
