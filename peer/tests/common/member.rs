//! A member and a coordinator that a test speaks for itself.

// Each test file uses its own part of this.
#![allow(dead_code)]

use certs::SigningKey;
use certs::bundle::{self, MemberSecrets, SealingKeyPair};
use certs::receipt::ReceiptKey;
use certs::seal::EpochSecret;
use certs::x509::{MemberRequest, StreamCa, self_signed, spki_of_public};
use link::{
    Channel, Clock, Endpoint, Identity, Link, Patience, Receiver, Sender, open_channel, stream_kind,
};
use ring::rand::{SecureRandom, SystemRandom};
use std::net::SocketAddr;
use std::sync::Arc;
use wire::codec::List;
use wire::invite::{AudienceSecret, Invite};
use wire::message::StreamKind;
use wire::message::control::{Addresses, Admitted, Certificate, Down, Join, Name, Up};
use wire::statement::{Ask, CapacityClaim, Cause, JoinReply, RunStatement, Scope, Signed, Step};
use wire::{AskId, Digest, Epoch, Nonce, Reason, RunId, SpkiHash, StreamId, UnixMs};

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) fn now() -> UnixMs {
    Clock::new().unix()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

fn key() -> SigningKey {
    SigningKey::from_seed(random())
}

fn self_made(key: SigningKey) -> Identity {
    Identity {
        certificate: self_signed(&key, Vec::new()).unwrap(),
        key: Arc::new(key),
    }
}

/// Fails the test if `future` takes longer than any single thing may.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(crate::common::PATIENCE, future)
        .await
        .expect("it happens in time")
}

/// A member that keeps every certificate it is given, and takes none on.
pub(crate) struct Member {
    pub(crate) identity: Identity,
    pub(crate) run: RunStatement,
    signed_run: Signed<RunStatement>,
    stream: StreamId,
    /// Ends of its memberships, in order.
    pub(crate) ends: Vec<UnixMs>,
    /// The newest one.
    pub(crate) certificate: Vec<u8>,
    link: Link,
    up: Sender,
    down: Receiver<Down>,
    _endpoint: Endpoint,
}

impl Member {
    /// Joins, with this key if there is one, or says why it may not.
    pub(crate) async fn join(invite: &str, old: Option<Identity>) -> Result<Self, Reason> {
        Self::join_as(invite, old, true).await
    }

    /// The same; a willing one may be asked for a round.
    pub(crate) async fn join_as(
        invite: &str,
        old: Option<Identity>,
        never_ask: bool,
    ) -> Result<Self, Reason> {
        let invite = Invite::parse(invite).unwrap();
        let identity = old.unwrap_or_else(|| self_made(key()));
        let me = identity.spki();
        let endpoint = Endpoint::bind(loopback(), &identity).unwrap();
        let station = invite.addresses[0];
        let link = endpoint.dial(station, None, Patience::Control).await;
        let link = link.unwrap();
        let sealing = SealingKeyPair::generate(&SystemRandom::new()).unwrap();
        let nonce = Nonce(random());
        let exporter = link.exporter().unwrap();
        let join = Join {
            name: Name::new("guest").unwrap(),
            nonce,
            proof: certs::invite_proof::prove(&invite.secret, &exporter, &nonce, &me),
            sealing_key: sealing.public(),
            addresses: Addresses::default(),
            relay_only: false,
            never_ask,
        };
        let mut channel = open_channel(&link, StreamKind::Control).await.unwrap();
        channel.send(&Up::Join(join)).await.unwrap();
        let admitted = match soon(channel.expect("no admission")).await.unwrap() {
            Down::Admitted(admitted) => *admitted,
            Down::Refused(reason) => return Err(reason),
            other => panic!("no admission: {other:?}"),
        };
        let run = certs::run::verify(&admitted.run, &invite.stream, now()).unwrap();
        let (up, down) = channel.split();
        let mut member = Self {
            identity,
            run: (*run).clone(),
            signed_run: admitted.run.clone(),
            stream: invite.stream,
            ends: Vec::new(),
            certificate: Vec::new(),
            link,
            up,
            down,
            _endpoint: endpoint,
        };
        member.keep(&admitted.certificate);
        member.claim().await;
        Ok(member)
    }

    /// Says what every member says first.
    async fn claim(&mut self) {
        let claim = CapacityClaim {
            scope: self.run.scope.clone(),
            node: self.identity.spki(),
            upload_bps: 0,
            issued: now(),
        };
        let claim = certs::sign(&self.identity.key, &claim);
        self.up.send(&Up::Claim(claim)).await.unwrap();
    }

    fn keep(&mut self, certificate: &[u8]) {
        let member = certs::x509::verify_member(certificate, &self.run.ca_key, now()).unwrap();
        assert_eq!(member.spki, self.identity.spki());
        self.ends.push(member.not_after);
        self.certificate = certificate.to_vec();
    }

    /// Says something more.
    pub(crate) async fn tell(&mut self, word: &Up) {
        self.up.send(word).await.unwrap();
    }

    /// Waits to be asked for a round.
    pub(crate) async fn asked(&mut self) -> Ask {
        let ask = soon(async {
            loop {
                match self.down.recv().await.unwrap() {
                    Some(Down::Ask(ask)) => return ask,
                    Some(_) => {}
                    None => panic!("the station has gone"),
                }
            }
        });
        let (ask, me) = (ask.await, self.identity.spki());
        let run = certs::run::verify(&self.signed_run, &self.stream, now()).unwrap();
        let ask = certs::asking::verify_ask(&ask, &run, &me, now()).unwrap();
        (*ask).clone()
    }

