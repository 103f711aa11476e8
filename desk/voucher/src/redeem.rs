//! Redemption: the holder's signed request, and the checks that a desk makes.

use crate::encoding::{Base64, labelled, sha256};
use crate::protocol::hex_id;
use crate::token::{Challenge, Name, Token, TokenRequest};
use crate::{Class, ClassKey, Error, Voucher};
use certs::order;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::codec::Text;
use wire::order::Order;
use wire::{Digest, OrderId, PublicKey, UnixMs};

/// Domain label of a redemption's signature.
const REDEEM_LABEL: &str = "roundcast/redeem/v1";

/// A redemption as it is sent. The order is not in it: both sides build it
/// from these fields and the class, and the signature covers its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedeemRequest {
    /// The voucher's token.
    pub token: Token,
    /// What it was sold for.
    pub class: Class,
    /// The voucher's holder key.
    #[serde(with = "hex_id")]
    pub holder_key: PublicKey,
    /// Release channel that the relay's image is taken from.
    pub channel: Name,
    /// The desk that may act on this request.
    #[serde(with = "hex_id")]
    pub desk_key: PublicKey,
    /// Blinded request for a fresh voucher of the same class, signed by the
    /// shop only if no relay could be started.
    pub refund_request: TokenRequest,
    /// Ed25519 signature of the holder key over all of it and the order's id.
    pub proof: Base64<64>,
}

impl RedeemRequest {
    /// Signs the redemption of `voucher` at the desk with `desk_key`.
    ///
    /// # Errors
    /// [`Error::Order`] if the fields form no order.
    pub fn sign(
        voucher: &Voucher,
        channel: &Name,
        desk_key: PublicKey,
        refund_request: TokenRequest,
    ) -> Result<Self, Error> {
        let mut request = Self {
            token: *voucher.token(),
            class: voucher.class().clone(),
            holder_key: voucher.holder_key(),
            channel: channel.clone(),
            desk_key,
            refund_request,
            proof: Base64([0; 64]),
        };
        request.proof = voucher.holder().sign(&request.statement()?);
        Ok(request)
    }

    /// The order that this redemption places.
    ///
    /// # Errors
    /// [`Error::Order`].
    pub fn order(&self) -> Result<Order, Error> {
        let label = |text: String| {
            Text::new(text).map_err(|_| Error::Order("class and channel have at most 64 bytes"))
        };
        Ok(Order {
            holder_key: self.holder_key,
            voucher_nonce: Digest(self.token.nonce()),
            class: label(self.class.to_string())?,
            channel: label(self.channel.to_string())?,
            desk_key: self.desk_key,
            lease_ms: self.class.lease_ms(),
            byte_cap: self.class.byte_cap(),
        })
    }

    /// Digest of what the holder signed: two requests with the same one are
    /// the same redemption.
    ///
    /// # Errors
    /// [`Error::Order`].
    pub fn statement_digest(&self) -> Result<[u8; 32], Error> {
        Ok(sha256(&self.statement()?))
    }

    /// Checks the refusal `spent`: this redemption spent `voucher`, and its
    /// holder signed it.
    ///
    /// # Errors
    /// [`Error::SpentProof`] if it did not: the refusal is a lie.
    pub fn check_spent(&self, voucher: &Voucher) -> Result<(), Error> {
        let holder_key = voucher.holder_key();
        let same = self.token.nonce() == voucher.token().nonce() && self.holder_key == holder_key;
        if same && self.holder_signed() {
            Ok(())
        } else {
            Err(Error::SpentProof)
        }
    }

    fn holder_signed(&self) -> bool {
        self.statement()
            .is_ok_and(|statement| certs::verify_raw(&self.holder_key, &statement, &self.proof.0))
    }

    fn statement(&self) -> Result<Vec<u8>, Error> {
        Ok(labelled(
            REDEEM_LABEL,
            &[
                self.token.as_bytes(),
                self.class.to_string().as_bytes(),
                self.channel.to_string().as_bytes(),
                self.desk_key.as_bytes(),
                order::id(&self.order()?).as_bytes(),
                &self.refund_request.to_bytes(),
            ],
        ))
    }
}

/// A redemption that passed every check that needs no ledger. Only
/// [`Acceptance`] makes one.
#[derive(Debug, Clone)]
pub struct VerifiedRedemption {
    request: RedeemRequest,
    order: Order,
    id: OrderId,
    statement: [u8; 32],
}

impl VerifiedRedemption {
    fn new(request: RedeemRequest) -> Result<Self, Error> {
        let order = request.order()?;
        Ok(Self {
            id: order::id(&order),
            statement: request.statement_digest()?,
            order,
            request,
        })
    }

    /// A redemption that nobody checked: for showing what the checks are for.
    ///
    /// # Errors
    /// [`Error::Order`].
    #[cfg(feature = "ablation")]
    pub fn dangerously_unchecked(request: RedeemRequest) -> Result<Self, Error> {
        let _ = certs::ablation::marker();
        Self::new(request)
    }

    /// The request as it came.
    #[must_use]
    pub const fn request(&self) -> &RedeemRequest {
        &self.request
    }

    /// The order that it places.
    #[must_use]
    pub const fn order(&self) -> &Order {
        &self.order
    }

    /// The order's id.
    #[must_use]
    pub const fn order_id(&self) -> OrderId {
        self.id
    }

    /// The voucher's nonce: the ledger's key.
    #[must_use]
    pub fn nonce(&self) -> [u8; 32] {
        self.request.token.nonce()
    }

    /// See [`RedeemRequest::statement_digest`].
    #[must_use]
    pub const fn statement_digest(&self) -> &[u8; 32] {
        &self.statement
    }
}

/// The checks that stand before a ledger, as a value: a desk is given one.
pub trait RedemptionCheck: Send + Sync {
    /// Checks `request` at the time `now`.
    ///
    /// # Errors
    /// The failed check by name.
    fn check(&self, request: RedeemRequest, now: UnixMs) -> Result<VerifiedRedemption, Error>;
}

/// What a desk accepts: whose vouchers, for which ledger, with which keys.
#[derive(Debug, Clone)]
pub struct Acceptance {
    shop: Name,
    ledger: Name,
    desk_key: PublicKey,
    keys: BTreeMap<Class, ClassKey>,
}

impl Acceptance {
    /// Vouchers of `shop` for `ledger`, with public keys alone: a desk needs
    /// no secret of the shop.
    #[must_use]
    pub const fn new(
        shop: Name,
        ledger: Name,
        desk_key: PublicKey,
        keys: BTreeMap<Class, ClassKey>,
    ) -> Self {
        Self {
            shop,
            ledger,
            desk_key,
            keys,
        }
    }
}

impl RedemptionCheck for Acceptance {
    /// In this order: class known, not expired, token of this class's key,
    /// issuer's signature, token bound to this holder, holder's signature for
    /// this desk and order, refund request for the same key.
    fn check(&self, request: RedeemRequest, now: UnixMs) -> Result<VerifiedRedemption, Error> {
        let key = self.keys.get(&request.class).ok_or(Error::ClassUnknown)?;
        request.class.check_redeemable(now)?;
        key.verify(&request.token)?;
        let challenge = Challenge::new(
            &self.shop,
            &self.ledger,
            &request.class,
            &request.holder_key,
        );
        if request.token.challenge_digest() != challenge.digest()
            || request.desk_key != self.desk_key
            || !request.holder_signed()
        {
            return Err(Error::HolderProof);
        }
        if request.refund_request.key_id_truncated != key.id_truncated() {
            return Err(Error::TokenRequest("the refund is for another class key"));
        }
        VerifiedRedemption::new(request)
    }
}
