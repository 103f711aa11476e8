//! What a wallet keeps: purchases under way and vouchers, each with a version
//! and a state that its owner can always tell. Every step returns what has to
//! be saved before anything is sent.

use crate::blinding::{Blinding, Voucher};
use crate::code::PurchaseCode;
use crate::protocol::{IssueRequest, IssueResponse, OrderState, OrderStatus, Refusal};
use crate::redeem::RedeemRequest;
use crate::token::Name;
use crate::{Class, CryptoRng, DeskUri, Error, Offer, Price};
use certs::order;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use wire::{OrderId, PublicKey, UnixMs};

/// Version of the records' form.
pub const RECORD_VERSION: u16 = 1;

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    match u16::deserialize(deserializer)? {
        RECORD_VERSION => Ok(RECORD_VERSION),
        _ => Err(serde::de::Error::custom(Error::RecordVersion)),
    }
}

/// A purchase under way: saved before its request is sent, and sent again
/// until it is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurchaseRecord {
    #[serde(deserialize_with = "version")]
    version: u16,
    desk: DeskUri,
    price: Price,
    code: PurchaseCode,
    blinding: Blinding,
}

impl PurchaseRecord {
    /// Begins to buy what `offer` offers, with an operator's code.
    ///
    /// # Errors
    /// [`Error::TokenRequest`].
    pub fn begin<R: CryptoRng>(
        rng: &mut R,
        desk: &DeskUri,
        (shop, ledger): (&Name, &Name),
        offer: &Offer,
        code: PurchaseCode,
    ) -> Result<Self, Error> {
        Ok(Self {
            version: RECORD_VERSION,
            desk: desk.clone(),
            price: offer.price,
            code,
            blinding: Blinding::begin(rng, shop, ledger, &offer.class, &offer.key)?,
        })
    }

    /// The desk that was asked.
    #[must_use]
    pub const fn desk(&self) -> &DeskUri {
        &self.desk
    }

    /// The request, the same at every call.
    #[must_use]
    pub fn request(&self) -> IssueRequest {
        IssueRequest {
            code: self.code.clone(),
            class: self.blinding.class().clone(),
            token_request: self.blinding.request(),
        }
    }

    /// The bought voucher.
    ///
    /// # Errors
    /// [`Error::TokenResponse`]; the purchase is kept and can be asked again.
    pub fn finish(&self, response: &IssueResponse) -> Result<VoucherRecord, Error> {
        let voucher = self.blinding.finish(&response.token_response)?;
        Ok(VoucherRecord::new(self.desk.clone(), self.price, voucher))
    }
}

/// Where a voucher stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It can be redeemed.
    Unspent,
    /// A redemption was sent, or is about to be; the outcome is not known.
    InFlight,
    /// It bought a relay.
    Spent,
    /// It bought none; a fresh voucher took its place.
    Refunded,
    /// Its class is no longer redeemed.
    Expired,
}

impl State {
    /// Its name, for people and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspent => "unspent",
            Self::InFlight => "in_flight",
            Self::Spent => "spent",
            Self::Refunded => "refunded",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A redemption that was begun: the request, and the blinding of its refund.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Redeeming {
    request: RedeemRequest,
    refund: Blinding,
}

/// A voucher in a wallet.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoucherRecord {
    #[serde(deserialize_with = "version")]
    version: u16,
    desk: DeskUri,
    price: Price,
    state: State,
    voucher: Voucher,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redeeming: Option<Redeeming>,
}

impl VoucherRecord {
    /// A voucher not yet spent.
    #[must_use]
    pub const fn new(desk: DeskUri, price: Price, voucher: Voucher) -> Self {
        Self {
            version: RECORD_VERSION,
            desk,
            price,
            state: State::Unspent,
            voucher,
            redeeming: None,
        }
    }

    /// The desk that redeems it.
    #[must_use]
    pub const fn desk(&self) -> &DeskUri {
        &self.desk
    }

    /// What was paid for it.
    #[must_use]
    pub const fn price(&self) -> Price {
        self.price
    }

