//! The ledger: what was paid for, what was spent, and what became of it. One
//! row per voucher, and every answer that was given can be given again.

mod schema;
mod sqlite;

pub use sqlite::SqliteLedger;

use crate::Error;
use voucher::{Class, OrderState, RedeemRequest, TokenRequest, TokenResponse, VerifiedRedemption};
use wire::{OrderId, UnixMs};

/// What a redemption found in the ledger.
#[derive(Debug)]
pub enum Redeemed {
    /// The row is new and committed to the disk: launch.
    Fresh,
    /// The same redemption came before: give the stored answer.
    Replay,
}

/// An order as it is stored.
#[derive(Debug, Clone)]
pub struct StoredOrder {
    /// Its id.
    pub id: OrderId,
    /// The redemption that placed it.
    pub request: RedeemRequest,
    /// What became of it.
    pub state: OrderState,
}

/// A step of an order: Launching -> Running -> Done, or Launching -> Refunded.
/// Each is taken once.
#[derive(Debug, Clone)]
pub enum Transition {
    /// The relay runs.
    Started(voucher::RelayAddress),
    /// A running relay has ended, for the named reason.
    Ended(String),
    /// Nothing could be started, for the named reason; the shop's signature
    /// on the refund message goes out once.
    Refunded(Box<TokenResponse>, String),
}

impl Transition {
    /// The state that it leads from.
    #[must_use]
    pub const fn from(&self) -> &'static str {
        match self {
            Self::Started(_) | Self::Refunded(..) => "launching",
            Self::Ended(_) => "running",
        }
    }

    /// The state that it leads to.
    #[must_use]
    pub fn into_state(self) -> OrderState {
        match self {
            Self::Started(relay) => OrderState::Running { relay },
            Self::Ended(reason) => OrderState::Done { reason },
            Self::Refunded(token_response, reason) => OrderState::Refunded {
                token_response,
                reason,
            },
        }
    }
}

/// What a shop and its desks write down. Calls block on the disk: an answer
/// was committed when it comes.
pub trait Ledger: Send + Sync {
    /// Notes purchase codes by their digests, each good for `vouchers`
    /// vouchers of `class`.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    fn add_codes(
        &self,
        class: &Class,
        vouchers: u32,
        codes: &[[u8; 32]],
        now: UnixMs,
    ) -> Result<(), Error>;

    /// Issues against a code: the stored answer if the same request came
    /// before, else `sign`'s, stored before it is given.
    ///
    /// # Errors
    /// [`Error::CodeUnknown`], [`Error::CodeClass`], [`Error::CodeUsedUp`],
    /// those of `sign`, [`Error::Ledger`].
    fn issue(
        &self,
        code: &[u8; 32],
        class: &Class,
        request: &TokenRequest,
        sign: &dyn Fn() -> Result<TokenResponse, Error>,
    ) -> Result<TokenResponse, Error>;

    /// Spends a voucher: one redemption per nonce, for ever.
    ///
    /// # Errors
    /// [`Error::Spent`] with the redemption that spent it,
    /// [`Error::Ledger`].
    fn redeem(&self, redemption: &VerifiedRedemption, now: UnixMs) -> Result<Redeemed, Error>;

    /// An order by its id.
    ///
    /// # Errors
    /// [`Error::OrderUnknown`], [`Error::Ledger`].
    fn order(&self, id: &OrderId) -> Result<StoredOrder, Error>;

    /// Takes a step.
    ///
    /// # Errors
    /// [`Error::OrderState`] if the order is not in the state that the step
    /// leads from, [`Error::Ledger`].
    fn advance(&self, id: &OrderId, step: Transition, now: UnixMs) -> Result<(), Error>;

    /// Orders that are launching or running, oldest first.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    fn unfinished(&self) -> Result<Vec<StoredOrder>, Error>;
}
