//! A developer's root, a release and a relay's certificate, as files.

#![allow(clippy::unwrap_used)]

use crate::trust::TrustOptions;
use attest::live::{Batch, Challenge, Connection, Leaf, TlsSide};
use attest::release::{KeyRing, Release, SoftwareMeasurement};
use attest::software::{self, BootKey, PlatformStatement};
use attest::{Expectation, Quoter};
use certs::SigningKey;
use link::{Proof, RelayTrust};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::{TempDir, tempdir};
use wire::codec::Text;
use wire::order::{Order, Parameters};
use wire::{Digest, Nonce, SpkiHash, UnixMs};

pub(crate) const NOW: UnixMs = UnixMs(1_790_000_000_000);
pub(crate) const HOUR_MS: u64 = 3_600_000;
const RELAY: &[u8] = b"a relay's program";

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn sha256(bytes: &[u8]) -> Digest {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    Digest(hash.as_ref().try_into().unwrap())
}

/// The folder of one release: `root.json`, `release.json`, `roundcast-relay`.
pub(crate) struct Files {
    folder: TempDir,
    /// Of the first of the developer's keys.
    seed: u8,
    release: Vec<u8>,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self::of_developer(1)
    }

    /// With the developer's keys made of five seeds from `seed` up.
    pub(crate) fn of_developer(seed: u8) -> Self {
        Self::make(seed, |_| {})
    }

    /// Another release of the same developer.
    pub(crate) fn released(&self, change: impl FnOnce(&mut Release)) -> Self {
        Self::make(self.seed, change)
    }

    fn make(seed: u8, change: impl FnOnce(&mut Release)) -> Self {
        let ring = KeyRing {
            root: [key(seed), key(seed + 1), key(seed + 2)],
            release: [key(seed + 3), key(seed + 4)],
        };
        let mut release = Release::new(
            "stable",
            "0.1.0",
            "00112233445566778899aabbccddeeff00112233",
            "cargo build --release -p relay-vm",
            UnixMs(NOW.0 - HOUR_MS),
            NOW.plus_ms(24 * HOUR_MS),
        );
        release.security_version_min = 0;
        release.measurements.software = Some(SoftwareMeasurement {
            executable_sha256: sha256(RELAY).into(),
        });
        change(&mut release);
        let release = ring.sign_release(&release).unwrap();
        let folder = tempdir().unwrap();
        let root = ring.first_root(NOW.plus_ms(99 * HOUR_MS)).unwrap();
        fs::write(folder.path().join("root.json"), root).unwrap();
        fs::write(folder.path().join("release.json"), &release).unwrap();
        fs::write(folder.path().join("roundcast-relay"), RELAY).unwrap();
        Self {
            folder,
            seed,
            release,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn release_json(&self) -> &[u8] {
        &self.release
    }

    pub(crate) fn release_digest(&self) -> Digest {
        sha256(&self.release)
    }

    /// Believes the developer, and software.
    pub(crate) fn trust(&self) -> TrustOptions {
        TrustOptions {
            trust_root: Some(self.path("root.json")),
            trust_operator: Vec::new(),
            trust_development: true,
        }
    }

    /// The relay's key.
    pub(crate) fn relay(&self) -> SpkiHash {
        certs::x509::spki_of_public(&key(8).public())
    }

    pub(crate) fn order(&self) -> Order {
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

    /// The certificate of a relay that was started from this release.
    pub(crate) fn certificate(&self) -> PathBuf {
        let order = self.order();
        let parameters = Parameters {
            listen: Text::new("127.0.0.9:4433").unwrap(),
            rate_bps: 100_000_000,
            lease_end: NOW.plus_ms(HOUR_MS),
            byte_cap: 45_000_000_000,
            private_networks: true,
        };
        let boot: BootKey = key(9).into();
        let statement = PlatformStatement {
            executable_sha256: sha256(RELAY),
            order: certs::order::id(&order),
            parameters: certs::order::parameters_digest(&parameters),
            release: self.release_digest(),
            boot_key: boot.public(),
            issued: NOW,
        };
        let platform = software::certify(&key(6), &statement).unwrap();
        let evidence = boot
            .evidence(&self.relay(), order, parameters, platform, &self.release)
            .unwrap();
        let extension = (certs::x509::EVIDENCE_OID.to_vec(), evidence.to_extension());
        let der = certs::x509::self_signed(&key(8), vec![extension]).unwrap();
        fs::write(self.path("relay.der"), der).unwrap();
        self.path("relay.der")
    }

    /// The relay as a viewer with this trust has verified it, at [`NOW`].
    pub(crate) fn proof(&self, trust: &RelayTrust) -> Proof {
        let certificate = fs::read(self.certificate()).unwrap();
        let expectation = Expectation::of_order(self.relay(), &self.order());
        let boot = trust.appraise(&certificate, &expectation, NOW).unwrap();
        let connection = Connection {
            exporter: [3; 32],
            own: SpkiHash([4; 32]),
            peer: self.relay(),
            peer_side: TlsSide::Server,
        };
        let leaf = Leaf {
            attester_side: connection.peer_side,
            nonce: Nonce([5; 32]),
            exporter: connection.exporter,
            attester: connection.peer,
            verifier: connection.own,
            order: boot.order(),
            parameters: boot.parameters_digest(),
            release: boot.release_digest(),
        };
        let batch = Batch::new(&[leaf.digest().unwrap(), Digest([6; 32])]).unwrap();
        let quoter: BootKey = key(9).into();
        let quote = quoter.quote(&batch.digest()).unwrap();
        let response = batch.response(0, &quote).unwrap();
        let challenge = Challenge::new(leaf.nonce, 100);
        let live = challenge.verify(&response, &connection, &boot, &trust.policy(), 141);
        Proof {
            certificate: Arc::new(certificate),
            boot,
            live: live.unwrap(),
            at: NOW,
            at_mono_ms: 141,
        }
    }
}
