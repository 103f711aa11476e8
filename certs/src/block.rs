//! Blocks: the Merkle proof that each one belongs to its signed chunk.
//!
//! Leaf = `SHA-256(0x00 ‖ index as u32 big-endian ‖ block)`, inner node =
//! `SHA-256(0x01 ‖ left ‖ right)`; the last node of an odd level is promoted
//! unchanged and has no entry in a path. The count of leaves is not in the
//! tree but in the signed layout, from which both sides take it.

use crate::hash::{Hasher, sha256};
use crate::{Error, Verified};
use bytes::Bytes;
use wire::codec::List;
use wire::limits::{BLOCK_PATH_MAX, CHUNK_BLOCKS_MAX};
use wire::statement::{ChunkHeader, ChunkKey};
use wire::{Digest, Stripe};

/// Siblings from a leaf to the root, as they travel.
pub type Path = List<Digest, BLOCK_PATH_MAX>;

/// A chunk's Merkle tree: every level, leaves first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    levels: Vec<Vec<Digest>>,
    root: Digest,
}

impl Tree {
    /// The root.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.root
    }

    /// The path of a leaf, none for an index outside the tree.
    #[must_use]
    pub fn path(&self, index: u16) -> Option<Path> {
        let mut at = usize::from(index);
        self.levels.first()?.get(at)?;
        let mut path = Vec::with_capacity(BLOCK_PATH_MAX);
        for level in &self.levels {
            // A promoted node has no sibling.
            path.extend(level.get(at ^ 1).copied());
            at /= 2;
        }
        Path::new(path).ok()
    }
}

/// The tree over all blocks of a chunk, parity included.
///
/// # Errors
/// `chunk_too_large` for no block or more than a chunk may have.
pub fn build_tree(blocks: &[Bytes]) -> Result<Tree, Error> {
    if blocks.is_empty() || blocks.len() > CHUNK_BLOCKS_MAX {
        return Err(Error::ChunkTooLarge);
    }
    let mut level: Vec<Digest> = blocks
        .iter()
        .zip(0u32..)
        .map(|(block, index)| leaf(index, block))
        .collect();
    let mut levels = Vec::with_capacity(BLOCK_PATH_MAX + 1);
    loop {
        if let [root] = level.as_slice() {
            let root = *root;
            levels.push(level);
            return Ok(Tree { levels, root });
        }
        let above = level
            .chunks(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(inner(left, right)),
                [promoted] => Some(*promoted),
                _ => None,
            })
            .collect();
        levels.push(level);
        level = above;
    }
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
    if climb(u32::from(index), count, path, data) != Some(header.root) {
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

/// The root that the path leads to, if it has exactly the entries it needs.
fn climb(index: u32, count: u32, path: &[Digest], data: &[u8]) -> Option<Digest> {
    let mut node = leaf(index, data);
    let (mut at, mut width) = (index, count);
    let mut siblings = path.iter();
    while width > 1 {
        let promoted = at + 1 == width && width % 2 == 1;
        if !promoted {
            let sibling = siblings.next()?;
            node = if at.is_multiple_of(2) {
                inner(&node, sibling)
            } else {
                inner(sibling, &node)
            };
        }
        at /= 2;
        width = width.div_ceil(2);
    }
    siblings.next().is_none().then_some(node)
}

fn leaf(index: u32, block: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[0]);
    hasher.update(&index.to_be_bytes());
    hasher.update(block);
    hasher.finish()
}

fn inner(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[1], left.as_bytes(), right.as_bytes()])
}
