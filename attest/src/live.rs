//! The live challenge: after the handshake, the relay proves that the
//! attested key is held at the other end of *this* connection, now.
//!
//! The verifier sends 32 random bytes and nothing else. The relay computes
//! the [`Leaf`] from its own connection, collects the leaves of a few
//! milliseconds in a [`Batch`] and quotes that once. The verifier computes
//! the same leaf from *his* connection and from the evidence that he
//! appraised: an answer that was made for another connection, key, order or
//! direction is over another leaf (RFC 9266's exporter is symmetric, hence
//! both keys and the side).

mod batch;
mod challenge;
mod leaf;
mod rate;

pub use batch::Batch;
pub use challenge::{Answer, Challenge, Connection, LiveVerdict};
pub use leaf::{LEAF_LABEL, Leaf, TlsSide};
pub use rate::{Rate, RateExceeded};

/// An answer is at most this old, in milliseconds of the verifier's
/// monotonic clock: a TPM quotes in under one second, the network adds one.
pub const AGE_MS_MAX: u64 = 5_000;
/// A relay collects nonces for at most this long before it quotes.
pub const BATCH_WAIT_MS: u64 = 50;
/// Challenges under one permit within [`RATE_WINDOW_MS`]: one, and two tries.
pub const CHALLENGES_MAX: usize = 3;
/// See [`CHALLENGES_MAX`].
pub const RATE_WINDOW_MS: u64 = 30_000;
/// RFC 9266: the exporter's label.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
/// RFC 9266: the exporter's length in bytes; its context is empty.
pub const EXPORTER_BYTES: usize = 32;
