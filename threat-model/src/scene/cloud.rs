//! A developer with a release, a desk that certifies what it starts, and
//! relays booted from their own library.

use super::boot::{begin, end};
use super::machine::{EK_CERTIFICATE, Machine, released};
use super::{now, rng};
use crate::Failure;
use attest::release::{KeyRing, Release, SoftwareMeasurement, Tpm2Measurement, TrustRoot};
use attest::{Policy, TrustRoots};
use certs::SigningKey;
use desk::platform::{Activated, Started};
use link::{Emitter, Endpoint, RelayTrust};
use relay_vm::boot::{Keys, Platform};
use relay_vm::{Booted, Commanders, Relay, SoftwarePlatform};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use wire::codec::Text;
use wire::message::control::Admission;
use wire::order::{Order, Parameters};
use wire::statement::{Introduction, RunStatement};
use wire::{Digest, Encode, Reason, SpkiHash, UnixMs};

/// A relay's hour.
pub const HOUR_MS: u64 = 3_600_000;
/// How long ago the stage's release was made, in milliseconds.
const AGE_MS: u64 = 24 * HOUR_MS;
/// What a small relay sends, in bit/s.
const RATE_BPS: u64 = 100_000_000;
/// What a small relay-hour may send, in bytes.
const CAP_BYTES: u64 = 45_000_000_000;
/// SHA-256 of the program of the stage's release.
pub const PROGRAM: Digest = Digest([0xee; 32]);
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

/// What the stage's developer releases: a program, and the image around it.
///
/// # Errors
/// None: the measurements are well formed.
pub fn release(security_version: u64) -> Result<Release, Failure> {
    // The stage has relays whose hour is over.
    let issued = UnixMs(now().0.saturating_sub(AGE_MS));
    let commit = "0".repeat(40);
    let mut release = Release::new(CHANNEL, "0.1.0", &commit, "stage", issued, ends());
    release.security_version = security_version;
    release.measurements.software = Some(SoftwareMeasurement {
        executable_sha256: PROGRAM.into(),
    });
    release.measurements.tpm2 = vec![Tpm2Measurement {
        name: "stage".into(),
        pcrs: released()?,
    }];
    Ok(release)
}

/// When releases and roots of the stage end.
fn ends() -> UnixMs {
    now().plus_ms(24 * HOUR_MS)
}

impl Cloud {
    /// A fresh developer with one release, and a fresh desk.
    ///
    /// # Errors
    /// Keys or files cannot be made.
    pub fn new() -> Result<Self, Failure> {
        Self::of(&KeyRing::generate(&rng())?, &release(1)?)
    }

    /// This developer with this release, and a fresh desk.
    ///
    /// # Errors
    /// Keys or files cannot be made.
    pub fn of(developer: &KeyRing, release: &Release) -> Result<Self, Failure> {
        Ok(Self {
            root: developer.first_root(ends())?,
            release: developer.sign_release(release)?,
            program: PROGRAM,
            desk: SigningKey::generate(&rng())?,
        })
    }

    /// The same, with a desk that starts another release, by its
    /// `release.json`, and another program.
    #[must_use]
    pub fn starting(self, release: Vec<u8>, program: Digest) -> Self {
        Self {
            release,
            program,
            ..self
        }
    }

    /// The release's `release.json`.
    #[must_use]
    pub fn release_json(&self) -> &[u8] {
        &self.release
    }

    /// The developer's root.
    ///
    /// # Errors
    /// It does not verify.
    pub fn root(&self) -> Result<TrustRoot, Failure> {
        Ok(TrustRoot::parse(&self.root)?)
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

    /// What a viewer believes who takes development evidence, and this desk's
    /// word about its machines.
    ///
    /// # Errors
    /// The root does not verify.
    pub fn trust(&self, policy: Policy) -> Result<RelayTrust, Failure> {
        let desk = certs::x509::spki_of_public(&self.desk.public());
        self.trust_no_more_than(policy.with_development().with_operator(desk))
    }

    /// What a viewer believes who takes what this policy says and nothing
    /// else.
    ///
    /// # Errors
    /// The root does not verify.
    pub fn trust_no_more_than(&self, policy: Policy) -> Result<RelayTrust, Failure> {
        Ok(RelayTrust::new(TrustRoots::from(self.root()?), policy))
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
        self.boot_on(Box::new(SoftwarePlatform::new(&rng())?), order, listen)
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
        let told = Parameters {
            lease_end,
            ..parameters(listen, now())?
        };
        let word = Word {
            order,
            certified: &told,
            issued: now(),
        };
        self.boot_as(Box::new(SoftwarePlatform::new(&rng())?), &told, &word)
    }

    /// The same on a machine with a TPM.
    ///
    /// # Errors
    /// The boot fails.
    pub fn boot_machine(
        &self,
        machine: Machine,
        order: &Order,
        listen: SocketAddr,
    ) -> Result<Booted, Failure> {
        self.boot_on(Box::new(machine.platform()), order, listen)
    }

    fn boot_on(
        &self,
        platform: Box<dyn Platform>,
        order: &Order,
        listen: SocketAddr,
    ) -> Result<Booted, Failure> {
        let told = parameters(listen, now())?;
        let word = Word {
            order,
            certified: &told,
            issued: now(),
        };
        self.boot_as(platform, &told, &word)
    }

    /// Boots the genuine relay, which is told these parameters; the desk's
    /// word about it may be another.
    ///
    /// # Errors
    /// The boot fails.
    pub fn boot_as(
        &self,
        mut platform: Box<dyn Platform>,
        told: &Parameters,
        word: &Word<'_>,
    ) -> Result<Booted, Failure> {
        let keys = platform.keys()?;
        let release = String::from_utf8_lossy(&self.release).into_owned();
        let conversation = begin(platform, word.order, told, release)?;
        end(conversation, &self.vouch(&keys, word)?)
    }

    /// The desk's signature, whatever it is about.
    fn vouch(&self, keys: &Keys, word: &Word<'_>) -> Result<Vec<u8>, Failure> {
        match keys {
            Keys::Software { boot_key } => {
                let started = Started {
                    executable_sha256: self.program,
                    order: word.order,
                    parameters: word.certified,
                    release: &self.release,
                    boot_key: *boot_key,
                };
                Ok(started.certify(&self.desk, word.issued)?.to_bytes())
            }
            Keys::Tpm2(keys) => {
                let activated = Activated {
                    ak_public: &keys.ak_public,
                    ek_certificate: Digest(voucher::encoding::sha256(EK_CERTIFICATE)),
                    boot: super::random()?,
                    order: word.order,
                    parameters: word.certified,
                    release: &self.release,
                    until: word.certified.lease_end,
                };
                Ok(activated.certify(&self.desk, word.issued)?.to_bytes())
            }
        }
    }
}

/// What a desk says of a relay that it started.
#[derive(Debug)]
pub struct Word<'a> {
    /// For which order.
    pub order: &'a Order,
    /// With which parameters.
    pub certified: &'a Parameters,
    /// When.
    pub issued: UnixMs,
}

/// What relays of the stage are started with, by a desk that has this time.
///
/// # Errors
/// The address does not fit.
pub fn parameters(listen: SocketAddr, issued: UnixMs) -> Result<Parameters, Failure> {
    Ok(Parameters {
        listen: Text::new(listen.to_string())?,
        rate_bps: RATE_BPS,
        lease_end: issued.plus_ms(HOUR_MS),
        byte_cap: CAP_BYTES,
        private_networks: true,
    })
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
