//! Blinding: what a client keeps between a request for a token and the
//! answer. It is saved before the request is sent, since without it the
//! answer is worth nothing.

use crate::encoding::Base64;
use crate::issuer::ClassKey;
use crate::token::{
    Challenge, Name, SIGNATURE_BYTES, Token, TokenRequest, TokenResponse, token_input,
};
use crate::{Class, CryptoRng, Error, HolderSecret};
use blind_rsa_signatures::{BlindMessage, BlindSignature, BlindingResult, Secret};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use wire::PublicKey;
use zeroize::{Zeroize, Zeroizing};

/// The two halves of one blinding: the request that is sent and the inverse
/// that is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlindToken {
    nonce: Base64<32>,
    challenge: Base64<32>,
    key: ClassKey,
    blinded: Base64<SIGNATURE_BYTES>,
    inverse: Inverse,
}

impl BlindToken {
    /// Draws a nonce and blinds the token input for `key` (RFC 9578 section
    /// 6.1).
    ///
    /// # Errors
    /// [`Error::TokenRequest`].
    pub fn new<R: CryptoRng>(
        rng: &mut R,
        key: &ClassKey,
        challenge: [u8; 32],
    ) -> Result<Self, Error> {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let input = token_input(&nonce, &challenge, key.id());
        let BlindingResult {
            blind_message,
            secret,
            ..
        } = key
            .rsa()
            .blind(rng, input)
            .map_err(|_| Error::TokenRequest("the key does not blind"))?;
        // Wiped whatever becomes of it; the crate's own type does not.
        let secret = Zeroizing::new(secret.0);
        let fixed = |bytes: &[u8]| {
            <[u8; SIGNATURE_BYTES]>::try_from(bytes)
                .map_err(|_| Error::TokenRequest("the blinded message has the wrong length"))
        };
        Ok(Self {
            nonce: Base64(nonce),
            challenge: Base64(challenge),
            key: key.clone(),
            blinded: Base64(fixed(&blind_message.0)?),
            inverse: Inverse(Zeroizing::new(fixed(&secret)?)),
        })
    }

    /// What is sent to the shop.
    #[must_use]
    pub const fn request(&self) -> TokenRequest {
        TokenRequest {
            key_id_truncated: self.key.id_truncated(),
            blinded: self.blinded.0,
        }
    }

    /// Unblinds the answer and checks the token (with the reference
    /// implementation and with ring).
    ///
    /// # Errors
    /// [`Error::TokenResponse`] if the answer gives no good token.
    pub fn finish(&self, response: &TokenResponse) -> Result<Token, Error> {
        let input = token_input(&self.nonce.0, &self.challenge.0, self.key.id());
        let mut blinding = BlindingResult {
            blind_message: BlindMessage(self.blinded.0.to_vec()),
            secret: Secret(self.inverse.0.to_vec()),
            msg_randomizer: None,
        };
        let signature =
            self.key
                .rsa()
                .finalize(&BlindSignature(response.0.to_vec()), &blinding, &input);
        blinding.secret.0.zeroize();
        let signature = signature
            .ok()
            .and_then(|s| <[u8; SIGNATURE_BYTES]>::try_from(s.0).ok())
            .ok_or(Error::TokenResponse)?;
        let token = Token::new(&input, &signature).ok_or(Error::TokenResponse)?;
        self.key
            .verify(&token)
            .map_err(|_| Error::TokenResponse)
            .map(|()| token)
    }
}

/// The unblinding factor: who knows it can link the purchase to the voucher.
#[derive(Clone)]
struct Inverse(Zeroizing<[u8; SIGNATURE_BYTES]>);

impl Serialize for Inverse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Base64(*self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Inverse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Base64::<SIGNATURE_BYTES>::deserialize(deserializer)
            .map(|bytes| Self(Zeroizing::new(bytes.0)))
    }
}

/// A voucher in the making, by purchase or by refund: its class, its fresh
/// holder key, and the blinding.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blinding {
    class: Class,
    shop: Name,
    ledger: Name,
    holder: HolderSecret,
    token: BlindToken,
}

impl Blinding {
    /// Makes a holder key and a blinded request for a voucher of `class`.
    ///
    /// # Errors
    /// [`Error::TokenRequest`].
    pub fn begin<R: CryptoRng>(
        rng: &mut R,
        shop: &Name,
        ledger: &Name,
        class: &Class,
        key: &ClassKey,
    ) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        let holder = HolderSecret::from_random(*seed);
        let challenge = Challenge::new(shop, ledger, class, &holder.public()).digest();
        Ok(Self {
            class: class.clone(),
            shop: shop.clone(),
            ledger: ledger.clone(),
            token: BlindToken::new(rng, key, challenge)?,
            holder,
        })
    }

    /// The class of the voucher to be.
    #[must_use]
    pub const fn class(&self) -> &Class {
        &self.class
    }

    /// What is sent to the shop, or with a redemption to the desk.
    #[must_use]
    pub const fn request(&self) -> TokenRequest {
        self.token.request()
    }

    /// The voucher from the shop's answer.
    ///
    /// # Errors
    /// [`Error::TokenResponse`].
    pub fn finish(&self, response: &TokenResponse) -> Result<Voucher, Error> {
        Ok(Voucher {
            class: self.class.clone(),
            shop: self.shop.clone(),
            ledger: self.ledger.clone(),
            token: self.token.finish(response)?,
            key: self.token.key.clone(),
            holder: self.holder.clone(),
        })
    }
}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blinding({}, [redacted])", self.class)
    }
}

/// A voucher: a token and the key that may redeem it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voucher {
    class: Class,
    shop: Name,
    ledger: Name,
    token: Token,
    key: ClassKey,
    holder: HolderSecret,
}

impl Voucher {
    /// What it buys.
    #[must_use]
    pub const fn class(&self) -> &Class {
        &self.class
    }

    /// Who sold it.
    #[must_use]
    pub const fn shop(&self) -> &Name {
        &self.shop
    }

    /// Where it is redeemed once.
    #[must_use]
    pub const fn ledger(&self) -> &Name {
        &self.ledger
    }

    /// The token.
    #[must_use]
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// The class key that signed it, and that a refund is blinded for.
    #[must_use]
    pub const fn key(&self) -> &ClassKey {
        &self.key
    }

    /// The key that redeems it and commands its relay.
    #[must_use]
    pub const fn holder(&self) -> &HolderSecret {
        &self.holder
    }

    /// The public half of [`Voucher::holder`].
    #[must_use]
    pub const fn holder_key(&self) -> PublicKey {
        self.holder.public()
    }
}

impl fmt::Debug for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Voucher({}, [redacted])", self.class)
    }
}
