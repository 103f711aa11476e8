//! Which relay a verifier wanted: known from what others signed before the
//! relay was dialled, never from the relay's own word (threat B6).

use certs::Verified;
use wire::order::Order;
use wire::statement::Introduction;
use wire::{OrderId, SpkiHash};

/// The relay that was admitted: its key and its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    spki: SpkiHash,
    order: OrderId,
}

impl Expectation {
    /// From the verifier's own record of an admission.
    #[must_use]
    pub const fn new(spki: SpkiHash, order: OrderId) -> Self {
        Self { spki, order }
    }

    /// The holder's: his own order, and the key that the desk told him. A
    /// desk that names another relay's key does not get past the order.
    #[must_use]
    pub fn of_order(spki: SpkiHash, order: &Order) -> Self {
        Self::new(spki, certs::order::id(order))
    }

    /// The coordinator's, and that of a relay's parents and children: what the
    /// holder introduced. Whether a permit names that order is asked where the
    /// edge begins.
    #[must_use]
    pub fn of_introduction(introduction: &Verified<Introduction>) -> Self {
        Self::new(introduction.relay, introduction.order)
    }

    /// The key that was admitted.
    #[must_use]
    pub const fn spki(&self) -> SpkiHash {
        self.spki
    }

    /// The order that it was admitted for.
    #[must_use]
    pub const fn order(&self) -> OrderId {
        self.order
    }
}
