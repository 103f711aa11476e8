//! The holder key: one fresh Ed25519 key per voucher.

use crate::encoding::Base64;
use certs::SigningKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use wire::PublicKey;
use zeroize::{Zeroize, Zeroizing};

/// An Ed25519 key that redeems a voucher and commands its relay. Serialised
/// only into a wallet's record; `Debug` does not show it.
#[derive(Clone)]
pub struct HolderSecret(SigningKey);

impl HolderSecret {
    /// The key of these random bytes.
    #[must_use]
    pub fn from_random(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_seed(seed))
    }

    /// The key itself, for the link that commands the relay.
    #[must_use]
    pub const fn key(&self) -> &SigningKey {
        &self.0
    }

    /// The public half, which the voucher is bound to.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.0.public()
    }

    /// Signs `message`, which begins with its domain label.
    pub(crate) fn sign(&self, message: &[u8]) -> Base64<64> {
        Base64(self.0.sign_raw(message))
    }
}

impl fmt::Debug for HolderSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HolderSecret([redacted])")
    }
}

impl Serialize for HolderSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seed = Zeroizing::new(*self.0.seed());
        Base64(*seed).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HolderSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut seed = Base64::<32>::deserialize(deserializer)?;
        let secret = Self::from_random(seed.0);
        seed.0.zeroize();
        Ok(secret)
    }
}
