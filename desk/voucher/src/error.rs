//! The one error of this crate.

use thiserror::Error;

/// Why a voucher, a key or a text of this crate is refused. [`Error::reason`]
/// is the stable name that programs and protocols use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// The text is no class.
    #[error("read the class: {0}; a class looks like small.local.1h.45gb.2026q4")]
    Class(&'static str),
    /// The text is no price.
    #[error(
        "read the price: {0}; a price is an amount in minor units and three letters, like 410 EUR"
    )]
    Price(&'static str),
    /// The text is no desk URI.
    #[error("read the desk's address: {0}; it looks like roundcast-desk://HOST:PORT/#KEY")]
    DeskUri(&'static str),
    /// The text is no name of a shop or ledger.
    #[error("read the name: 1 to 64 of a-z, 0-9, dot and hyphen are allowed")]
    Name,
    /// The text is no purchase code.
    #[error(
        "read the purchase code: it is rc1- and 26 letters and digits; copy it again as the operator gave it"
    )]
    Code,
    /// The text is no binary field of this length.
    #[error("read a binary field: {0}; ask again, with programs of the same version")]
    Encoding(&'static str),
    /// The bytes are no class key of 2048 bits in the form of RFC 9578.
    #[error("read the class key: {0}; ask the desk's operator for a good key set")]
    ClassKey(&'static str),
    /// No key could be made.
    #[error("make a class key: {0}; retire old key epochs and try again")]
    KeyGeneration(&'static str),
    /// The key set is not signed by the desk's key, or is not consistent.
    #[error("check the desk's key set: {0}; do not buy from this desk")]
    KeySet(&'static str),
    /// The request for a token is malformed or for another key.
    #[error(
        "read the token request: {0}; the client has to make a new one for the current key set"
    )]
    TokenRequest(&'static str),
    /// The shop's answer does not give a good token.
    #[error(
        "finish the purchase: the shop's signature is not good; ask again with the saved request"
    )]
    TokenResponse,
    /// The issuer's signature on the token is not good.
    #[error("check the voucher: its signature is not the shop's; it was altered or never sold")]
    Forged,
    /// The class's key epoch has ended.
    #[error(
        "check the voucher: its class {0} can no longer be redeemed; ask the operator for an exchange"
    )]
    Expired(ExpiredClass),
    /// No key is known for the class.
    #[error("check the voucher: this desk does not know its class; use the desk that sold it")]
    ClassUnknown,
    /// The voucher was sold for another class.
    #[error(
        "check the voucher: it was sold for another class; redeem it for the class it was sold for"
    )]
    ClassMismatch,
    /// The request is not signed by the key that the voucher is bound to.
    #[error(
        "check the holder's proof: the request is not signed for this order by the voucher's holder key; redeem from the wallet that bought it"
    )]
    HolderProof,
    /// The voucher was redeemed already.
    #[error("redeem the voucher: it was spent before; the desk shows the redemption that spent it")]
    Spent,
    /// A `spent` refusal without a good proof.
    #[error(
        "check the refusal: the desk says `spent` and cannot show the redemption that spent it; the voucher is kept, and the refusal is proof of a lie"
    )]
    SpentProof,
    /// The record is not in a state that allows the step.
    #[error("{step}: the voucher is {state}; choose another voucher")]
    State {
        /// What was to be done.
        step: &'static str,
        /// The state it was found in.
        state: &'static str,
    },
    /// The answer is about another order.
    #[error("read the desk's answer: it is about another order; ask again")]
    OrderMismatch,
    /// The record was written by a later version.
    #[error("read the wallet's record: its version is not known; update this program")]
    RecordVersion,
    /// The order cannot be formed.
    #[error("form the order: {0}; choose a shorter one")]
    Order(&'static str),
}

/// The end of an expired class, for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiredClass(pub crate::KeyEpoch);

impl std::fmt::Display for ExpiredClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "(key epoch {})", self.0)
    }
}

impl Error {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Class(_) => "voucher_class_invalid",
            Self::Price(_) => "price_invalid",
            Self::DeskUri(_) => "desk_uri_invalid",
            Self::Name => "name_invalid",
            Self::Code => "purchase_code_invalid",
            Self::Encoding(_) => "field_invalid",
            Self::ClassKey(_) => "class_key_invalid",
            Self::KeyGeneration(_) => "class_key_not_made",
            Self::KeySet(_) => "key_set_invalid",
            Self::TokenRequest(_) => "token_request_invalid",
            Self::TokenResponse => "token_response_invalid",
            Self::Forged => "voucher_forged",
            Self::Expired(_) => "voucher_expired",
            Self::ClassUnknown => "voucher_class_unknown",
            Self::ClassMismatch => "voucher_class_mismatch",
            Self::HolderProof => "holder_proof_invalid",
            Self::Spent => "spent",
            Self::SpentProof => "spent_proof_invalid",
            Self::State { .. } => "voucher_state",
            Self::OrderMismatch => "order_mismatch",
            Self::RecordVersion => "record_version_unknown",
            Self::Order(_) => "order_invalid",
        }
    }
}
