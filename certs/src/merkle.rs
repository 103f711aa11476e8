//! Binary Merkle trees as everything here has them: an inner node =
//! `SHA-256(0x01 ‖ left ‖ right)`; the last node of an odd level is promoted
//! unchanged and has no entry in a path. Leaves begin with 0x00 and their
//! index, by whoever makes them. The count of leaves is not in the tree but
//! in what is signed about it.

use crate::hash::{Hasher, sha256};
use wire::Digest;

/// A tree: every level, leaves first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    levels: Vec<Vec<Digest>>,
    root: Digest,
}

impl Tree {
    /// The tree over these leaves, none for none.
    pub(crate) fn over(leaves: Vec<Digest>) -> Option<Self> {
        let mut level = leaves;
        let mut levels = Vec::new();
        while level.len() > 1 {
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
        let root = *level.first()?;
        levels.push(level);
        Some(Self { levels, root })
    }

    pub(crate) const fn root(&self) -> Digest {
        self.root
    }

    /// Siblings from a leaf to the root, none for an index outside the tree.
    pub(crate) fn path(&self, index: u16) -> Option<Vec<Digest>> {
        let mut at = usize::from(index);
        self.levels.first()?.get(at)?;
        let mut path = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            // A promoted node has no sibling.
            path.extend(level.get(at ^ 1).copied());
            at /= 2;
        }
        Some(path)
    }
}

/// The root that the path leads to, if it has exactly the entries it needs.
/// The caller has compared index and count.
pub(crate) fn climb(leaf: Digest, index: u32, count: u32, path: &[Digest]) -> Option<Digest> {
    let mut node = leaf;
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

/// `SHA-256(0x00 ‖ index as u32 big-endian ‖ parts)`.
pub(crate) fn leaf(index: u32, parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[0]);
    hasher.update(&index.to_be_bytes());
    for part in parts {
        hasher.update(part);
    }
    hasher.finish()
}

fn inner(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[1], left.as_bytes(), right.as_bytes()])
}
