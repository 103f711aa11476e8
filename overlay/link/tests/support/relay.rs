//! A relay with evidence of its own, which a test can make fall silent or
//! answer wrongly.

use super::{Running, Stream, key, loopback, now, random};
use attest::release::{KeyRing, Release, SoftwareMeasurement, TrustRoot};
use attest::software::{BootKey, PlatformStatement, certify};
use attest::{Policy, TrustRoots};
use certs::SigningKey;
use link::{
    Attester, Binding, Channel, Clock, Endpoint, Identity, Link, Node, NodeConfig, RelayTrust,
    Verification, stream_kind,
};
use ring::rand::SystemRandom;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use wire::codec::Text;
use wire::message::StreamKind;
use wire::message::control::{Admission, NodeKind};
use wire::order::{Order, Parameters};
use wire::statement::Introduction;
use wire::{Digest, OrderId, SpkiHash, UnixMs};

const HOUR_MS: u64 = 3_600_000;
const CAP_BYTES: u64 = 45_000_000_000;
const PROGRAM: Digest = Digest([0xee; 32]);

/// A developer's release, and a desk that certifies what it starts.
#[derive(Clone)]
pub(crate) struct Cloud {
    ring: Arc<KeyRing>,
    root: Vec<u8>,
    statement: Release,
    release: Vec<u8>,
    desk: SigningKey,
}

impl Cloud {
    /// The release is good until then.
    pub(crate) fn new(expires: UnixMs) -> Self {
        let ring = KeyRing::generate(&SystemRandom::new()).unwrap();
        let commit = "0".repeat(40);
        let mut release = Release::new("stable", "0.1.0", &commit, "test", now(), expires);
        release.measurements.software = Some(SoftwareMeasurement {
            executable_sha256: PROGRAM.into(),
        });
        Self {
            root: ring.first_root(now().plus_ms(HOUR_MS)).unwrap(),
            release: ring.sign_release(&release).unwrap(),
            desk: key(),
            statement: release,
            ring: Arc::new(ring),
        }
    }

    /// The same desk with the developer's next release.
    pub(crate) fn releases(&mut self, change: impl FnOnce(&mut Release)) {
        change(&mut self.statement);
        self.release = self.ring.sign_release(&self.statement).unwrap();
    }

    /// SHA-256 of the release.
    pub(crate) fn release_digest(&self) -> Digest {
        sha256(&self.release)
    }

    /// What a member believes who takes development evidence.
    pub(crate) fn trust(&self) -> Arc<RelayTrust> {
        let roots = TrustRoots::from(TrustRoot::parse(&self.root).unwrap());
        let policy = Policy::default().with_development();
        Arc::new(RelayTrust::new(roots, policy))
    }

    fn order(&self, holder: &SigningKey) -> Order {
        Order {
            holder_key: holder.public(),
            voucher_nonce: Digest(random()),
            class: Text::new("small.local.1h.45gb.2026q4").unwrap(),
            channel: Text::new("stable").unwrap(),
            desk_key: self.desk.public(),
            lease_ms: HOUR_MS,
            byte_cap: CAP_BYTES,
        }
    }

    fn boot(&self, order: &Order, key: SigningKey) -> (Identity, Binding, BootKey) {
        let boot_key = BootKey::generate(&SystemRandom::new()).unwrap();
        let parameters = Parameters {
            listen: Text::new(loopback().to_string()).unwrap(),
            rate_bps: 100_000_000,
            lease_end: now().plus_ms(HOUR_MS),
            byte_cap: CAP_BYTES,
            private_networks: true,
        };
        let spki = certs::x509::spki_of_public(&key.public());
        let binding = Binding {
            spki,
            order: certs::order::id(order),
            parameters: certs::order::parameters_digest(&parameters),
            release: sha256(&self.release),
        };
        let statement = PlatformStatement {
            executable_sha256: PROGRAM,
            order: binding.order,
            parameters: binding.parameters,
            release: binding.release,
            boot_key: boot_key.public(),
            issued: now(),
        };
        let platform = certify(&self.desk, &statement).unwrap();
        let evidence = boot_key
            .evidence(&spki, order.clone(), parameters, platform, &self.release)
            .unwrap();
        let extension = (certs::x509::EVIDENCE_OID.to_vec(), evidence.to_extension());
        let identity = Identity {
            certificate: certs::x509::self_signed(&key, vec![extension]).unwrap(),
            key: Arc::new(key),
        };
        (identity, binding, boot_key)
    }
}

fn sha256(bytes: &[u8]) -> Digest {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    Digest(digest.as_ref().try_into().unwrap())
}

/// How the relay meets challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    Answers,
    /// Not at all.
    Silent,
    /// With quotes of another machine's key.
    Wrong,
}

