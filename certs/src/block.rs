//! Blocks: the Merkle proof that each one belongs to its signed chunk.
//!
//! Leaf = `SHA-256(0x00 ‖ index as u32 big-endian ‖ block)`; the tree is that
//! of `merkle.rs`. The count of leaves is not in the tree but in the signed
//! layout, from which both sides take it.

use crate::{Error, Verified, merkle};
use bytes::Bytes;
use wire::codec::List;
use wire::limits::{BLOCK_PATH_MAX, CHUNK_BLOCKS_MAX};
use wire::statement::{ChunkHeader, ChunkKey};
use wire::{Digest, Stripe};

/// Siblings from a leaf to the root, as they travel.
pub type Path = List<Digest, BLOCK_PATH_MAX>;

/// A chunk's Merkle tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree(merkle::Tree);

impl Tree {
    /// The root.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.0.root()
    }

    /// The path of a leaf, none for an index outside the tree.
    #[must_use]
    pub fn path(&self, index: u16) -> Option<Path> {
        Path::new(self.0.path(index)?).ok()
    }
}

/// The tree over all blocks of a chunk, parity included.
///
/// # Errors
/// `chunk_too_large` for no block or more than a chunk may have.
pub fn build_tree(blocks: &[Bytes]) -> Result<Tree, Error> {
    if blocks.len() > CHUNK_BLOCKS_MAX {
        return Err(Error::ChunkTooLarge);
    }
    let leaves = blocks.iter().zip(0u32..);
    let leaves = leaves.map(|(block, index)| merkle::leaf(index, &[block]));
    let tree = merkle::Tree::over(leaves.collect());
    tree.map(Tree).ok_or(Error::ChunkTooLarge)
}

/// A block that belongs to a header that the sender signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifiedBlock {
    chunk: ChunkKey,
    index: u16,
    stripe: Stripe,
    header: Digest,
}

impl VerifiedBlock {
    pub(crate) const fn new(chunk: ChunkKey, index: u16, stripe: Stripe, header: Digest) -> Self {
        Self {
            chunk,
            index,
            stripe,
            header,
        }
    }

    /// The chunk.
    #[must_use]
    pub const fn chunk(&self) -> ChunkKey {
        self.chunk
    }

    /// The index within the chunk.
    #[must_use]
    pub const fn index(&self) -> u16 {
        self.index
    }

    /// The stripe: index modulo k+m.
    #[must_use]
    pub const fn stripe(&self) -> Stripe {
        self.stripe
    }

    /// Digest of the header it was checked against.
    #[must_use]
    pub const fn header(&self) -> Digest {
        self.header
    }
}

/// Checks one block against its signed header. Hashes and compares: it
/// allocates nothing.
///
/// # Errors
/// `block_proof_mismatch` for a wrong index, length, path or byte.
pub fn verify(
    header: &Verified<ChunkHeader>,
    index: u16,
    path: &[Digest],
    data: &[u8],
) -> Result<VerifiedBlock, Error> {
    let count = header.layout.blocks();
    let length_ok = data.len() as u64 == u64::from(header.layout.block_len);
    if u32::from(index) >= count || !length_ok {
        return Err(Error::BlockProofMismatch);
    }
    let leaf = merkle::leaf(u32::from(index), &[data]);
    if merkle::climb(leaf, u32::from(index), count, path) != Some(header.root) {
        return Err(Error::BlockProofMismatch);
    }
    let stripe = stripe_of(header, index);
    Ok(VerifiedBlock::new(
        header.key(),
        index,
        stripe,
        header.digest(),
    ))
}

#[cfg(feature = "ablation")]
pub use crate::ablation::dangerously_verified;

pub(crate) fn stripe_of(header: &ChunkHeader, index: u16) -> Stripe {
    header.layout.stripe_of(index)
}
