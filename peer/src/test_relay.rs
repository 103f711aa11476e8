//! A relay for tests: the real links, evidence and commands, and a manner
//! that a test can change.
#![allow(clippy::unwrap_used, clippy::panic)]

use attest::release::{KeyRing, Release, SoftwareMeasurement, TrustRoot};
use attest::software::{BootKey, PlatformStatement, certify};
use attest::{Policy, TrustRoots};
use certs::{SigningKey, Verified};
use link::{
    Attester, Binding, Channel, Clock, Endpoint, Identity, Link, RelayTrust, ReverifyTimes,
    stream_kind,
};
use ring::rand::{SecureRandom, SystemRandom};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use wire::codec::Text;
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply, Status};
use wire::message::control::{Down, Empty, Up};
use wire::order::{Order, Parameters};
use wire::statement::{RunStatement, Scope, Signed};
use wire::{Digest, Epoch, Reason, RunId, SpkiHash, StreamId, UnixMs};

const HOUR_MS: u64 = 3_600_000;
pub(crate) const CAP_BYTES: u64 = 45_000_000_000;
pub(crate) const SENT_BYTES: u64 = 5_000_000_000;
const PROGRAM: Digest = Digest([0xee; 32]);

/// Short, so that nobody waits; the relay of these tests counts nothing.
pub(crate) const TIMES: ReverifyTimes = ReverifyTimes {
    period_ms: 200,
    period_jitter_ms: 50,
    retry_ms_min: 50,
    retry_ms_max: 100,
    answer_ms_max: 400,
    window_ms: 0,
    handover_ms_max: 100,
};

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

fn key() -> SigningKey {
    SigningKey::from_seed(random())
}

