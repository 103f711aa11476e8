//! 32 bytes that stand in JSON as 64 lower-case hexadecimal digits.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use wire::{Digest, PublicKey};

/// A SHA-256 value or an Ed25519 public key in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hex32(pub [u8; 32]);

impl From<Digest> for Hex32 {
    fn from(digest: Digest) -> Self {
        Self(digest.0)
    }
}

impl From<PublicKey> for Hex32 {
    fn from(key: PublicKey) -> Self {
        Self(key.0)
    }
}

impl std::fmt::Debug for Hex32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&Digest(self.0).to_hex())
    }
}

impl Serialize for Hex32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Digest(self.0).to_hex())
    }
}

impl<'de> Deserialize<'de> for Hex32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::from_hex(&text)
            .map(|digest| Self(digest.0))
            .ok_or_else(|| D::Error::custom("not 64 lower-case hexadecimal digits"))
    }
}