    /// What it buys.
    #[must_use]
    pub const fn class(&self) -> &Class {
        self.voucher.class()
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The voucher itself.
    #[must_use]
    pub const fn voucher(&self) -> &Voucher {
        &self.voucher
    }

    /// A name for files and lists: the holder's public key, which says
    /// nothing about the token.
    #[must_use]
    pub const fn id(&self) -> PublicKey {
        self.voucher.holder_key()
    }

    /// The order of the redemption under way or done.
    ///
    /// # Errors
    /// [`Error::Order`].
    pub fn order_id(&self) -> Result<Option<OrderId>, Error> {
        self.redeeming
            .as_ref()
            .map(|redeeming| redeeming.request.order().map(|order| order::id(&order)))
            .transpose()
    }

    /// Begins a redemption, or takes up the one that was begun: the request is
    /// the same until it is answered, and after a refusal too as long as the
    /// channel is, since a refusal may hide that the desk did accept it. Save
    /// the record before sending it.
    ///
    /// # Errors
    /// [`Error::State`] if the voucher is neither unspent nor in flight,
    /// [`Error::Expired`], [`Error::TokenRequest`].
    pub fn begin_redeem<R: CryptoRng>(
        &mut self,
        rng: &mut R,
        desk_key: PublicKey,
        channel: &Name,
        now: UnixMs,
    ) -> Result<RedeemRequest, Error> {
        match (self.state, &self.redeeming) {
            (State::InFlight, Some(begun)) => return Ok(begun.request.clone()),
            (State::Unspent, Some(begun)) if begun.request.channel == *channel => {
                self.state = State::InFlight;
                return Ok(begun.request.clone());
            }
            (State::Unspent, _) => self.voucher.class().check_redeemable(now)?,
            _ => {
                return Err(Error::State {
                    step: "begin the redemption",
                    state: self.state.name(),
                });
            }
        }
        if !self.desk.pins(&desk_key) {
            return Err(Error::KeySet(
                "its key is not the one of the desk's address",
            ));
        }
        let voucher = &self.voucher;
        let refund = Blinding::begin(
            rng,
            voucher.shop(),
            voucher.ledger(),
            voucher.class(),
            voucher.key(),
        )?;
        let request = RedeemRequest::sign(voucher, channel, desk_key, refund.request())?;
        self.state = State::InFlight;
        self.redeeming = Some(Redeeming {
            request: request.clone(),
            refund,
        });
        Ok(request)
    }

    /// Takes note of the desk's answer; gives the fresh voucher of a refund.
    ///
    /// # Errors
    /// [`Error::OrderMismatch`] for another order's answer,
    /// [`Error::TokenResponse`] if the refund is not good (the record stays in
    /// flight), [`Error::State`] if no redemption is under way.
    pub fn settle(&mut self, status: &OrderStatus) -> Result<Option<Self>, Error> {
        let redeeming = self.redeeming.as_ref().ok_or(Error::State {
            step: "take the desk's answer",
            state: self.state.name(),
        })?;
        if order::id(&redeeming.request.order()?) != status.order {
            return Err(Error::OrderMismatch);
        }
        match (&status.state, self.state) {
            // An answer that comes again changes nothing.
            (OrderState::Launching {}, _) | (_, State::Refunded | State::Expired) => Ok(None),
            (OrderState::Running { .. } | OrderState::Done { .. }, _) => {
                self.state = State::Spent;
                Ok(None)
            }
            (OrderState::Refunded { token_response, .. }, _) => {
                let voucher = redeeming.refund.finish(token_response)?;
                self.state = State::Refunded;
                Ok(Some(Self::new(self.desk.clone(), self.price, voucher)))
            }
        }
    }

    /// Takes note of the desk's refusal. A refused voucher is not lost on the
    /// desk's word: only `spent` with its proof, and the calendar, end it.
    ///
    /// # Errors
    /// [`Error::SpentProof`] if the desk says `spent` and cannot show it: the
    /// record stays in flight.
    pub fn refuse(&mut self, refusal: &Refusal, now: UnixMs) -> Result<(), Error> {
        if refusal.reason == "spent" {
            let proof = refusal.spent_by.as_ref().ok_or(Error::SpentProof)?;
            proof.check_spent(&self.voucher)?;
            self.state = State::Spent;
        } else if self.state == State::InFlight {
            self.state = State::Unspent;
            self.expire(now);
        }
        Ok(())
    }

    /// Marks an unspent voucher whose class is no longer redeemed.
    pub fn expire(&mut self, now: UnixMs) {
        if self.state == State::Unspent && self.class().check_redeemable(now).is_err() {
            self.state = State::Expired;
        }
    }
}
