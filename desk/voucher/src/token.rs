//! The bytes of RFC 9577 and RFC 9578 for token type 2, each of one length.

use crate::Error;
use crate::class::Class;
use crate::encoding::{Base64, labelled, serde_text, sha256};
use std::fmt;
use std::str::FromStr;
use wire::PublicKey;

/// Token type: publicly verifiable, blind RSA 2048 (RFC 9578 section 6).
pub const TOKEN_TYPE: u16 = 2;
/// RSA 2048: a signature and a blinded message, in bytes (`Nk`).
pub const SIGNATURE_BYTES: usize = 256;
/// What the issuer signs: type, nonce, challenge digest, key id.
pub const TOKEN_INPUT_BYTES: usize = 2 + 3 * 32;
/// A token: its input and the signature.
pub const TOKEN_BYTES: usize = TOKEN_INPUT_BYTES + SIGNATURE_BYTES;
/// A token request: type, truncated key id, blinded message.
pub const TOKEN_REQUEST_BYTES: usize = 3 + SIGNATURE_BYTES;
/// A name, in bytes: keeps challenges short; host names are shorter.
pub const NAME_BYTES_MAX: usize = 64;

/// The name of a shop or a ledger: 1 to [`NAME_BYTES_MAX`] of `a-z`, `0-9`,
/// `.`, `-`. A comma would make two origins of it (RFC 9577 section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(String);

impl FromStr for Name {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(Error::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_text!(Name);

/// `TokenChallenge` (RFC 9577 section 2.1.1). Nobody sends one: both sides
/// build it from what they know, so it cannot carry a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// The shop: `issuer_name`.
    pub shop: &'a Name,
    /// Which class and holder the token is bound to: `redemption_context`.
    pub context: [u8; 32],
    /// The ledger: `origin_info`.
    pub ledger: &'a Name,
}

impl<'a> Challenge<'a> {
    /// The challenge of a voucher: `redemption_context` = SHA-256(label,
    /// class, holder key).
    #[must_use]
    pub fn new(shop: &'a Name, ledger: &'a Name, class: &Class, holder: &PublicKey) -> Self {
        let context = sha256(&labelled(
            "roundcast/voucher-context/v1",
            &[class.to_string().as_bytes(), holder.as_bytes()],
        ));
        Self {
            shop,
            context,
            ledger,
        }
    }

    /// The encoding of RFC 9577.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = TOKEN_TYPE.to_be_bytes().to_vec();
        // Names are at most NAME_BYTES_MAX long: the lengths fit.
        let short = |text: &str| u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
        out.extend_from_slice(&short(&self.shop.0));
        out.extend_from_slice(self.shop.0.as_bytes());
        out.push(32);
        out.extend_from_slice(&self.context);
        out.extend_from_slice(&short(&self.ledger.0));
        out.extend_from_slice(self.ledger.0.as_bytes());
        out
    }

    /// SHA-256 of the encoding.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(&self.to_bytes())
    }
}

/// The message under a token's signature (RFC 9578 section 6.1).
#[must_use]
pub fn token_input(nonce: &[u8; 32], challenge: &[u8; 32], key_id: &[u8; 32]) -> Vec<u8> {
    [&TOKEN_TYPE.to_be_bytes()[..], nonce, challenge, key_id].concat()
}

/// A token (RFC 9577 section 2.2). Decoded is not checked: see
/// [`crate::ClassKey::verify`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token([u8; TOKEN_BYTES]);

impl Token {
    /// Puts a token together.
    #[must_use]
    pub(crate) fn new(input: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Option<Self> {
        [input, signature].concat().try_into().ok().map(Self)
    }

    /// Reads the encoding.
    ///
    /// # Errors
    /// [`Error::Forged`] for another length or token type.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let token: [u8; TOKEN_BYTES] = bytes.try_into().map_err(|_| Error::Forged)?;
        if !token.starts_with(&TOKEN_TYPE.to_be_bytes()) {
            return Err(Error::Forged);
        }
        Ok(Self(token))
    }

    /// The encoding.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; TOKEN_BYTES] {
        &self.0
    }

    /// The voucher's nonce: what a ledger has one row for.
    #[must_use]
    pub fn nonce(&self) -> [u8; 32] {
        self.field::<2, 32>()
    }

    /// Digest of the challenge that the token answers.
    #[must_use]
    pub fn challenge_digest(&self) -> [u8; 32] {
        self.field::<34, 32>()
    }

    /// Id of the issuer's key.
    #[must_use]
    pub fn key_id(&self) -> [u8; 32] {
        self.field::<66, 32>()
    }

    /// What the issuer signed.
    #[must_use]
    pub fn input(&self) -> [u8; TOKEN_INPUT_BYTES] {
        self.field::<0, TOKEN_INPUT_BYTES>()
    }

    /// The issuer's signature.
    #[must_use]
    pub fn authenticator(&self) -> [u8; SIGNATURE_BYTES] {
        self.field::<TOKEN_INPUT_BYTES, SIGNATURE_BYTES>()
    }

    fn field<const AT: usize, const LEN: usize>(&self) -> [u8; LEN] {
        const { assert!(AT + LEN <= TOKEN_BYTES) };
        let mut out = [0; LEN];
        for (to, from) in out.iter_mut().zip(self.0.iter().skip(AT)) {
            *to = *from;
        }
        out
    }
}

/// A token is a bearer value up to its holder's proof: it is not shown.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

impl serde::Serialize for Token {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Base64(self.0).serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Token {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Base64::<TOKEN_BYTES>::deserialize(deserializer)?;
        Self::from_bytes(&bytes.0).map_err(serde::de::Error::custom)
    }
}

/// `TokenRequest` (RFC 9578 section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRequest {
    /// Last byte of the issuer key's id.
    pub key_id_truncated: u8,
    /// The blinded message.
    pub blinded: [u8; SIGNATURE_BYTES],
}

impl TokenRequest {
    /// The encoding.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; TOKEN_REQUEST_BYTES] {
        let mut out = [0; TOKEN_REQUEST_BYTES];
        let head = TOKEN_TYPE.to_be_bytes().into_iter();
        let bytes = head.chain([self.key_id_truncated]).chain(self.blinded);
        for (to, from) in out.iter_mut().zip(bytes) {
            *to = from;
        }
        out
    }

    /// Reads the encoding.
    ///
    /// # Errors
    /// [`Error::TokenRequest`] for another length or token type.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let rest = bytes
            .strip_prefix(&TOKEN_TYPE.to_be_bytes())
            .ok_or(Error::TokenRequest("its token type is not 2"))?;
        let (key_id_truncated, blinded) = rest
            .split_first()
            .ok_or(Error::TokenRequest("it is too short"))?;
        Ok(Self {
            key_id_truncated: *key_id_truncated,
            blinded: blinded
                .try_into()
                .map_err(|_| Error::TokenRequest("its length is wrong"))?,
        })
    }
}

impl serde::Serialize for TokenRequest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Base64(self.to_bytes()).serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for TokenRequest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Base64::<TOKEN_REQUEST_BYTES>::deserialize(deserializer)?;
        Self::from_bytes(&bytes.0).map_err(serde::de::Error::custom)
    }
}

/// `TokenResponse` (RFC 9578 section 6.2): the blind signature.
pub type TokenResponse = Base64<SIGNATURE_BYTES>;
