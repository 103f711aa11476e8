//! Permits in batches: one signature over the root of a Merkle tree, and each
//! permit with its path to that root.

use super::{Permit, Scope, Statement, statement};
use crate::codec::{Blob, List};
use crate::id::Digest;
use crate::limits::PERMIT_PATH_MAX;

crate::record! {
    /// What is signed of a batch. It does not travel: whoever has a permit of
    /// the batch and its path can compute the root.
    pub struct PermitBatch {
        /// Stream and run, at epoch 0: each permit names its own epoch.
        pub scope: Scope,
        /// Permits in the batch.
        pub count: u16,
        /// The root of the tree over them.
        pub root: Digest,
    }
}
statement!(PermitBatch, "roundcast/permit-batch/v1", 128);

/// A permit's exact bytes, bounded as the statement is.
pub type PermitBytes = Blob<{ <Permit as Statement>::BODY_BYTES_MAX }>;

crate::record! {
    /// A permit and its proof. Nothing can be read from it before `certs`
    /// verified it.
    pub struct BatchedPermit {
        /// The permit's exact bytes.
        pub body: PermitBytes,
        /// Permits in its batch, from 1.
        pub count: u16,
        /// Its place among them, from 0.
        pub index: u16,
        /// Siblings from its leaf to the root; a node without a sibling has
        /// no entry.
        pub path: List<Digest, PERMIT_PATH_MAX>,
        /// Ed25519 (RFC 8032) over label and [`PermitBatch`].
        pub signature: [u8; 64],
    }
}

impl BatchedPermit {
    /// The exact bytes of the permit, not yet verified.
    #[must_use]
    pub fn body(&self) -> &bytes::Bytes {
        self.body.bytes()
    }
}
