//! Class keys: the shop's secret half, and the public half that everybody
//! checks vouchers with.

use crate::encoding::{Base64, sha256};
use crate::token::{SIGNATURE_BYTES, Token, TokenRequest, TokenResponse};
use crate::{CryptoRng, Error};
use blind_rsa_signatures::{Deterministic, KeyPair, PSS, PublicKey, SecretKey, Sha384};
use data_encoding::BASE64URL_NOPAD;
use ring::signature::{RSA_PSS_2048_8192_SHA384, RsaPublicKeyComponents};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;
use zeroize::Zeroizing;

/// Modulus, in bits: what token type 2 prescribes (RFC 9578 section 6).
const MODULUS_BITS: usize = 2048;
/// A public key in DER, in bytes: RSASSA-PSS parameters, modulus and exponent
/// of 2048 bits take 342.
const SPKI_BYTES_MAX: usize = 400;
/// Keys that one issuer may hold at once. The truncated key id is one byte:
/// with 64 taken, three tries in four still give a free one.
pub const KEYS_MAX: usize = 64;
/// Tries for a key with a free truncated id: all fail with probability 2^-64
/// at [`KEYS_MAX`] keys.
const KEY_TRIES_MAX: usize = 32;

pub(crate) type RsaPublic = PublicKey<Sha384, PSS, Deterministic>;

/// An issuer's public key for one class.
#[derive(Clone)]
pub struct ClassKey {
    rsa: RsaPublic,
    spki: Vec<u8>,
    id: [u8; 32],
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl ClassKey {
    /// Reads a SubjectPublicKeyInfo in the one form that RFC 9578 section 6.5
    /// allows (RSASSA-PSS, SHA-384, MGF1 with SHA-384, salt of 48 bytes).
    ///
    /// # Errors
    /// [`Error::ClassKey`] for every other encoding and size.
    pub fn from_spki(spki: &[u8]) -> Result<Self, Error> {
        if spki.len() > SPKI_BYTES_MAX {
            return Err(Error::ClassKey("it is too long"));
        }
        let rsa = RsaPublic::from_spki(spki).map_err(|_| Error::ClassKey("it is no RSA key"))?;
        let key = Self::new(rsa)?;
        if key.spki == spki {
            Ok(key)
        } else {
            Err(Error::ClassKey("its encoding is not that of RFC 9578"))
        }
    }

    fn new(rsa: RsaPublic) -> Result<Self, Error> {
        let spki = rsa
            .to_spki()
            .map_err(|_| Error::ClassKey("it has no encoding"))?;
        let components = rsa.components();
        let modulus = stripped(components.n());
        let exponent = stripped(components.e());
        let top_bit_set = modulus.first().is_some_and(|b| b & 0x80 != 0);
        if modulus.len() * 8 != MODULUS_BITS || !top_bit_set {
            return Err(Error::ClassKey("its modulus does not have 2048 bits"));
        }
        if exponent != [1, 0, 1] {
            return Err(Error::ClassKey("its exponent is not 65537"));
        }
        Ok(Self {
            id: sha256(&spki),
            rsa,
            spki,
            modulus,
            exponent,
        })
    }

    /// The SubjectPublicKeyInfo, in DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of [`ClassKey::spki`] (RFC 9578 section 6.5).
    #[must_use]
    pub const fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// The id's last byte, which token requests carry.
    #[must_use]
    pub const fn id_truncated(&self) -> u8 {
        self.id[31]
    }

    /// Checks that this key signed `token`, with ring alone.
    ///
    /// # Errors
    /// [`Error::ClassMismatch`] if the token names another key,
    /// [`Error::Forged`] if the signature is not good.
    pub fn verify(&self, token: &Token) -> Result<(), Error> {
        if token.key_id() != self.id {
            return Err(Error::ClassMismatch);
        }
        RsaPublicKeyComponents {
            n: &self.modulus,
            e: &self.exponent,
        }
        .verify(
            &RSA_PSS_2048_8192_SHA384,
            &token.input(),
            &token.authenticator(),
        )
        .map_err(|_| Error::Forged)
    }

    pub(crate) const fn rsa(&self) -> &RsaPublic {
        &self.rsa
    }
}

/// ring takes integers without leading zeros.
fn stripped(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|b| *b == 0).collect()
}

