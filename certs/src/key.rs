//! Ed25519 keys (RFC 8032) and the making of statements.

use crate::Error;
use ring::rand::SecureRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use wire::{PublicKey, Signed, Statement, statement::signed_string};
use zeroize::Zeroizing;

/// PKCS#8 version 1 (RFC 8410 section 7) up to the seed.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// An Ed25519 private key; its seed is zeroed on drop and never printed.
#[derive(Clone)]
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn generate(rng: &dyn SecureRandom) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill(seed.as_mut()).map_err(|_| Error::Randomness)?;
        Ok(Self::from_seed(*seed))
    }

    /// The key of a stored seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        let mut public = [0; 32];
        public.copy_from_slice(pair(&seed).public_key().as_ref());
        Self {
            seed,
            public: PublicKey(public),
        }
    }

    /// The seed, for storing it. Handle it as the key itself.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) const fn public_ref(&self) -> &PublicKey {
        &self.public
    }

    /// A signature over bytes as they are: the caller sees to the domain
    /// label. Statements are signed by [`sign`].
    #[must_use]
    pub fn sign_raw(&self, message: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        out.copy_from_slice(pair(&self.seed).sign(message).as_ref());
        out
    }

    /// PKCS#8 DER, as TLS libraries take a key.
    #[must_use]
    pub fn pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        let mut der = Zeroizing::new(Vec::with_capacity(PKCS8_PREFIX.len() + 32));
        der.extend_from_slice(&PKCS8_PREFIX);
        der.extend_from_slice(self.seed.as_ref());
        der
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

// ring's pair is not zeroed on drop, so it lives for one operation only.
#[allow(
    clippy::expect_used,
    reason = "ring refuses a seed for its length alone"
)]
fn pair(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed of 32 bytes")
}

/// Whether `signature` is `key`'s over exactly these bytes.
#[must_use]
pub fn verify_raw(key: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, key.as_bytes())
        .verify(message, signature)
        .is_ok()
}

/// Signs a statement: `label ‖ 0x00 ‖ body`.
#[allow(
    clippy::expect_used,
    reason = "a statement's bound is above its largest encoding (test largest_statements_fit_their_bounds)"
)]
#[must_use]
pub fn sign<T: Statement>(key: &SigningKey, value: &T) -> Signed<T> {
    let body = value.to_bytes();
    let signature = key.sign_raw(&signed_string(T::LABEL, &body));
    Signed::from_parts(body, signature).expect("a body within its bound")
}
