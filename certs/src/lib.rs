//! Every signature, MAC, seal and X.509 check of Roundcast.
//!
//! What arrives is a claim; a check turns it into a [`Verified`] value, whose
//! constructor is private to this crate. Nothing here reads a clock, a file,
//! a socket or an ambient random source: time ([`wire::UnixMs`]) and
//! randomness (`&dyn ring::rand::SecureRandom`) are passed in, so that every
//! check can be replayed.
//!
//! Three keys meet three attackers: [`seal`] keeps outsiders and relays from
//! reading, [`chunk`] and [`block`] keep insiders from forging, [`receipt`]
//! keeps cheats from boasting. [`run`] hands the stream's authority to online
//! keys, [`permit`] to edges, [`x509`] to members, [`introduction`] to relays.

pub mod asking;
pub mod beacon;
pub mod block;
pub mod bundle;
pub mod chunk;
pub mod claim;
pub mod error;
pub mod holding;
pub mod introduction;
pub mod invite_proof;
pub mod join_reply;
pub mod key;
pub mod limits;
pub mod order;
pub mod permit;
pub mod receipt;
pub mod revocation;
pub mod run;
pub mod seal;
pub mod verified;
pub mod x509;

#[cfg(feature = "ablation")]
pub mod ablation;

mod hash;
mod merkle;

pub use error::Error;
pub use key::{SigningKey, sign, verify_raw};
pub use verified::Verified;

/// Whether this build holds the `dangerously_*` constructors. Every shipped
/// program asserts at compile time that it does not.
pub const ABLATION: bool = cfg!(feature = "ablation");