/// A relay that forwards like any other, whatever its manner.
pub(crate) struct TestRelay {
    pub(crate) running: Running,
    pub(crate) admission: Admission,
    pub(crate) order: OrderId,
    challenged: Arc<Challenged>,
}

struct Challenged {
    /// How it meets challenges, and how many there were.
    state: Mutex<(Manner, u32)>,
    /// When it gave its first wrong answer.
    wrong_at: Mutex<Option<Instant>>,
    genuine: Attester,
    foreign: Attester,
}

impl TestRelay {
    pub(crate) fn start(stream: &Stream, cloud: &Cloud) -> Self {
        let holder = key();
        let order = cloud.order(&holder);
        let (identity, binding, boot_key) = cloud.boot(&order, key());
        let foreign = BootKey::generate(&SystemRandom::new()).unwrap();
        let challenged = Arc::new(Challenged {
            state: Mutex::new((Manner::Answers, 0)),
            wrong_at: Mutex::new(None),
            genuine: Attester::start(Arc::new(boot_key), binding.clone()),
            foreign: Attester::start(Arc::new(foreign), binding.clone()),
        });
        let running = serve(stream, &identity, challenged.clone());
        let admission = admission(stream, &order, &holder, (running.spki, running.address));
        Self {
            running,
            admission,
            order: binding.order,
            challenged,
        }
    }

    /// Changes its manner; tells how many challenges came before.
    pub(crate) fn behave(&self, manner: Manner) -> u32 {
        let mut state = self.challenged.state.lock().unwrap();
        state.0 = manner;
        state.1
    }

    /// When it gave its first wrong answer.
    pub(crate) fn wrong_at(&self) -> Option<Instant> {
        *self.challenged.wrong_at.lock().unwrap()
    }

    /// Challenges that it was sent.
    pub(crate) fn challenges(&self) -> u32 {
        self.challenged.state.lock().unwrap().1
    }
}

fn admission(
    stream: &Stream,
    order: &Order,
    holder: &SigningKey,
    (relay, address): (SpkiHash, SocketAddr),
) -> Admission {
    let introduction = Introduction {
        scope: stream.run.scope.clone(),
        order: certs::order::id(order),
        relay,
        sponsor: SpkiHash([9; 32]),
        address: Text::new(address.to_string()).unwrap(),
        issued: now(),
    };
    Admission {
        order: order.clone(),
        introduction: certs::sign(holder, &introduction),
    }
}

fn serve(stream: &Stream, identity: &Identity, challenged: Arc<Challenged>) -> Running {
    let endpoint = Arc::new(Endpoint::bind(loopback(), identity).unwrap());
    let address = endpoint.address().unwrap();
    let config = NodeConfig {
        me: identity.spki(),
        kind: NodeKind::Relay,
        upload_bps: super::FAST_BPS,
        byte_cap: None,
        forwarder: overlay::forwarder::Config::default(),
        verification: Verification::PermitOnly,
        private_networks: true,
    };
    let (node, events) = Node::new(config, endpoint.clone(), Clock::new());
    node.enter_run(stream.run.clone());
    let (serving, listening) = (node.clone(), endpoint.clone());
    tokio::spawn(async move {
        while let Some(accepting) = listening.accept().await {
            let (node, challenged) = (serving.clone(), challenged.clone());
            tokio::spawn(async move {
                if let Ok(link) = accepting.finish().await {
                    streams(node, link, challenged).await;
                }
            });
        }
    });
    Running {
        node,
        endpoint,
        events,
        address,
        spki: identity.spki(),
        kind: NodeKind::Relay,
    }
}

async fn streams(node: Arc<Node>, link: Link, challenged: Arc<Challenged>) {
    while let Ok((send, mut recv)) = link.connection.accept_bi().await {
        let kind = stream_kind(&mut recv).await;
        let channel = Channel { send, recv };
        match kind {
            Some(StreamKind::Edge) => {
                tokio::spawn(super::edge(node.clone(), link.clone(), channel));
            }
            Some(StreamKind::Challenge) => {
                tokio::spawn(challenge(link.clone(), channel, challenged.clone()));
            }
            _ => panic!("nobody opens such a stream here"),
        }
    }
}

async fn challenge(link: Link, mut channel: Channel, challenged: Arc<Challenged>) {
    let manner = {
        let mut state = challenged.state.lock().unwrap();
        state.1 += 1;
        state.0
    };
    let attester = match manner {
        Manner::Answers => &challenged.genuine,
        Manner::Wrong => {
            let mut wrong_at = challenged.wrong_at.lock().unwrap();
            wrong_at.get_or_insert_with(Instant::now);
            &challenged.foreign
        }
        Manner::Silent => {
            let _ = channel.send.stopped().await;
            return;
        }
    };
    // The challenger may have left.
    let _ = attester
        .answer(&link, &mut channel.send, &mut channel.recv)
        .await;
}
