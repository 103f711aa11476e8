//! Nodes in buckets by depth and rank: constant time to move one, and a walk
//! in order of depth, then rank, that touches no bucket without nodes.

use super::cells::{Cells, LOOSE, Link, NOWHERE};
use super::{Ix, NONE};

/// Ranks within one depth.
pub(super) const RANKS: u32 = 64;

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

/// The buckets of all stripes, of one of the lists; how the nodes in them hang
/// together is in their cells.
#[derive(Debug, Clone)]
pub(super) struct Lists<const LIST: usize> {
    stripes: Vec<Rows>,
}

/// Where a node belongs: depth and rank.
pub(super) type Bucket = (u16, u32);

impl<const LIST: usize> Lists<LIST> {
    pub(super) fn new(stripes: usize) -> Self {
        Self {
            stripes: vec![Rows::default(); stripes],
        }
    }

    /// Moves the node to the end of a bucket, or out of all of them. Nothing
    /// changes if it is there already.
    pub(super) fn set(&mut self, cells: &mut Cells, ix: Ix, s: u8, want: Option<Bucket>) {
        let wanted = want.map_or(NOWHERE, number);
        let link = cells.link::<LIST>(ix, s);
        if link.bucket == wanted {
            return;
        }
        if link.bucket != NOWHERE {
            self.unlink(cells, ix, s, link);
        }
        if let Some(bucket) = want {
            self.push(cells, ix, s, bucket);
        }
    }

    fn push(&mut self, cells: &mut Cells, ix: Ix, s: u8, bucket: Bucket) {
        let (depth, rank) = (usize::from(bucket.0), bucket.1);
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
        cells.edit_link::<LIST>(last, s, |l| l.next = ix);
        let link = Link {
            prev: last,
            next: NONE,
            bucket: number(bucket),
        };
        cells.edit_link::<LIST>(ix, s, |l| *l = link);
    }

    fn unlink(&mut self, cells: &mut Cells, ix: Ix, s: u8, link: Link) {
        cells.edit_link::<LIST>(link.prev, s, |l| l.next = link.next);
        cells.edit_link::<LIST>(link.next, s, |l| l.prev = link.prev);
        cells.edit_link::<LIST>(ix, s, |l| *l = LOOSE);
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

    /// The greatest depth that holds a node.
    pub(super) fn deepest(&self, s: u8) -> usize {
        let tree = self.stripes.get(usize::from(s));
        tree.map_or(0, |tree| tree.rows.len().saturating_sub(1))
    }

    /// The nodes of these ranks by depth, rank, and time of arrival.
    pub(super) fn iter<'a>(
        &'a self,
        cells: &'a Cells,
        s: u8,
        ranks: u64,
    ) -> impl Iterator<Item = Ix> + 'a {
        let tree = self.stripes.get(usize::from(s));
        let depths = tree.map_or(0..0, |tree| tree.low..tree.rows.len());
        depths.flat_map(move |depth| self.at(cells, s, depth, ranks))
    }

    /// The nodes at this depth by rank and time of arrival.
    pub(super) fn at<'a>(
        &'a self,
        cells: &'a Cells,
        s: u8,
        depth: usize,
        ranks: u64,
    ) -> impl Iterator<Item = Ix> + 'a {
        let row = self.row(s, depth);
        let found = row.map_or(0, |row| row.ranks & ranks);
        Bits(found).flat_map(move |rank| {
            let first = row.map_or(NONE, |row| row.ends(rank).0);
            walk::<LIST>(cells, first, s, |link| link.next)
        })
    }

    /// The nodes at this depth by rank, the last to come first.
    pub(super) fn latest_at<'a>(
        &'a self,
        cells: &'a Cells,
        s: u8,
        depth: usize,
        ranks: u64,
    ) -> impl Iterator<Item = Ix> + 'a {
        let row = self.row(s, depth);
        let found = row.map_or(0, |row| row.ranks & ranks);
        Bits(found).flat_map(move |rank| {
            let last = row.map_or(NONE, |row| row.ends(rank).1);
            walk::<LIST>(cells, last, s, |link| link.prev)
        })
    }

    fn row(&self, s: u8, depth: usize) -> Option<&Row> {
        self.stripes.get(usize::from(s))?.rows.get(depth)
    }
}

fn walk<const LIST: usize>(
    cells: &Cells,
    from: Ix,
    s: u8,
    step: fn(&Link) -> Ix,
) -> impl Iterator<Item = Ix> + '_ {
    let some = |ix: Ix| (ix != NONE).then_some(ix);
    std::iter::successors(some(from), move |ix| {
        some(step(&cells.link::<LIST>(*ix, s)))
    })
}

fn number((depth, rank): Bucket) -> u32 {
    u32::from(depth) * RANKS + rank
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
