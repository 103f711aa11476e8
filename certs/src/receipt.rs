//! Receipts: what a viewer got from a parent, told to the coordinator.
//!
//! receipt digest of a block = `SHA-256("roundcast/receipt" ‖ header digest ‖
//! index as u32 big-endian ‖ block)`; it never travels, so only who had the
//! block can know it. A chunk's digest for one stripe = SHA-256 over the
//! receipt digests of the stripe's blocks by index. The MAC is HMAC-SHA-256
//! under the member's receipt key over label, the receipt's fields and the
//! SHA-256 over the marked chunks' digests by sequence.
//!
//! The coordinator computes a chunk's digests once ([`StripeDigests`]) for all
//! viewers, and needs no block afterwards.

mod accumulator;
mod check;
mod ledger;
mod sampling;

pub use accumulator::Accumulator;
pub use check::{Counted, ReceiptCheck, StripeDigests, check};
pub use ledger::Ledger;
pub use sampling::{SAMPLINGS_MAX, Samplings};

use crate::Error;
use crate::hash::sha256;
use ring::hmac;
use ring::rand::SecureRandom;
use wire::message::receipt::Receipt;
use wire::{Digest, Encode};
use zeroize::Zeroizing;

const BLOCK_LABEL: &[u8] = b"roundcast/receipt";
const MAC_LABEL: &[u8] = b"roundcast/receipt-mac/v1\0";

/// A member's MAC key; zeroed on drop, never printed.
#[derive(Clone)]
pub struct ReceiptKey(Zeroizing<[u8; 32]>);

impl ReceiptKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn generate(rng: &dyn SecureRandom) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill(bytes.as_mut()).map_err(|_| Error::Randomness)?;
        Ok(Self(bytes))
    }

    /// Wraps a key that came in a bundle or from the station's state.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for storing or sealing them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The digest of one block that proves its receipt.
fn block_digest(header: &Digest, index: u16, data: &[u8]) -> Digest {
    let index = u32::from(index).to_be_bytes();
    sha256(&[BLOCK_LABEL, header.as_bytes(), &index, data])
}

/// The MAC over label, fields and the digests of the marked chunks.
fn mac(key: &ReceiptKey, receipt: &Receipt, chunks: &Digest) -> Digest {
    let encoded = receipt.to_bytes();
    // The MAC is the last field and has a fixed length.
    let fields = encoded
        .split_last_chunk::<32>()
        .map_or(encoded.as_slice(), |(fields, _)| fields);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
    let mut context = hmac::Context::with_key(&key);
    for part in [MAC_LABEL, fields, chunks.as_bytes()] {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    Digest(out)
}
