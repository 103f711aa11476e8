//! Nodes in buckets by depth and rank: constant time to move one, and a walk
//! in order of depth, then rank, that touches no bucket without nodes.

use super::{Ix, NONE};

/// Ranks within one depth.
pub(super) const RANKS: u32 = 64;
const NOWHERE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Link {
    prev: Ix,
    next: Ix,
    /// depth x [`RANKS`] + rank.
    bucket: u32,
}

const LOOSE: Link = Link {
    prev: NONE,
    next: NONE,
    bucket: NOWHERE,
};

/// The buckets of one depth.
#[derive(Debug, Clone)]
struct Row {
    /// A bit for each rank whose bucket holds nodes.
    ranks: u64,
    /// First and last of each bucket.
    ends: Vec<(Ix, Ix)>,
}

impl Row {
    fn ends(&self, rank: u32) -> (Ix, Ix) {
        self.ends
            .get(rank as usize)
            .copied()
            .unwrap_or((NONE, NONE))
    }

    fn set_ends(&mut self, rank: u32, ends: (Ix, Ix)) {
        if let Some(slot) = self.ends.get_mut(rank as usize) {
            *slot = ends;
        }
        if ends.0 == NONE {
            self.ranks &= !(1 << rank);
        } else {
            self.ranks |= 1 << rank;
        }
    }
}

/// The buckets of one stripe, by depth.
#[derive(Debug, Clone, Default)]
struct Rows {
    rows: Vec<Row>,
    /// No row before this one holds nodes.
    low: usize,
}

/// The buckets of all stripes.
#[derive(Debug, Clone)]
pub(super) struct Lists {
    /// By node, then stripe: what one event touches lies together.
    links: Vec<Link>,
    stripes: Vec<Rows>,
}

/// Where a node belongs: depth and rank.
pub(super) type Bucket = (u16, u32);

impl Lists {
    pub(super) fn new(stripes: usize) -> Self {
        Self {
            links: Vec::new(),
            stripes: vec![Rows::default(); stripes],
        }
    }

    /// Makes room for node `ix`.
    pub(super) fn grow(&mut self, ix: Ix) {
        let len = (ix as usize + 1).saturating_mul(self.stripes.len());
        if self.links.len() < len {
            self.links.resize(len, LOOSE);
        }
    }

    /// Moves the node to the end of a bucket, or out of all of them. Nothing
    /// changes if it is there already.
    pub(super) fn set(&mut self, ix: Ix, s: u8, want: Option<Bucket>) {
        let bucket = want.map_or(NOWHERE, |(depth, rank)| u32::from(depth) * RANKS + rank);
        let link = self.link(ix, s);
        if link.bucket == bucket {
            return;
        }
        if link.bucket != NOWHERE {
            self.unlink(ix, s, link);
        }
        if let Some((depth, rank)) = want {
            self.push(ix, s, usize::from(depth), rank, bucket);
        }
    }

    fn push(&mut self, ix: Ix, s: u8, depth: usize, rank: u32, bucket: u32) {
        let Some(tree) = self.stripes.get_mut(usize::from(s)) else {
            return;
        };
        while tree.rows.len() <= depth {
            tree.rows.push(Row {
                ranks: 0,
                ends: vec![(NONE, NONE); RANKS as usize],
            });
        }
        tree.low = tree.low.min(depth);
        let Some(row) = tree.rows.get_mut(depth) else {
            return;
        };
        let (first, last) = row.ends(rank);
        row.set_ends(rank, (if first == NONE { ix } else { first }, ix));
        self.edit(last, s, |l| l.next = ix);
        let link = Link {
            prev: last,
            next: NONE,
            bucket,
        };
        self.edit(ix, s, |l| *l = link);
    }

    fn unlink(&mut self, ix: Ix, s: u8, link: Link) {
        self.edit(link.prev, s, |l| l.next = link.next);
        self.edit(link.next, s, |l| l.prev = link.prev);
        self.edit(ix, s, |l| *l = LOOSE);
        let (depth, rank) = ((link.bucket / RANKS) as usize, link.bucket % RANKS);
        let Some(tree) = self.stripes.get_mut(usize::from(s)) else {
            return;
        };
        if let Some(row) = tree.rows.get_mut(depth) {
            let (first, last) = row.ends(rank);
            let first = if first == ix { link.next } else { first };
            let last = if last == ix { link.prev } else { last };
            row.set_ends(rank, (first, last));
        }
        while tree.rows.last().is_some_and(|row| row.ranks == 0) {
            tree.rows.pop();
        }
        while tree.rows.get(tree.low).is_some_and(|row| row.ranks == 0) {
            tree.low += 1;
        }
        tree.low = tree.low.min(tree.rows.len());
    }

    fn at_link(&self, ix: Ix, s: u8) -> usize {
        (ix as usize)
            .saturating_mul(self.stripes.len())
            .saturating_add(usize::from(s))
    }

    fn link(&self, ix: Ix, s: u8) -> Link {
        let at = self.at_link(ix, s);
        self.links.get(at).copied().unwrap_or(LOOSE)
    }

    fn edit(&mut self, ix: Ix, s: u8, change: impl FnOnce(&mut Link)) {
        let at = self.at_link(ix, s);
        if let Some(link) = self.links.get_mut(at) {
            change(link);
        }
    }

    /// The greatest depth that holds a node.
    pub(super) fn deepest(&self, s: u8) -> usize {
        let tree = self.stripes.get(usize::from(s));
        tree.map_or(0, |tree| tree.rows.len().saturating_sub(1))
    }

    /// The nodes of these ranks by depth, rank, and time of arrival.
    pub(super) fn iter(&self, s: u8, ranks: u64) -> impl Iterator<Item = Ix> + '_ {
        let tree = self.stripes.get(usize::from(s));
        let depths = tree.map_or(0..0, |tree| tree.low..tree.rows.len());
        depths.flat_map(move |depth| self.at(s, depth, ranks))
    }

    /// The nodes at this depth by rank and time of arrival.
    pub(super) fn at(&self, s: u8, depth: usize, ranks: u64) -> impl Iterator<Item = Ix> + '_ {
        let row = self.row(s, depth);
        let found = row.map_or(0, |row| row.ranks & ranks);
        Bits(found).flat_map(move |rank| {
            let first = row.map_or(NONE, |row| row.ends(rank).0);
            self.walk(first, s, |link| link.next)
        })
    }

    /// The nodes at this depth by rank, the last to come first.
    pub(super) fn latest_at(
        &self,
        s: u8,
        depth: usize,
        ranks: u64,
    ) -> impl Iterator<Item = Ix> + '_ {
        let row = self.row(s, depth);
        let found = row.map_or(0, |row| row.ranks & ranks);
        Bits(found).flat_map(move |rank| {
            let last = row.map_or(NONE, |row| row.ends(rank).1);
            self.walk(last, s, |link| link.prev)
        })
    }

    fn row(&self, s: u8, depth: usize) -> Option<&Row> {
        self.stripes.get(usize::from(s))?.rows.get(depth)
    }

    fn walk(&self, from: Ix, s: u8, step: fn(&Link) -> Ix) -> impl Iterator<Item = Ix> + '_ {
        let some = |ix: Ix| (ix != NONE).then_some(ix);
        std::iter::successors(some(from), move |ix| some(step(&self.link(*ix, s))))
    }
}

/// The set bits of a word, from the lowest.
pub(super) struct Bits(pub(super) u64);

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(bit)
    }
}
