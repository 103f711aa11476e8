//! Receipts: a viewer's word to its coordinator about what a parent gave.

use crate::codec::Blob;
use crate::id::{Digest, Rendition, Sequence, SpkiHash, Stripe};
use crate::limits::RECEIPT_CHUNKS_MAX;
use crate::statement::Scope;

/// Bitmap over chunks, bit i of byte i/8 (least significant first).
pub type Bitmap = Blob<{ RECEIPT_CHUNKS_MAX / 8 }>;

crate::record! {
    /// Which chunks of a rendition are receipted from a chunk on: of every `one_in` windows
    /// of `window_chunks` one, at an offset that the member's receipt key
    /// sets (`certs::receipt::Samplings`).
    pub struct Sampling {
        /// The rendition: each counts its chunks for itself.
        pub rendition: Rendition,
        /// The first chunk that it is about.
        pub from: Sequence,
        /// Chunks in a window.
        pub window_chunks: u16,
        /// Windows of which one is receipted; 1 for every chunk.
        pub one_in: u16,
    }
}

crate::record! {
    /// Authenticated by a MAC under the member's receipt key; the MAC covers
    /// `fields()` and the receipt digests of all blocks received.
    pub struct Receipt {
        /// Stream, run, epoch.
        pub scope: Scope,
        /// Who received.
        pub member: SpkiHash,
        /// Count of this member's intervals, from zero.
        pub interval: u64,
        /// Who sent.
        pub parent: SpkiHash,
        /// The rendition.
        pub rendition: Rendition,
        /// The stripe.
        pub stripe: Stripe,
        /// The chunk that bit 0 speaks of.
        pub first: Sequence,
        /// Chunks whose blocks of this stripe came in time.
        pub in_time: Bitmap,
        /// Chunks whose blocks of this stripe came late.
        pub late: Bitmap,
        /// Block bytes from this parent since the edge began.
        pub cumulative_bytes: u64,
        /// HMAC-SHA-256.
        pub mac: Digest,
    }
}
