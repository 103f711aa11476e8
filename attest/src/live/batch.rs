//! The Merkle tree over one batch's leaves: one quote answers hundreds of
//! challenges. Inner nodes are `SHA-256(0x01 ‖ left ‖ right)`, an odd node is
//! promoted, so a path's length follows from index and count.

use crate::error::Error;
use crate::quote::QuoteDigest;
use crate::signature::sha256;
use wire::Digest;
use wire::codec::{Blob, List};
use wire::limits::CHALLENGES_PER_QUOTE_MAX;
use wire::message::live::Response;

const NODE_PREFIX: u8 = 0x01;

/// The leaves that one quote answers.
#[derive(Debug, Clone)]
pub struct Batch {
    count: u16,
    /// From the leaves up to the root; never empty.
    levels: Vec<Vec<Digest>>,
    root: Digest,
}

impl Batch {
    /// The tree over `leaves`, in their order.
    ///
    /// # Errors
    /// [`Error::BatchSize`] for none, or for more than
    /// [`CHALLENGES_PER_QUOTE_MAX`].
    pub fn new(leaves: &[Digest]) -> Result<Self, Error> {
        let size = || Error::BatchSize {
            found: leaves.len(),
            max: CHALLENGES_PER_QUOTE_MAX,
        };
        let count = u16::try_from(leaves.len()).map_err(|_| size())?;
        if leaves.len() > CHALLENGES_PER_QUOTE_MAX {
            return Err(size());
        }
        let mut levels = Vec::new();
        let mut level = leaves.to_vec();
        while level.len() > 1 {
            let above = level.chunks(2).filter_map(parent).collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        let root = level.first().copied().ok_or_else(size)?;
        levels.push(level);
        Ok(Self {
            count,
            levels,
            root,
        })
    }

    /// Leaves.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// What the platform quotes for all of them.
    #[must_use]
    pub fn digest(&self) -> QuoteDigest {
        QuoteDigest::batch(self.count, &self.root)
    }

    /// Siblings from leaf `index` to the root; none past the last leaf.
    #[must_use]
    pub fn path(&self, index: u16) -> Option<Vec<Digest>> {
        if index >= self.count {
            return None;
        }
        let mut position = usize::from(index);
        let mut path = Vec::new();
        for level in &self.levels {
            path.extend(level.get(position ^ 1));
            position >>= 1;
        }
        Some(path)
    }

    /// The answer to the challenge of leaf `index`.
    ///
    /// # Errors
    /// [`Error::LiveMalformed`] past the last leaf, [`Error::QuoteFailed`]
    /// if the quote is over its bound.
    pub fn response(&self, index: u16, quote: &[u8]) -> Result<Response, Error> {
        let path = self.path(index).ok_or(Error::LiveMalformed)?;
        Ok(Response {
            index,
            count: self.count,
            path: List::new(path).map_err(|_| Error::LiveMalformed)?,
            quote: Blob::new(quote.to_vec()).map_err(|_| Error::QuoteFailed)?,
        })
    }
}

/// The quoted digest that an answer claims for `leaf`: none if index, count
/// and the path's length do not fit each other.
pub(super) fn claimed_digest(leaf: Digest, response: &Response) -> Option<QuoteDigest> {
    let count = response.count;
    if response.index >= count || usize::from(count) > CHALLENGES_PER_QUOTE_MAX {
        return None;
    }
    let mut node = leaf;
    let mut path = response.path.iter();
    let (mut index, mut width) = (response.index, count);
    while width > 1 {
        if index ^ 1 < width {
            let sibling = path.next()?;
            node = if index & 1 == 0 {
                inner(&node, sibling)
            } else {
                inner(sibling, &node)
            };
        }
        index >>= 1;
        width = width.div_ceil(2);
    }
    path.next()
        .is_none()
        .then(|| QuoteDigest::batch(count, &node))
}

fn parent(pair: &[Digest]) -> Option<Digest> {
    match pair {
        [left, right] => Some(inner(left, right)),
        [odd] => Some(*odd),
        _ => None,
    }
}

fn inner(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[NODE_PREFIX], left.as_bytes(), right.as_bytes()])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count)
            .map(|i| sha256(&[&(i as u64).to_be_bytes()]))
            .collect()
    }

    #[test]
    fn every_leaf_of_every_size_leads_to_the_quoted_digest() {
        for count in (1..=33).chain([1023, 1024]) {
            let leaves = leaves(count);
            let batch = Batch::new(&leaves).unwrap();
            for (index, leaf) in (0u16..).zip(&leaves) {
                let response = batch.response(index, b"").unwrap();
                assert_eq!(claimed_digest(*leaf, &response), Some(batch.digest()));
            }
        }
    }

    #[test]
    fn refuses_index_count_or_path_that_do_not_fit() {
        let leaves = leaves(5);
        let batch = Batch::new(&leaves).unwrap();
        let good = batch.response(4, b"").unwrap();
        let leaf = *leaves.last().unwrap();
        let digest = Some(batch.digest());
        assert_eq!(claimed_digest(leaf, &good), digest);
        for index in [0, 1, 2, 3, 5, u16::MAX] {
            let other = Response {
                index,
                ..good.clone()
            };
            assert_ne!(claimed_digest(leaf, &other), digest, "index {index}");
        }
        for count in [0, 1, 2, 4, 6, 8, 1025, u16::MAX] {
            let other = Response {
                count,
                ..good.clone()
            };
            assert_ne!(claimed_digest(leaf, &other), digest, "count {count}");
        }
        let mut path = good.path.to_vec();
        path.push(leaf);
        let longer = Response {
            path: List::new(path).unwrap(),
            ..good.clone()
        };
        assert_eq!(claimed_digest(leaf, &longer), None);
        let shorter = Response {
            path: List::default(),
            ..good
        };
        assert_eq!(claimed_digest(leaf, &shorter), None);
    }

    #[test]
    fn refuses_an_empty_and_an_overfull_batch() {
        assert_eq!(Batch::new(&[]).unwrap_err().reason(), "batch_size");
        let many = leaves(CHALLENGES_PER_QUOTE_MAX + 1);
        assert_eq!(Batch::new(&many).unwrap_err().reason(), "batch_size");
    }

    #[test]
    fn an_inner_node_is_no_leaf() {
        let leaves = leaves(4);
        let batch = Batch::new(&leaves).unwrap();
        let [a, b, c, d] = leaves.as_slice() else {
            panic!("four leaves")
        };
        let upper = Batch::new(&[inner(a, b), inner(c, d)]).unwrap();
        assert_eq!(upper.root, batch.root);
        assert_ne!(upper.digest(), batch.digest());
    }
}
