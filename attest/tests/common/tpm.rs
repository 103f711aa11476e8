//! A machine with a TPM whose every answer a test may change.

use super::{HOUR_MS, NOW, World, key, order, sha256};
use attest::release::Tpm2Measurement;
use attest::tpm2::{self, Bank, Pcrs, Tpm2Evidence, TpmStatement};
use attest::{Evidence, Policy, QuoteDigest};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use wire::codec::Blob;
use wire::{Digest, SpkiHash};

pub const MAGIC: u32 = 0xff54_4347;
pub const TYPE_QUOTE: u16 = 0x8018;
/// PCR 4, 7, 9, 11, 12 and 13.
pub const SELECTION: [u8; 3] = [0x90, 0x3a, 0x00];
/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign.
pub const AK_ATTRIBUTES: u32 = 0x0005_0072;

pub fn ak(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

/// What the release's image leaves in the registers.
pub fn pcrs(bank: Bank) -> Pcrs {
    let len = bank.bytes();
    let value = |fill: u8| vec![fill; len];
    let values = [0x04, 0x07, 0x09, 0x11, 0, 0].map(value);
    Pcrs::new(bank, values).unwrap()
}

/// The same with other values in one register.
pub fn altered(bank: Bank, pcr: u8) -> Pcrs {
    let values: Vec<_> = pcrs(bank)
        .iter()
        .map(|(number, value)| {
            let mut value = value.to_vec();
            if number == pcr {
                value[0] ^= 1;
            }
            value
        })
        .collect();
    Pcrs::new(bank, values.try_into().unwrap()).unwrap()
}

/// The fields of a `TPMS_ATTEST`; what is `None` is as it should be.
#[derive(Clone)]
pub struct Fields {
    pub magic: u32,
    pub kind: u16,
    pub nonce: Option<Vec<u8>>,
    pub clock_ms: u64,
    pub reset_count: u32,
    pub restart_count: u32,
    pub safe: u8,
    pub selections: Vec<(u16, [u8; 3])>,
    pub pcr_digest: Option<[u8; 32]>,
    pub trailing: Vec<u8>,
}

impl Fields {
    pub fn of(bank: Bank) -> Self {
        Self {
            magic: MAGIC,
            kind: TYPE_QUOTE,
            nonce: None,
            clock_ms: 12_345,
            reset_count: 3,
            restart_count: 0,
            safe: 1,
            selections: vec![(u16::try_from(bank.code()).unwrap(), SELECTION)],
            pcr_digest: None,
            trailing: Vec::new(),
        }
    }

    /// `TPMS_ATTEST` over `nonce` and `pcrs`.
    pub fn attest(&self, nonce: &[u8], pcrs: &Pcrs) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.magic.to_be_bytes());
        out.extend(self.kind.to_be_bytes());
        out.extend(sized(&[&[0x00, 0x0b][..], &[0x5a; 32]].concat()));
        out.extend(sized(self.nonce.as_deref().unwrap_or(nonce)));
        out.extend(self.clock_ms.to_be_bytes());
        out.extend(self.reset_count.to_be_bytes());
        out.extend(self.restart_count.to_be_bytes());
        out.push(self.safe);
        out.extend(0x2024_0101_0000_0000_u64.to_be_bytes());
        out.extend(u32::try_from(self.selections.len()).unwrap().to_be_bytes());
        for (bank, selection) in &self.selections {
            out.extend(bank.to_be_bytes());
            out.push(3);
            out.extend(selection);
        }
        out.extend(sized(&self.pcr_digest.unwrap_or(pcrs.digest().0)));
        out.extend(&self.trailing);
        out
    }
}

pub fn sized(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap();
    [&len.to_be_bytes(), bytes].concat()
}

/// `TPM2B_ATTEST ‖ TPMT_SIGNATURE`.
pub fn with_signature(attest: &[u8], r: &[u8], s: &[u8]) -> Vec<u8> {
    [
        sized(attest),
        vec![0x00, 0x18, 0x00, 0x0b],
        sized(r),
        sized(s),
    ]
    .concat()
}

/// Signs as a TPM does.
pub fn sign(ak: &SigningKey, attest: &[u8]) -> Vec<u8> {
    let signature: Signature = ak.sign(attest);
    let bytes = signature.to_bytes();
    let (r, s) = bytes.split_at(32);
    with_signature(attest, r, s)
}

