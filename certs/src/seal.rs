//! The seal: chunks are encrypted end to end with AES-128-GCM under a key of
//! their stream, run, epoch, rendition and sort, so that relays carry
//! ciphertext and no nonce can meet its key twice (threat D11).
//!
//! key = HKDF-SHA-256 (RFC 5869; salt `roundcast/seal/v1`, secret = the
//! epoch's, info = label ‖ 0x00 ‖ stream ‖ run ‖ epoch as u64 big-endian ‖
//! rendition as u8), nonce = four zero bytes ‖ sequence as u64 big-endian,
//! associated data = the header without digest and root.

mod assembly;
mod cipher;
mod erasure;
mod publisher;
mod resuming;
mod secret;

pub use assembly::{Piece, assemble};
pub use cipher::{ChunkOpener, ChunkSealer, Openers};
pub use publisher::{Publisher, SealedChunk};
pub use resuming::{Head, Heads};
pub use secret::EpochSecret;

/// Bytes that sealing adds to a chunk: the GCM tag.
pub const OVERHEAD_BYTES: usize = 16;
