//! A developer with a release, a desk that certifies what it starts, and
//! relays booted from their own library.

use super::{now, rng};
use crate::Failure;
use attest::release::{KeyRing, Release, SoftwareMeasurement, TrustRoot};
use attest::{Policy, TrustRoots};
use certs::SigningKey;
use certs::introduction::IntroductionCheck;
use desk::platform::Started;
use link::{Emitter, Endpoint, RelayTrust};
use relay_vm::{Booted, Commanders, Conversation, Relay, SoftwarePlatform, Turn};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use wire::codec::Text;
use wire::message::control::Admission;
use wire::order::{Order, Parameters};
use wire::statement::{Introduction, RunStatement};
use wire::{Digest, Encode, PublicKey, Reason, SpkiHash, UnixMs};

const HOUR_MS: u64 = 3_600_000;
/// What a small relay sends, in bit/s.
const RATE_BPS: u64 = 100_000_000;
/// What a small relay-hour may send, in bytes.
const CAP_BYTES: u64 = 45_000_000_000;
/// SHA-256 of the program of the stage's release.
const PROGRAM: Digest = Digest([0xee; 32]);
/// The release channel of all relays here.
pub const CHANNEL: &str = "stable";
/// The program in a release bundle, and the statement about it.
const BUNDLE: [&str; 2] = ["roundcast-relay", "release.json"];

/// Developer, release and desk.
#[derive(Debug)]
pub struct Cloud {
    root: Vec<u8>,
    release: Vec<u8>,
    program: Digest,
    /// The desk's identity and platform key.
    pub desk: SigningKey,
}

impl Cloud {
    /// A fresh developer with one release, and a fresh desk.
    ///
    /// # Errors
    /// Keys or files cannot be made.
    pub fn new() -> Result<Self, Failure> {
        let ring = KeyRing::generate(&rng())?;
        let (issued, expires) = (now(), now().plus_ms(24 * HOUR_MS));
        let commit = "0".repeat(40);
        let mut release = Release::new("stable", "0.1.0", &commit, "stage", issued, expires);
        release.measurements.software = Some(SoftwareMeasurement {
            executable_sha256: PROGRAM.into(),
        });
        Ok(Self {
            root: ring.first_root(expires)?,
            release: ring.sign_release(&release)?,
            program: PROGRAM,
            desk: SigningKey::generate(&rng())?,
        })
    }

    /// The developer of a release bundle, and a desk of one's own that
    /// certifies whatever one likes.
    ///
    /// # Errors
    /// The bundle cannot be read.
    pub fn of_bundle(folder: &Path, root: &Path) -> Result<Self, Failure> {
        let [program, statement] = BUNDLE.map(|name| folder.join(name));
        Ok(Self {
            root: std::fs::read(root)?,
            release: std::fs::read(statement)?,
            program: desk::platform::measure(&program)?,
            desk: SigningKey::generate(&rng())?,
        })
    }

    /// What a viewer believes who takes development evidence.
    ///
    /// # Errors
    /// The root does not verify.
    pub fn trust(&self, policy: Policy) -> Result<RelayTrust, Failure> {
        Ok(RelayTrust {
            roots: TrustRoots::from(TrustRoot::parse(&self.root)?),
            policy: policy.with_development(),
            introductions: IntroductionCheck::default(),
        })
    }

    /// An order of this holder at this desk.
    ///
    /// # Errors
    /// Randomness.
    pub fn order(&self, holder: &SigningKey) -> Result<Order, Failure> {
        Ok(Order {
            holder_key: holder.public(),
            voucher_nonce: Digest(super::random()?),
            class: Text::new("small.local.1h.45gb.2026q4")?,
            channel: Text::new(CHANNEL)?,
            desk_key: self.desk.public(),
            lease_ms: HOUR_MS,
            byte_cap: CAP_BYTES,
        })
    }

    /// Boots the genuine relay for an order: its own boot code, its own keys,
    /// certified by the desk.
    ///
    /// # Errors
    /// The boot fails.
    pub fn boot(&self, order: &Order, listen: SocketAddr) -> Result<Booted, Failure> {
        self.boot_until(order, listen, now().plus_ms(HOUR_MS))
    }

