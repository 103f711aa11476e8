//! Fixed-length bytes as base64url without padding (RFC 4648 section 5), and
//! the hash that every label of this crate goes through.

use crate::Error;
use data_encoding::BASE64URL_NOPAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use wire::Encode;

/// `N` bytes; in JSON and text base64url of exactly that length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base64<const N: usize>(pub [u8; N]);

impl<const N: usize> Base64<N> {
    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// From base64url text of exactly `N` bytes, without padding and with
    /// zero trailing bits, so that there is one text for each value.
    ///
    /// # Errors
    /// [`Error::Encoding`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        // Refused by length first: nothing is allocated for long input.
        if text.len() != BASE64URL_NOPAD.encode_len(N) {
            return Err(Error::Encoding("its length is wrong"));
        }
        let bytes = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| Error::Encoding("it is not base64url"))?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| Error::Encoding("its length is wrong"))
    }
}

impl<const N: usize> fmt::Display for Base64<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl<const N: usize> fmt::Debug for Base64<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = BASE64URL_NOPAD.encode(&self.0);
        let head: String = text.chars().take(8).collect();
        write!(f, "{head}..({N} bytes)")
    }
}

impl<const N: usize> Serialize for Base64<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Base64<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Implements serde through `Display` and `FromStr`.
macro_rules! serde_text {
    ($($name:ty),* $(,)?) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use serde_text;

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// `label ‖ 0x00`, then each field with its length before it: no two lists of
/// fields have the same bytes.
#[must_use]
pub fn labelled(label: &str, fields: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for field in fields {
        (field.len() as u64).encode(&mut body);
        body.extend_from_slice(field);
    }
    wire::statement::signed_string(label, &body)
}