fn now() -> UnixMs {
    Clock::new().unix()
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn identity(key: SigningKey, extensions: Vec<(Vec<u64>, Vec<u8>)>) -> Identity {
    Identity {
        certificate: certs::x509::self_signed(&key, extensions).unwrap(),
        key: Arc::new(key),
    }
}

/// A developer's release, a desk that certifies what it starts, and a run.
pub(crate) struct Cloud {
    root: Vec<u8>,
    release: Vec<u8>,
    desk: SigningKey,
    pub(crate) permit: SigningKey,
    pub(crate) run: Verified<RunStatement>,
    pub(crate) signed_run: Signed<RunStatement>,
}

impl Cloud {
    pub(crate) fn new() -> Self {
        let ring = KeyRing::generate(&SystemRandom::new()).unwrap();
        let (commit, hour) = ("0".repeat(40), now().plus_ms(HOUR_MS));
        let mut release = Release::new("stable", "0.1.0", &commit, "test", now(), hour);
        release.measurements.software = Some(SoftwareMeasurement {
            executable_sha256: PROGRAM.into(),
        });
        let (stream, permit) = (key(), key());
        let id = StreamId(*stream.public().as_bytes());
        let run = RunStatement {
            scope: Scope {
                stream: id,
                run: RunId(random()),
                epoch: Epoch(0),
            },
            start: UnixMs(now().0 - 1_000),
            end: hour,
            ca_key: key().public(),
            chunk_key: key().public(),
            permit_key: permit.public(),
            beacon_key: key().public(),
            coordinator: certs::x509::spki_of_public(&key().public()),
            stripes: wire::Stripes::SINGLE,
        };
        let signed_run = certs::sign(&stream, &run);
        Self {
            root: ring.first_root(hour).unwrap(),
            release: ring.sign_release(&release).unwrap(),
            desk: key(),
            permit,
            run: certs::run::verify(&signed_run, &id, now()).unwrap(),
            signed_run,
        }
    }

    /// What somebody believes who takes development evidence.
    pub(crate) fn trust(&self) -> Arc<RelayTrust> {
        Arc::new(RelayTrust::new(
            TrustRoots::from(TrustRoot::parse(&self.root).unwrap()),
            Policy::default().with_development(),
        ))
    }

    /// The socket and key of somebody who may dial a relay.
    pub(crate) fn member(&self) -> (Endpoint, SpkiHash) {
        let member = identity(key(), Vec::new());
        (Endpoint::bind(loopback(), &member).unwrap(), member.spki())
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

    fn boot(&self, order: &Order) -> (Identity, Binding, BootKey) {
        let (key, boot_key) = (key(), BootKey::generate(&SystemRandom::new()).unwrap());
        let parameters = Parameters {
            listen: Text::new(loopback().to_string()).unwrap(),
            rate_bps: 100_000_000,
            lease_end: now().plus_ms(HOUR_MS),
            byte_cap: CAP_BYTES,
            private_networks: true,
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.release);
        let binding = Binding {
            spki: certs::x509::spki_of_public(&key.public()),
            order: certs::order::id(order),
            parameters: certs::order::parameters_digest(&parameters),
            release: Digest(digest.as_ref().try_into().unwrap()),
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
            .evidence(
                &binding.spki,
                order.clone(),
                parameters,
                platform,
                &self.release,
            )
            .unwrap();
        let extension = (certs::x509::EVIDENCE_OID.to_vec(), evidence.to_extension());
        (identity(key, vec![extension]), binding, boot_key)
    }
}

/// How the relay meets challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    Answers,
    /// With quotes of another machine's key.
    Wrong,
    /// By going away, as a network does.
    Gone,
}

/// A running relay; it ends with the test's runtime.
pub(crate) struct TestRelay {
    pub(crate) spki: SpkiHash,
    pub(crate) address: SocketAddr,
    pub(crate) order: Order,
    pub(crate) holder: SigningKey,
    state: Arc<State>,
    key: Arc<SigningKey>,
}

struct State {
    manner: Mutex<Manner>,
    /// What it says first on a control stream.
    greeting: Mutex<Option<Up>>,
    genuine: Attester,
    foreign: Attester,
    binding: Binding,
}

impl TestRelay {
    pub(crate) fn start(cloud: &Cloud) -> Self {
        let holder = key();
        let order = cloud.order(&holder);
        let (identity, binding, boot_key) = cloud.boot(&order);
        let foreign = BootKey::generate(&SystemRandom::new()).unwrap();
        let state = Arc::new(State {
            manner: Mutex::new(Manner::Answers),
            greeting: Mutex::new(None),
            genuine: Attester::start(Arc::new(boot_key), binding.clone()),
            foreign: Attester::start(Arc::new(foreign), binding.clone()),
            binding,
        });
        let endpoint = Endpoint::bind(loopback(), &identity).unwrap();
        let address = endpoint.address().unwrap();
        let serving = state.clone();
        tokio::spawn(async move {
            while let Some(accepting) = endpoint.accept().await {
                if let Ok(link) = accepting.finish().await {
                    tokio::spawn(streams(link, serving.clone()));
                }
            }
        });
        Self {
            spki: identity.spki(),
            address,
            order,
            holder,
            state,
            key: identity.key,
        }
    }

    /// Says this first to whoever coordinates it.
    pub(crate) fn greet(&self, words: impl FnOnce(&SigningKey, SpkiHash) -> Up) {
        let words = words(&self.key, self.spki);
        *self.state.greeting.lock().unwrap() = Some(words);
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }
}

async fn streams(link: Link, state: Arc<State>) {
    while let Ok((send, mut recv)) = link.connection.accept_bi().await {
        let kind = stream_kind(&mut recv).await;
        let (channel, link, state) = (Channel { send, recv }, link.clone(), state.clone());
        tokio::spawn(async move {
            match kind {
                Some(StreamKind::Challenge) => challenge(&link, channel, &state).await,
                Some(StreamKind::Command) => commands(channel, &state).await,
                Some(StreamKind::Control) => listen(channel, &state).await,
                _ => panic!("nobody opens such a stream here"),
            }
        });
    }
}

async fn challenge(link: &Link, mut channel: Channel, state: &State) {
    let manner = *state.manner.lock().unwrap();
    let attester = match manner {
        Manner::Answers => &state.genuine,
        Manner::Wrong => &state.foreign,
        Manner::Gone => return link.close(Reason::PeerGone),
    };
    let (send, recv) = (&mut channel.send, &mut channel.recv);
    // The challenger may have left.
    let _ = attester.answer(link, send, recv).await;
}

async fn commands(mut channel: Channel, state: &State) {
    while let Ok(Some(command)) = channel.recv::<Command>().await {
        let reply = match command {
            Command::Serve(_) | Command::Stop(Empty {}) => CommandReply::Done(Empty {}),
            Command::Status(Empty {}) => CommandReply::Status(Status {
                order: state.binding.order,
                children: 2,
                sent_bytes: SENT_BYTES,
                bytes_left: CAP_BYTES - SENT_BYTES,
                lease_end: now().plus_ms(HOUR_MS),
            }),
        };
        channel.send(&reply).await.unwrap();
    }
}

async fn listen(mut channel: Channel, state: &State) {
    let greeting = state.greeting.lock().unwrap().clone();
    if let Some(greeting) = greeting {
        channel.send(&greeting).await.unwrap();
    }
    while let Ok(Some(_)) = channel.recv::<Down>().await {}
}