/// `TPMT_PUBLIC` of a P-256 key for signing.
pub fn public(point: &[u8], attributes: u32) -> Vec<u8> {
    let (x, y) = point[1..].split_at(32);
    [
        vec![0x00, 0x23, 0x00, 0x0b],
        attributes.to_be_bytes().to_vec(),
        vec![
            0, 0, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b, 0x00, 0x03, 0x00, 0x10,
        ],
        sized(x),
        sized(y),
    ]
    .concat()
}

pub fn point(ak: &SigningKey) -> Vec<u8> {
    ak.verifying_key().to_sec1_point(false).as_bytes().to_vec()
}

/// A relay in a virtual machine. `world` has its order, release and keys.
pub struct Machine {
    pub world: World,
    pub ak: SigningKey,
    /// Whom the desk certifies, if not the AK.
    pub certified: Option<Vec<u8>>,
    /// What is in the registers.
    pub pcrs: Pcrs,
    /// What the evidence shows, if not those.
    pub shown: Option<Pcrs>,
    pub fields: Fields,
}

impl Default for Machine {
    fn default() -> Self {
        Self::of(Bank::Sha256)
    }
}

/// The hash of the desk's key, as in its URI.
pub fn desk() -> SpkiHash {
    certs::x509::spki_of_public(&key(6).public())
}

impl Machine {
    pub fn of(bank: Bank) -> Self {
        let mut world = World::default();
        world.release.measurements.software = None;
        let profile = |name: &str, bank| Tpm2Measurement {
            name: name.into(),
            pcrs: pcrs(bank),
        };
        world.release.measurements.nitro_tpm = vec![profile("nitro", Bank::Sha384)];
        world.release.measurements.gcp_tpm = vec![profile("gcp", Bank::Sha256)];
        world.release.measurements.azure_tpm = vec![profile("azure", Bank::Sha256)];
        world.release.measurements.tpm2 = [Bank::Sha256, Bank::Sha384]
            .map(|bank| profile(&format!("ovmf-{bank}"), bank))
            .into();
        world.policy = Policy::default().with_operator(desk());
        Self {
            world,
            ak: ak(40),
            certified: None,
            pcrs: pcrs(bank),
            shown: None,
            fields: Fields::of(bank),
        }
    }

    pub fn statement(&self) -> TpmStatement {
        let public = public(&point(&self.ak), AK_ATTRIBUTES);
        TpmStatement {
            ak_public: Blob::new(self.certified.clone().unwrap_or(public)).unwrap(),
            ek_certificate_digest: Digest([0xec; 32]),
            boot: [0xb0; 16],
            order: certs::order::id(&self.world.order),
            parameters_digest: certs::order::parameters_digest(&self.world.parameters),
            release_digest: sha256(&self.world.release_json()),
            issued: NOW,
            until: NOW.plus_ms(HOUR_MS),
        }
    }

    pub fn quote(&self, digest: &QuoteDigest) -> Vec<u8> {
        sign(&self.ak, &self.fields.attest(digest.as_bytes(), &self.pcrs))
    }

    pub fn boot_digest(&self) -> QuoteDigest {
        QuoteDigest::boot(
            &self.world.spki(),
            &certs::order::id(&self.world.order),
            &certs::order::parameters_digest(&self.world.parameters),
        )
    }

    pub fn evidence_with(&self, statement: &TpmStatement, boot_quote: Vec<u8>) -> Evidence {
        let statement = tpm2::certify(&self.world.desk, statement).unwrap();
        Tpm2Evidence::assemble(
            self.world.order.clone(),
            self.world.parameters.clone(),
            statement,
            boot_quote,
            self.shown.clone().unwrap_or(self.pcrs.clone()),
            &self.world.release_json(),
        )
        .unwrap()
    }

    pub fn evidence(&self) -> Evidence {
        self.evidence_with(&self.statement(), self.quote(&self.boot_digest()))
    }

    /// With another statement than the desk should make.
    pub fn stating(&self, change: impl FnOnce(&mut TpmStatement)) -> Evidence {
        let mut statement = self.statement();
        change(&mut statement);
        self.evidence_with(&statement, self.quote(&self.boot_digest()))
    }
}

/// A machine with something changed.
pub fn machine(change: impl FnOnce(&mut Machine)) -> Machine {
    let mut machine = Machine::default();
    change(&mut machine);
    machine
}

/// The order that everybody here made.
pub fn ordered() -> wire::OrderId {
    certs::order::id(&order())
}
