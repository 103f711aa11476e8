//! A developer, a desk, a holder and a relay, all from fixed seeds.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

pub mod authority;
pub mod cases;
pub mod challenge_cases;
pub mod cloud;
pub mod cloud_cases;
pub mod key_cases;
pub mod nitro;
pub mod nitro_cases;
pub mod release_cases;
pub mod sets;
pub mod tpm;
pub mod tpm_cases;

use attest::release::{self, KeyRing, Release, SoftwareMeasurement, TrustRoot};
use attest::software::{self, BootKey, PlatformStatement, SoftwareEvidence};
use attest::{Appraised, Evidence, Expectation, Policy, Refusal, TrustRoots, appraise};
use certs::SigningKey;
use wire::codec::Text;
use wire::order::{Order, Parameters};
use wire::{Digest, SpkiHash, UnixMs};

pub const NOW: UnixMs = UnixMs(1_790_000_000_000);
pub const HOUR_MS: u64 = 3_600_000;
pub const YEAR_MS: u64 = 365 * 24 * HOUR_MS;

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

pub fn key_ring() -> KeyRing {
    KeyRing {
        root: [key(1), key(2), key(3)],
        release: [key(4), key(5)],
    }
}

/// Everything that a genuine relay is made of. Tests change one part and
/// build the certificate again.
pub struct World {
    pub root: Vec<u8>,
    pub release: Release,
    pub release_keys: Vec<SigningKey>,
    pub desk: SigningKey,
    pub order: Order,
    pub parameters: Parameters,
    pub relay: SigningKey,
    pub boot: BootKey,
    pub policy: Policy,
    pub now: UnixMs,
}

impl Default for World {
    fn default() -> Self {
        let mut release = Release::new(
            "stable",
            "0.1.0",
            "00112233445566778899aabbccddeeff00112233",
            "cargo build --release -p relay-vm",
            UnixMs(NOW.0 - HOUR_MS),
            NOW.plus_ms(24 * HOUR_MS),
        );
        release.security_version = 5;
        release.security_version_min = 3;
        release.measurements.software = Some(SoftwareMeasurement {
            executable_sha256: Digest([0xee; 32]).into(),
        });
        Self {
            root: key_ring().first_root(NOW.plus_ms(YEAR_MS)).unwrap(),
            release,
            release_keys: vec![key(4)],
            desk: key(6),
            order: order(),
            parameters: parameters(),
            relay: key(8),
            boot: key(9).into(),
            policy: Policy::default().with_development(),
            now: NOW,
        }
    }
}

pub fn order() -> Order {
    Order {
        holder_key: key(7).public(),
        voucher_nonce: Digest([0x11; 32]),
        class: Text::new("small.local.1h.45gb.2026q4").unwrap(),
        channel: Text::new("stable").unwrap(),
        desk_key: key(6).public(),
        lease_ms: HOUR_MS,
        byte_cap: 45_000_000_000,
    }
}

pub fn parameters() -> Parameters {
    Parameters {
        listen: Text::new("127.0.0.9:4433").unwrap(),
        rate_bps: 200_000_000,
        lease_end: NOW.plus_ms(HOUR_MS),
        byte_cap: 45_000_000_000,
        private_networks: true,
    }
}

impl World {
    pub fn spki(&self) -> SpkiHash {
        certs::x509::spki_of_public(&self.relay.public())
    }

    pub fn roots(&self) -> TrustRoots {
        TrustRoot::parse(&self.root).unwrap().into()
    }

    pub fn release_json(&self) -> Vec<u8> {
        let keys: Vec<_> = self.release_keys.iter().collect();
        release::sign(&self.release, &keys).unwrap()
    }

    pub fn statement(&self) -> PlatformStatement {
        PlatformStatement {
            executable_sha256: Digest([0xee; 32]),
            order: certs::order::id(&self.order),
            parameters: certs::order::parameters_digest(&self.parameters),
            release: sha256(&self.release_json()),
            boot_key: self.boot.public(),
            issued: NOW,
        }
    }

    /// Evidence as the relay makes it, with `statement` certified.
    pub fn evidence_of(&self, statement: &PlatformStatement) -> Evidence {
        let platform = software::certify(&self.desk, statement).unwrap();
        self.boot
            .evidence(
                &self.spki(),
                self.order.clone(),
                self.parameters.clone(),
                platform,
                &self.release_json(),
            )
            .unwrap()
    }

    pub fn evidence(&self) -> Evidence {
        self.evidence_of(&self.statement())
    }

    /// Evidence with one part changed after it was made.
    pub fn changed(&self, change: impl FnOnce(&mut SoftwareEvidence)) -> Evidence {
        match self.evidence() {
            Evidence::Software(mut evidence) => {
                change(&mut evidence);
                Evidence::Software(evidence)
            }
            other => other,
        }
    }

    pub fn certificate(&self, extension: Vec<u8>) -> Vec<u8> {
        let extensions = vec![(certs::x509::EVIDENCE_OID.to_vec(), extension)];
        certs::x509::self_signed(&self.relay, extensions).unwrap()
    }

    pub fn expectation(&self) -> Expectation {
        Expectation::of_order(self.spki(), &self.order)
    }

    /// What a verifier says who was promised this world's relay.
    pub fn verdict(&self, evidence: &Evidence) -> Result<Appraised, Refusal> {
        self.verdict_on(&self.certificate(evidence.to_extension()))
    }

    pub fn verdict_on(&self, certificate: &[u8]) -> Result<Appraised, Refusal> {
        appraise(
            certificate,
            &self.expectation(),
            &self.roots(),
            &self.policy,
            self.now,
        )
    }

    pub fn appraised(&self) -> Appraised {
        self.verdict(&self.evidence()).unwrap()
    }
}

pub fn sha256(bytes: &[u8]) -> Digest {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    Digest(hash.as_ref().try_into().unwrap())
}
