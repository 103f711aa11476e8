//! The key set: one signed list of classes, keys and prices for everybody. A
//! key set made for one buyer would mark his vouchers, so clients compare its
//! digest with their peers'.

use crate::desk_uri::desk_key_hash;
use crate::encoding::{Base64, labelled, sha256};
use crate::issuer::{ClassKey, KEYS_MAX};
use crate::probe::{PROBES_MAX, RegionProbe};
use crate::protocol::{RESPONSE_BYTES_MAX, hex_id};
use crate::token::Name;
use crate::{Class, DeskUri, Error, Price};
use certs::SigningKey;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use wire::PublicKey;

/// Version of the document.
const SCHEMA: &str = "roundcast.keys/1";
/// Domain label of its signature.
const KEY_SET_LABEL: &str = "roundcast/key-set/v1";

/// One class for sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// What is sold.
    pub class: Class,
    /// For how much.
    pub price: Price,
    /// The key that signs its vouchers.
    pub key: ClassKey,
}

/// What a shop sells and a desk redeems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySet {
    schema: String,
    /// The shop's name: `issuer_name`.
    pub shop: Name,
    /// The ledger's name: `origin_info`.
    pub ledger: Name,
    /// The desk's Ed25519 key: of its TLS certificate, its platform
    /// statements, and this document.
    #[serde(with = "hex_id")]
    pub desk_key: PublicKey,
    /// The classes: those for sale, and earlier ones still redeemed.
    pub offers: Vec<Offer>,
    /// Where the round trip to a region can be measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<RegionProbe>,
}

impl KeySet {
    /// A key set whose classes and truncated key ids are distinct.
    ///
    /// # Errors
    /// [`Error::KeySet`].
    pub fn new(
        shop: Name,
        ledger: Name,
        desk_key: PublicKey,
        offers: Vec<Offer>,
    ) -> Result<Self, Error> {
        let set = Self {
            schema: SCHEMA.to_owned(),
            shop,
            ledger,
            desk_key,
            offers,
            probes: Vec::new(),
        };
        set.check()?;
        Ok(set)
    }

    /// The same, which says where regions can be measured.
    ///
    /// # Errors
    /// [`Error::KeySet`] for too many, a region twice, or no address.
    pub fn with_probes(mut self, probes: Vec<RegionProbe>) -> Result<Self, Error> {
        self.probes = probes;
        self.check()?;
        Ok(self)
    }

    fn check(&self) -> Result<(), Error> {
        if self.schema != SCHEMA {
            return Err(Error::KeySet("its version is not known"));
        }
        if self.offers.len() > KEYS_MAX {
            return Err(Error::KeySet("it has more than 64 classes"));
        }
        let classes: BTreeSet<_> = self.offers.iter().map(|o| &o.class).collect();
        let ids: BTreeSet<_> = self.offers.iter().map(|o| o.key.id_truncated()).collect();
        if classes.len() != self.offers.len() || ids.len() != self.offers.len() {
            return Err(Error::KeySet("a class or a key id stands in it twice"));
        }
        let regions: BTreeSet<_> = self.probes.iter().map(|p| &p.region).collect();
        if self.probes.len() > PROBES_MAX || regions.len() != self.probes.len() {
            return Err(Error::KeySet("it has too many probes, or two of a region"));
        }
        self.probes.iter().try_for_each(RegionProbe::check)
    }

    /// The offer of `class`.
    #[must_use]
    pub fn offer(&self, class: &Class) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.class == *class)
    }

    /// Signs the document with the desk's key.
    ///
    /// # Errors
    /// [`Error::KeySet`] if it cannot be encoded.
    pub fn sign(&self, desk: &SigningKey) -> Result<SignedKeySet, Error> {
        let body = serde_json::to_vec(self).map_err(|_| Error::KeySet("it cannot be encoded"))?;
        Ok(SignedKeySet {
            signature: Base64(desk.sign_raw(&labelled(KEY_SET_LABEL, &[&body]))),
            body: BASE64URL_NOPAD.encode(&body),
        })
    }
}

/// A key set as it travels: exact bytes and a signature over them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedKeySet {
    body: String,
    signature: Base64<64>,
}

impl SignedKeySet {
    /// The key set, if the key that `desk` pins signed it.
    ///
    /// # Errors
    /// [`Error::KeySet`].
    pub fn verify(&self, desk: &DeskUri) -> Result<KeySet, Error> {
        let body = self.body_bytes()?;
        let set: KeySet = serde_json::from_slice(&body)
            .map_err(|_| Error::KeySet("its document is malformed"))?;
        // The document names the signing key; the pin says whether to believe
        // it. Nothing else of the document was used before both hold.
        if desk_key_hash(&set.desk_key) != desk.key() {
            return Err(Error::KeySet(
                "it names another key than the desk's address",
            ));
        }
        let message = labelled(KEY_SET_LABEL, &[&body]);
        if !certs::verify_raw(&set.desk_key, &message, &self.signature.0) {
            return Err(Error::KeySet("its signature is not the desk's"));
        }
        set.check()?;
        Ok(set)
    }

    /// SHA-256 of the document: what clients compare.
    ///
    /// # Errors
    /// [`Error::KeySet`].
    pub fn digest(&self) -> Result<[u8; 32], Error> {
        Ok(sha256(&self.body_bytes()?))
    }

    fn body_bytes(&self) -> Result<Vec<u8>, Error> {
        if self.body.len() > RESPONSE_BYTES_MAX {
            return Err(Error::KeySet("it is too long"));
        }
        BASE64URL_NOPAD
            .decode(self.body.as_bytes())
            .map_err(|_| Error::KeySet("it is not base64url"))
    }
}
