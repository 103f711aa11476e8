//! A machine with a TPM that the attacker owns: a program that answers as a
//! TPM does, with whatever registers and counters it is told to have.

use super::rng;
use crate::Failure;
use attest::tpm2::{Bank, PCRS, Pcrs};
use relay_vm::boot::{Tpm, Tpm2Keys, Tpm2Platform, TpmFailed};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// `TPM_GENERATED_VALUE` and `TPM_ST_ATTEST_QUOTE` (TPM 2.0 Library, Part 2,
/// sections 6.2 and 6.9).
const QUOTE_BEGINS: [u8; 6] = [0xff, 0x54, 0x43, 0x47, 0x80, 0x18];
/// The quoted registers of the SHA-256 bank (`TPML_PCR_SELECTION`): 4, 7, 9,
/// 11, 12 and 13.
const SELECTION: [u8; 10] = [0, 0, 0, 1, 0x00, 0x0b, 3, 0x90, 0x3a, 0x00];
/// `TPM_ALG_ECDSA` and `TPM_ALG_SHA256`, before a signature.
const ECDSA_SHA256: [u8; 4] = [0x00, 0x18, 0x00, 0x0b];
/// `TPMT_PUBLIC` of an attestation key up to its point: P-256, restricted,
/// fixed, for signing, made by the TPM.
const AK_BEGINS: [u8; 20] = [
    0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72, 0, 0, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b, 0x00,
    0x03, 0x00, 0x10,
];
/// `TPM_ALG_SHA256` and the hash: the name of the key that quotes. Nobody
/// compares it.
const SIGNER: [u8; 34] = [0x0b; 34];
/// What the stage's desk takes for the key of a TPM's maker: it knows better.
pub const EK_CERTIFICATE: &[u8] = b"made by nobody";

/// What the release's image leaves in the registers.
///
/// # Errors
/// None: the lengths are the bank's.
pub fn released() -> Result<Pcrs, Failure> {
    registers(|pcr| match pcr {
        12 | 13 => 0,
        other => other,
    })
}

/// The same, with other values in these registers.
///
/// # Errors
/// None: the lengths are the bank's.
pub fn altered(changed: &[u8]) -> Result<Pcrs, Failure> {
    registers(|pcr| match pcr {
        other if changed.contains(&other) => 0xff,
        12 | 13 => 0,
        other => other,
    })
}

fn registers(fill: impl Fn(u8) -> u8) -> Result<Pcrs, Failure> {
    let values = PCRS.map(|pcr| vec![fill(pcr); Bank::Sha256.bytes()]);
    Ok(Pcrs::new(Bank::Sha256, values)?)
}

/// The owner's hand inside the machine: what he does with it shows in the
/// quotes that follow.
#[derive(Debug, Clone)]
pub struct Hand(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    pcrs: Pcrs,
    resets: u32,
    clock_ms: u64,
}

impl Hand {
    /// Something else is measured into the registers.
    pub fn measure(&self, pcrs: Pcrs) {
        self.state().pcrs = pcrs;
    }

    /// The machine is reset and boots the released image once more.
    pub fn reset(&self) {
        let mut state = self.state();
        state.resets = state.resets.saturating_add(1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A machine that has booted.
#[derive(Debug)]
pub struct Machine {
    /// How its owner gets at it.
    pub hand: Hand,
    ak: EcdsaKeyPair,
}

impl Machine {
    /// A machine with a fresh attestation key and these registers.
    ///
    /// # Errors
    /// Randomness.
    pub fn with(pcrs: Pcrs) -> Result<Self, Failure> {
        let rng = rng();
        let scheme = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(scheme, &rng).map_err(|_| Failure::Random)?;
        let ak = EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &rng)
            .map_err(|_| Failure::Stage("the attestation key cannot be read"))?;
        let state = State {
            pcrs,
            resets: 1,
            clock_ms: 1,
        };
        Ok(Self {
            hand: Hand(Arc::new(Mutex::new(state))),
            ak,
        })
    }

    /// The released image, on a machine of its own.
    ///
    /// # Errors
    /// Randomness.
    pub fn genuine() -> Result<Self, Failure> {
        Self::with(released()?)
    }

    /// The relay's own platform, on this machine.
    #[must_use]
    pub fn platform(self) -> Tpm2Platform<Self> {
        let pcrs = self.hand.state().pcrs.clone();
        Tpm2Platform::new(self, pcrs)
    }

    /// `TPMS_ATTEST` over these 32 bytes and the registers of now.
    fn attest(&self, qualifying: &[u8; 32]) -> Vec<u8> {
        let mut state = self.hand.state();
        state.clock_ms = state.clock_ms.saturating_add(1);
        let mut out = QUOTE_BEGINS.to_vec();
        out.extend(sized(&SIGNER));
        out.extend(sized(qualifying));
        out.extend(state.clock_ms.to_be_bytes());
        out.extend(state.resets.to_be_bytes());
        // No restart; the clock is safe; a firmware version.
        out.extend([0, 0, 0, 0, 1]);
        out.extend([0; 8]);
        out.extend(SELECTION);
        out.extend(sized(state.pcrs.digest().as_bytes()));
        out
    }
}

impl Tpm for Machine {
    fn keys(&self) -> Tpm2Keys {
        let point = self.ak.public_key().as_ref();
        let (x, y) = point.split_at(point.len() / 2 + 1);
        let x = x.strip_prefix(&[4]).unwrap_or(x);
        Tpm2Keys {
            ek_public: Vec::new(),
            ek_certificate: EK_CERTIFICATE.to_vec(),
            ak_public: [AK_BEGINS.to_vec(), sized(x), sized(y)].concat(),
        }
    }

    fn activate(&mut self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, TpmFailed> {
        Ok(Zeroizing::new(credential.to_vec()))
    }

    fn quote(&mut self, qualifying: &[u8; 32]) -> Result<Vec<u8>, TpmFailed> {
        let attest = self.attest(qualifying);
        let signature = self.ak.sign(&rng(), &attest);
        let signature = signature.map_err(|_| TpmFailed("no randomness".to_owned()))?;
        let (r, s) = signature.as_ref().split_at(signature.as_ref().len() / 2);
        let parts = [sized(&attest), ECDSA_SHA256.to_vec(), sized(r), sized(s)];
        Ok(parts.concat())
    }
}

/// `TPM2B`: the length, and the bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes(), bytes].concat()
}
