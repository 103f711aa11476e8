//! A credential: a secret that only the TPM with this endorsement key (EK)
//! opens, and only if it also holds this attestation key (AK). Who answers
//! with the secret has shown that both are in one TPM.
//!
//! TPM 2.0 Library, Part 1, section 24 (credential protection), with the
//! seed's transport of annex B.10 (RSA) or C.6 (elliptic curves).

use super::derivation::{SEED_BYTES, encrypt_cfb, kdf_a, kdf_e};
use super::public::{AkPublic, EkKey, EkPublic, Name, Point, RSA_MODULUS_BYTES};
use crate::error::Error;
use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey};
use ring::hmac;
use ring::rand::SecureRandom;
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::sha2::Sha256;
use rsa::traits::PaddingScheme;
use rsa::{BoxedUint, Oaep, RsaPublicKey};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of a challenge's secret; a TPM takes at most a digest's.
pub const SECRET_BYTES: usize = 32;
/// Longest credential: an object of a code and an encrypted secret, then an
/// RSA-2048 cipher text, each after its length.
pub const CREDENTIAL_BYTES_MAX: usize = 2 + (2 + 32) + (2 + SECRET_BYTES) + 2 + RSA_MODULUS_BYTES;

/// The label of the seed, without its closing zero byte.
const SEED_LABEL: &str = "IDENTITY";
const RSA_EXPONENT: u32 = 65_537;

/// What the desk keeps while a TPM has a credential to open.
pub struct Challenge {
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl std::fmt::Debug for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Challenge {
    /// Draws a secret and wraps it for the pair of keys. The second value is
    /// the credential: `TPM2B_ID_OBJECT ‖ TPM2B_ENCRYPTED_SECRET`, at most
    /// [`CREDENTIAL_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// `randomness_unavailable`; `credential_impossible` if the EK is no
    /// number or point that can be encrypted to.
    pub fn new(
        ek: &EkPublic,
        ak: &AkPublic,
        rng: &dyn SecureRandom,
    ) -> Result<(Self, Vec<u8>), Error> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        rng.fill(secret.as_mut())
            .map_err(|_| Error::RandomnessUnavailable)?;
        let credential = make(ek, ak.name(), &secret, rng)?;
        Ok((Self { secret }, credential))
    }

    /// Whether the TPM's answer is the secret, in constant time. A challenge
    /// is good for one answer.
    ///
    /// # Errors
    /// `credential_answer_wrong`.
    pub fn check(self, answer: &[u8]) -> Result<(), Error> {
        if bool::from(self.secret.as_slice().ct_eq(answer)) {
            Ok(())
        } else {
            Err(Error::CredentialAnswerWrong)
        }
    }
}

/// Wraps `secret` for the TPM that holds both `ek` and the key named
/// `ak_name`: `TPM2B_ID_OBJECT ‖ TPM2B_ENCRYPTED_SECRET`.
///
/// # Errors
/// As [`Challenge::new`].
pub fn make(
    ek: &EkPublic,
    ak_name: &Name,
    secret: &[u8; SECRET_BYTES],
    rng: &dyn SecureRandom,
) -> Result<Vec<u8>, Error> {
    let (seed, transport) = match ek.key() {
        EkKey::Rsa2048(modulus) => rsa_seed(modulus, rng)?,
        EkKey::P256(point) => p256_seed(point, rng)?,
    };
    let object = id_object(&seed, ak_name, secret);
    Ok([sized(&object), sized(&transport)].concat())
}

type Seed = Zeroizing<[u8; SEED_BYTES]>;

/// `TPMS_ID_OBJECT`: the encrypted secret and, before it, the code that binds
/// it to the AK's name.
fn id_object(seed: &Seed, name: &Name, secret: &[u8; SECRET_BYTES]) -> Vec<u8> {
    let storage = kdf_a::<16>(seed, "STORAGE", name.as_bytes());
    let mut identity = sized(secret);
    encrypt_cfb(&storage, &mut identity);
    let integrity = kdf_a::<32>(seed, "INTEGRITY", &[]);
    let key = hmac::Key::new(hmac::HMAC_SHA256, integrity.as_slice());
    let mut mac = hmac::Context::with_key(&key);
    mac.update(&identity);
    mac.update(name.as_bytes());
    [sized(mac.sign().as_ref()), identity].concat()
}

/// A fresh seed under RSA-OAEP with SHA-256; the label's zero byte belongs to
/// it here.
fn rsa_seed(
    modulus: &[u8; RSA_MODULUS_BYTES],
    rng: &dyn SecureRandom,
) -> Result<(Seed, Vec<u8>), Error> {
    let mut seed = Seed::new([0; SEED_BYTES]);
    rng.fill(seed.as_mut())
        .map_err(|_| Error::RandomnessUnavailable)?;
    let bits = u32::try_from(RSA_MODULUS_BYTES * 8).map_err(|_| Error::CredentialImpossible)?;
    let modulus =
        BoxedUint::from_be_slice(modulus, bits).map_err(|_| Error::CredentialImpossible)?;
    let key = RsaPublicKey::new(modulus, BoxedUint::from(RSA_EXPONENT))
        .map_err(|_| Error::CredentialImpossible)?;
    let label = format!("{SEED_LABEL}\0").into_bytes();
    let transport = Oaep::<Sha256>::new_with_label(label)
        .encrypt(&mut Drawn(rng), &key, seed.as_slice())
        .map_err(|_| Error::CredentialImpossible)?;
    Ok((seed, transport))
}

/// A seed agreed on with a fresh key, and that key's point
/// (`TPMS_ECC_POINT`).
fn p256_seed(ek: &Point, rng: &dyn SecureRandom) -> Result<(Seed, Vec<u8>), Error> {
    let own =
        EphemeralPrivateKey::generate(&ECDH_P256, rng).map_err(|_| Error::RandomnessUnavailable)?;
    let public = own
        .compute_public_key()
        .map_err(|_| Error::CredentialImpossible)?;
    let Some((&[4], coordinates)) = public.as_ref().split_first_chunk::<1>() else {
        return Err(Error::CredentialImpossible);
    };
    let Some((x, y)) = coordinates.split_at_checked(ek.x.len()) else {
        return Err(Error::CredentialImpossible);
    };
    let theirs = ek.to_uncompressed();
    // ring refuses points that are not on the curve.
    let seed = agreement::agree_ephemeral(
        own,
        &UnparsedPublicKey::new(&ECDH_P256, &theirs),
        |shared| kdf_e(shared, SEED_LABEL, x, &ek.x),
    )
    .map_err(|_| Error::CredentialImpossible)?;
    Ok((seed, [sized(x), sized(y)].concat()))
}

/// A `TPM2B`. What is wrapped here has at most 256 bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes(), bytes].concat()
}

/// ring's generator as the one that the RSA crate asks for.
struct Drawn<'a>(&'a dyn SecureRandom);

/// ring gave no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("no random numbers")]
struct NoRandomness;

impl TryRng for Drawn<'_> {
    type Error = NoRandomness;

    fn try_next_u32(&mut self) -> Result<u32, NoRandomness> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, NoRandomness> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), NoRandomness> {
        self.0.fill(to).map_err(|_| NoRandomness)
    }
}

impl TryCryptoRng for Drawn<'_> {}
