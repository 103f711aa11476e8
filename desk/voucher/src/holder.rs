//! The holder key: one fresh Ed25519 key per voucher.

use crate::Error;
use crate::encoding::Base64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use wire::PublicKey;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// DER of an Ed25519 SubjectPublicKeyInfo up to the key (RFC 8410 section 4).
const ED25519_SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The SubjectPublicKeyInfo of an Ed25519 key, in DER.
#[must_use]
pub fn ed25519_spki(key: &PublicKey) -> [u8; 44] {
    let mut spki = [0; 44];
    let (head, tail) = spki.split_at_mut(ED25519_SPKI_PREFIX.len());
    head.copy_from_slice(&ED25519_SPKI_PREFIX);
    tail.copy_from_slice(key.as_bytes());
    spki
}

/// Checks an Ed25519 signature (RFC 8032).
pub(crate) fn ed25519_holds(key: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, key.as_bytes())
        .verify(message, signature)
        .is_ok()
}

/// An Ed25519 seed (RFC 8032 section 5.1.5). Serialised only into a wallet's
/// record; `Debug` does not show it.
#[derive(Clone, ZeroizeOnDrop)]
pub struct HolderSecret([u8; 32]);

impl HolderSecret {
    /// The key of these random bytes.
    #[must_use]
    pub const fn from_random(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// The seed, for the link that commands the relay.
    #[must_use]
    pub const fn seed(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public half, which the voucher is bound to.
    ///
    /// # Errors
    /// [`Error::Encoding`] if the seed gives no key (ring refuses none).
    pub fn public(&self) -> Result<PublicKey, Error> {
        let pair = self.pair()?;
        let mut key = [0; 32];
        key.copy_from_slice(pair.public_key().as_ref());
        Ok(PublicKey(key))
    }

    /// Signs `message`, which begins with its domain label.
    ///
    /// # Errors
    /// As [`HolderSecret::public`].
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Base64<64>, Error> {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair()?.sign(message).as_ref());
        Ok(Base64(signature))
    }

    fn pair(&self) -> Result<Ed25519KeyPair, Error> {
        Ed25519KeyPair::from_seed_unchecked(&self.0)
            .map_err(|_| Error::Encoding("the holder's seed is no key"))
    }
}

impl fmt::Debug for HolderSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HolderSecret([redacted])")
    }
}

impl Serialize for HolderSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Base64(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HolderSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut seed = Base64::<32>::deserialize(deserializer)?;
        let secret = Self(seed.0);
        seed.0.zeroize();
        Ok(secret)
    }
}
