//! A developer, a desk, and a relay that runs in this process.

use crate::support::{Stream, key, loopback, now, random, self_made, soon, stranger};
use attest::release::{KeyRing, Release, SoftwareMeasurement, TrustRoot};
use attest::software::{PlatformStatement, certify};
use attest::{Policy, TrustRoots};
use certs::SigningKey;
use link::{Channel, Clock, Emitter, Endpoint, Identity, Link, Patience, RelayTrust, open_channel};
use relay_vm::boot::PlatformQuoter;
use relay_vm::{Booted, Conversation, Relay, SoftwarePlatform, Turn};
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{BufReader, DuplexStream};
use tokio::task::JoinHandle;
use wire::codec::Text;
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply, Serve};
use wire::message::control::{Admission, Down, EdgeOrder, Empty, Up};
use wire::order::{Order, Parameters};
use wire::statement::Introduction;
use wire::{Digest, Encode, OrderId, PublicKey, Reason, SpkiHash};

const HOUR_MS: u64 = 3_600_000;
const RATE_BPS: u64 = 1_000_000_000;
/// SHA-256 of the released program, as everybody here agrees.
const PROGRAM: Digest = Digest([0xee; 32]);

/// What differs between the orders of the tests.
#[derive(Clone, Copy)]
pub(crate) struct Paid {
    pub(crate) lease_ms: u64,
    pub(crate) byte_cap: u64,
}

impl Default for Paid {
    fn default() -> Self {
        Self {
            lease_ms: HOUR_MS,
            byte_cap: 1 << 40,
        }
    }
}

/// A running relay, and the keys of those who started it.
pub(crate) struct Scene {
    pub(crate) holder: Identity,
    pub(crate) address: SocketAddr,
    pub(crate) relay: Identity,
    pub(crate) ended: JoinHandle<Reason>,
    /// The desk's end of the relay's standard input.
    pub(crate) desk: Option<DuplexStream>,
    root: Vec<u8>,
    order: Order,
}

impl Scene {
    pub(crate) fn set() -> Self {
        Self::paid(Paid::default())
    }

    pub(crate) fn paid(paid: Paid) -> Self {
        Self::with_clock(paid, Clock::raised_by_beacons())
    }

    pub(crate) fn with_clock(paid: Paid, clock: Clock) -> Self {
        Self::of(paid, clock, |quoter| quoter)
    }

    /// A relay whose platform quotes in another way.
    pub(crate) fn of(
        paid: Paid,
        clock: Clock,
        quoting: impl FnOnce(Arc<dyn PlatformQuoter>) -> Arc<dyn PlatformQuoter>,
    ) -> Self {
        let (root, release) = release();
        let (desk, holder) = (key(), key());
        let order = Order {
            holder_key: holder.public(),
            voucher_nonce: Digest(random()),
            class: Text::new("small.local.1h.45gb.2026q4").unwrap(),
            channel: Text::new("stable").unwrap(),
            desk_key: desk.public(),
            lease_ms: paid.lease_ms,
            byte_cap: paid.byte_cap,
        };
        let booted = boot(&desk, &order, paid, &release);
        let booted = Booted {
            quoter: quoting(booted.quoter),
            ..booted
        };
        let relay = booted.identity.clone();
        let emit = Emitter::new("relay", false);
        let started = Relay::start(booted, clock, emit).unwrap();
        let address = started.endpoint.address().unwrap();
        let (held, input) = tokio::io::duplex(64);
        let ended = tokio::spawn(async move {
            let input = BufReader::new(input);
            let serving = started
                .relay
                .serve(&started.endpoint, started.events, input);
            let reason = serving.await;
            started.endpoint.close(reason).await;
            reason
        });
        Self {
            holder: self_made(holder),
            address,
            relay,
            ended,
            desk: Some(held),
            root,
            order,
        }
    }

    pub(crate) fn spki(&self) -> SpkiHash {
        self.relay.spki()
    }

    pub(crate) fn order_id(&self) -> OrderId {
        certs::order::id(&self.order)
    }

    /// Dials the relay.
    pub(crate) async fn dial(&self, who: &Identity) -> (Arc<Endpoint>, Link) {
        dial(who, self.address).await
    }

    /// Dials as `who` and gives one command.
    pub(crate) async fn command(&self, who: &Identity, command: &Command) -> (Link, CommandReply) {
        let (_socket, link) = self.dial(who).await;
        let mut channel = open_channel(&link, StreamKind::Command).await.unwrap();
        channel.send(command).await.unwrap();
        let reply = soon("a reply", channel.expect("no reply")).await;
        (link, reply.unwrap())
    }

    /// The holder's relay still answers him.
    pub(crate) async fn still_obeys(&self) {
        let (_, reply) = self.command(&self.holder, &Command::Status(Empty {})).await;
        assert!(matches!(reply, CommandReply::Status(_)), "{reply:?}");
        assert!(!self.ended.is_finished());
    }

    /// The holder has the relay serve a stream.
    pub(crate) async fn serve(&self, stream: &Stream) -> CommandReply {
        let serve = Command::Serve(Serve {
            run: stream.signed_run.clone(),
            coordinator: stream.run.coordinator,
            rate_bps_max: RATE_BPS,
        });
        self.command(&self.holder, &serve).await.1
    }