    /// The same, with the paid time ending then.
    ///
    /// # Errors
    /// The boot fails.
    pub fn boot_until(
        &self,
        order: &Order,
        listen: SocketAddr,
        lease_end: UnixMs,
    ) -> Result<Booted, Failure> {
        let release = String::from_utf8_lossy(&self.release).into_owned();
        let parameters = Parameters {
            listen: Text::new(listen.to_string())?,
            rate_bps: RATE_BPS,
            lease_end,
            byte_cap: CAP_BYTES,
            private_networks: true,
        };
        let hex = |bytes: Vec<u8>| data_encoding::HEXLOWER.encode(&bytes);
        let line = json!({
            "schema": "roundcast.boot/1",
            "order": hex(order.to_bytes()),
            "parameters": hex(parameters.to_bytes()),
            "release": release,
        });
        let key = SigningKey::generate(&rng())?;
        let platform = SoftwarePlatform::new(&rng())?;
        let begun = Conversation::new(key, Box::new(platform)).hear(&line.to_string())?;
        let Turn::Say { line, then } = begun else {
            return Err(Failure::Stage("the relay asks for no statement"));
        };
        let request: Value = serde_json::from_str(&line)?;
        let boot_key = request
            .get("boot_key")
            .and_then(Value::as_str)
            .and_then(PublicKey::from_hex)
            .ok_or(Failure::Stage("the relay's request names no boot key"))?;
        let platform = Started {
            executable_sha256: self.program,
            order,
            parameters: &parameters,
            release: &self.release,
            boot_key,
        }
        .certify(&self.desk, now())?;
        let line = json!({"platform": hex(platform.to_bytes())});
        match then.hear(&line.to_string())? {
            Turn::Booted(booted) => Ok(*booted),
            Turn::Say { .. } => Err(Failure::Stage("the relay asks for more")),
        }
    }
}

/// The holder's word for a relay's key, as a coordinator hands it out.
///
/// # Errors
/// The address does not fit.
pub fn admission(
    run: &RunStatement,
    order: &Order,
    holder: &SigningKey,
    (relay, address): (SpkiHash, SocketAddr),
    sponsor: SpkiHash,
) -> Result<Admission, Failure> {
    let introduction = Introduction {
        scope: run.scope.clone(),
        order: certs::order::id(order),
        relay,
        sponsor,
        address: Text::new(address.to_string())?,
        issued: now(),
    };
    Ok(Admission {
        order: order.clone(),
        introduction: certs::sign(holder, &introduction),
    })
}

/// A relay that runs: the library's own, in this process.
#[derive(Debug)]
pub struct RunningRelay {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its key.
    pub spki: SpkiHash,
    /// Its socket.
    pub endpoint: Arc<Endpoint>,
    /// Ends with the reason of the relay's end.
    pub ended: tokio::task::JoinHandle<Reason>,
}

/// Starts a booted relay. It ends when `life` does: the desk's end of the
/// pipe, in life.
///
/// # Errors
/// Its address cannot be used.
pub fn start<R>(booted: Booted, commanders: Commanders, life: R) -> Result<RunningRelay, Failure>
where
    R: tokio::io::AsyncBufRead + Unpin + Send + 'static,
{
    let spki = booted.binding.spki;
    let emit = Emitter::new("relay", false);
    let started = Relay::start_obeying(commanders, booted, link::Clock::new(), emit)?;
    let (relay, endpoint, events) = (started.relay, started.endpoint, started.events);
    let address = endpoint.address()?;
    let socket = endpoint.clone();
    let ended = tokio::spawn(async move {
        let reason = relay.serve(&socket, events, life).await;
        socket.close(reason).await;
        reason
    });
    Ok(RunningRelay {
        address,
        spki,
        endpoint,
        ended,
    })
}

/// A pipe whose other end keeps a relay alive while it is held.
#[must_use]
pub fn lifeline() -> (
    tokio::io::DuplexStream,
    tokio::io::BufReader<tokio::io::DuplexStream>,
) {
    let (held, read) = tokio::io::duplex(64);
    (held, tokio::io::BufReader::new(read))
}
