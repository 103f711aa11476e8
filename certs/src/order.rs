//! The names of orders and parameters.

use crate::hash::sha256;
use wire::order::{ORDER_LABEL, Order, PARAMETERS_LABEL, Parameters};
use wire::{Digest, Encode, OrderId};

/// `SHA-256(label ‖ 0x00 ‖ encoding)` of an order.
#[must_use]
pub fn id(order: &Order) -> OrderId {
    OrderId(sha256(&[ORDER_LABEL.as_bytes(), &[0], &order.to_bytes()]).0)
}

/// `SHA-256(label ‖ 0x00 ‖ encoding)` of a relay's parameters.
#[must_use]
pub fn parameters_digest(parameters: &Parameters) -> Digest {
    sha256(&[PARAMETERS_LABEL.as_bytes(), &[0], &parameters.to_bytes()])
}