    /// The stream's coordinator takes the relay on and orders these edges.
    pub(crate) async fn coordinate(&self, stream: &Stream, orders: Vec<EdgeOrder>) -> Control {
        assert_eq!(self.serve(stream).await, CommandReply::Done(Empty {}));
        let (socket, link) = self.dial(&stream.station).await;
        let mut channel = open_channel(&link, StreamKind::Control).await.unwrap();
        let ready = soon("the relay's ready", channel.expect::<Up>("no ready")).await;
        assert!(matches!(ready.unwrap(), Up::Ready(_)));
        for order in orders {
            channel.send(&Down::Edge(Box::new(order))).await.unwrap();
        }
        Control {
            link,
            channel,
            _socket: socket,
        }
    }

    /// What a viewer believes who takes development evidence.
    pub(crate) fn trust(&self) -> RelayTrust {
        let roots = TrustRoots::from(TrustRoot::parse(&self.root).unwrap());
        RelayTrust::new(roots, Policy::default().with_development())
    }

    /// The holder's word for the relay's key.
    pub(crate) fn admission(&self, stream: &Stream, sponsor: SpkiHash) -> Admission {
        let introduction = Introduction {
            scope: stream.run.scope.clone(),
            order: self.order_id(),
            relay: self.spki(),
            sponsor,
            address: Text::new(self.address.to_string()).unwrap(),
            issued: now(),
        };
        Admission {
            order: self.order.clone(),
            introduction: certs::sign(&self.holder.key, &introduction),
        }
    }

    /// The relay's end, and its reason.
    pub(crate) async fn end(self) -> Reason {
        soon("the relay's end", self.ended).await.unwrap()
    }
}

/// The coordinator's link to the relay.
pub(crate) struct Control {
    pub(crate) link: Link,
    pub(crate) channel: Channel,
    _socket: Arc<Endpoint>,
}

impl Control {
    /// Waits for one of the relay's reports.
    pub(crate) async fn report(&mut self, wanted: impl Fn(&Up) -> bool) -> Up {
        soon("a report", async {
            loop {
                let report = self.channel.expect::<Up>("no report").await.unwrap();
                if wanted(&report) {
                    return report;
                }
            }
        })
        .await
    }
}

pub(crate) async fn dial(who: &Identity, address: SocketAddr) -> (Arc<Endpoint>, Link) {
    let socket = Arc::new(Endpoint::bind(loopback(), who).unwrap());
    let link = socket.dial(address, None, Patience::Control).await.unwrap();
    (socket, link)
}

/// A development root and a release under it.
fn release() -> (Vec<u8>, Vec<u8>) {
    let ring = KeyRing::generate(&SystemRandom::new()).unwrap();
    let (issued, expires) = (now(), now().plus_ms(24 * HOUR_MS));
    let commit = "0".repeat(40);
    let mut release = Release::new("stable", "0.1.0", &commit, "test", issued, expires);
    release.measurements.software = Some(SoftwareMeasurement {
        executable_sha256: PROGRAM.into(),
    });
    let signed = ring.sign_release(&release).unwrap();
    (ring.first_root(expires).unwrap(), signed)
}

/// Boots by the desk's lines, as the program does.
fn boot(desk: &SigningKey, order: &Order, paid: Paid, release: &[u8]) -> Booted {
    let parameters = Parameters {
        listen: Text::new(loopback().to_string()).unwrap(),
        rate_bps: RATE_BPS,
        lease_end: now().plus_ms(paid.lease_ms),
        byte_cap: paid.byte_cap,
        private_networks: true,
    };
    let hex = |bytes: Vec<u8>| data_encoding::HEXLOWER.encode(&bytes);
    let line = json!({
        "schema": "roundcast.boot/1",
        "order": hex(order.to_bytes()),
        "parameters": hex(parameters.to_bytes()),
        "release": String::from_utf8_lossy(release),
    });
    let platform = SoftwarePlatform::new(&SystemRandom::new()).unwrap();
    let conversation = Conversation::new(key(), Box::new(platform));
    let Turn::Say { line, then } = conversation.hear(&line.to_string()).unwrap() else {
        panic!("booted without a statement");
    };
    let request: Value = serde_json::from_str(&line).unwrap();
    let boot_key = PublicKey::from_hex(request["boot_key"].as_str().unwrap()).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, release);
    let statement = PlatformStatement {
        executable_sha256: PROGRAM,
        order: certs::order::id(order),
        parameters: certs::order::parameters_digest(&parameters),
        release: Digest(digest.as_ref().try_into().unwrap()),
        boot_key,
        issued: now(),
    };
    let platform = certify(desk, &statement).unwrap();
    let line = json!({"platform": hex(platform.to_bytes())});
    match then.hear(&line.to_string()).unwrap() {
        Turn::Booted(booted) => *booted,
        Turn::Say { line, .. } => panic!("asks for more: {line}"),
    }
}

/// Somebody with no permit, no command and no stream.
pub(crate) fn nobody() -> Identity {
    stranger()
}