    /// Waits for the next membership.
    pub(crate) async fn renewed(&mut self) {
        let next = soon(async {
            loop {
                match self.down.recv().await.unwrap() {
                    Some(Down::Membership(next)) => return next,
                    Some(_) => {}
                    None => panic!("the station has gone"),
                }
            }
        });
        let next = next.await;
        self.keep(&next);
    }

    /// Hears the coordinator out; tells why the link ended.
    pub(crate) async fn put_out(&mut self) -> Reason {
        let mut refused = false;
        let heard = soon(async {
            let mut renewals = Vec::new();
            while let Ok(Some(message)) = self.down.recv().await {
                match message {
                    Down::Refused(_) => refused = true,
                    Down::Membership(_) if refused => panic!("renewed after the end"),
                    Down::Membership(next) => renewals.push(next),
                    _ => {}
                }
            }
            renewals
        });
        for next in heard.await {
            self.keep(&next);
        }
        soon(self.link.last_word()).await
    }
}

/// A coordinator that admits, and says nothing more.
pub(crate) struct Silent {
    endpoint: Endpoint,
    secret: AudienceSecret,
    signed_run: Signed<RunStatement>,
    run: RunStatement,
    ca: StreamCa,
    permit: SigningKey,
    life_ms: u64,
}

impl Silent {
    /// Its memberships last `life_ms`, its run much longer.
    pub(crate) fn begin(life_ms: u64) -> Self {
        let (stream, ca_key, permit, node) = (key(), key(), key(), key());
        let run = RunStatement {
            scope: Scope {
                stream: StreamId(*stream.public().as_bytes()),
                run: RunId(random()),
                epoch: Epoch(0),
            },
            start: UnixMs(now().0 - 10_000),
            end: now().plus_ms(3_600_000),
            ca_key: ca_key.public(),
            chunk_key: key().public(),
            permit_key: permit.public(),
            beacon_key: key().public(),
            coordinator: spki_of_public(&node.public()),
            stripes: wire::Stripes::SINGLE,
        };
        Self {
            endpoint: Endpoint::bind(loopback(), &self_made(node)).unwrap(),
            secret: AudienceSecret::new(random()),
            signed_run: certs::sign(&stream, &run),
            ca: StreamCa::new(ca_key, random(), run.start, run.end).unwrap(),
            run,
            permit,
            life_ms,
        }
    }

    pub(crate) fn invite(&self) -> String {
        let invite = Invite {
            stream: self.run.scope.stream,
            secret: self.secret.clone(),
            addresses: vec![self.endpoint.address().unwrap()],
        };
        invite.to_uri().to_string()
    }

    /// Admits whoever comes next.
    pub(crate) async fn admit(&self) -> (Link, Channel) {
        let (link, channel, _) = self.admit_hearing().await;
        (link, channel)
    }

    /// The same, with what was said at the door.
    pub(crate) async fn admit_hearing(&self) -> (Link, Channel, Join) {
        let accepting = soon(self.endpoint.accept()).await.unwrap();
        let link = accepting.finish().await.unwrap();
        let (send, mut recv) = soon(link.connection.accept_bi()).await.unwrap();
        assert_eq!(stream_kind(&mut recv).await, Some(StreamKind::Control));
        let mut channel = Channel { send, recv };
        let join = match channel.expect("no join").await.unwrap() {
            Up::Join(join) => join,
            Up::Rejoin(rejoin) => rejoin.join,
            _ => panic!("no join"),
        };
        let admitted = self.admitted(&link, &join);
        let admitted = Down::Admitted(Box::new(admitted));
        channel.send(&admitted).await.unwrap();
        (link, channel, join)
    }

    /// A question to this member, by the run's permit key.
    pub(crate) fn ask(&self, member: SpkiHash, id: u64) -> Signed<Ask> {
        let ask = Ask {
            scope: self.run.scope.clone(),
            ask: AskId(id),
            member,
            cause: Cause::Join,
            step: Step::Affected,
            deficit_bps: 1_000_000,
            viewers_short: 1,
            rounds_wanted: 1,
            deadline_ms: 20_000,
            issued: now(),
            regions: wire::codec::List::default(),
        };
        certs::sign(&self.permit, &ask)
    }

    fn admitted(&self, link: &Link, join: &Join) -> Admitted {
        let rng = SystemRandom::new();
        let certificate = self.ca.issue(&MemberRequest {
            key: certs::x509::public_key(&link.certificate).unwrap(),
            name: "viewer",
            serial: random(),
            not_before: self.run.start,
            not_after: now().plus_ms(self.life_ms),
        });
        let secrets = MemberSecrets {
            epoch: Epoch(0),
            epoch_secret: EpochSecret::generate(&rng).unwrap(),
            receipt_key: ReceiptKey::generate(&rng).unwrap(),
        };
        let (scope, to) = (&self.run.scope, &join.sealing_key);
        let reply = JoinReply {
            scope: scope.clone(),
            nonce: join.nonce,
            member: link.peer,
            head: None,
            header: Digest([0; 32]),
            issued: now(),
        };
        Admitted {
            run: self.signed_run.clone(),
            reply: certs::sign(&self.permit, &reply),
            certificate: Certificate::new(certificate.unwrap()).unwrap(),
            ca: Certificate::new(self.ca.certificate().to_vec()).unwrap(),
            secrets: bundle::seal(&secrets, to, scope, &link.peer, &rng).unwrap(),
            station: Name::new("silent").unwrap(),
            renditions_bps: List::new(vec![1_000_000]).unwrap(),
            pull_only: false,
        }
    }
}

/// Why the other end closed the link.
pub(crate) async fn closed(link: &Link) -> Reason {
    soon(link.connection.closed()).await;
    link.close_reason()
}
