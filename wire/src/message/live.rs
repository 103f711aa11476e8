//! The live challenge. The verifier's half is 32 random bytes and nothing
//! else: a relay never quotes bytes that it was handed.

use crate::codec::{Blob, List};
use crate::id::{Digest, Nonce};
use crate::limits::{CHALLENGE_PATH_MAX, QUOTE_BYTES_MAX};

crate::record! {
    /// Verifier to relay.
    pub struct Challenge {
        /// 32 random bytes.
        pub nonce: Nonce,
    }
}

crate::record! {
    /// Relay to verifier: one quote over a batch, and this nonce's path.
    pub struct Response {
        /// Position of the leaf.
        pub index: u16,
        /// Leaves of the batch.
        pub count: u16,
        /// Siblings from the leaf to the root; a promoted node has none.
        pub path: List<Digest, CHALLENGE_PATH_MAX>,
        /// The platform's signature over the batch digest.
        pub quote: Blob<QUOTE_BYTES_MAX>,
    }
}
