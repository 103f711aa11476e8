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

#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    links: Vec<Link>,
    rows: Vec<Row>,
    /// No row before this one holds nodes.
    low: usize,
}

/// Where a node belongs: depth and rank.
pub(super) type Bucket = (u16, u32);

impl Lists {
    /// Makes room for node `ix`.
    pub(super) fn grow(&mut self, ix: Ix) {
        if self.links.len() <= ix as usize {
            self.links.resize(ix as usize + 1, LOOSE);
        }
    }

    /// Moves the node to the end of a bucket, or out of all of them. Nothing
    /// changes if it is there already.
    pub(super) fn set(&mut self, ix: Ix, want: Option<Bucket>) {
        let bucket = want.map_or(NOWHERE, |(depth, rank)| u32::from(depth) * RANKS + rank);
        let Some(link) = self.links.get(ix as usize).copied() else {
            return;
        };
        if link.bucket == bucket {
            return;
        }
        if link.bucket != NOWHERE {
            self.unlink(ix, link);
        }
        if let Some((depth, rank)) = want {
            self.push(ix, usize::from(depth), rank, bucket);
        }
    }

    fn push(&mut self, ix: Ix, depth: usize, rank: u32, bucket: u32) {
        while self.rows.len() <= depth {
            self.rows.push(Row {
                ranks: 0,
                ends: vec![(NONE, NONE); RANKS as usize],
            });
        }
        self.low = self.low.min(depth);
        let Some(row) = self.rows.get_mut(depth) else {
            return;
        };
        let (first, last) = row.ends(rank);
        row.set_ends(rank, (if first == NONE { ix } else { first }, ix));
        self.edit(last, |l| l.next = ix);
        let link = Link {
            prev: last,
            next: NONE,
            bucket,
        };
        self.edit(ix, |l| *l = link);
    }

    fn unlink(&mut self, ix: Ix, link: Link) {
        self.edit(link.prev, |l| l.next = link.next);
        self.edit(link.next, |l| l.prev = link.prev);
        self.edit(ix, |l| *l = LOOSE);
        let (depth, rank) = ((link.bucket / RANKS) as usize, link.bucket % RANKS);
        if let Some(row) = self.rows.get_mut(depth) {
            let (first, last) = row.ends(rank);
            let first = if first == ix { link.next } else { first };
            let last = if last == ix { link.prev } else { last };
            row.set_ends(rank, (first, last));
        }
        while self.rows.last().is_some_and(|row| row.ranks == 0) {
            self.rows.pop();
        }
        while self.rows.get(self.low).is_some_and(|row| row.ranks == 0) {
            self.low += 1;
        }
        self.low = self.low.min(self.rows.len());
    }

    fn edit(&mut self, ix: Ix, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.get_mut(ix as usize) {
            change(link);
        }
    }

    /// The greatest depth that holds a node.
    pub(super) fn deepest(&self) -> Option<usize> {
        self.rows.len().checked_sub(1)
    }

    pub(super) fn holds_any(&self, ranks: u64) -> bool {
        self.rows.iter().skip(self.low).any(|r| r.ranks & ranks != 0)
    }

    /// The nodes of these ranks by depth, rank, and time of arrival.
    pub(super) fn iter(&self, ranks: u64) -> impl Iterator<Item = Ix> + '_ {
        let depths = self.low..self.rows.len();
        depths.flat_map(move |depth| self.at(depth, ranks))
    }

    /// The nodes at this depth by rank and time of arrival.
    pub(super) fn at(&self, depth: usize, ranks: u64) -> impl Iterator<Item = Ix> + '_ {
        let row = self.rows.get(depth);
        let found = row.map_or(0, |row| row.ranks & ranks);
        Bits(found).flat_map(move |rank| {
            let first = row.map_or(NONE, |row| row.ends(rank).0);
            self.walk(first, |link| link.next)
        })
    }

    /// The nodes at this depth by rank, the last to come first.
    pub(super) fn latest_at(&self, depth: usize, ranks: u64) -> impl Iterator<Item = Ix> + '_ {
        let row = self.rows.get(depth);
        let found = row.map_or(0, |row| row.ranks & ranks);
        Bits(found).flat_map(move |rank| {
            let last = row.map_or(NONE, |row| row.ends(rank).1);
            self.walk(last, |link| link.prev)
        })
    }

    fn walk(&self, from: Ix, step: fn(&Link) -> Ix) -> impl Iterator<Item = Ix> + '_ {
        let some = |ix: Ix| (ix != NONE).then_some(ix);
        std::iter::successors(some(from), move |ix| {
            self.links.get(*ix as usize).and_then(|l| some(step(l)))
        })
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
