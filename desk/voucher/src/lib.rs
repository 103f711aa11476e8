//! Vouchers: what a sponsor buys blindly at a shop, keeps in his wallet and
//! redeems at a desk for one relay.
//!
//! A voucher is an RFC 9578 token of type 2 (blind RSA, RFC 9474) whose
//! challenge names the shop, the ledger, the [`Class`] and the holder's key.
//! The class *is* the issuer's key, so a voucher is worth what it was sold for
//! and nothing else; the holder's key must sign its redemption, so a stolen
//! token is worth nothing.
//!
//! ```text
//! wallet                         shop                        desk
//! Blinding::begin  (saved)
//!   IssueRequest  ------------>  IssuerKey::sign
//! Blinding::finish <-----------
//! VoucherRecord (saved, Unspent)
//!   begin_redeem  (saved, InFlight)
//!   RedeemRequest ---------------------------------------->  RedemptionCheck
//!   settle / refuse <--------------------------------------  OrderStatus | Refusal
//! ```
//!
//! This crate reads no clock, file, socket or environment: the time and the
//! randomness are arguments.

pub mod blinding;
pub mod class;
pub mod code;
pub mod desk_uri;
pub mod encoding;
pub mod error;
pub mod holder;
pub mod issuer;
pub mod key_set;
pub mod price;
pub mod probe;
pub mod protocol;
pub mod record;
pub mod redeem;
pub mod token;

pub use blind_rsa_signatures::reexports::rand::CryptoRng;
pub use blinding::{Blinding, Voucher};
pub use class::{Class, KeyEpoch, Region, Size};
pub use code::PurchaseCode;
pub use desk_uri::DeskUri;
pub use encoding::Base64;
pub use error::Error;
pub use holder::HolderSecret;
pub use issuer::{ClassKey, IssuerKey};
pub use key_set::{KeySet, Offer, SignedKeySet};
pub use price::{Currency, Price};
pub use probe::RegionProbe;
pub use protocol::{IssueRequest, IssueResponse, OrderState, OrderStatus, Refusal, RelayAddress};
pub use record::{PurchaseRecord, State, VoucherRecord};
pub use redeem::{Acceptance, RedeemRequest, RedemptionCheck, VerifiedRedemption};
pub use token::{Challenge, Name, Token, TokenRequest, TokenResponse};

/// A generator from 32 bytes that the caller took from the system.
///
/// Blind RSA asks for a generator of a particular version of `rand`; this
/// spares callers that dependency.
#[must_use]
pub fn generator(seed: &[u8; 32]) -> impl CryptoRng + use<> {
    use blind_rsa_signatures::reexports::rand::{SeedableRng, rngs::StdRng};
    StdRng::from_seed(*seed)
}
