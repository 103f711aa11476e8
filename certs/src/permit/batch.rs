//! Permits are signed in batches: the coordinator signs the root of a Merkle
//! tree, and each permit travels with its path.
//!
//! Leaf = `SHA-256(0x00 ‖ index as u32 big-endian ‖ label ‖ 0x00 ‖ permit)`;
//! the tree is that of `merkle.rs`. The signature is over [`PermitBatch`],
//! which both sides put together: scope from the run, count from the message,
//! root from the path.

use crate::hash::sha256;
use crate::key::{SigningKey, verify_raw};
use crate::limits::PERMIT_BATCHES_MAX;
use crate::{Error, Verified, merkle};
use std::collections::{BTreeSet, VecDeque};
use wire::codec::List;
use wire::limits::PERMIT_BATCH_MAX;
use wire::statement::{
    BatchedPermit, Permit, PermitBatch, PermitBytes, RunStatement, signed_string,
};
use wire::{Decode, Digest, Encode, Epoch, Scope, Statement};

/// Signs permits of one run, in the order given: one signature for each
/// [`PERMIT_BATCH_MAX`] of them.
#[must_use]
pub fn sign_batch(key: &SigningKey, permits: &[Permit]) -> Vec<BatchedPermit> {
    let batches = permits.chunks(PERMIT_BATCH_MAX);
    batches.flat_map(|batch| signed(key, batch)).collect()
}

/// Signs a permit alone, as a batch of one.
#[must_use]
pub fn sign(key: &SigningKey, permit: &Permit) -> BatchedPermit {
    let body = permit.to_bytes();
    let root = leaf(0, &body);
    let signature = key.sign_raw(&signed_batch(&permit.scope, 1, root));
    proven(body, (0, 1), Vec::new(), signature)
}

fn signed(key: &SigningKey, permits: &[Permit]) -> Vec<BatchedPermit> {
    let bodies: Vec<Vec<u8>> = permits.iter().map(Encode::to_bytes).collect();
    let leaves = bodies.iter().zip(0u32..).map(|(body, at)| leaf(at, body));
    let tree = merkle::Tree::over(leaves.collect());
    let (Some(tree), Some(first), Ok(count)) =
        (tree, permits.first(), u16::try_from(permits.len()))
    else {
        return Vec::new();
    };
    let signature = key.sign_raw(&signed_batch(&first.scope, count, tree.root()));
    let numbered = bodies.into_iter().zip(0u16..);
    numbered
        .map(|(body, index)| {
            let path = tree.path(index).unwrap_or_default();
            proven(body, (index, count), path, signature)
        })
        .collect()
}

#[allow(
    clippy::expect_used,
    reason = "a permit's bound is above its largest encoding (test largest_statements_fit_their_bounds), and so many leaves have no longer path (test batches_of_any_size_are_proven)"
)]
fn proven(
    body: Vec<u8>,
    (index, count): (u16, u16),
    path: Vec<Digest>,
    signature: [u8; 64],
) -> BatchedPermit {
    BatchedPermit {
        body: PermitBytes::new(body).expect("a body within its bound"),
        count,
        index,
        path: List::new(path).expect("a path within its bound"),
        signature,
    }
}

/// Batches whose signatures were verified: the permits of one breath reach a
/// node together, and each signature costs it once. Bounded; the oldest is
/// forgotten first and costs one check more.
#[derive(Debug, Clone, Default)]
pub struct Batches {
    known: BTreeSet<Digest>,
    by_age: VecDeque<Digest>,
    checked: u64,
}

impl Batches {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Signatures that were checked in all.
    #[must_use]
    pub const fn checked(&self) -> u64 {
        self.checked
    }

    /// Checks path and signature over the exact bytes, then decodes them.
    ///
    /// # Errors
    /// `permit_proof_mismatch`, `permit_signature_invalid`,
    /// `statement_malformed`.
    pub(super) fn open(
        &mut self,
        batched: &BatchedPermit,
        run: &RunStatement,
    ) -> Result<Verified<Permit>, Error> {
        let count = batched.count;
        if batched.index >= count || usize::from(count) > PERMIT_BATCH_MAX {
            return Err(Error::PermitProofMismatch);
        }
        let leaf = leaf(batched.index.into(), batched.body());
        let root = merkle::climb(leaf, batched.index.into(), count.into(), &batched.path);
        let root = root.ok_or(Error::PermitProofMismatch)?;
        let message = signed_batch(&run.scope, count, root);
        // The key, too: one node may see more than one run.
        let known = sha256(&[run.permit_key.as_bytes(), &batched.signature, &message]);
        if !self.known.contains(&known) {
            self.checked = self.checked.saturating_add(1);
            if !verify_raw(&run.permit_key, &message, &batched.signature) {
                return Err(Error::PermitSignatureInvalid);
            }
            self.remember(known);
        }
        let permit = Permit::from_bytes(batched.body())?;
        Ok(Verified::new(permit, sha256(&[batched.body()])))
    }

    fn remember(&mut self, batch: Digest) {
        while self.by_age.len() >= PERMIT_BATCHES_MAX {
            if let Some(oldest) = self.by_age.pop_front() {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(batch);
        self.by_age.push_back(batch);
    }
}

fn leaf(index: u32, body: &[u8]) -> Digest {
    merkle::leaf(index, &[Permit::LABEL.as_bytes(), &[0], body])
}

/// The string that a batch's signature is over.
fn signed_batch(scope: &Scope, count: u16, root: Digest) -> Vec<u8> {
    let batch = PermitBatch {
        scope: Scope {
            epoch: Epoch(0),
            ..scope.clone()
        },
        count,
        root,
    };
    signed_string(PermitBatch::LABEL, &batch.to_bytes())
}
