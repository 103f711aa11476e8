//! The boot: keys are made here and never leave; the platform vouches.
//!
//! [`Conversation`] is the relay's end of the boot protocol as a state
//! machine over lines. It reads no clock and no stream, so that a process on
//! a pipe and a machine on a virtual serial port share it.

mod conversation;
pub(crate) mod line;
mod platform;
mod software;
mod tpm2;

pub use conversation::{Conversation, Turn};
pub use line::Opening;
pub use platform::{Keys, Platform, PlatformQuoter, Subject, Tpm2Keys, Vouched};
pub use software::SoftwarePlatform;
pub use tpm2::{Tpm, Tpm2Platform, TpmFailed};

use link::{Binding, Identity};
use std::sync::Arc;
use wire::OrderId;
use wire::order::{Order, Parameters};

/// A relay that can prove what it is.
#[derive(Debug)]
pub struct Booted {
    /// Its key, and the certificate with the evidence.
    pub identity: Identity,
    /// Quotes for live challenges.
    pub quoter: Arc<dyn PlatformQuoter>,
    /// What enters every leaf.
    pub binding: Binding,
    /// The order.
    pub order: Order,
    /// The order's identifier.
    pub order_id: OrderId,
    /// What the desk told it.
    pub parameters: Parameters,
    /// How much of a stream it keeps, in milliseconds of media time.
    pub kept_ms_max: u64,
}