impl PartialEq for ClassKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}
impl Eq for ClassKey {}

impl fmt::Debug for ClassKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClassKey({:?})", Base64(self.id))
    }
}

impl Serialize for ClassKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64URL_NOPAD.encode(&self.spki))
    }
}

impl<'de> Deserialize<'de> for ClassKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        if text.len() > BASE64URL_NOPAD.encode_len(SPKI_BYTES_MAX) {
            return Err(D::Error::custom(Error::ClassKey("it is too long")));
        }
        let spki = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| D::Error::custom(Error::ClassKey("it is not base64url")))?;
        Self::from_spki(&spki).map_err(D::Error::custom)
    }
}

/// An issuer's secret key for one class. The RSA numbers are zeroized when it
/// is dropped; `Debug` does not show them.
pub struct IssuerKey {
    secret: SecretKey<Sha384, PSS, Deterministic>,
    public: ClassKey,
}

impl IssuerKey {
    /// Makes a key whose truncated id is not in `taken`, so that a token
    /// request always names one key (RFC 9578 section 6.1 sends one byte).
    ///
    /// # Errors
    /// [`Error::KeyGeneration`] if [`KEYS_MAX`] ids are taken.
    pub fn generate<R: CryptoRng>(rng: &mut R, taken: &BTreeSet<u8>) -> Result<Self, Error> {
        if taken.len() >= KEYS_MAX {
            return Err(Error::KeyGeneration("this issuer holds 64 keys already"));
        }
        for _ in 0..KEY_TRIES_MAX {
            let pair = KeyPair::<Sha384, PSS, Deterministic>::generate(rng, MODULUS_BITS)
                .map_err(|_| Error::KeyGeneration("RSA key generation failed"))?;
            let public = ClassKey::new(pair.pk)?;
            if !taken.contains(&public.id_truncated()) {
                return Ok(Self {
                    secret: pair.sk,
                    public,
                });
            }
        }
        Err(Error::KeyGeneration("no free key id was found"))
    }

    /// Reads a PKCS#8 key.
    ///
    /// # Errors
    /// [`Error::ClassKey`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, Error> {
        let secret = SecretKey::from_der(der)
            .map_err(|_| Error::ClassKey("the secret half does not decode"))?;
        let public = secret
            .public_key()
            .map_err(|_| Error::ClassKey("the secret half has no public half"))?;
        Ok(Self {
            public: ClassKey::new(public)?,
            secret,
        })
    }

    /// The key as PKCS#8, for the shop's own storage.
    ///
    /// # Errors
    /// [`Error::ClassKey`].
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.secret
            .to_der()
            .map(Zeroizing::new)
            .map_err(|_| Error::ClassKey("the secret half has no encoding"))
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &ClassKey {
        &self.public
    }

    /// Signs a blinded message (RFC 9474 section 4.3). The exponentiation is
    /// itself blinded with `rng` (RUSTSEC-2023-0071 is about timing), and the
    /// result is checked before it leaves.
    ///
    /// # Errors
    /// [`Error::TokenRequest`] if the request is for another key or its
    /// message is not below the modulus.
    pub fn sign<R: CryptoRng>(
        &self,
        rng: &mut R,
        request: &TokenRequest,
    ) -> Result<TokenResponse, Error> {
        if request.key_id_truncated != self.public.id_truncated() {
            return Err(Error::TokenRequest("it is for another class key"));
        }
        let signature = self
            .secret
            .blind_sign_with_rng(rng, request.blinded)
            .map_err(|_| Error::TokenRequest("its message is not below the modulus"))?;
        <[u8; SIGNATURE_BYTES]>::try_from(signature.0)
            .map(Base64)
            .map_err(|_| Error::TokenRequest("its message has the wrong length"))
    }
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerKey({:?}, [redacted])", self.public)
    }
}
